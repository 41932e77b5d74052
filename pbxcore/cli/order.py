"""`pbxcore quote` and `pbxcore order`: what a change would come to, and a binding order of exactly that."""

import asyncio
import getpass
import json
import re
from collections.abc import Coroutine, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
import yaml
from rich.table import Table

from pbxcore import contracts, database, ordering
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.contract import Catalogues, Contract, day_of, file_of, read, stored
from pbxcore.cli.database import no_database
from pbxcore.machine.running import settings_of_running
from pbxcore.ordering import Ordered, OrderError, Sides
from pbxcore.receipt import UnansweredError
from pbxcore.turn import BusyError
from pbxcore.wanting import WantedError, behind, deed_of, quoted
from rating.contract import report
from rating.contract.deeds import Answer, do
from rating.contract.facts import Fact
from rating.contract.quote import Quote
from rating.contract.story import tell

QUOTE = re.compile("[a-z0-9][a-z0-9-]{0,31}")  # signed copies are named after it: it must not lead elsewhere

Add = Annotated[list[str] | None, typer.Option(help="Units of a product: extension=2; may be repeated.")]
Remove = Annotated[list[str] | None, typer.Option(help="Units of a product that are given up.")]
Choose = Annotated[list[str] | None, typer.Option(help="Option of a choice: package=plus.")]

Newest = Annotated[bool, typer.Option("--newest", help="By the catalogue's version in force on that day.")]
On = Annotated[str | None, typer.Option(help="Day of the order, like 2026-12-24. Default: today.")]
Begins = Annotated[str | None, typer.Option(help="First day of a new contract. Default: that of the order.")]
OldEnds = Annotated[
    str | None, typer.Option("--old-contract-ends", help="Last day at the provider that numbers come from.")
]
Form = Annotated[Path | None, typer.Option("--form", help="Write the order form, pre-filled: FILE.pdf.")]
Language = Annotated[
    Literal["de", "en", "it", "nl"] | None,
    typer.Option("--language", "-l", help="Of the form. Default: the customer's, else the provider's."),
]
Signed = Annotated[
    Path | None,
    typer.Option("--signed-copy", help="Scan of the signed form; it is kept beside the contract."),
]


@app.command(rich_help_panel="Changing")
def quote(
    contract: Contract,
    *,
    add: Add = None,
    remove: Remove = None,
    choose: Choose = None,
    newest: Newest = False,
    begins: Begins = None,
    old_ends: OldEnds = None,
    on: On = None,
    form: Form = None,
    language: Language = None,
    catalogue: Catalogues = None,
    as_json: AsJson = False,
) -> None:
    """Show what a change of a contract, or a new one, would come to; change nothing.

    The exact change, from when and why then, a month's price before and after, what the next invoice or the
    credit feels of it, and everything that stands in its way. Its id is what `pbxcore order` takes:
    the quote of a contract in the database is kept under it.

    Exit code 0: it can be ordered. 1: it cannot, for the reasons shown.
    """
    day = _day(on)
    if form is not None and form.suffix != ".pdf":
        raise fail(f"{form} is no PDF", "name a file that ends in .pdf", Exit.USAGE)
    wanted = _wanted(add, remove, choose, newest=newest, begins=begins, old_ends=old_ends)
    file = file_of(contract)
    try:
        spec, offers = read(file, catalogue, as_json=as_json) if file else stored(contract, catalogue)
        if file:
            made = quoted(spec, offers, wanted, day)
        else:
            made = _run(
                ordering.ask(settings_of_running(), contract, wanted, day=day, author=getpass.getuser())
            )
    except WantedError as error:
        raise _no(error) from error
    if as_json:
        out.print_json(json.dumps(report.of_quote(made)))
    else:
        _show(made, report.of_quote(made))
    if made.refused:
        raise typer.Exit(int(Exit.NO))
    if form is not None:
        _write_form(form, spec.contract, made, language)
        if not as_json:
            out.print(f"✓ {form}", markup=False, highlight=False, soft_wrap=True)


