"""Pages that list every key: as the specs are, and with a word about each."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from pbxcore import keys

DOCS = Path(__file__).parents[3] / "docs"


def parts(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Give a document and everything that stands in it."""
    return [model, *keys.parts_of(model)]


@pytest.mark.parametrize("name", keys.PAGES)
def test_a_page_is_as_its_spec_is(name: str) -> None:
    """A key that comes, goes or means something else is on the page with the same commit."""
    written = (DOCS / f"{name}.md").read_text()
    assert written == keys.page(keys.PAGES[name]), "run `make keys`"


@pytest.mark.parametrize("name", keys.PAGES)
def test_every_key_has_a_meaning(name: str) -> None:
    """Nobody has to guess: each key of each part is told in words."""
    silent = [
        f"{part.__name__}.{key}"
        for part in parts(keys.PAGES[name].model)
        for key in part.model_fields
        if not keys.meanings_of(part).get(key)
    ]
    assert silent == []


@pytest.mark.parametrize(
    "row",
    [
        "| `roll_over_months` | number from 0 to 12 | `0` |",
        "| `from` | day, `2026-12-24` |  |",
        "| `countries` | list of country, `AT`, or `rest` | **needed** |",
    ],
)
def test_a_key_says_what_may_stand_there(row: str) -> None:
    """As it is written in the document: its name there, the form, the limits, what holds without it."""
    assert row in keys.page(keys.PAGES["catalogue"])
