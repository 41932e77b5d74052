"""Notice, withdrawal, another holder and a move by the command line: quoted, then ordered exactly so."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pbxcore.cli import app

CATALOGUES = Path(__file__).parents[3] / "config/catalogues"
OPENVOIP = """\
version: 1
contract: ada
catalogue: openvoip
holder: {holder}
customer: {{name: Ada Rossi}}
events:
  - {{on: 2026-04-01, top_up: '{credit}'}}
  - {{on: 2026-04-01, sign: {{add: {{extension: 2, line: 1, number: 1}}}}}}
"""
AUTPHONE = """\
version: 1
contract: acme
catalogue: autphone
region: BY
events:
  - {on: 2026-01-15, sign: {add: {extension: 4, dach-S: 1}}}
"""
ACCENSYS = """\
version: 1
contract: bakker
catalogue: accensys
events:
  - {on: 2026-02-01, sign: {add: {device: 3}, choose: {care: managed}}}
"""
TICKET = ("--holder", "company", "--ticket", "T-4711", "--opened-by", "Ada Rossi")
HANDS = (*TICKET, "--on", "2026-04-10")
CLOUD = ("--move-to", "cloudpbx", "--add", "user=2", "--choose", "package=plus", "--on", "2026-04-20")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the contract of a test is written."""
    return tmp_path / "contract.yaml"


def openvoip(credit: str = "100.00", holder: str = "private") -> str:
    """Give a contract on credit, 13.80 a month."""
    return OPENVOIP.format(credit=credit, holder=holder)


def said(*arguments: str) -> tuple[int, str]:
    """Run a command as people do."""
    result = CliRunner().invoke(app, [*arguments, f"--catalogue={CATALOGUES}"])
    return result.exit_code, result.output


