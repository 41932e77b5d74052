"""`pbxcore quote` and `pbxcore order`: what a change would come to, and a binding order of exactly that."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

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
from rating.contract.document import ContractSpec, OrderSpec
from rating.contract.edition import Shelf
from rating.contract.facts import Fact
from rating.contract.quote import Quote
from rating.contract.quote import quote as make
from rating.contract.wish import Change

Add = Annotated[list[str] | None, typer.Option(help="Units of a product: extension=2; may be repeated.")]
Remove = Annotated[list[str] | None, typer.Option(help="Units of a product that are given up.")]
Choose = Annotated[list[str] | None, typer.Option(help="Option of a choice: package=plus.")]
LAST_MINUTE = 24 * 60 - 1

Newest = Annotated[bool, typer.Option("--newest", help="By the catalogue's version in force on that day.")]
On = Annotated[str | None, typer.Option(help="Day of the order, like 2026-12-24. Default: today.")]


@app.command(rich_help_panel="Changing")
def quote(
    file: File,
    *,
    add: Add = None,
    remove: Remove = None,
    choose: Choose = None,
    newest: Newest = False,
    on: On = None,
    catalogue: Catalogues = None,
    as_json: AsJson = False,
) -> None:
    """Show what a change of a contract would come to; change nothing.

    The exact change, from when and why then, a month's price before and after, what the next invoice or the
    credit feels of it, and everything that stands in its way. Its id is what `pbxcore order` takes.

    Exit code 0: it can be ordered. 1: it cannot, for the reasons shown.
    """
    day = _day(on)
    spec, offers = read(file, catalogue, as_json=as_json)
    wanted = _wanted(add, remove, choose, newest=newest)
    state = tell(spec, offers, day).states[-1]
    made = make(state, _change(wanted, spec, offers), offers, day)
    values = report.of_quote(made)
    if as_json:
        out.print_json(json.dumps(values))
    else:
        _show(made, values)
    if made.refused:
        raise typer.Exit(int(Exit.NO))


@app.command(rich_help_panel="Changing")
def order(
    file: File,
    *,
    quote: Annotated[str, typer.Option(help="Id of the quote that is ordered.")],
    add: Add = None,
    remove: Remove = None,
    choose: Choose = None,
    newest: Newest = False,
    on: On = None,
    catalogue: Catalogues = None,
    as_json: AsJson = False,
) -> None:
    """Order exactly what was quoted, bindingly: the order is written to the contract's events.

    It is refused if the same quote would no longer be made, or if something stands in its way.

    Exit code 0: ordered. 1: refused, nothing was written.
    """
    day, wanted = _day(on), _wanted(add, remove, choose, newest=newest)
    if not wanted:
        raise fail(
            "no change is named", "repeat the change of the quote: --add, --remove, --choose", Exit.USAGE
        )
    with contracts.held(file):
        spec, offers = read(file, catalogue, as_json=as_json)
        minute = _behind(spec, day)
        deed = facts.Order(change=_change(wanted, spec, offers), quote=quote)
        answer = _answer(spec, offers, Fact(on=day, minute=minute, deed=deed))
        if answer.outcome == "accepted":
            at = f"{minute // 60:02}:{minute % 60:02}"
            _write(file, {"on": day, "at": at, "order": {**wanted, "agreed": quote}})
    if as_json:
        out.print_json(json.dumps(report.of_answer(answer)))
    else:
        for refusal in answer.refusals:
            out.print(f"✗ {refusal.message}\n  → {refusal.remedy}", markup=False, highlight=False)
        if answer.outcome == "accepted" and answer.quote is not None:
            _show(answer.quote, report.of_quote(answer.quote))
            out.print(f"✓ ordered, and written to {file}", markup=False, highlight=False, soft_wrap=True)
    if answer.outcome != "accepted":
        raise typer.Exit(int(Exit.NO))


def _answer(spec: ContractSpec, offers: Shelf, fact: Fact) -> Answer:
    _, answer, _ = do(tell(spec, offers, fact.on).states[-1], fact, offers)
    return answer


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


def _write(file: Path, event: dict[str, Any]) -> None:
    line = yaml.safe_dump(event, default_flow_style=True, width=10_000, sort_keys=False).strip()
    try:
        contracts.append(file, line)
    except contracts.NotWrittenError as error:
        raise fail(error.reason, error.remedy, Exit.NO) from None


def _day(on: str | None) -> date:
    return day_of(on) if on is not None else date.today()  # noqa: DTZ011 — the day of whoever types it


def _wanted(
    add: Sequence[str] | None, remove: Sequence[str] | None, choose: Sequence[str] | None, *, newest: bool
) -> dict[str, Any]:
    """Give a change as an event writes it."""
    wanted: dict[str, Any] = {
        "add": {name: _units(units) for name, units in map(_pair, add or ())},
        "remove": {name: _units(units) for name, units in map(_pair, remove or ())},
        "choose": dict(map(_pair, choose or ())),
    }
    wanted = {key: value for key, value in wanted.items() if value}
    return {**wanted, "version": "newest"} if newest else wanted


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise fail(f"{text!r} says not how many or which", "write extension=2 or package=plus", Exit.USAGE)
    return name, value


def _units(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise fail(f"{text!r} is no number of units", "write a whole number from 1 on", Exit.USAGE)
    return int(text)


def _change(wanted: dict[str, Any], spec: ContractSpec, offers: Shelf) -> Change:
    try:
        said = OrderSpec.model_validate(wanted)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise fail(f"{place}: {first['msg']}", "use the catalogue's names", Exit.USAGE) from None
    return documents.change_of(said, offers[spec.catalogue])


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
    if not made.plan.refusals:
        price, following = values["price_per_month"], values["next_invoice"]
        table.add_row("a month", f"{price['before']} → {price['after']} {made.edition.currency}", "")
        more = f"{following['difference']} {made.edition.currency}"
        table.add_row(f"on {following['on']}", more, "more than without it")
        table.add_row("id", made.id, made.edition.offer.order_button.en)
    out.print(table, markup=False)
