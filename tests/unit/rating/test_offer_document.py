"""What is wrong with what a catalogue sells besides minutes, said all at once and by line."""

import ast
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from pbxcore import documents
from rating import catalogue as catalogues
from rating.catalogue import CatalogueSpec
from rating.destinations import Destinations

FOLDER = Path(__file__).parents[3] / "config" / "catalogues"
NAMES = ("accensys", "autphone", "cloudpbx", "easybell", "openvoip")
WORDS = {"de": "x", "en": "x", "it": "x", "nl": "x"}

Place = tuple[str | int, ...]


@pytest.fixture(scope="module")
def written() -> Mapping[str, Any]:
    """Give the five catalogues as they are written."""
    return {name: yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8")) for name in NAMES}


def with_value(values: Mapping[str, Any], place: Place, value: object) -> dict[str, Any]:
    """Give a copy with one value of the offer set, or taken out."""
    copy: Any = deepcopy(dict(values))
    inner = copy["offer"]
    for key in place[:-1]:
        inner = inner.setdefault(key, {}) if isinstance(inner, dict) else inner[key]
    if value is None:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return dict(copy)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("autphone", ("prices",), "cheap"),
        ("autphone", ("vat_percent",), 19.0001),
        ("autphone", ("products",), {}),
        ("autphone", ("products", "extension", "tiers", 0, "price_per_month"), 6.5),
        ("autphone", ("products", "service", "name", "nl"), None),
        ("autphone", ("products", "service", "colour"), "red"),
        ("autphone", ("terms", "ends"), "someday"),
        ("autphone", ("terms", "notice"), {"weeks": 4}),
        ("autphone", ("terms", "notice"), {"months": 0}),
        ("autphone", ("billing", "rounding"), "somehow"),
        ("cloudpbx", ("choices", "package", "options"), {}),
        ("cloudpbx", ("choices", "package", "up", "begins"), "yesterday"),
        ("openvoip", ("withdrawal", "holders"), ["robot"]),
    ],
)
def test_an_offer_of_another_form_is_refused(
    written: Mapping[str, Any], name: str, place: Place, value: object
) -> None:
    """Unknown keys, binary amounts, a text that lacks a language and words we do not know are no offer."""
    with pytest.raises(ValidationError):
        CatalogueSpec.model_validate(with_value(written[name], place, value))


