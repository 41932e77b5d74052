"""`pbxcore rate`: price legs from a file, without a database."""

import asyncio
import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TextIO

import typer

from dialplan.finding import Finding, closest
from pbxcore import beside, documents
from pbxcore.beside import Compared
from pbxcore.cli import findings, kinds
from pbxcore.cli.app import AsJson, Exit, app, err, fail, out
from pbxcore.cli.tables import Table
from pbxcore.documents import Located, Read, in_order
from pbxcore.settings import Settings
from rating import book as books
from rating import money, wire
from rating.account import AccountSpec
from rating.book import Book, PoolKey
from rating.catalogue import CatalogueSpec
from rating.destinations import Destinations
from rating.destinations.load import load
from rating.finding import Finding as RatingFinding
from rating.leg import Leg
from rating.rate import rate_leg
from rating.rated import RatedLeg

BATCH = 10_000  # legs in memory at once; what they used is carried from one batch to the next
LEG_REMEDY = "docs/rated-stream.md has the fields of a leg, with an example"
MOST_COMPLAINTS = 20  # broken lines that are told one by one; beyond them a count says enough

_CATALOGUES = typer.Option("--catalogue", help="Catalogue document; one for each of its versions.")
_ACCOUNTS = typer.Option("--account", help="Account document; may be given several times.")
_LEGS = typer.Option("--legs", help="Legs, one JSON object a line; - reads standard input.")
_PAYERS = typer.Option("--payer", help="Who pays: tenant=account. Default: the account of the tenant's name.")


@dataclass(slots=True)
class _Tally:
    """What is told at the end."""

    legs: int = 0
    seconds: int = 0
    broken: int = 0
    amounts_micro: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)


@app.command(rich_help_panel="Explaining")
def rate(
    *,
    catalogue: Annotated[list[Path], _CATALOGUES],
    account: Annotated[list[Path], _ACCOUNTS],
    legs: Annotated[str, _LEGS],
    payer: Annotated[list[str] | None, _PAYERS] = None,
    as_json: AsJson = False,
) -> None:
    """Price legs: NDJSON in, NDJSON out, no database.

    Each leg gives one line on standard output, in order: `"type": "rated"` with zone, pieces and
    amount, or `"type": "quarantined"` with the reason. docs/rated-stream.md tells every field. A summary goes
    to standard error, as JSON with --json.

    Exit code 0: every leg was rated. 1: some were not, or a document or a line is wrong.
    """
    book = _book(catalogue, account, payer or [], as_json=as_json)
    tally = _Tally()
    with _open(legs) as lines:
        _rate_all(_legs(lines, tally, "standard input" if legs == "-" else legs), book, tally)
    _summarise(tally, as_json=as_json)
    if tally.broken or tally.reasons:
        raise typer.Exit(int(Exit.NO))


def _rate_all(legs: Iterable[Leg], book: Book, tally: _Tally) -> None:
    """Rate and print batch by batch; legs of a batch see what those before them used."""
    balances: dict[PoolKey, int] = {}
    remaining = iter(legs)
    while batch := list(itertools.islice(remaining, BATCH)):
        used: dict[PoolKey, int] = {}
        results = [rate_leg(leg, book, balances, used) for leg in batch]
        balances.update(used)
        sys.stdout.write("".join(wire.dump(wire.result_to_json(result)) + "\n" for result in results))
        for result in results:
            if isinstance(result, RatedLeg):
                tally.legs += 1
                tally.seconds += result.billable_s
                tally.amounts_micro[result.currency] += result.amount_micro
            else:
                tally.reasons[result.reason.value] += 1


