"""What a billing clerk reads of a contract: days, amounts and reasons in words, no structures."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pbxcore.cli import app, contract_page
from pbxcore.cli.terminal import Terminal
from rating.contract.document import DEEDS as WRITTEN
from rating.contract.facts import DEEDS

CATALOGUES = Path(__file__).parents[3] / "config/catalogues"
CREDIT = """\
version: 1
contract: ada
catalogue: openvoip
holder: private
customer: {name: Ada Rossi}
events:
  - {on: 2026-04-01, top_up: '20.00'}
  - {on: 2026-04-01, sign: {add: {extension: 2, line: 1, number: 1}}}
  - {on: 2026-04-10, order: {add: {extension: 9}}}
  - {on: 2026-04-12, calls: {amount: '1.234567', what: Italy}}
"""
INVOICED = """\
version: 1
contract: acme
catalogue: autphone
region: BY
until: 2027-04-01
events:
  - {on: 2026-01-15, sign: {add: {extension: 4, dach-S: 1}}}
  - {on: 2026-03-10, order: {add: {extension: 2}}}
  - {on: 2026-03-11, order: {add: {extenson: 2}}}
  - {on: 2026-03-11, calls: {amount: '12.345678'}}
  - {on: 2026-03-12, order: {remove: {extension: 1}}}
  - {on: 2026-12-14, cancel: {}}