@app.command(rich_help_panel="Changing")
def order(
    contract: Contract,
    *,
    quote: Annotated[str, typer.Option(help="Id of the quote that is ordered.")],
    add: Add = None,
    remove: Remove = None,
    choose: Choose = None,
    newest: Newest = False,
    begins: Begins = None,
    old_ends: OldEnds = None,
    on: On = None,
    signed: Signed = None,
    catalogue: Catalogues = None,
    as_json: AsJson = False,
) -> None:
    """Order exactly what was quoted, bindingly: it becomes the contract's last event, as signing or order.

    It is refused if the same quote would no longer be made, or if something stands in its way. What was
    ordered on paper is ordered with the day of the form. A contract in the database knows its quotes by their
    ids, and the same one ordered again changes nothing; for a document repeat the change.

    Exit code 0: ordered. 1: refused, nothing was written. 3: the database does not answer.
    """
    if not QUOTE.fullmatch(quote):
        raise fail(f"{quote!r} is no id of a quote", "name the id that `pbxcore quote` shows", Exit.USAGE)
    day = _day(on)
    wanted = _wanted(add, remove, choose, newest=newest, begins=begins, old_ends=old_ends)
    file = file_of(contract)
    if file is None:
        _order_stored(contract, quote, wanted, day, signed, as_json=as_json)
        return
    if not wanted:
        raise fail(
            "no change is named", "repeat the change of the quote: --add, --remove, --choose", Exit.USAGE
        )
    with contracts.held(file):
        spec, offers = read(file, catalogue, as_json=as_json)
        state, copy = tell(spec, offers, day).states[-1], _copy(signed, file, quote)
        kept = {"signed_form": copy.beside.name} if copy is not None else {}
        try:
            minute = behind(spec, day)
            deed, key = deed_of(state, spec, offers, {**wanted, **kept}, quote)
        except WantedError as error:
            raise _no(error) from error
        _, answer, _ = do(state, Fact(on=day, minute=minute, deed=deed), offers)
        if answer.outcome == "accepted":
            at = f"{minute // 60:02}:{minute % 60:02}"
            _write(file, {"on": day, "at": at, key: {**wanted, **kept, "agreed": quote}}, copy)
    _tell(answer, str(file), as_json=as_json)
    if answer.outcome != "accepted":
        raise typer.Exit(int(Exit.NO))


def _order_stored(
    contract: str, quote: str, wanted: dict[str, Any], day: date, signed: Path | None, *, as_json: bool
) -> None:
    """Order a quote that the database has; a signed copy is kept in the machine's state folder."""
    if wanted:
        remedy = "name only the quote's id; another change is another quote"
        raise fail("the quote says what is ordered", remedy, Exit.USAGE)
    settings = settings_of_running()
    copy = _copy(signed, settings.state / "contracts" / f"{contract}.yaml", quote)
    written = _keep(copy) if copy is not None else False
    form = copy.beside.name if copy is not None else None
    author = getpass.getuser()
    ordered = False
    try:
        done = _run(ordering.order(settings, contract, quote, day=day, author=author, signed_form=form))
        ordered = done.outcome != "refused"
    except WantedError as error:
        raise _no(error) from error
    except typer.Exit as ended:
        ordered = isinstance(ended.__cause__, UnansweredError)  # perhaps it is: the copy stays
        raise
    finally:
        if written and copy is not None and not ordered:
            copy.beside.unlink()
    _show_ordered(done, contract, as_json=as_json)
    if done.outcome == "refused":
        raise typer.Exit(int(Exit.NO))


def _keep(copy: contracts.SignedCopy) -> bool:
    copy.beside.parent.mkdir(parents=True, exist_ok=True)
    try:
        return copy.keep()
    except contracts.NotWrittenError as error:
        raise fail(error.reason, error.remedy, Exit.NO) from None


def _show_ordered(done: Ordered, contract: str, *, as_json: bool) -> None:
    if as_json:
        answer = report.of_answer(done.answer) if done.answer is not None else {}
        values = {**answer, "outcome": done.outcome, "fact": done.number or None, "sides": _plain(done.sides)}
        out.print_json(json.dumps(values))
        return
    if done.outcome == "unchanged":
        out.print(f"= ordered before: fact {done.number} of contract {contract}", markup=False)
    if done.answer is not None:
        _tell(done.answer, f"contract {contract} as fact {done.number}", as_json=False)
    if done.sides is not None:
        _show_sides(done.sides)


def _plain(sides: Sides | None) -> dict[str, Any] | None:
    if sides is None:
        return None
    since = [
        {"fact": one.number, "event": one.event, "author": one.author, "at": one.recorded_at.isoformat()}
        for one in sides.since
    ]
    return {"quoted": sides.quoted, "now": sides.now, "since": since}


def _show_sides(sides: Sides) -> None:
    """Show what was quoted beside what would be quoted now, and what happened in between."""
    table = Table("", "quoted", "now", box=None, pad_edge=False)
    for key in ("id", "changes", "once", "effective", "price_per_month", "at_once", "next_invoice"):
        quoted_then, now = (json.dumps(one[key]) for one in (sides.quoted, sides.now))
        if quoted_then != now:
            table.add_row(key, quoted_then, now)
    out.print(table, markup=False)
    for one in sides.since:
        line = f"since then: fact {one.number} by {one.author}: {json.dumps(one.event)}"
        out.print(line, markup=False, highlight=False, soft_wrap=True)