def run(command: str, file: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a command on a contract: its exit code and what it told scripts."""
    code, told = said(command, str(file), *arguments, "--json")
    return code, json.loads(told)


UNSIGNED = "".join(openvoip().splitlines(keepends=True)[:-1])
"""Paid into, and signed by nobody."""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing is wanted"),
        (("--begins", "2026-05-01"), "begins cannot be said"),
        (("--cancel", "--add", "blf=1"), "cancel goes alone, without add"),
        (("--cancel", "--withdraw"), "cancel goes alone, without withdraw"),
        (("--ticket", "T-1"), "nothing says what the new holder is"),
        (("--customer", "customer.yaml"), "nothing says what the new holder is"),
        (("--holder", "company", "--customer", "none.yaml"), "none.yaml cannot be read"),
        (("--holder", "robot"), "'robot' is not one of"),
        (("--move-to", "autphone", "--remove", "line=1"), "remove cannot be said of a move"),
        (("--move-to", "a b"), "catalogue: "),
        (("--cancel", "--form", "form.pdf"), "no order form is signed for cancel"),
    ],
)
def test_what_cannot_be_said_is_a_wrong_command(file: Path, arguments: tuple[str, ...], words: str) -> None:
    """Nothing at all, two things at once, half a change of hands: told with the remedy, not written."""
    file.write_text(openvoip())
    code, told = said("quote", str(file), "--on", "2026-04-10", *arguments)
    assert (code, words in " ".join(told.split())) == (2, True), told
    assert file.read_text() == openvoip()


@pytest.mark.parametrize("arguments", [("--add", "number=1"), ("--cancel",), TICKET])
def test_nothing_is_quoted_for_a_day_before_what_is_known(file: Path, arguments: tuple[str, ...]) -> None:
    """Before the signing the same would be a signing of its own: it could not be ordered, and has no id."""
    file.write_text(openvoip())
    code, told = said("quote", str(file), "--on", "2026-03-10", *arguments)
    assert (code, "the contract says what happened on 2026-04-01" in " ".join(told.split())) == (1, True), (
        told
    )


def test_what_the_credit_lacks_is_told_with_the_event_that_pays_it_in(file: Path) -> None:
    """Nothing can be ordered with it: no id, no button, and the remedy as a document writes it."""
    file.write_text(openvoip("14.00"))
    code, told = run("quote", file, "--choose", "traffic=flat", "--on", "2026-04-11")
    assert (code, told["missing"], told["id"], told["button"]) == (1, "9.40", None, None)
    code, told_people = said("quote", str(file), "--choose", "traffic=flat", "--on", "2026-04-11")
    assert (code, 'top_up: "9.40"' in told_people, "obligation to pay" in told_people) == (1, True, False)


@pytest.mark.parametrize("text", ["[1", "- a", "name: ''", "name: A\nshoe: 43"])
def test_a_customer_that_is_none_is_a_wrong_command(file: Path, text: str) -> None:
    """Who the new holder is stands in a file as below `customer:`."""
    file.write_text(openvoip())
    customer = file.with_name("customer.yaml")
    customer.write_text(text)
    code, told = said("quote", str(file), *HANDS, "--customer", str(customer))
    assert (code, "customer.yaml" in told.replace("\n", "")) == (2, True), told


@pytest.mark.parametrize(
    ("text", "arguments", "codes"),
    [
        (openvoip(), ("--holder", "company", "--on", "2026-04-10"), ["no-ticket"]),
        (openvoip(), (*TICKET[:4], "--on", "2026-04-10"), ["no-opener"]),
        (UNSIGNED, (*TICKET, "--on", "2026-04-10"), ["no-contract"]),
        (AUTPHONE, ("--holder", "private", "--on", "2026-04-10"), ["holder"]),
        (AUTPHONE, ("--holder", "company", "--on", "2026-04-10"), ["nothing-changes"]),
        (openvoip(), ("--withdraw", "--on", "2026-04-16"), ["too-late"]),
        (openvoip(holder="company"), ("--withdraw", "--on", "2026-04-10"), ["no-withdrawal"]),
        (openvoip("14.00"), ("--cancel", "--on", "2026-05-10"), ["debt"]),
        (openvoip("14.00"), (*CLOUD[:-1], "2026-05-10"), ["debt"]),
        (openvoip(), CLOUD, ["holder"]),
        (openvoip(holder="company"), ("--move-to", "none", "--on", "2026-04-10"), ["unknown-catalogue"]),
        (openvoip(holder="company"), ("--move-to", "accensys", "--on", "2026-04-10"), ["choose"]),
    ],
)
def test_what_stands_in_the_way_is_told_before_anything_is_ordered(
    file: Path, text: str, arguments: tuple[str, ...], codes: list[str]
) -> None:
    """Debts, late withdrawals, missing tickets and choices: no id, each with its remedy."""
    file.write_text(text)
    code, told = run("quote", file, *arguments)
    assert (code, told["id"]) == (1, None)
    assert [one["code"] for one in told["refusals"]] == codes
    assert all(one["remedy"] for one in told["refusals"])


@pytest.mark.row("4.1")
def test_row_4_1_notice_of_a_credit_says_what_goes_back(file: Path) -> None:
    """On any day: the month that has begun stays paid, nothing more is debited, 86.20 goes back."""
    file.write_text(openvoip())
    code, told = run("quote", file, "--cancel", "--on", "2026-04-10")
    assert (code, told["deed"], told["ending"]["last"], told["effective"]) == (
        0, "cancel", "2026-04-10", "2026-04-11",
    )  # fmt: skip
    assert told["price_per_month"] == {"before": "13.80", "after": "0.00"}
    assert (told["at_once"], told["next_invoice"]["difference"]) == ("0.00", "-13.80")
    assert (told["refund"]["on"], told["refund"]["amount"]) == ("2026-04-11", "86.20")
    assert told["button"] is None


@pytest.mark.row("4.1")
def test_row_4_1_a_withdrawal_says_what_is_put_back(file: Path) -> None:
    """Within fourteen days: 13.80 back at once, no debit on the first, all of 100.00 due back."""
    file.write_text(openvoip())
    code, told = run("quote", file, "--withdraw", "--on", "2026-04-10")
    assert (code, told["ending"]["last"], told["at_once"]) == (0, "2026-04-10", "-13.80")
    assert told["ending"]["steps"] == [
        {
            "rule": "withdrawal",
            "day": "2026-04-10",
            "why": "within 14 days of 2026-04-01: nothing but calls is charged",
        }
    ]
    assert told["refund"]["amount"] == "100.00"


@pytest.mark.row("4.2")
def test_row_4_2_a_change_of_hands_is_quoted_and_ordered_by_ticket(file: Path) -> None:
    """Who opened which ticket stands in the contract; nothing costs another price."""
    file.write_text(openvoip())
    customer = file.with_name("customer.yaml")
    customer.write_text("name: Rossi S.r.l.\ntax_id: IT123\n")
    wanted = (*HANDS, "--customer", str(customer))
    code, told = run("quote", file, *wanted)
    assert (code, told["holder"], told["next_invoice"]["difference"]) == (0, "company", "0.00")
    assert told["price_per_month"] == {"before": "13.80", "after": "13.80"}
    assert told["dates"]["holder"] == {
        "day": "2026-04-10",
        "why": "changes hands on the day of the order, 2026-04-10, requested by ticket T-4711 of Ada Rossi",
    }
    code, done = run("order", file, *wanted, "--quote", told["id"])
    assert (code, done["outcome"]) == (0, "accepted")
    event = yaml.safe_load(file.read_text())["events"][-1]["holder"]
    assert event == {
        "kind": "company",
        "ticket": "T-4711",
        "opened_by": "Ada Rossi",
        "customer": {"name": "Rossi S.r.l.", "tax_id": "IT123"},
        "agreed": told["id"],
    }
    _, shown = said("contract", "show", str(file), "--on", "2026-04-11", "--json")
    assert json.loads(shown)["holder"] == "company"


@pytest.mark.row("3.3")
def test_row_3_3_notice_is_quoted_with_every_step_and_the_law_beside(file: Path) -> None:
    """In the first year to its end; after a tacit prolongation § 56 (3) TKG gives an earlier day."""
    file.write_text(AUTPHONE)
    _, told = run("quote", file, "--cancel", "--on", "2026-03-10")
    assert [(one["rule"], one["day"]) for one in told["ending"]["steps"]] == [
        ("received", "2026-03-10"),
        ("notice", "2026-04-10"),
        ("minimum", "2027-01-14"),
        ("term-end", "2027-01-14"),
    ]
    assert told["ending"]["by_law"] is None
    _, later = run("quote", file, "--cancel", "--on", "2027-03-10")
    assert (later["ending"]["last"], later["ending"]["by_law"]["last"]) == ("2027-04-14", "2027-04-10")


@pytest.mark.row("3.3")
def test_row_3_3_a_prolonged_term_says_until_when_and_notice_by_when(file: Path) -> None:
    """A contract that nobody gave up shows its term, the last day of notice, and why it goes on."""
    file.write_text(AUTPHONE)
    _, shown = said("contract", "show", str(file), "--on", "2027-02-20", "--json")
    term = json.loads(shown)["term"]
    assert [(one["rule"], one["day"]) for one in term] == [
        ("term", "2027-03-14"),
        ("notice-by", "2027-02-14"),
    ]
    _, told = said("contract", "simulate", str(file), "--months", "14", "--json")
    prolonged = [one for one in json.loads(told)["happened"] if one["what"] == "prolonged"]
    assert (prolonged[0]["on"], prolonged[0]["until"]) == ("2027-01-15", "2027-02-14")
    assert prolonged[0]["steps"][0]["why"] == (
        "the term was over on 2027-01-14, and no notice had been received"
    )


@pytest.mark.row("2.5")
def test_row_2_5_notice_is_quoted_by_when_it_is_processed(file: Path) -> None:
    """Received on a Friday, processed in two working days, then a calendar month, not before a year."""
    file.write_text(ACCENSYS)
    _, told = run("quote", file, "--cancel", "--on", "2027-02-26")
    assert [(one["rule"], one["day"]) for one in told["ending"]["steps"]] == [
        ("received", "2027-02-26"),
        ("processed", "2027-03-02"),
        ("notice", "2027-04-30"),
        ("minimum", "2027-01-31"),
        ("month-end", "2027-04-30"),
    ]


@pytest.mark.row("X.5")
def test_row_x_5_a_move_is_quoted_with_its_end_its_beginning_and_its_first_invoice(file: Path) -> None:
    """From the day after the year: what it has there, 15.80 a month, 17 of 31 days on the first invoice."""
    file.write_text(AUTPHONE)
    code, told = run("quote", file, *CLOUD)
    assert (code, told["catalogue"], told["ending"]["last"]) == (0, "cloudpbx@2026-01-01", "2027-01-14")
    assert [(one.get("product", one.get("choice")), one["begins"]) for one in told["changes"]] == [
        ("package", "2027-01-15"),
        ("user", "2027-01-15"),
    ]
    assert [step["rule"] for step in told["changes"][1]["steps"]][-2:] == ["term-end", "after"]
    assert told["price_per_month"] == {"before": "46.00", "after": "15.80"}
    assert (told["next_invoice"]["on"], told["next_invoice"]["difference"]) == ("2027-02-01", "8.66")
    assert told["button"]["de"] == "Zahlungspflichtig bestellen"


@pytest.mark.row("X.5")
def test_row_x_5_a_move_is_signed_where_the_other_catalogue_wants_it(file: Path) -> None:
    """Without the signed copy of the other provider's form nothing moves; with it exactly the quote does."""
    file.write_text(AUTPHONE)
    _, told = run("quote", file, *CLOUD)
    code, done = run("order", file, *CLOUD, "--quote", told["id"])
    assert (code, done["refusals"][0]["code"]) == (1, "not-signed")
    form = file.with_name("form.pdf")
    assert said("quote", str(file), *CLOUD, "--form", str(form))[0] == 0
    code, done = run("order", file, *CLOUD, "--quote", told["id"], "--signed-copy", str(form))
    assert (code, done["outcome"], done["ending"]["last"]) == (0, "accepted", "2027-01-14")
    event = yaml.safe_load(file.read_text())["events"][-1]["move"]
    assert (event["agreed"], event["signed_form"]) == (told["id"], f"contract-{told['id']}.pdf")
    _, shown = said("contract", "show", str(file), "--on", "2027-01-15", "--json")
    assert json.loads(shown)["catalogue"] == "cloudpbx@2026-01-01"


def test_a_copy_of_a_form_that_nobody_signs_is_refused(file: Path) -> None:
    """Notice needs no order form: the scan is not kept and nothing is written."""
    file.write_text(AUTPHONE)
    scan = file.with_name("scan.pdf")
    scan.write_bytes(b"%PDF-1.7")
    _, told = run("quote", file, "--cancel", "--on", "2026-03-10")
    order = ("--cancel", "--on", "2026-03-10", "--quote", told["id"], "--signed-copy", str(scan))
    assert said("order", str(file), *order)[0] == 2
    assert sorted(one.name for one in file.parent.iterdir()) == ["contract.yaml", "scan.pdf"]
    assert file.read_text() == AUTPHONE


@pytest.mark.parametrize(
    "wanted", [("--cancel",), ("--withdraw",), TICKET], ids=["cancel", "withdraw", "holder"]
)
def test_another_quote_than_the_one_agreed_is_not_ordered(file: Path, wanted: tuple[str, ...]) -> None:
    """What was agreed changed in between: refused with the new one; the same one a day later still holds."""
    file.write_text(openvoip())
    _, told = run("quote", file, *wanted, "--on", "2026-04-10")
    file.write_text(openvoip() + "  - {on: 2026-04-11, order: {add: {blf: 1}}}\n")
    before = file.read_text()
    code, done = run("order", file, *wanted, "--on", "2026-04-12", "--quote", told["id"])
    assert (code, done["refusals"][0]["code"]) == (1, "quote-changed")
    assert file.read_text() == before
    file.write_text(openvoip())
    code, done = run("order", file, *wanted, "--on", "2026-04-12", "--quote", told["id"])
    assert (code, done["outcome"]) == (0, "accepted")


def test_people_read_every_step(file: Path) -> None:
    """Each day stands with the whole way to it."""
    file.write_text(AUTPHONE)
    _, told = said("quote", str(file), "--cancel", "--on", "2027-03-10")
    words = " ".join(told.split())
    for step in (
        "notice received on 2027-03-10",
        "12 months from 2026-01-15",
        "it can end at the end of a term",
    ):
        assert step in words
    assert "§ 56 Abs. 3 TKG lets it end on that day already" in words
    _, shown = said("contract", "show", str(file), "--on", "2027-03-10")
    assert "notice received by 2027-02-14 ends it on 2027-03-14" in " ".join(shown.split())


@pytest.mark.row("X.5")
def test_row_x_5_a_move_to_a_credit_is_quoted_with_what_its_first_day_takes(file: Path) -> None:
    """As it will begin, though nothing is paid in yet; the form names the day of the first debit."""
    file.write_text(AUTPHONE)
    code, told = run("quote", file, "--move-to", "openvoip", "--add", "number=1", "--on", "2026-12-01")
    assert (code, told["catalogue"], told["dates"]["credit"]["day"]) == (
        0,
        "openvoip@2026-01-01",
        "2027-01-15",
    )
    form = file.with_name("form.pdf")
    wanted = ("--move-to", "openvoip", "--add", "number=1", "--on", "2026-12-01")
    assert said("quote", str(file), *wanted, "--form", str(form))[0] == 0