@pytest.mark.parametrize(
    ("name", "place", "value", "code", "at"),
    [
        ("autphone", ("terms", "notice"), {}, "notice-unclear", ("terms", "notice")),
        ("autphone", ("terms", "notice"), {"days": 30, "months": 1}, "notice-unclear", ("terms", "notice")),
        ("autphone", ("terms", "minimum_months"), None, "no-term", ("terms", "ends")),
        ("accensys", ("terms", "prolongation_months"), 1, "no-term", ("terms", "prolongation_months")),
        ("accensys", ("choices", "calls", "default"), "gratis", "unknown-option",
         ("choices", "calls", "default")),
        ("cloudpbx", ("choices", "package", "up", "charged"), "full-month", "charged-twice",
         ("choices", "package", "up", "charged")),
        ("autphone", ("products", "dach"), {"name": WORDS}, "named-twice", ("products", "dach")),
        ("easybell", ("products", "size"), {"name": WORDS}, "named-twice", ("products", "size")),
        ("autphone", ("bundles",), None, "bundles-without-terms", ()),
        ("accensys", ("products", "buy-out", "buy_out"), "all", "unknown-buy-out",
         ("products", "buy-out", "buy_out")),
        ("accensys", ("products", "buy-out", "per"), "chair", "unknown-product",
         ("products", "buy-out", "per")),
        ("accensys", ("products", "buy-out", "per"), "buy-out", "no-quantity",
         ("products", "buy-out", "per")),
        ("accensys", ("products", "pbx", "tiers"), [{"from": 1, "price_per_month": "1.00"}], "price-twice",
         ("products", "pbx", "tiers")),
        ("autphone", ("products", "extension", "tiers", 0, "from"), 2, "tiers-unordered",
         ("products", "extension", "tiers")),
        ("autphone", ("products", "extension", "tiers", 1, "from"), 101, "tiers-unordered",
         ("products", "extension", "tiers")),
        ("easybell", ("products", "pbx", "prices", 0, "when", "size"), "10", "price-missing",
         ("products", "pbx", "prices")),
        ("easybell", ("products", "pbx", "prices", 0, "when", "size"), "10", "price-twice",
         ("products", "pbx", "prices", 1)),
        ("cloudpbx", ("products", "user", "prices", 0, "when"), {"colour": "red"}, "unknown-choice",
         ("products", "user", "prices", 0, "when", "colour")),
        ("cloudpbx", ("products", "user", "prices", 0, "when"), {"package": "gold"}, "unknown-option",
         ("products", "user", "prices", 0, "when", "package")),
        ("cloudpbx", ("products", "user", "maximum"), 1, "impossible-quantity",
         ("products", "user", "minimum")),
        ("cloudpbx", ("products", "porting", "minimum"), 1, "once-only", ("products", "porting")),
        ("openvoip", ("features", "blf", "product"), "lamp", "unknown-product",
         ("features", "blf", "product")),
        ("openvoip", ("features", "blf", "product"), None, "gate-open", ("features", "blf")),
        ("easybell", ("features", "analytics", "when"), {"edition": "gold"}, "unknown-option",
         ("features", "analytics", "when", "edition")),
        ("openvoip", ("billing", "charged"), "arrears", "prepaid-in-arrears", ("billing", "charged")),
    ],
)  # fmt: skip
def test_what_an_offer_gets_wrong_is_found(  # noqa: PLR0917 — a table and two fixtures
    written: Mapping[str, Any],
    destinations: Destinations,
    name: str,
    place: Place,
    value: object,
    code: str,
    at: Place,
) -> None:
    """Each mistake is named with its place and what to do about it."""
    values = with_value(written[name], place, value)
    if code == "impossible-quantity":
        values["offer"]["products"]["user"]["minimum"] = 2
    findings = catalogues.check(CatalogueSpec.model_validate(values), destinations.countries)
    assert ("offer", *at) in {finding.path for finding in findings if finding.code == code}
    assert all(finding.message and finding.remedy for finding in findings)


def test_a_size_may_not_be_called_none(written: Mapping[str, Any], destinations: Destinations) -> None:
    """`none` says that a bundle is not booked, so no size has this name."""
    values: Any = deepcopy(written["autphone"])
    values["bundles"]["dach"]["sizes"]["none"] = values["bundles"]["dach"]["sizes"]["S"]
    findings = catalogues.check(CatalogueSpec.model_validate(values), destinations.countries)
    assert [(one.code, one.path) for one in findings] == [
        ("reserved-name", ("bundles", "dach", "sizes", "none"))
    ]


def test_the_five_offers_are_right(destinations: Destinations) -> None:
    """Five documents of five providers run from catalogues in which nothing is wrong, in four languages."""
    read, wrong = documents.read([FOLDER])
    specs = [one.spec for one in read if isinstance(one.spec, CatalogueSpec)]
    assert [*map(str, wrong)] == []
    assert sorted(spec.catalogue for spec in specs) == sorted(NAMES)
    assert [finding for spec in specs for finding in catalogues.check(spec, destinations.countries)] == []
    assert all(spec.offer is not None for spec in specs)


def test_no_code_knows_a_provider() -> None:
    """The name of none of the five stands in the code: all they are is data."""
    root = FOLDER.parents[1]
    files = [path for folder in ("dialplan", "rating", "pbxcore") for path in (root / folder).rglob("*.py")]
    named = [path for path in files if any(name in path.read_text("utf-8") for name in NAMES)]
    code = {path: _without_strings_of_docs(path) for path in named}
    assert not [(name, path) for path, text in code.items() for name in NAMES if name in text]


def _without_strings_of_docs(path: Path) -> str:
    """Give the code of a module without its docstrings, where examples stand."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = ""
    return ast.unparse(tree)
