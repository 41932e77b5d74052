"""`pbxcore quote` and `pbxcore order`: what a change would come to, and a binding order of exactly that."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml
from pydantic import ValidationError
from rich.table import Table

from pbxcore import contracts
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.contract import Catalogues, File, day_of, read, tell
from rating.contract import document as documents
from rating.contract import facts, report
from rating.contract.deeds import Answer, do
from rating.contract.document import ContractSpec, OrderSpec, SignSpec
from rating.contract.edition import Shelf
from rating.contract.facts import Fact
from rating.contract.opening import Opening, quote_opening
from rating.contract.quote import Quote
from rating.contract.quote import quote as make
from rating.contract.state import State, active

Add = Annotated[list[str] | None, typer.Option(help="Units of a product: extension=2; may be repeated.")]
Remove = Annotated[list[str] | None, typer.Option(help="Units of a product that are given up.")]
Choose = Annotated[list[str] | None, typer.Option(help="Option of a choice: package=plus.")]
LAST_MINUTE = 24 * 60 - 1

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
    file: File,
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
    credit feels of it, and everything that stands in its way. Its id is what `pbxcore order` takes.

    Exit code 0: it can be ordered. 1: it cannot, for the reasons shown.
    """
    day = _day(on)
    if form is not None and form.suffix != ".pdf":
        raise fail(f"{form} is no PDF", "name a file that ends in .pdf", Exit.USAGE)
    spec, offers = read(file, catalogue, as_json=as_json)
    wanted = _wanted(add, remove, choose, newest=newest, begins=begins, old_ends=old_ends)
    made = _quoted(spec, offers, wanted, day)
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
    file: File,
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
    """Order exactly what was quoted, bindingly: it is written to the contract's events, as signing or order.

    It is refused if the same quote would no longer be made, or if something stands in its way. What was
    ordered on paper is ordered with the day of the form.

    Exit code 0: ordered. 1: refused, nothing was written.
    """
    day = _day(on)
    wanted = _wanted(add, remove, choose, newest=newest, begins=begins, old_ends=old_ends)
    if not wanted:
        raise fail(
            "no change is named", "repeat the change of the quote: --add, --remove, --choose", Exit.USAGE
        )
    with contracts.held(file):
        spec, offers = read(file, catalogue, as_json=as_json)
        minute = _behind(spec, day)
        state, copy = _state(spec, offers, day), _copy(signed, file, quote)
        kept = {"signed_form": copy.beside.name} if copy is not None else {}
        deed, key = _deed(state, spec, offers, {**wanted, **kept}, quote)
        _, answer, _ = do(state, Fact(on=day, minute=minute, deed=deed), offers)
        if answer.outcome == "accepted":
            at = f"{minute // 60:02}:{minute % 60:02}"
            _write(file, {"on": day, "at": at, key: {**wanted, **kept, "agreed": quote}}, copy)
    _tell(answer, file, as_json=as_json)
    if answer.outcome != "accepted":
        raise typer.Exit(int(Exit.NO))


def _tell(answer: Answer, file: Path, *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps(report.of_answer(answer)))
        return
    for refusal in answer.refusals:
        out.print(f"✗ {refusal.message}\n  → {refusal.remedy}", markup=False, highlight=False)
    if answer.outcome != "accepted":
        return
    if answer.quote is not None:
        _show(answer.quote, report.of_quote(answer.quote))
    out.print(f"✓ ordered, and written to {file}", markup=False, highlight=False, soft_wrap=True)


def _state(spec: ContractSpec, offers: Shelf, day: date) -> State:
    return tell(spec, offers, day).states[-1]


def _quoted(spec: ContractSpec, offers: Shelf, wanted: dict[str, Any], day: date) -> Quote:
    """Make the quote of a change, or of signing where no contract runs."""
    state = _state(spec, offers, day)
    deed, _ = _deed(state, spec, offers, wanted, "")
    if isinstance(deed, facts.Order):
        assert deed.change is not None, "an order of the command line names its change"
        return make(state, deed.change, offers, day)
    opening = Opening(change=deed.change, begins=deed.begins, old_contract_ends=deed.old_contract_ends)
    return quote_opening(state, opening, day)


def _deed(
    state: State, spec: ContractSpec, offers: Shelf, wanted: dict[str, Any], quote: str
) -> tuple[facts.Order | facts.Sign, str]:
    """Give what is done, and the key of an event that says it: an order, or the signing that comes first."""
    editions, runs = offers[spec.catalogue], active(state)
    odd = wanted.keys() & (NEW_ONLY if runs else RUNNING_ONLY)
    if odd:
        what = "the contract runs: " if runs else "no contract runs: "
        raise fail(f"{what}{', '.join(sorted(odd))} cannot be said", "leave it out", Exit.USAGE)
    try:
        if runs:
            change = documents.change_of(OrderSpec.model_validate(wanted), editions)
            return facts.Order(change=change, quote=quote), "order"
        said = SignSpec.model_validate(wanted)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise fail(f"{place}: {first['msg']}", "use the catalogue's names", Exit.USAGE) from None
    signing = facts.Sign(
        change=documents.change_of(said, editions),
        begins=said.begins,
        signed_form=said.signed_form is not None,
        old_contract_ends=said.old_contract_ends,
        quote=quote,
    )
    return signing, "sign"


NEW_ONLY = frozenset({"begins", "old_contract_ends"})
RUNNING_ONLY = frozenset({"remove", "version"})


def _behind(spec: ContractSpec, day: date) -> int:
    """Give the minute behind everything that the document says: what was agreed saw all of it."""
    later = [event.on for event in spec.events if event.on > day]
    if later:
        raise fail(
            f"the contract says what happened on {max(later)}, after {day}",
            "order on that day or later",
            Exit.NO,
        )
    minutes = [documents.minute_of(event) for event in spec.events if event.on == day]
    return min(max(minutes, default=-1) + 1, LAST_MINUTE)


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
