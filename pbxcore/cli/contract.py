"""`pbxcore contract`: what follows from a contract's dated facts, of a document or in the database."""

import asyncio
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import RenderableType

from pbxcore import database as postgresql
from pbxcore import documents, ordering
from pbxcore.cli import contract_page, findings, kinds
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.database import no_database
from pbxcore.entitlements import entitlements as entitled
from pbxcore.machine.running import settings_of_running
from pbxcore.ordering import OrderError, Stored
from pbxcore.settings import Settings
from rating.catalogue import CatalogueSpec
from rating.contract import document as contracts
from rating.contract import report
from rating.contract.calendar import month_end, months_later
from rating.contract.document import ContractSpec
from rating.contract.edition import Shelf, shelf
from rating.contract.story import tell

MONTHS_AHEAD = 3  # shown after the last event, unless the document or the command line says until when
MOST_MONTHS = 1_200  # that can be asked for: a hundred years

contract = typer.Typer(help="What follows from a contract's dated facts.", no_args_is_help=True)
app.add_typer(contract, name="contract", rich_help_panel="Explaining")

File = Annotated[Path, typer.Argument(help="Contract document.")]
Contract = Annotated[
    str, typer.Argument(help="Its id, for what the database has; or the path of a document, ./acme.yaml.")
]
Catalogues = Annotated[
    list[Path] | None,
    typer.Option(
        "--catalogue", help="Catalogues of a document: files or folders. Default: config/catalogues."
    ),
]


@contract.command()
def simulate(
    file: File,
    *,
    catalogue: Catalogues = None,
    months: Annotated[
        int | None, typer.Option(min=1, max=MOST_MONTHS, help="How many months, from the first event on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell a contract's story: every answer, date with its reason, charge and invoice.

    The document says what happened on which days: orders, notices, top-ups, calls. Nothing is stored and
    no database is asked. The same document gives the same output, whatever the order of its events.

    Exit code 0: it was told, refusals included. 1: something is wrong with the document or a catalogue.
    """
    spec, offers = read(file, catalogue, as_json=as_json)
    past = tell(spec, offers, _until(spec, offers, months))
    values = {"contract": spec.contract, **report.of_history(past)}
    if as_json:
        out.print_json(json.dumps(values))
    else:
        _print(contract_page.story(values))


@contract.command()
def show(
    contract: Contract,
    *,
    on: Annotated[
        str | None, typer.Option(help="Day, like 2026-12-24. Default: today, by the clock of its account.")
    ] = None,
    catalogue: Catalogues = None,
    as_json: AsJson = False,
) -> None:
    """Show a contract as it is at the end of a day: what runs, its price, its rights, what is pending.

    Exit code 0: shown. 1: there is none, or its document is wrong. 3: the database does not answer.
    """
    day, file = day_of(on) if on is not None else None, file_of(contract)
    to_do: list[dict[str, Any]] = []
    if file:
        spec, offers = read(file, catalogue, as_json=as_json)
        day = day or date.today()  # noqa: DTZ011 — the day of whoever types it
    else:
        found = stored(contract, catalogue)
        spec, offers, day, to_do = found.spec, found.offers, day or found.today, report.of_steps(found.to_do)
    state = tell(spec, offers, day).states[-1]
    values = {"contract": spec.contract, **report.of_state(state, day), "to_do": to_do}
    if as_json:
        out.print_json(json.dumps(values))
        return
    _print(contract_page.standing(values))


@contract.command()
def entitlements(
    file: File,
    *,
    until: Annotated[
        str | None, typer.Option(help="Last day, like 2027-12-31. Default: as simulate.")
    ] = None,
    catalogue: Catalogues = None,
    as_json: AsJson = False,
) -> None:
    """Print what the contract includes and from when, as `entitlements` of a tenant's document.

    What was ordered and begins later is in it. In the plan it holds from the instant of each entry on.
    """
    spec, offers = read(file, catalogue, as_json=as_json)
    past = tell(spec, offers, day_of(until) if until is not None else _until(spec, offers, None))
    written = entitled(past)
    if as_json:
        out.print_json(json.dumps(written))
    else:
        sys.stdout.write(yaml.safe_dump({"entitlements": written}, sort_keys=False))


def file_of(contract: str) -> Path | None:
    """Tell the path of a document from an id, which has neither dots nor slashes."""
    return Path(contract) if {".", "/"} & set(contract) else None


def stored(contract: str, catalogues: Sequence[Path] | None) -> Stored:
    """Read a contract and the catalogues from the database; end the command if it has none."""
    if catalogues:
        remedy = "leave --catalogue out, or name the contract's document"
        raise fail("a contract in the database goes by the catalogues there", remedy, Exit.USAGE)
    try:
        return asyncio.run(ordering.stored(settings_of_running(), contract))
    except OrderError as error:
        raise fail(error.message, error.remedy, Exit.NO) from error
    except postgresql.AWAY as away:
        raise no_database(away) from away


def read(file: Path, catalogues: Sequence[Path] | None, *, as_json: bool) -> tuple[ContractSpec, Shelf]:
    """Read a contract and the catalogues; end the command with what is wrong with them."""
    folders = list(catalogues) if catalogues else [Settings().config / "catalogues"]
    right, wrong = documents.read([file, *folders])
    kinds.expect("catalogue", folders, right)
    offers = shelf([one.spec for one in right if isinstance(one.spec, CatalogueSpec)])
    found = [one for one in right if isinstance(one.spec, ContractSpec)]
    for one in found:
        if isinstance(one.spec, ContractSpec):
            wrong = (*wrong, *documents.locate(one, contracts.check(one.spec, offers)))
    if wrong:
        if as_json:
            out.print_json(json.dumps({"ok": False, "findings": findings.as_json(wrong)}))
        else:
            findings.show(wrong)
        raise typer.Exit(int(Exit.NO))
    kinds.expect("contract", [file], right)
    specs = [one.spec for one in found if isinstance(one.spec, ContractSpec)]
    if len(specs) != 1:
        raise fail(f"{file} holds {len(specs)} contracts", "name a file with one `contract: …`", Exit.NO)
    return specs[0], offers


def day_of(text: str) -> date:
    """Read a day from the command line."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise fail(f"{text!r} is no day", "write year, month, day: 2026-12-24", Exit.USAGE) from None
    if not contracts.FIRST_DAY <= day <= contracts.LAST_DAY:
        raise fail(f"{day} is too far away", "write a day of this century", Exit.USAGE)
    return day


def _until(spec: ContractSpec, offers: Shelf, months: int | None) -> date:
    """How far to look: to the first day of the month after, whose invoice is about what went before."""
    days = sorted(event.on for event in spec.events) or [offers[spec.catalogue][0].version]
    if months is not None:
        return months_later(days[0].replace(day=1), months)
    if spec.until is not None:
        return spec.until
    return month_end(months_later(days[-1], MONTHS_AHEAD))


def _print(page: Iterable[RenderableType]) -> None:
    for part in page:
        out.print(part, highlight=False)
