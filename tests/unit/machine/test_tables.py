"""No table cuts a name, in a terminal of 80 columns neither."""

import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from pbxcore.cli import explain, status
from pbxcore.cli.panels import rated_leg
from pbxcore.cli.tables import Table
from pbxcore.recent import Recent
from pbxcore.revisions import Tenant

NOW = datetime(2026, 11, 26, 18, tzinfo=UTC)
CALLER, DIALLED, CALL = "+4915112345678", "+493055500100", "pbxqj4e3ukm-1795719209.10"


def written(what: object, width: int = 80) -> str:
    """Print something as on a terminal of a width."""
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def stands(names: Iterable[str], what: object, width: int = 80) -> None:
    """Make sure that names stand there in one piece, and that nothing is cut."""
    text = written(what, width)
    assert "…" not in text
    assert [name for name in names if name not in text] == []


@pytest.mark.parametrize("ago", [timedelta(minutes=1), timedelta(days=3)], ids=["today", "earlier"])
def test_calls_are_listed_whole(ago: timedelta) -> None:
    """Who called whom, and the name of the call; the outcome may go on in the next line."""
    one = Recent(at=NOW - ago, caller=CALLER, dialled=DIALLED, outcome="carrier-failure", linkedid=CALL)
    stands((CALLER, DIALLED, CALL), explain.listed([one], NOW))


def test_tenants_are_listed_whole() -> None:
    """With their names; a wide terminal shows by whom they were changed."""
    name = "Acme Maschinenbau GmbH"
    one = Tenant(id="acme", name=name, account="acme", revision=12, since=NOW, author="anna",
                 numbers=("+493055500100",), extensions=12)  # fmt: skip
    stands(("acme", name, "2026-11-26"), status.listed([one], by=False))
    stands(("acme", name, "anna"), status.listed([one], by=True), 100)


def test_a_long_name_goes_on_in_the_next_line() -> None:
    """Whatever stands in a table: nothing of it is lost."""
    table = Table("one", "two", box=None)
    table.add_row("a" * 70, "b" * 70)
    text = written(table)
    assert (text.count("a"), text.count("b"), "…" in text) == (70, 70, False)


def test_pools_of_a_rated_leg_are_whole() -> None:
    """The allowance that paid is read to its last letter."""
    piece = {"source": "allowance", "pool": "dach/mobile/2026-11-01", "rule": "", "seconds": 6,
             "before_s": 6, "after_s": 0, "price_per_minute_micro": 0, "amount_micro": 0}  # fmt: skip
    leg = {"number": DIALLED, "country": "DE", "kind": "fixed", "payer": "acme/10", "pieces": [piece],
           "connection_micro": 0, "billable_s": 6, "amount_micro": 0, "duration_us": 6_000_000}  # fmt: skip
    assert "…" not in written(rated_leg(leg))
