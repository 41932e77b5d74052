"""Notice, withdrawal, change of hands and moves of contracts in the database: quoted, then ordered once."""

import asyncio
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pbxcore import door, ordering
from pbxcore.settings import Settings
from tests.integration.test_contracts import facts
from tests.integration.test_door import CONFIG, codes, put

HEAD = "version: 1\ncontract: ada\ncatalogue: openvoip\nholder: private\nevents:\n"
SIGNED = (
    "  - {on: 2026-04-01, top_up: '100.00'}\n"
    "  - {on: 2026-04-01, sign: {add: {extension: 2, line: 1, number: 1}}}\n"
)
ON = ("--on", "2026-04-10", "--json")
TICKET = ("--holder", "company", "--ticket", "T-4711", "--opened-by", "Ada Rossi")
MOVE = ("--move-to", "autphone", "--add", "extension=3")
Command = Callable[..., tuple[int, str]]


@pytest.fixture
async def signed(settings: Settings) -> Settings:
    """A machine with a consumer's contract on credit."""
    assert not (await door.apply(settings, [CONFIG / "catalogues"], author="test")).findings
    assert not (await put(settings, contract=HEAD + SIGNED)).findings
    return settings


def asked(command: Command, *wanted: str) -> dict[str, Any]:
    """Ask for a quote."""
    code, told = command("quote", "ada", *wanted, *ON)
    assert code == 0, told
    found: dict[str, Any] = json.loads(told)
    return found


@pytest.mark.parametrize(
    ("wanted", "event"),
    [
        (("--cancel",), {"cancel": {}}),
        (("--withdraw",), {"withdraw": {}}),
        (TICKET, {"holder": {"kind": "company", "ticket": "T-4711", "opened_by": "Ada Rossi"}}),
    ],
    ids=["cancel", "withdraw", "holder"],
)
def test_a_parting_is_ordered_exactly_once(
    signed: Settings, command: Command, wanted: tuple[str, ...], event: dict[str, dict[str, str]]
) -> None:
    """By the id of its kept quote; one fact with the quote in it, and a second time changes nothing."""
    quoted = asked(command, *wanted)
    assert len(asyncio.run(facts(signed))) == 2
    code, told = command("order", "ada", "--quote", quoted["id"], *ON)
    assert (code, json.loads(told)["outcome"], json.loads(told)["fact"]) == (0, "accepted", 3)
    code, told = command("order", "ada", "--quote", quoted["id"], *ON)
    assert (code, json.loads(told)["outcome"], json.loads(told)["fact"]) == (0, "unchanged", 3)
    (key,) = event
    stored = asyncio.run(facts(signed))
    assert [one[key] for one in stored[2:]] == [{**event[key], "agreed": quoted["id"]}]


@pytest.mark.row("4.2")
@pytest.mark.row("X.5")
@pytest.mark.usefixtures("signed")
def test_hands_then_a_move_are_shown_on_their_days(command: Command) -> None:
    """The consumer's contract goes to a company and from there to the other catalogue, day by day."""
    command("order", "ada", "--quote", asked(command, *TICKET)["id"], *ON)
    quoted = asked(command, *MOVE)
    assert (quoted["ending"]["last"], quoted["refund"]["amount"]) == ("2026-04-10", "86.20")
    assert (quoted["next_invoice"]["on"], quoted["next_invoice"]["difference"]) == ("2026-05-01", "13.00")
    command("order", "ada", "--quote", quoted["id"], *ON)
    shown = [
        json.loads(command("contract", "show", "ada", "--on", day, "--json")[1])
        for day in ("2026-04-09", "2026-04-10", "2026-04-11")
    ]
    assert [one["holder"] for one in shown] == ["private", "company", "company"]
    names = ["openvoip@2026-01-01", "openvoip@2026-01-01", "autphone@2026-01-01"]
    assert [one["catalogue"] for one in shown] == names
    assert shown[1]["ending"]["steps"][0]["why"] == "notice received on 2026-04-10"


def test_a_fact_between_quote_and_order_is_told_with_both_sides(signed: Settings, command: Command) -> None:
    """Somebody ordered more meanwhile: the notice that was quoted is another one now; nothing is stored."""
    notice, more = asked(command, "--cancel"), asked(command, "--add", "blf=1")
    command("order", "ada", "--quote", more["id"], *ON)
    code, told = command("order", "ada", "--quote", notice["id"], *ON)
    answer = json.loads(told)
    assert (code, answer["refusals"][0]["code"]) == (1, "quote-changed")
    sides = answer["sides"]
    assert [sides[side]["price_per_month"]["before"] for side in ("quoted", "now")] == ["13.80", "15.00"]
    assert [one["event"]["order"]["agreed"] for one in sides["since"]] == [more["id"]]
    assert len(asyncio.run(facts(signed))) == 3


