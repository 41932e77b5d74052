"""`pbxcore destinations lookup`: where numbers lead, and what each catalogue makes of them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from dialplan.numbers import normalise
from pbxcore import documents
from pbxcore.cli import findings
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.tables import Table
from pbxcore.settings import Settings
from rating import money
from rating.catalogue import CatalogueSpec
from rating.destinations import Destination, Destinations
from rating.destinations.load import load
from rating.price_table import find
from rating.tariff import Price, Tariff, tariff

commands = typer.Typer(help="Ask where numbers lead: country, kind, zone.", no_args_is_help=True)
app.add_typer(commands, name="destinations")

_HOME = typer.Option(
    help="Country of the caller (ISO 3166): short numbers and freephone are of this country."
)


@commands.callback()
def _destinations() -> None:
    """Ask where numbers lead: country, kind, zone."""


@commands.command()
def lookup(
    numbers: Annotated[
        list[str], typer.Argument(metavar="NUMBER…", help="In any form: +39 06 698 123, 0043…")
    ],
    *,
    home: Annotated[str, _HOME] = "DE",
    as_json: AsJson = False,
) -> None:
    """Tell country and kind of numbers and, for each catalogue, the zone, the price today and the bundles.

    Exit code 0: every number leads somewhere. 1: at least one is known to no numbering plan.
    """
    config = Settings().config
    table = load(config / "destinations")
    if home not in table.countries:
        raise fail(f"no number leads to {home}", "write --home as an ISO 3166 code, like DE", Exit.USAGE)
    tariffs = _tariffs(config / "catalogues")
    found = [_look_up(written, home, table, tariffs) for written in numbers]
    if as_json:
        out.print_json(json.dumps(found))
    else:
        out.print(_as_table(found))
    if any(entry["country"] is None for entry in found):
        raise typer.Exit(int(Exit.NO))


def _tariffs(folder: Path) -> list[Tariff]:
    """Every version of every catalogue of the machine."""
    read, wrong = documents.read([folder])
    if wrong:
        findings.show(wrong)
        raise typer.Exit(int(Exit.NO))
    specs = [one.spec for one in read if isinstance(one.spec, CatalogueSpec)]
    return sorted(map(tariff, specs), key=lambda version: version.name)


def _look_up(written: str, home: str, table: Destinations, tariffs: list[Tariff]) -> dict[str, Any]:
    destination = table.look_up(written, home)
    number = written
    if destination is None:
        number = normalise(written, home) or written
        destination = table.look_up(number, home)
    return {
        "number": number,
        "country": destination.country if destination else None,
        "kind": destination.kind.value if destination else None,
        "catalogues": [_in_catalogue(version, destination, home, number) for version in tariffs]
        if destination
        else [],
    }


def _in_catalogue(version: Tariff, destination: Destination, home: str, number: str) -> dict[str, Any]:
    listed = find(version.tables(datetime.now(UTC).date()), number)
    price = version.price(destination, home, listed=listed)
    return {
        "tariff": version.name,
        "zone": version.zone(destination.country) or None,
        "price_per_minute": money.text(price.price_per_minute_micro) if price else None,
        "currency": version.currency,
        "counts_as": price.kind.value if price else None,
        "rule": price.rule if price else None,
        "bundles": _bundles(version, destination, price),
    }


def _bundles(version: Tariff, destination: Destination, price: Price | None) -> list[str]:
    return [bundle.bundle for bundle in version.covering(destination, price.kind)] if price else []


def _as_table(found: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("number", "country", "kind", "tariff", "zone", "per minute", "bundles"):
        table.add_column(heading, no_wrap=heading != "bundles")
    for entry in found:
        if entry["country"] is None:
            table.add_row(escape(entry["number"]), "[red]unknown[/]")
            continue
        first = (entry["number"], entry["country"], entry["kind"])
        for version in entry["catalogues"] or [None]:
            table.add_row(*first, *(_cells(version) if version else ()))
            first = ("", "", "")
    return table


def _cells(version: dict[str, Any]) -> tuple[str, ...]:
    price = version["price_per_minute"]
    return (
        version["tariff"],
        version["zone"] or "-",
        f"{price} {version['currency']}" if price is not None else "[yellow]no price[/]",
        ", ".join(version["bundles"]) or "-",
    )