T = TypeVar("T")


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Do what needs the database; say what became of it if that does not answer."""
    try:
        return asyncio.run(work)
    except OrderError as error:
        raise fail(error.message, error.remedy, Exit.NO) from error
    except BusyError as busy:
        raise fail(f"{busy}; nothing was changed", "send it again", Exit.UNAVAILABLE) from busy
    except UnansweredError as lost:
        remedy = "send it again when it is back: the same quote is not ordered twice"
        raise fail(f"{lost}: it is ordered, or not", remedy, Exit.UNAVAILABLE) from lost
    except database.AWAY as away:
        raise no_database(away) from away


def _no(error: WantedError) -> typer.Exit:
    return fail(error.message, error.remedy, Exit.USAGE if error.misused else Exit.NO)


def _tell(answer: Answer, where: str, *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps(report.of_answer(answer)))
        return
    for refusal in answer.refusals:
        out.print(f"✗ {refusal.message}\n  → {refusal.remedy}", markup=False, highlight=False)
    if answer.outcome != "accepted":
        return
    if answer.quote is not None:
        _show(answer.quote, report.of_quote(answer.quote))
    out.print(f"✓ ordered, and written to {where}", markup=False, highlight=False, soft_wrap=True)


def _copy(signed: Path | None, file: Path, quote: str) -> contracts.SignedCopy | None:
    if signed is None:
        return None
    try:
        return contracts.signed_copy(signed, file, quote)
    except contracts.NotWrittenError as error:
        raise fail(error.reason, error.remedy, Exit.NO) from None


def _write(file: Path, event: dict[str, Any], copy: contracts.SignedCopy | None) -> None:
    """Write an event with what it names: the copy first, and not without the event."""
    line = yaml.safe_dump(event, default_flow_style=True, width=10_000, sort_keys=False).strip()
    written = False
    try:
        written = copy.keep() if copy is not None else False
        contracts.append(file, line)
    except contracts.NotWrittenError as error:
        if written and copy is not None:
            copy.beside.unlink()
        raise fail(error.reason, error.remedy, Exit.NO) from None


def _write_form(form: Path, contract: str, made: Quote, language: str | None) -> None:
    from pbxcore.paper.order import order_form  # noqa: PLC0415 — the typesetter takes 50 ms to load

    (page,) = order_form(contract, made, language=language)
    try:
        form.write_bytes(page)
    except OSError as error:
        raise fail(f"{form} cannot be written: {error.strerror}", "choose another --form", Exit.NO) from None


def _day(on: str | None) -> date:
    return day_of(on) if on is not None else date.today()  # noqa: DTZ011 — the day of whoever types it


def _wanted(
    add: Sequence[str] | None,
    remove: Sequence[str] | None,
    choose: Sequence[str] | None,
    *,
    newest: bool,
    begins: str | None,
    old_ends: str | None,
) -> dict[str, Any]:
    """Give a change as an event writes it."""
    wanted: dict[str, Any] = {
        "add": {name: _units(units) for name, units in map(_pair, add or ())},
        "remove": {name: _units(units) for name, units in map(_pair, remove or ())},
        "choose": dict(map(_pair, choose or ())),
        "begins": day_of(begins) if begins is not None else None,
        "old_contract_ends": day_of(old_ends) if old_ends is not None else None,
        "version": "newest" if newest else None,
    }
    return {key: value for key, value in wanted.items() if value}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise fail(f"{text!r} says not how many or which", "write extension=2 or package=plus", Exit.USAGE)
    return name, value


def _units(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise fail(f"{text!r} is no number of units", "write a whole number from 1 on", Exit.USAGE)
    return int(text)


def _show(made: Quote, values: dict[str, Any]) -> None:
    for refusal in values["refusals"]:
        out.print(f"✗ {refusal['message']}\n  → {refusal['remedy']}", markup=False, highlight=False)
    if made.missing_micro:
        out.print(f"✗ the credit lacks {values['missing']}\n  → top it up first", markup=False)
    table = Table(box=None, show_header=False, pad_edge=False)
    for part in values["changes"]:
        what = part.get("product") or part.get("choice") or "version"
        to = part.get("quantity") or part.get("to") or part.get("version")
        table.add_row(
            f"{what} {to}", f"from {part['begins']}", part["steps"][-1]["why"] if part["steps"] else ""
        )
    for step in made.dates:
        table.add_row(step.rule, f"{step.day}", step.text)
    if not made.plan.refusals:
        price, following = values["price_per_month"], values["next_invoice"]
        table.add_row("a month", f"{price['before']} → {price['after']} {made.edition.currency}", "")
        more = f"{following['difference']} {made.edition.currency}"
        table.add_row(f"on {following['on']}", more, "more than without it")
        table.add_row("id", made.id, made.edition.offer.order_button.en)
    out.print(table, markup=False)