async def test_of_notice_and_an_order_at_once_one_wins(signed: Settings) -> None:
    """Both were quoted for the same contract: the second one is refused, nothing is stored of it."""
    day = date(2026, 4, 10)
    both: tuple[dict[str, Any], ...] = ({"cancel": {}}, {"add": {"blf": 1}})
    names = [(await ordering.ask(signed, "ada", one, day=day, author="test")).id for one in both]
    done = await asyncio.gather(
        *(ordering.order(signed, "ada", name, day=day, author="test") for name in names)
    )
    assert sorted(one.outcome for one in done) == ["accepted", "refused"]
    assert len(await facts(signed)) == 3


async def test_a_late_fact_does_not_undo_a_move(signed: Settings) -> None:
    """A move is an order: a notice learned behind it and dated before it is refused, and named."""
    day = date(2026, 4, 10)
    await put(signed, hands=HEAD + "  - {on: 2026-04-02, holder: {kind: company, ticket: T, opened_by: A}}\n")
    move = {"move": {"catalogue": "autphone", "add": {"extension": 3}}}
    name = (await ordering.ask(signed, "ada", move, day=day, author="test")).id
    assert (await ordering.order(signed, "ada", name, day=day, author="test")).outcome == "accepted"
    applied = await put(signed, late=HEAD + "  - {on: 2026-04-05, cancel: {}}\n")
    assert codes(applied) == [("late.yaml", 5, "undoes-order")]
    assert "the move of 2026-04-10 would be refused" in applied.findings[0].finding.message


LATE_MOVE = "  - {on: 2026-04-09, move: {catalogue: autphone, add: {extension: 3}, signed_form: x.pdf}}\n"
HANDS = "  - {on: 2026-04-02, holder: {kind: company, ticket: T, opened_by: A}}\n"


async def test_a_letter_gives_way_to_an_earlier_letter_alone(signed: Settings) -> None:
    """Notice by post: a move that was dated before it, and agreed with nobody, does not take its place."""
    await put(signed, letter=HEAD + HANDS + "  - {on: 2026-04-10, cancel: {}}\n")
    applied = await put(signed, late=HEAD + LATE_MOVE)
    assert codes(applied) == [("late.yaml", 5, "undoes-order")]
    assert applied.findings[0].finding.message.startswith("with these events the notice of 2026-04-10")
    assert not (await put(signed, earlier=HEAD + "  - {on: 2026-04-09, cancel: {}}\n")).findings


@pytest.mark.parametrize(
    ("wanted", "late", "what"),
    [
        ({"cancel": {}}, LATE_MOVE, "notice"),
        ({"cancel": {}}, "  - {on: 2026-04-09, cancel: {}}\n", "notice"),
        ({"withdraw": {}}, "  - {on: 2026-04-09, withdraw: {}}\n", "withdrawal"),
        (
            {"holder": {"kind": "company", "ticket": "T-1", "opened_by": "Eva"}},
            "  - {on: 2026-04-09, withdraw: {}}\n",
            "change of hands",
        ),
    ],
    ids=["move", "notice", "withdrawal", "hands"],
)
async def test_a_late_fact_does_not_undo_a_parting_that_was_quoted(
    signed: Settings, wanted: dict[str, Any], late: str, what: str
) -> None:
    """What somebody ordered by its quote stays: the late fact is refused and stored nowhere."""
    day = date(2026, 4, 10)
    if "cancel" in wanted:
        await put(signed, hands=HEAD + HANDS)
    name = (await ordering.ask(signed, "ada", wanted, day=day, author="test")).id
    assert (await ordering.order(signed, "ada", name, day=day, author="test")).outcome == "accepted"
    before = await facts(signed)
    applied = await put(signed, late=HEAD + late)
    assert codes(applied) == [("late.yaml", 5, "undoes-order")]
    assert f"the {what} of 2026-04-10 would " in applied.findings[0].finding.message
    assert await facts(signed) == before


async def test_an_earlier_letter_counts_before_a_notice_that_nobody_quoted(signed: Settings) -> None:
    """Received before and learned later: the contract ends by the earlier one."""
    await put(signed, letter=HEAD + "  - {on: 2026-04-10, cancel: {}}\n")
    applied = await put(signed, earlier=HEAD + "  - {on: 2026-04-09, cancel: {}}\n")
    assert codes(applied) == []
    assert len(await facts(signed)) == 4


def test_a_scan_of_what_needs_no_form_is_not_kept(signed: Settings, command: Command, tmp_path: Path) -> None:
    """Notice has no order form: the command says so and leaves nothing behind."""
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF-1.7 signed")
    name = asked(command, "--cancel")["id"]
    code, told = command("order", "ada", "--quote", name, "--on", "2026-04-10", "--signed-copy", str(scan))
    assert (code, "no order form is signed for cancel" in told) == (2, True)
    assert not list((signed.state / "contracts").iterdir())
    assert len(asyncio.run(facts(signed))) == 2


@pytest.mark.usefixtures("signed")
def test_nothing_wanted_is_nothing_quoted(command: Command) -> None:
    """A quote without a change has no id; it is a wrong command with the remedy."""
    code, told = command("quote", "ada", "--on", "2026-04-10")
    assert (code, "nothing is wanted" in told) == (2, True)
