"""What a book answered, as arrays: how long it lives."""

import gc
from weakref import ref

import pytest

from rating.columns import Index, Numbers
from tests.unit.rating.conftest import MakeBook


@pytest.mark.parametrize("payer", ["nobody/10", "acme/10"])
def test_an_index_that_is_no_more_used_goes_without_the_collector(make_book: MakeBook, payer: str) -> None:
    """The rater spares the collector each book it reads: in a circle the old ones would never go."""
    book = make_book("dach/S")
    index = Index(book, Numbers(book.destinations))
    assert isinstance(index.payers[payer], int)
    gone = ref(index)
    gc.disable()
    try:
        del index
        assert gone() is None
    finally:
        gc.enable()
