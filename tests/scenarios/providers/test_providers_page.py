"""The page of what the providers promise says what the tests say."""

from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "providers.md"


def test_the_page_is_up_to_date(page_of_the_sources: str) -> None:
    """`docs/providers.md` lists the tests that are there: `make providers` writes it anew."""
    assert PAGE.read_text("utf-8") == page_of_the_sources
