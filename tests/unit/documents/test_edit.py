"""One entry of a document is changed; every other character stays as its author wrote it."""

from typing import Any

import pytest

from pbxcore.edit import EditError, set_entry
from pbxcore.yamltree import read_trees

BLOCK = """version: 1   # the form
numbers:
  # the shop
  "+493055500100":       # temporary
    stands_for: "+493022200100"   # at the old provider
    to: hours office

  "+493055500111":
    to: extension 11
extensions:
  "10": {name: Anna}
"""
FLOW = """numbers:
  "+493055500100": {stands_for: "+493022200100", to: hours office}
  "+493055500111": {to: extension 11}   # Bruno
"""
NUMBER = ("numbers", "+493055500100", "porting")
PLANNED = {"planned": "2026-12-01T06:00+01:00"}


def value(text: str) -> Any:  # noqa: ANN401 — whatever the document says
    """Read a document as the door does."""
    trees, findings = read_trees(text)
    assert not findings
    return trees[0].value


@pytest.mark.parametrize("text", [BLOCK, FLOW], ids=["block", "flow"])
def test_a_place_that_is_not_there_is_refused(text: str) -> None:
    """An entry of a number that the document does not have is an error, not a new number."""
    with pytest.raises(EditError):
        set_entry(text, ("numbers", "+493055509999", "porting"), PLANNED)


@pytest.mark.parametrize("text", [BLOCK, FLOW], ids=["block", "flow"])
def test_an_entry_is_added_changed_and_removed(text: str) -> None:
    """What was added and removed again leaves the text as it was; nothing else ever changes."""
    added = set_entry(text, NUMBER, PLANNED)
    expected = value(text)
    expected["numbers"]["+493055500100"]["porting"] = PLANNED
    assert value(added) == expected
    changed = set_entry(added, NUMBER, {**PLANNED, "rejected": 'by "Telekom": name differs'})
    expected["numbers"]["+493055500100"]["porting"] = {**PLANNED, "rejected": 'by "Telekom": name differs'}
    assert value(changed) == expected
    assert set_entry(changed, NUMBER, PLANNED) == added
    assert set_entry(added, NUMBER, None) == text


def test_an_entry_over_several_lines_is_replaced_with_its_lines_and_no_more() -> None:
    """A block that somebody wrote by hand gives way; the comment and the blank line behind it stay."""
    by_hand = BLOCK.replace(
        "    to: hours office\n",
        "    porting:\n      planned: 2026-12-01T06:00   # as the carrier wrote\n    to: hours office\n",
    )
    replaced = set_entry(by_hand, NUMBER, PLANNED)
    assert "# at the old provider" in replaced
    assert value(replaced)["numbers"]["+493055500100"]["porting"] == PLANNED
    assert set_entry(by_hand, NUMBER, None) == BLOCK


def test_the_last_entry_of_a_mapping_on_one_line_can_go() -> None:
    """No comma is left behind."""
    text = 'numbers:\n  "+493055500100": {to: busy, porting: {planned: "2026-12-01T06:00"}}\n'
    assert set_entry(text, NUMBER, None) == 'numbers:\n  "+493055500100": {to: busy}\n'


def test_removing_what_is_not_there_changes_nothing() -> None:
    """A document without the entry stays as it is."""
    assert set_entry(BLOCK, NUMBER, None) == BLOCK
