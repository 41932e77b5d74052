"""From what a YAML file holds to a checked document: pydantic's complaints as findings.

Owns the words in which a document is refused. Refuses files: it is given what they hold.
"""

import difflib
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rating.finding import Finding, Path

Document = TypeVar("Document", bound=BaseModel)


def read(model: type[Document], content: object) -> tuple[Document | None, tuple[Finding, ...]]:
    """Check the shape of a document; every mistake at once.

    Returns:
        The document and no findings, or None and what is wrong.
    """
    try:
        return model.model_validate(content), ()
    except ValidationError as error:
        return None, tuple(
            _finding(model, tuple(mistake["loc"]), mistake["type"], mistake["msg"])
            for mistake in error.errors(include_url=False, include_context=False, include_input=False)
        )


def _finding(model: type[BaseModel], path: Path, kind: str, message: str) -> Finding:
    if kind == "extra_forbidden":
        return _unknown_key(model, path)
    if kind == "missing":
        return Finding(
            path=path, code="missing-key", message=f"`{path[-1]}` is missing", remedy=f"add `{path[-1]}:`"
        )
    text = message.removeprefix("Value error, ")
    return Finding(path=path, code="invalid-value", message=text, remedy="write a value of that form")


def _unknown_key(model: type[BaseModel], path: Path) -> Finding:
    key = str(path[-1])
    known = _keys(model)
    near = difflib.get_close_matches(key, known, n=1)
    remedy = f"did you mean `{near[0]}`?" if near else "remove it"
    return Finding(path=path, code="unknown-key", message=f"`{key}` is no key here", remedy=remedy)


def _keys(model: type[BaseModel]) -> list[str]:
    """Every key that any part of the document knows."""
    schema = model.model_json_schema(by_alias=True)
    parts = [schema, *schema.get("$defs", {}).values()]
    return sorted({key for part in parts for key in part.get("properties", {})})
