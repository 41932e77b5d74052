"""What is wrong with a catalogue or an account, said all at once."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rating import account as accounts
from rating import catalogue as catalogues
from rating.account import AccountSpec
from rating.book import check
from rating.catalogue import CatalogueSpec
from rating.destinations import Destinations
from rating.destinations.load import load
from rating.stays import Stay, in_force, turns
from rating.tariff import tariff

CONFIG = Path(__file__).parents[3] / "config"
ACCOUNT: dict[str, Any] = {
    "version": 1,
    "account": "acme",
    "name": "Acme",
    "catalogue": "autphone",
    "country": "DE",
    "time_zone": "Europe/Berlin",
}
NIGHT = {"band": "night", "name": "Nacht"}
PREMIUM = {"zone": "any", "kind": "premium", "price_per_minute": "1.990"}


def changed(values: Mapping[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """A copy of a document with one value set; a list grows by the value at its end."""
    copy: Any = deepcopy(dict(values))
    place = copy
    for key in path[:-1]:
        place = place[key]
    if isinstance(place, list) and path[-1] == len(place):
        place.append(value)
    else:
        place[path[-1]] = value
    return dict(copy)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("currency",), "euro"),
        (("valid_from",), "soon"),
        (("rounding",), "somehow"),
        (("first_increment_s",), 0),
        (("next_increment_s",), -1),
        (("first_increment_s",), 3601),
        (("unknown",), 1),
        (("zones", "DE", "countries"), ["de"]),
        (("zones", "DE", "countries"), [False]),
        (("rates", 0, "price_per_minute"), 0.019),
        (("rates", 0, "price_per_minute"), 19),
        (("rates", 0, "price_per_minute"), "-0.019"),
        (("rates", 0, "price_per_minute"), "0.0000001"),
        (("rates", 0, "price_per_minute"), "1000000000.000001"),
        (("bundles", "de", "sizes", "S", "fixed_minutes"), 1_000_000_001),
        (("rates", 0, "kind"), "landline"),
        (("rates", 0, "price"), "0.019"),
        (("rates", 0, "price_per_second"), 0.0003),
        (("rates", 0, "minimum_s"), 0),
        (("rates", 0, "minimum_s"), 3601),
        (("rates", 0, "minimum_charge"), "-0.10"),
        (("rates", 0, "rounding"), "somehow"),
        (("time_zone",), "Europe/Atlantis"),
        (("bands",), [{"band": "night", "name": "x", "windows": [{"days": ["holiday"]}]}]),
        (("bands",), [{"band": "night", "name": "x", "windows": [{"from": "24:00"}]}]),
        (("bands",), [{"band": "night", "name": "x", "windows": [{"from": 1080}]}]),
        (("bands",), [{"band": "night", "name": "x", "windows": [{"until": "24:01"}]}]),
        (("bands",), [{"band": "night", "name": "x", "windows": []}]),
        (("bundles", "de", "sizes", "S", "fixed_minutes"), -1),
        (("bundles", "de", "first_month"), "half"),
        (("bundles", "de", "roll_over_months"), -1),
        (("bundles", "de", "roll_over_months"), 13),
        (("bundles", "de", "roll_over_months"), "one"),
        (("bundles", "de", "top_ups"), {"more": {"fixed_minutes": 10}}),
        (("rates",), []),
        (("offer", "terms", "notice"), {"days": 99_999_999_999}),
        (("offer", "terms", "notice"), {"months": 25}),
        (("offer", "terms", "notice"), {"calendar_months": 25}),
        (("offer", "terms", "notice"), {"working_days": 5000}),
        (("offer", "terms", "minimum_months"), 99_999),
        (("offer", "terms", "prolongation_months"), 121),
        (("offer", "terms", "processing_working_days"), 21),
        (("offer", "ready_working_days"), 9000),
        (("offer", "withdrawal"), {"days": 100_000, "holders": ["private"]}),
    ],
)
def test_a_catalogue_of_another_form_is_refused(
    autphone_values: Mapping[str, Any], path: tuple[str | int, ...], value: object
) -> None:
    """Unknown keys, binary amounts and values of the wrong form do not become a catalogue."""
    with pytest.raises(ValidationError):
        CatalogueSpec.model_validate(changed(autphone_values, path, value))


@pytest.mark.parametrize(
    ("path", "value", "code", "at"),
    [
        (("zones", "Export", "countries", 13), "DE", "country-twice", ("zones", "Export", "countries", 13)),
        (
            ("zones", "More"),
            {"name": "x", "countries": "rest"},
            "country-twice",
            ("zones", "More", "countries"),
        ),
        (("zones", "Export", "countries", 13), "QQ", "unknown-country", ("zones", "Export", "countries", 13)),
        (("zones", "home"), {"name": "x", "countries": ["GR"]}, "reserved-name", ("zones", "home")),
        (("zones", "GR"), {"name": "x", "countries": ["GR"]}, "zone-without-price", ("zones", "GR")),
        (("rates", 15), PREMIUM, "rate-twice", ("rates", 15)),
        (("rates", 0, "zone"), "Mars", "unknown-zone", ("rates", 0, "zone")),
        (("rates", 0, "kind"), "emergency", "emergency-priced", ("rates", 0, "kind")),
        (("rates", 0, "price_per_minute"), "0", "free-of-charge", ("rates", 0, "price_per_minute")),
        (("rates", 0), {"zone": "DE", "kind": "fixed"}, "price-missing", ("rates", 0)),
        (("rates", 0, "price_per_second"), "0.001", "price-twice", ("rates", 0, "price_per_second")),
        (
            ("rates", 0),
            {"zone": "DE", "kind": "fixed", "price_per_second": "0"},
            "free-of-charge",
            ("rates", 0, "price_per_second"),
        ),
        (
            ("rates", 0),
            {"zone": "DE", "kind": "fixed", "price_per_second": "999999999"},
            "price-too-high",
            ("rates", 0, "price_per_second"),
        ),
        (
            ("rates", 15),
            {"zone": "home", "kind": "premium", "price_per_minute": "0"},
            "free-of-charge",
            ("rates", 15, "price_per_minute"),
        ),
        (("counts_as", "premium"), "freephone", "counts-as-freephone", ("counts_as", "premium")),
        (("counts_as", "satellite"), "freephone", "counts-as-freephone", ("counts_as", "satellite")),
        (("prices",), "gross", "prices-apart", ("prices",)),
        (("counts_as", "fixed"), "fixed", "circular", ("counts_as", "fixed")),
        (("rates", 0, "band"), "night", "unknown-band", ("rates", 0, "band")),
        (("rates", 0, "band"), "night", "band-without-base", ("rates", 0, "band")),
        (("bands",), [NIGHT], "no-time-zone", ("bands",)),
        (("rates", 0, "tax_class"), "full", "unknown-tax-class", ("rates", 0, "tax_class")),
        (("tax_classes",), ["full", "full"], "tax-class-twice", ("tax_classes", 1)),
        (
            ("buy_outs",),
            {"home": {"name": "x", "price_per_month": "9.95", "kinds": ["fixed", "premium"]}},
            "always-priced",
            ("buy_outs", "home", "kinds", 1),
        ),
        (("bands",), [NIGHT, NIGHT], "band-twice", ("bands", 1, "band")),
        (
            ("bands",),
            [{**NIGHT, "from": "2026-02-01", "until": "2026-01-31"}],
            "ends-before-it-begins",
            ("bands", 0, "until"),
        ),
        (
            ("bands",),
            [{**NIGHT, "windows": [{"from": "08:00", "until": "08:00"}]}],
            "window-of-nothing",
            ("bands", 0, "windows", 0),
        ),
        (("counts_as", "fixed"), "uan", "circular", ("counts_as", "fixed")),
        (("bundles", "de", "zones", 1), "Mars", "unknown-zone", ("bundles", "de", "zones", 1)),
        (("bundles", "de", "zones", 1), "DE", "zone-twice", ("bundles", "de", "zones", 1)),
        (("offer", "calendar", "country"), "XX", "unknown-country", ("offer", "calendar", "country")),
    ],
)
def test_what_a_catalogue_gets_wrong_is_found(  # noqa: PLR0917 — a table and two fixtures
    autphone_values: Mapping[str, Any],
    destinations: Destinations,
    path: tuple[str | int, ...],
    value: object,
    code: str,
    at: tuple[str | int, ...],
) -> None:
    """Each mistake has its path, its code, and a remedy."""
    spec = CatalogueSpec.model_validate(changed(autphone_values, path, value))
    found = {
        (finding.code, finding.path): finding for finding in catalogues.check(spec, destinations.countries)
    }
    assert (code, at) in found
    assert found[code, at].remedy


@pytest.mark.parametrize(
    ("rows", "counts_as", "found"),
    [
        ([("home", "fixed", None, "0")], {"premium": "fixed"}, True),
        ([("home", "fixed", None, "0")], {"premium": "uan", "uan": "fixed"}, True),
        ([("home", "fixed", None, "0")], {"premium": "fixed_or_mobile"}, True),
        ([("home", "fixed", None, "0.01"), ("home", "fixed", "night", "0")], {"premium": "fixed"}, True),
        ([("home", "fixed", None, "0.01")], {"premium": "fixed"}, False),
        ([("home", "fixed", None, "0"), ("any", "premium", None, "1.99")], {"premium": "fixed"}, False),
        ([("home", "fixed", None, "0"), ("any", "uan", None, "1.99")], {"premium": "uan"}, False),
        ([("home", "fixed", None, "0")], {"personal": "fixed"}, False),
    ],
)
def test_others_services_never_come_to_cost_nothing(
    autphone_values: Mapping[str, Any],
    destinations: Destinations,
    rows: list[tuple[str, str, str | None, str]],
    counts_as: dict[str, str],
    found: bool,  # noqa: FBT001 — a table
) -> None:
    """What premium and shared-cost calls count as is not free at home; other kinds may be."""
    kept = [row for row in autphone_values["rates"] if row["kind"] not in {"premium", "personal"}]
    keys = ("zone", "kind", "band", "price_per_minute")
    written = [{key: one for key, one in zip(keys, row, strict=True) if one} for row in rows]
    values = {**autphone_values, "rates": kept + written, "bands": [NIGHT], "time_zone": "Europe/Berlin"}
    values["counts_as"] = {**autphone_values["counts_as"], **counts_as}
    findings = catalogues.check(CatalogueSpec.model_validate(values), destinations.countries)
    assert [(one.code, one.path) for one in findings] == (
        [("counts-as-free", ("counts_as", "premium"))] if found else []
    )


def test_all_mistakes_are_found_at_once(
    autphone_values: Mapping[str, Any], destinations: Destinations
) -> None:
    """A catalogue with three mistakes has three findings."""
    values = changed(autphone_values, ("zones", "Export", "countries", 13), "QQ")
    values = changed(values, ("rates", 15), PREMIUM)
    values = changed(values, ("bundles", "de", "zones", 1), "Mars")
    found = catalogues.check(CatalogueSpec.model_validate(values), destinations.countries)
    assert sorted(finding.code for finding in found) == ["rate-twice", "unknown-country", "unknown-zone"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("time_zone", "Europe/Atlantis"),
        ("time_zone", "../etc/passwd"),
        ("country", "Germany"),
        ("account", "a b"),
        ("bundels", []),
        ("bundles", [{"bundle": "de", "size": "S"}]),
        ("bundles", [{"bundle": "de", "size": "S", "from": "2026-02-30"}]),
    ],
)
def test_an_account_of_another_form_is_refused(key: str, value: object) -> None:
    """Unknown zones, keys and days do not become an account."""
    with pytest.raises(ValidationError):
        AccountSpec.model_validate({**ACCOUNT, key: value})


@pytest.mark.parametrize(
    ("bundles", "codes"),
    [
        ([("de", "XL", "2026-01-01", None)], ["unknown-size"]),
        ([("fr", "S", "2026-01-01", None)], ["unknown-bundle"]),
        ([("de", "S", "2026-02-01", "2026-01-31")], ["ends-before-it-begins"]),
        ([("de", "S", "2026-01-01", "2026-02-15")], ["not-a-month-end"]),
        ([("de", "S", "2026-01-01", None), ("de", "M", "2026-03-01", None)], ["booked-twice"]),
        ([("de", "S", "2026-01-01", "2026-03-31"), ("de", "M", "2026-03-01", None)], ["booked-twice"]),
        ([("de", "S", "2026-01-15", "2026-02-28"), ("de", "M", "2026-03-01", None)], []),
        ([("de", "S", "2026-01-01", None), ("dach", "S", "2026-01-01", None)], []),
    ],
)
def test_what_an_account_gets_wrong_is_found(
    autphone: CatalogueSpec, bundles: list[tuple[str, str, str, str | None]], codes: list[str]
) -> None:
    """Products that do not exist, months cut in two and the same bundle twice are found."""
    keys = ("bundle", "size", "from", "until")
    booked = [{key: value for key, value in zip(keys, one, strict=True) if value} for one in bundles]
    spec = AccountSpec.model_validate({**ACCOUNT, "bundles": booked})
    assert [finding.code for finding in accounts.check(spec, [autphone])] == codes


@pytest.mark.parametrize(
    ("buy_outs", "codes"),
    [
        ([("all", "2026-01-01", None)], ["unknown-buy-out"]),
        ([("home", "2026-02-01", "2026-01-31")], ["ends-before-it-begins"]),
        ([("home", "2026-01-01", "2026-02-15")], ["not-a-month-end"]),
        ([("home", "2026-01-01", "2026-03-31"), ("home", "2026-03-01", None)], ["bought-out-twice"]),
        ([("home", "2026-01-01", "2026-02-28"), ("home", "2026-03-01", None)], []),
    ],
)
def test_what_a_buy_out_gets_wrong_is_found(
    autphone_values: Mapping[str, Any], buy_outs: list[tuple[str, str, str | None]], codes: list[str]
) -> None:
    """One that does not exist, months cut in two and two at once are found."""
    offered = {"home": {"name": "x", "price_per_month": "9.95"}}
    catalogue = CatalogueSpec.model_validate({**autphone_values, "buy_outs": offered})
    keys = ("buy_out", "from", "until")
    booked = [{key: value for key, value in zip(keys, one, strict=True) if value} for one in buy_outs]
    spec = AccountSpec.model_validate({**ACCOUNT, "buy_outs": booked})
    assert [finding.code for finding in accounts.check(spec, [catalogue])] == codes


@pytest.mark.parametrize(
    ("top_ups", "codes"),
    [
        ([("dach", "more", "2026-03-15")], []),
        ([("dach", "more", "2026-03-15"), ("dach", "more", "2026-03-16")], []),
        ([("dach", "more", "2026-03-15"), ("dach", "more", "2026-03-15")], ["topped-up-twice"]),
        ([("dach", "less", "2026-03-15")], ["unknown-top-up"]),
        ([("dach", "more", "2026-01-31")], ["not-booked"]),
        ([("dach", "more", "2026-07-01")], ["not-booked"]),
        ([("de", "more", "2026-03-15")], ["not-booked", "unknown-top-up"]),
        ([("dach", "more", "2025-12-31")], ["not-booked", "unknown-top-up"]),
    ],
)
def test_what_a_top_up_gets_wrong_is_found(
    autphone_values: Mapping[str, Any], top_ups: list[tuple[str, str, str]], codes: list[str]
) -> None:
    """One that is not sold, of a bundle that is not booked on its day, or twice on one day."""
    more = {"more": {"price": "5.00", "fixed_minutes": 100}}
    offered = CatalogueSpec.model_validate(changed(autphone_values, ("bundles", "dach", "top_ups"), more))
    booked = [{"bundle": "dach", "size": "S", "from": "2026-02-01", "until": "2026-06-30"}]
    bought = [dict(zip(("bundle", "top_up", "from"), one, strict=True)) for one in top_ups]
    spec = AccountSpec.model_validate({**ACCOUNT, "bundles": booked, "top_ups": bought})
    assert [finding.code for finding in accounts.check(spec, [offered])] == codes


def test_an_account_needs_its_catalogue(autphone: CatalogueSpec) -> None:
    """An account with a catalogue that nobody wrote is found, with those that there are."""
    spec = AccountSpec.model_validate({**ACCOUNT, "catalogue": "nobody"})
    found = accounts.check(spec, [autphone])
    assert [(finding.code, finding.remedy) for finding in found] == [
        ("unknown-catalogue", "use one of autphone")
    ]


def test_a_bundle_must_be_in_every_version_it_is_booked_under(autphone: CatalogueSpec) -> None:
    """A later version without the bundle is found, unless the booking has ended before it."""
    later = autphone.model_copy(update={"valid_from": date(2027, 1, 1), "bundles": {}})
    running = {"bundle": "de", "size": "S", "from": "2026-01-01"}
    for booking, codes in ((running, ["unknown-bundle"]), ({**running, "until": "2026-12-31"}, [])):
        spec = AccountSpec.model_validate({**ACCOUNT, "bundles": [booking]})
        assert [finding.code for finding in accounts.check(spec, [autphone, later])] == codes


def test_versions_and_accounts_are_compared(destinations: Destinations, autphone: CatalogueSpec) -> None:
    """Two versions of one day, a currency that changes, an account twice, a country without numbers."""
    francs = autphone.model_copy(update={"currency": "CHF"})
    account = AccountSpec.model_validate({**ACCOUNT, "country": "QQ"})
    found = check(destinations, [autphone, francs], [account, account])
    assert [[finding.code for finding in one] for one in found] == [
        [],
        ["version-twice", "currency-changed"],
        ["unknown-country"],
        ["account-twice", "unknown-country"],
    ]


def test_the_tariff_in_force_depends_on_the_catalogue_alone(autphone: CatalogueSpec) -> None:
    """The latest version that has begun is in force, in whatever order the documents come."""
    second = autphone.model_copy(update={"valid_from": date(2026, 7, 1)})
    versions = [tariff(second), tariff(autphone)]
    days = (date(2025, 12, 31), date(2026, 1, 1), date(2026, 6, 30), date(2026, 7, 1), date(2030, 1, 1))
    laid_out = turns([Stay(date.min, "autphone")], {"autphone": versions})
    found = [in_force(laid_out, day) for day in days]
    first, then = "autphone@2026-01-01", "autphone@2026-07-01"
    assert [one.name if one else None for one in found] == [None, first, first, then, then]


def test_a_catalogue_survives_its_stored_form(autphone: CatalogueSpec) -> None:
    """A revision is kept as JSON with decimal amounts and reads back as itself."""
    stored = autphone.model_dump_json()
    assert '"price_per_minute":"0.019000"' in stored
    assert CatalogueSpec.model_validate_json(stored) == autphone


def test_bands_survive_their_stored_form(autphone_values: Mapping[str, Any]) -> None:
    """With the keys of the document or of the code; their order is kept, because it decides."""
    bands = [{**NIGHT, "from": "2026-02-01", "windows": [{"from": "22:00", "until": "06:00"}]}]
    spec = CatalogueSpec.model_validate({**autphone_values, "time_zone": "Europe/Berlin", "bands": bands})
    for by_alias in (True, False):
        assert CatalogueSpec.model_validate_json(spec.model_dump_json(by_alias=by_alias)) == spec


def test_an_account_survives_its_stored_form() -> None:
    """With the keys of the document or of the code."""
    spec = AccountSpec.model_validate(
        {**ACCOUNT, "bundles": [{"bundle": "de", "size": "S", "from": "2026-01-01", "until": "2026-01-31"}]}
    )
    for by_alias in (True, False):
        assert AccountSpec.model_validate_json(spec.model_dump_json(by_alias=by_alias)) == spec


def test_the_shipped_folder_has_no_second_table() -> None:
    """What is loaded is what is committed, all three files of it."""
    assert load(CONFIG / "destinations").countries >= {"DE", "VA", "XK", "001"}
