"""One book that two threads ask at once: the rater's loop, for credit, and its thread, for legs."""

import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from rating.book import Book
from rating.periods import from_iso
from tests.unit.rating.conftest import MakeBook

BOOKS = 40
MONTHS = [from_iso(f"20{year}-{month:02}-15T12:00:00+00:00") for year in (26, 27) for month in range(1, 13)]


@pytest.fixture
def _restless() -> Iterator[None]:
    """Let threads change as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_restless")
def test_two_threads_that_ask_one_book_hear_what_one_would(make_book: MakeBook) -> None:
    """In whatever order they ask, and whoever is in the midst of working an answer out."""
    with ThreadPoolExecutor(2) as threads:
        for seed in range(BOOKS):
            book, alone, begin = make_book("dach/S"), make_book("dach/S"), Barrier(2)
            orders = [random.Random(2 * seed + one).sample(MONTHS, len(MONTHS)) for one in range(2)]
            answers = [threads.submit(_ask, book, order, begin) for order in orders]
            for order, answer in zip(orders, answers, strict=True):
                assert answer.result() == [alone.stretch(alone.accounts["acme"], one) for one in order]


def _ask(book: Book, instants: list[int], begin: Barrier) -> list[object]:
    begin.wait(60)
    return [book.stretch(book.accounts["acme"], one) for one in instants]