def _legs(lines: Iterable[str], tally: _Tally, origin: str) -> Iterator[Leg]:
    """Read legs; a broken line is told with its file and number and does not stop the others."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield wire.leg_from_json(line)
        except wire.WireError as broken:
            tally.broken += 1
            if tally.broken <= MOST_COMPLAINTS:
                fail(f"{origin}, line {number}: {broken}", LEG_REMEDY, Exit.NO)


def _open(name: str) -> "nullcontext[TextIO] | TextIO":
    if name == "-":
        return nullcontext(sys.stdin)
    try:
        return Path(name).open(encoding="utf-8")
    except OSError as missing:
        raise fail(
            f"{name} cannot be read: {missing.strerror}",
            "name a file of legs, or - for standard input",
            Exit.USAGE,
        ) from None


def _book(
    catalogues: Sequence[Path], accounts: Sequence[Path], payers: Sequence[str], *, as_json: bool
) -> Book:
    """Read and check the documents; say everything that is wrong with them."""
    found = documents.examine([*catalogues, *accounts])
    kinds.expect("catalogue", catalogues, found.right)
    kinds.expect("account", accounts, found.right)
    folder = Settings().config / "destinations"
    destinations = load(folder)

    async def compare(judged: Sequence[Read]) -> Compared:
        return tuple(_compared(judged, destinations)), ()

    told, _ = asyncio.run(beside.judge(found, folder, compare))
    if wrong := in_order([*found.findings, *told]):
        _show(wrong, as_json=as_json)
        raise typer.Exit(int(Exit.NO))
    offers, charged = _priced(found.right)
    return books.bind(destinations, offers, charged, _payers(payers, charged))


def _compared(judged: Sequence[Read], destinations: Destinations) -> Iterator[Located]:
    """Judge catalogues and accounts by each other: there are no others here."""
    checked = iter(books.check(destinations, *_priced(judged)))
    for model in (CatalogueSpec, AccountSpec):
        for document in judged:
            if isinstance(document.spec, model):
                yield from _located(document, next(checked))


def _priced(read: Sequence[Read]) -> tuple[list[CatalogueSpec], list[AccountSpec]]:
    offers = [one.spec for one in read if isinstance(one.spec, CatalogueSpec)]
    return offers, [one.spec for one in read if isinstance(one.spec, AccountSpec)]


def _located(document: Read, found: Iterable[RatingFinding]) -> tuple[Located, ...]:
    return documents.locate(
        document,
        (Finding(path=one.path, code=one.code, message=one.message, remedy=one.remedy) for one in found),
    )


def _show(wrong: tuple[Located, ...], *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps({"ok": False, "findings": findings.as_json(wrong)}))
    else:
        findings.show(wrong)


def _payers(options: Sequence[str], accounts: Sequence[AccountSpec]) -> dict[str, str]:
    known = {spec.account for spec in accounts}
    payers = {name: name for name in known}
    for option in options:
        tenant, equals, account = option.partition("=")
        if not (tenant and equals and account in known):
            otherwise = f"write --payer tenant=account; accounts: {', '.join(sorted(known)) or 'none'}"
            raise fail(
                f"--payer {option} names no account that was given",
                closest(account, known, otherwise) if tenant and equals else otherwise,
                Exit.USAGE,
            )
        payers[tenant] = account
    return payers


def _summarise(tally: _Tally, *, as_json: bool) -> None:
    amounts = {
        currency: money.text(micro) for currency, micro in sorted(tally.amounts_micro.items()) if currency
    }
    if as_json:
        summary = {
            "rated": tally.legs,
            "billable_s": tally.seconds,
            "amounts": amounts,
            "quarantined": dict(sorted(tally.reasons.items())),
            "broken_lines": tally.broken,
        }
        err.print_json(json.dumps(summary))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("rated", str(tally.legs))
    table.add_row("billable seconds", str(tally.seconds))
    for currency, amount in amounts.items():
        table.add_row("amount", f"{amount} {currency}")
    for reason, count in sorted(tally.reasons.items()):
        table.add_row(f"[yellow]quarantined[/] {reason}", str(count))
    if tally.broken:
        table.add_row("[red]lines that are no legs[/]", str(tally.broken))
    err.print(table)
