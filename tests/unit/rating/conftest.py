"""The real table, the real catalogue and a book on them."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from rating.account import AccountSpec
from rating.book import Book, bind
from rating.catalogue import CatalogueSpec
from rating.destinations import Destinations
from rating.destinations.load import load
from rating.leg import Leg
from rating.periods import from_iso

CONFIG = Path(__file__).parents[3] / "config"

MakeLeg = Callable[..., Leg]
MakeBook = Callable[..., Book]


@pytest.fixture(scope="session")
def destinations() -> Destinations:
    """The committed table."""
    return load(CONFIG / "destinations")


@pytest.fixture(scope="session")
def autphone_values() -> Mapping[str, Any]:
    """The catalogue as it is written."""
    values: Mapping[str, Any] = yaml.safe_load((CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8"))
    return values


@pytest.fixture(scope="session")
def autphone(autphone_values: Mapping[str, Any]) -> CatalogueSpec:
    """The catalogue."""
    return CatalogueSpec.model_validate(autphone_values)


@pytest.fixture(scope="session")
def make_book(destinations: Destinations, autphone: CatalogueSpec) -> MakeBook:
    """Build a book of one account `acme` with the bundles given as `dach/S` or (`dach/S`, first, until)."""

    def make(
        *bundles: str | tuple[str, ...],
        catalogues: tuple[CatalogueSpec, ...] = (),
        **more: Any,  # noqa: ANN401 — any field of an account
    ) -> Book:
        bookings = [(one, "2026-01-01") if isinstance(one, str) else one for one in bundles]
        account = AccountSpec.model_validate(
            {
                "version": 1,
                "account": "acme",
                "name": "Acme",
                "catalogue": "autphone",
                "country": "DE",
                "time_zone": "Europe/Berlin",
                **more,
                "bundles": [
                    {
                        "bundle": name.split("/")[0],
                        "size": name.split("/")[1],
                        "from": days[0],
                        **({"until": days[1]} if len(days) > 1 else {}),
                    }
                    for name, *days in bookings
                ],
            }
        )
        return bind(destinations, catalogues or (autphone,), [account], {"acme": "acme"})

    return make


@pytest.fixture(scope="session")
def make_leg() -> MakeLeg:
    """Build a leg from its number, its answer and its seconds (text: exact)."""

    def make(
        number: str,
        seconds: str | int = 60,
        *,
        at: str = "2026-10-05T10:00:00+02:00",
        **more: Any,  # noqa: ANN401 — any field of a leg
    ) -> Leg:
        answered_us = from_iso(at)
        return Leg(
            **{
                "key": "pbx-1.1",
                "linkedid": "pbx-1.0",
                "trunk": "carrier",
                "payer": "acme/10",
                "why": "call",
                "number": number,
                "answered_us": answered_us,
                "ended_us": answered_us + int(Decimal(seconds) * 1_000_000),
                **more,
            }
        )

    return make