"""
STRUCTURE = re.compile(r"[{}]|\[\"|\bnull\b|\bNone\b|\bTrue\b|\bFalse\b|_micro")


def told(file: Path, text: str, *words: str, columns: str = "80") -> str:
    """Give what a command prints about a contract in a terminal."""
    file.write_text(text)
    command = ["contract", words[0], str(file), f"--catalogue={CATALOGUES}", *words[1:]]
    done = CliRunner().invoke(app, command, env={"COLUMNS": columns})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("text", [CREDIT, INVOICED], ids=["on credit", "invoiced"])
@pytest.mark.parametrize(
    "words", [("simulate",), ("show", "--on", "2026-04-13"), ("show", "--on", "2026-01-01")]
)
def test_nothing_of_the_programs_inside_is_shown(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    """No braces, no null, no names of fields; and no line is wider than the terminal."""
    page = told(tmp_path / "contract.yaml", text, *words)
    assert STRUCTURE.findall(page) == []
    assert [line for line in page.splitlines() if len(line) > 80] == []


def test_a_credit_is_told_with_its_balance(tmp_path: Path) -> None:
    """Each movement with its sign and what was left after it, and why an order was refused."""
    page = told(tmp_path / "contract.yaml", CREDIT, "simulate", columns="120")
    lines = [" ".join(line.split()) for line in page.splitlines()]
    assert "Contract ada, amounts in EUR" in lines
    assert "2026-04-01 20.00 are paid in: ✓ accepted" in lines
    assert "2026-04-10 ordered: 9 x extension: ✗ refused" in lines
    assert any(line.startswith("→ top up 5.14 first") for line in lines)
    assert "1.234567 were taken from the credit" in lines
    assert "2026-04-12 calls -1.234567 4.965433" in lines


def test_invoices_are_told_with_days_and_taxes(tmp_path: Path) -> None:
    """For which month, what for how many days, and what is to pay."""
    page = told(tmp_path / "contract.yaml", INVOICED, "simulate", columns="120")
    lines = [" ".join(line.split()) for line in page.splitlines()]
    first = lines.index("2026-02-01 invoice for 2026-01, by autphone@2026-01-01")
    assert lines[first + 2 : first + 7] == [
        "1 x dach-S at 20.00 20.00",
        "4 x extension at 6.50, 17 of 31 days: 2026-01-15 to 2026-01-31 14.26",
        "net 34.26",
        "VAT 6.51",
        "to pay 40.77",
    ]
    assert "2026-03-11 ordered: 2 x extenson: ✗ refused" in lines
    assert "2026-12-14 notice is received: ✓ accepted" in lines
    assert "ends on 2027-01-14" in lines
    calls = lines.index("2026-03-11 calls for 12.345678: ✓ accepted")
    assert lines[calls + 1] == "12.345678 stand on the invoice"
    assert "calls 12.35" in lines


def test_a_contract_is_shown_by_what_can_be_said_of_it(tmp_path: Path) -> None:
    """What it has, what it costs with its currency, and nothing of what is not so."""
    page = told(tmp_path / "contract.yaml", INVOICED, "show", "--on", "2026-03-13")
    lines = [" ".join(line.split()) for line in page.splitlines()]
    assert "has 6 x extension" in lines or "6 x extension" in lines
    assert any(line.endswith("EUR a month") for line in lines)
    names = {line.partition("  ")[0] for line in page.splitlines()}
    assert not {"notice", "balance", "options", "to do"} & names


SAID = {
    "topup": ({"amount_micro": 5_000_000}, "5.00 are paid in"),
    "ledger": ({"paid_micro": 1, "calls_micro": 0},
               "0.000001 were paid into the account, and calls took 0.00"),
    "sign": ({"change": {"add": {"user": 2}, "choose": {"package": ["plus", "base"]}},
              "begins": "2026-05-01"},
             "signed: 2 x user, package plus or base to begin on 2026-05-01"),
    "use": ({"counts": {"users": 3}, "features": ["fax"]}, "in use from now on: 3 x users fax"),
    "create": ({"counts": {"users": 3}}, "wanted: 3 x users"),
    "edit": ({"what": "hours", "by": "bruno"}, "bruno wants to change hours"),
    "ask": ({"change": {"remove": {"user": 1}}, "label": "less"},
            "asked for a quote, kept as less: without 1 x user"),
    "order": ({"change": None, "quote": "more"}, "ordered: as quote more says"),
    "holder": ({"kind": "company", "ticket": "T-1"}, "another holder, company by ticket T-1"),
    "cancel": ({}, "notice is received"),
    "processed": ({}, "the notice is processed"),
    "move": ({"catalogue": "easybell", "change": {"add": {}, "newest": True}},
             "moves to easybell: by the newest version of the catalogue"),
    "withdraw": ({}, "the customer withdraws"),
    "calls": ({"what": "Italy", "amount_micro": 10_000}, "calls to Italy for 0.01"),
}  # fmt: skip


@pytest.mark.parametrize("deed", [one.__name__.lower() for one in DEEDS])
def test_every_deed_has_its_words(deed: str) -> None:
    """What anybody may do is told as a person would say it."""
    said, words = SAID[deed]
    event = {"on": "2026-05-01", "deed": deed, "said": said, "outcome": "accepted"}
    values = {"contract": "ada", "state": {"currency": "EUR"}, "events": [event], "happened": [],
              "invoices": [], "credit": []}  # fmt: skip
    assert f"2026-05-01  {words}: ✓ accepted" in printed(values)


def printed(values: dict[str, Any]) -> str:
    """Give a story as it is printed, each row with nothing behind its words."""
    console = Terminal(file=io.StringIO(), width=200)
    for part in contract_page.story(json.loads(json.dumps(values))):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"product": "de-S", "quantity": -1}, "1 x de-S ends"),
        ({"product": "extension", "quantity": 2}, "2 x extension begins"),
        ({"choice": "plan", "from": "S", "to": "M"}, "plan S → M begins"),
        ({"version": "autphone@2027-01-01"}, "autphone@2027-01-01 begins"),
    ],
)
def test_what_is_given_up_ends(part: dict[str, Any], words: str) -> None:
    """Fewer of a product do not begin; and the day stands before the words already."""
    happened = [
        {"on": "2027-01-01", "what": "begun", "change": {**part, "begins": "2027-01-01", "steps": []}}
    ]
    values = {"contract": "ada", "state": {"currency": "EUR"}, "events": [], "happened": happened,
              "invoices": [], "credit": []}  # fmt: skip
    assert f"2027-01-01  {words}\n" in printed(values)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"top_up": "5.00"}, "5.00 are paid in"),
        ({"ledger": {"paid": "0.000001"}}, "0.000001 were paid into the account, and calls took 0.00"),
        ({"sign": {"add": {"user": {"plus": 2, "base": 1}}, "choose": {"package": "plus"}}},
         "signed: 3 x user, package plus"),
        ({"use": {"counts": {"users": 3}, "features": ["fax"]}}, "in use from now on: 3 x users fax"),
        ({"create": {"counts": {"users": 3}}}, "wanted: 3 x users"),
        ({"edit": {"what": "hours", "by": "tenant"}}, "tenant wants to change hours"),
        ({"quote": {"label": "less", "remove": {"user": 1}}},
         "asked for a quote, kept as less: without 1 x user"),
        ({"order": {"add": {"extension": 1}, "agreed": "c5b4"}}, "ordered: 1 x extension"),
        ({"order": {"version": "newest"}}, "ordered: by the newest version of the catalogue"),
        ({"holder": {"kind": "company", "ticket": "T-1"}}, "another holder, company by ticket T-1"),
        ({"cancel": {}}, "notice is received"),
        ({"processed": {}}, "the notice is processed"),
        ({"move": {"catalogue": "easybell", "choose": {"plan": ["a", "b"]}}},
         "moves to easybell: plan a or b"),
        ({"withdraw": {}}, "the customer withdraws"),
        ({"calls": {"amount": "1.20"}}, "calls for 1.20"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)  # fmt: skip
def test_an_event_as_written_has_the_words_of_the_story(event: dict[str, Any], words: str) -> None:
    """Nobody reads a mapping where a document's event is told."""
    assert contract_page.written({"on": "2026-05-01", "at": "06:16", **event}) == words


def test_every_event_can_be_told() -> None:
    """A new deed of a document gets its words here, too."""
    assert frozenset(WRITTEN) == contract_page.TOLD
