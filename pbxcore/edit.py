"""Changes one entry of a YAML document and leaves every other character as its author wrote it.

Owns the text. Refuses to know what the entry means, and documents that `pbxcore.yamltree` would not read.
"""

import json
from collections.abc import Mapping, Sequence

import yaml

Scalar = str | int | bool


class EditError(Exception):
    """The place to change is not in the document.

    Attributes:
        code: stable word for answers.
    """

    code = "no-such-entry"


def set_entry(text: str, path: Sequence[str], value: Mapping[str, Scalar] | Scalar | None) -> str:
    """Set the entry at a path, `("numbers", "+4930…", "porting")`; None removes it.

    The mapping that holds the entry must be there. A mapping is written on one line, `{planned: "…"}`.

    Raises:
        EditError: the mapping that is to hold it is not in the document.
    """
    *parents, key = path
    holder = _find(yaml.compose(text, Loader=yaml.SafeLoader), parents)
    there = next((pair for pair in holder.value if pair[0].value == key), None)
    if there is None:
        return text if value is None else _inserted(text, holder, key, _written(value))
    if value is None:
        return _removed(text, holder, there)
    begin, end = there[1].start_mark.index, _end(text, there[1])
    return f"{text[:begin]}{_written(value)}{text[end:]}"


def _find(node: yaml.Node | None, path: Sequence[str]) -> yaml.MappingNode:
    for key in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for name, value in pairs if name.value == key), None)
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise EditError(f"the document has no {'.'.join(path)}")
    return node


def _written(value: Mapping[str, Scalar] | Scalar) -> str:
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(f"{key}: {json.dumps(one, ensure_ascii=False)}" for key, one in value.items())
            + "}"
        )
    return json.dumps(value, ensure_ascii=False)


def _inserted(text: str, holder: yaml.MappingNode, key: str, written: str) -> str:
    """Write the entry before the first one, which shows how far entries are indented."""
    first = holder.value[0][0].start_mark
    between = ", " if holder.flow_style else "\n" + " " * first.column
    return f"{text[: first.index]}{key}: {written}{between}{text[first.index :]}"


def _removed(text: str, holder: yaml.MappingNode, pair: tuple[yaml.Node, yaml.Node]) -> str:
    begin, end = pair[0].start_mark.index, _end(text, pair[1])
    if not holder.flow_style:  # its lines, with the comment behind it
        begin = text.rfind("\n", 0, begin) + 1
        line_end = text.find("\n", end)
        return text[:begin] + (text[line_end + 1 :] if line_end >= 0 else "")
    if holder.value[-1] is pair and len(holder.value) > 1:
        begin = _end(text, holder.value[-2][1])
    elif holder.value[-1] is not pair:
        end = holder.value[holder.value.index(pair) + 1][0].start_mark.index
    return text[:begin] + text[end:]


def _end(text: str, node: yaml.Node) -> int:
    """Give the index behind a node; a block's end mark lies at the next token, behind comments and blanks."""
    end: int = node.end_mark.index
    block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    if not block:
        return end
    last = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
    return _end(text, last) if node.value else end
