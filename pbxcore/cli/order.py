"""`pbxcore quote` and `pbxcore order`: what a change would come to, and a binding order of exactly that."""

import asyncio
import getpass
import json
import re
from collections.abc import Coroutine, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
import yaml
from rich.table import Table

from pbxcore import contracts, database, ordering
from pbxcore.cli import contract_page
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.contract import Catalogues, Contract, day_of, file_of, read, stored
from pbxcore.cli.database import no_database
from pbxcore.cli.quotes import show_quote, words_of
from pbxcore.cli.wanted import Said, says_what_is_wanted
from pbxcore.machine.running import settings_of_running
from pbxcore.ordering import Ordered, OrderError, Sides
from pbxcore.receipt import UnansweredError
from pbxcore.turn import BusyError
from pbxcore.wanting import WantedError, behind, deed_of, event_of, quoted, with_form
from rating.contract import report
from rating.contract.answer import Answer
from rating.contract.deeds import do
from rating.contract.facts import Fact
from rating.contract.quote import Quote
from rating.contract.story import tell

FORMS = frozenset({"order", "sign", "move"})  # what a customer signs; the rest needs no paper
QUOTE = re.compile("[a-z0-9][a-z0-9-]{0,31}")  # signed copies are named after it: it must not lead elsewhere

On = Annotated[str | None, typer.Option(help="Day of the order, like 2026-12-24. Default: today.")]
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
@says_what_is_wanted
def quote(
    contract: Contract,
    *,
    said: Said,
    on: On = None,
    form: Form = None,
    language: Language = None,
    catalogue: Catalogues = None,
    as_json: AsJson = False,
) -> None:
    """Show what a change of a contract, or a new one, would come to; change nothing.

    The exact change, from when and why then, a month's price before and after, what the next invoice or the
    credit feels of it, and everything that stands in its way. Its id is what `pbxcore order` takes:
    the quote of a contract in the database is kept under it. Notice (--cancel), withdrawal, another holder
    and a move to another catalogue go the same way.

    Exit code 0: it can be ordered. 1: it cannot, for the reasons shown.
    """
    day = _day(on)
    if form is not None and form.suffix != ".pdf":
        raise fail(f"{form} is no PDF", "name a file that ends in .pdf", Exit.USAGE)
    file = file_of(contract)
    try:
        if file:
            spec, offers = read(file, catalogue, as_json=as_json)
            made = quoted(spec, offers, said, day or _today())
        else:
            spec = stored(contract, catalogue).spec
            made = _run(
                ordering.ask(settings_of_running(), contract, said, day=day, author=getpass.getuser())
            )
    except WantedError as error:
        raise _no(error) from error
    if as_json:
        out.print_json(json.dumps(report.of_quote(made)))
    else:
        show_quote(made)
    if made.refused and form is not None:
        raise fail("no form is written of what is refused", "quote what can be ordered", Exit.NO)
    if made.refused:
        raise typer.Exit(int(Exit.NO))
    if form is not None and made.deed not in FORMS:
        words = f"no order form is signed for {made.deed}; the quote stands"
        raise fail(words, f"leave --form out, and order it: --quote {made.id}", Exit.USAGE)
    if form is not None:
        _write_form(form, spec.contract, made, language)
        if not as_json:
            out.print(f"✓ {form}", markup=False, highlight=False, soft_wrap=True)


@app.command(rich_help_panel="Changing")
@says_what_is_wanted
def order(
    contract: Contract,
    *,
    quote: Annotated[str, typer.Option(help="Id of the quote that is ordered.")],
    said: Said,
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
    file = file_of(contract)
    if file is None:
        _order_stored(contract, quote, said, day, signed, as_json=as_json)
        return
    if not said:
        remedy = "repeat the change of the quote: --add, --remove, --choose, --cancel …"
        raise fail("no change is named", remedy, Exit.USAGE)
    day = day or _today()
    with contracts.held(file):
        spec, offers = read(file, catalogue, as_json=as_json)
        state, copy = tell(spec, offers, day).states[-1], _copy(signed, file, quote)
        try:
            minute = behind(spec, day)
            kept = with_form(said, copy.beside.name if copy is not None else None)
            deed, key = deed_of(state, spec, offers, kept, quote)
        except WantedError as error:
            raise _no(error) from error
        _, answer, _ = do(state, Fact(on=day, minute=minute, deed=deed), offers)
        if answer.outcome == "accepted":
            at = f"{minute // 60:02}:{minute % 60:02}"
            _write(file, {"on": day, "at": at, **event_of(key, kept, quote)}, copy)
    _tell(answer, str(file), as_json=as_json)
    if answer.outcome != "accepted":
        raise typer.Exit(int(Exit.NO))


def _order_stored(
    contract: str, quote: str, said: dict[str, Any], day: date | None, signed: Path | None, *, as_json: bool
) -> None:
    """Order a quote that the database has; a signed copy is kept in the machine's state folder."""
    if said:
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
        values = {
            **answer,
            "outcome": done.outcome,
            "fact": done.number or None,
            "sides": _plain(done.sides),
            "tenants": {one.id: one.revision for one in done.applied.changes},
            "pending": done.applied.pending,
            "to_do": report.of_steps(done.to_do),
        }
        out.print_json(json.dumps(values))
        return
    if done.outcome == "unchanged":
        out.print(f"= ordered before: fact {done.number} of contract {contract}", markup=False)
    if done.answer is not None:
        _tell(done.answer, f"contract {contract} as fact {done.number}", as_json=False)
    for one in done.applied.changes:
        out.print(f"✓ tenant {one.id}, revision {one.revision}: what it may use, and when", markup=False)
    if done.applied.pending:
        out.print(f"stored, and in force by itself soon: {done.applied.pending}", markup=False)
    for step in done.to_do:
        out.print(f"! still to do: {step.text}", markup=False, highlight=False, soft_wrap=True)
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
    quoted_then, now = words_of(sides.quoted), words_of(sides.now)
    for key, words in now.items():
        if words != quoted_then[key]:
            table.add_row(key, quoted_then[key], words)
    out.print(table, markup=False)
    for one in sides.since:
        what = contract_page.written(one.event)
        line = f"since then: on {one.event['on']} by {one.author}: {what}; fact {one.number} of the contract"
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
        show_quote(answer.quote)
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
    line = _written(event)
    written = False
    try:
        written = copy.keep() if copy is not None else False
        contracts.append(file, line)
    except contracts.NotWrittenError as error:
        if written and copy is not None:
            copy.beside.unlink()
        raise fail(error.reason, error.remedy, Exit.NO) from None


def _written(event: Mapping[str, Any]) -> str:
    """Write an event on a line, as a document does."""
    return yaml.safe_dump(dict(event), default_flow_style=True, width=10_000, sort_keys=False).strip()


def _write_form(form: Path, contract: str, made: Quote, language: str | None) -> None:
    from pbxcore.paper.order import order_form  # noqa: PLC0415 — the typesetter takes 50 ms to load

    (page,) = order_form(contract, made, language=language)
    try:
        form.write_bytes(page)
    except OSError as error:
        raise fail(f"{form} cannot be written: {error.strerror}", "choose another --form", Exit.NO) from None


def _day(on: str | None) -> date | None:
    """Give the day that is named; None: today, for a contract in the database by its account's clock."""
    return day_of(on) if on is not None else None


def _today() -> date:
    return date.today()  # noqa: DTZ011 — the day of whoever types it
