"""The desk when questions take long: nothing is set aside for calls that have taken no answer for a no."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
import yaml

from pbxcore.rater import desk
from pbxcore.rater.desk import Answer, Asked, Desk
from pbxcore.rater.purse import Purse, Purses
from rating.account import AccountSpec
from rating.book import Book, PoolKey, bind
from rating.catalogue import CatalogueSpec
from rating.credit import Grant, Refusal, Wish, authorise
from rating.destinations.load import load
from rating.limits import Count

if TYPE_CHECKING:
    from rating.store.ledger import Connection, Turn

CONFIG = Path(__file__).parents[3] / "config"
EACH_S = 0.03


@pytest.mark.parametrize(("patience_s", "answered"), [(0.1, 4), (0.2, 7), (4.0, 10)])
async def test_a_question_that_waited_too_long_behind_others_is_not_worked_out(
    monkeypatch: pytest.MonkeyPatch, patience_s: float, answered: int
) -> None:
    """Of ten that come together and take 30 ms each, some are answered in time; the rest costs nothing."""
    account = AccountSpec.model_validate({
        "version": 1, "account": "acme", "name": "Acme", "payment": "prepaid", "catalogue": "autphone",
        "country": "DE", "time_zone": "Europe/Berlin", "bundles": [],
    })  # fmt: skip
    written = yaml.safe_load((CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8"))
    book = bind(
        load(CONFIG / "destinations"), [CatalogueSpec.model_validate(written)], [account], {"acme": "acme"}
    )
    took: list[float] = []

    def slowly(
        wish: Wish, book: Book, used: Mapping[PoolKey, int], money_micro: int, spent: Mapping[Count, int]
    ) -> Grant | Refusal:
        took.append(EACH_S)
        return authorise(wish, book, used, money_micro, spent)

    clock = SimpleNamespace(monotonic=lambda: sum(took), time_ns=time.time_ns)
    monkeypatch.setattr(desk, "time", clock)
    monkeypatch.setattr(desk, "authorise", slowly)
    one = Desk(
        connection=cast("Connection", None),  # without credit nothing is written
        reading=cast("Connection", None),  # and everything is known
        turn=cast("Turn", None),
        book=book,
        purses=Purses(accounts={"acme": Purse(used={})}),
        longest_s=3_600,
        slice_s=300,
        patience_s=patience_s,
    )
    heard: list[Answer] = []
    asked = Asked(
        id="a", call="pbx-1.1", payer="acme/10", number="+493012345678", why="call", answer_within_s=65
    )
    await one._answer([desk._Waiting(asked, heard.append, 0.0)] * 10)
    assert heard == [Answer(refused="no-credit")] * answered
