"""How a document names the revision it was made from."""

import pytest

from pbxcore.base import BaseError, base_of, bases_of, with_base, without_base


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("tenant: acme\n# base: 7\n", None),
        ("# base: seven\ntenant: acme\n", None),
        ("# base: -1\ntenant: acme\n", None),
        ("# the base: 7\ntenant: acme\n", None),
        ("tenant: acme\n", None),
        ("", None),
        ("# base: 7\ntenant: acme\n", 7),
        ("#base:0\ntenant: acme\n", 0),
        ("---\n# Acme, by Anna\n\n# base: 12\nversion: 1\n", 12),
        ("# base: 7", 7),
        ("# base: 7\r\nversion: 1\r\n", 7),
        ("---\r\n# Acme\r\n\r\n# Base: 7\r\nversion: 1\r\n", 7),
        ("\ufeff# base: 7\nversion: 1\n", 7),
    ],
)
def test_the_base_stands_in_a_comment_before_the_first_key(text: str, base: int | None) -> None:
    """A comment further down, or of another form, is a comment."""
    assert base_of(text) == base
    assert base_of(with_base(text, 3)) == 3
    assert base_of(without_base(text)) is None


def test_writing_a_base_changes_nothing_else() -> None:
    """The former one is replaced, and taking it out gives the document back."""
    text = "# Acme\n# more\nversion: 1  # base: 5\n"
    assert with_base(text, 7) == f"# base: 7\n{text}"
    assert with_base(with_base(text, 7), 8) == f"# base: 8\n{text}"
    assert without_base("# Acme\n# base: 7\n# more\nversion: 1  # base: 5\n") == text


def test_one_number_is_for_one_document() -> None:
    """Several documents have several bases; a name that is none of them is a slip."""
    two = {"tenant/a": "# base: 4\n", "account/a": ""}
    with pytest.raises(BaseError):
        bases_of(two, 1)
    with pytest.raises(BaseError):
        bases_of(two, {"tenant/b": 1})
    assert bases_of(two, {"account/a": 2}) == {"tenant/a": 4, "account/a": 2}
    assert bases_of(two, {"tenant/a": 2}) == {"tenant/a": 4}
    assert bases_of({"tenant/a": ""}, 3) == {"tenant/a": 3}
    assert bases_of({"tenant/a": ""}, None) == {}
