"""Mistakes of form are told in the words of whoever wrote the document."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from dialplan.spec import TenantSpec
from pbxcore.form import validate
from rating.catalogue import CatalogueSpec
from rating.offer import OfferSpec

PROGRAM = ("Tuple", "Dictionary", "List", "String", "item", "validation")  # pydantic's words


class Sized(BaseModel):
    """A document with everything that has a size."""

    words: Annotated[tuple[str, ...], Field(strict=False, min_length=2, max_length=3)] = ("a", "b")
    rows: dict[str, int] = Field(default={"a": 1, "b": 2}, min_length=1, max_length=2)
    line: str = Field(default="ab", min_length=2, max_length=3)


@pytest.mark.parametrize(
    ("written", "message", "remedy"),
    [
        ({"words": []}, "'words' is empty", "write 2 entries or more"),
        ({"words": ["a"]}, "'words' has 1 entry", "write 2 entries or more"),
        ({"words": list("abcd")}, "'words' has 4 entries", "write 3 entries or less"),
        ({"rows": {}}, "'rows' is empty", "write 1 entry or more"),
        ({"rows": {"a": 1, "b": 2, "c": 3}}, "'rows' has 3 entries", "write 2 entries or less"),
        ({"line": "a"}, "'line' is the text 'a'", "write 2 characters or more"),
        ({"line": "abcd"}, "'line' is the text 'abcd'", "write 3 characters or less"),
    ],
)
def test_a_size_is_told_by_what_is_counted(written: dict[str, Any], message: str, remedy: str) -> None:
    """How many there are, and how many there may be: entries of lists and mappings, characters of text."""
    (one,) = validate(Sized, written)[2]
    assert (one.code, one.message, one.remedy) == ("wrong-value", message, remedy)


@pytest.mark.parametrize(
    ("model", "key", "empty"),
    [
        (CatalogueSpec, "rates", []),
        (CatalogueSpec, "zones", {}),
        (OfferSpec, "products", {}),
        (TenantSpec, "entitlements", []),
    ],
)
def test_an_empty_key_of_a_document_is_told_in_words(model: type[BaseModel], key: str, empty: object) -> None:
    """None of the program's words stands there."""
    (one,) = (found for found in validate(model, {key: empty})[2] if found.path == (key,))
    assert (one.message, one.remedy) == (f"{key!r} is empty", "write 1 entry or more")
    assert not any(word in one.message + one.remedy for word in PROGRAM)
