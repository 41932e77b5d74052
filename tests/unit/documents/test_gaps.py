"""A slip in a value hides no other mistake, and makes none that is not there."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pbxcore import documents
from pbxcore.cli import app
from rating import account, catalogue
from rating.account import AccountSpec
from rating.catalogue import CatalogueSpec
from rating.destinations.load import load

CONFIG = Path(__file__).parents[3] / "config"
CATALOGUE = (CONFIG / "catalogues" / "autphone.yaml").read_text()
ACCOUNT = (CONFIG / "accounts" / "acme.yaml").read_text()
COUNTRIES = load(CONFIG / "destinations").countries
OFFER = CatalogueSpec.model_validate(yaml.safe_load(CATALOGUE))
WRONG = [["no value is a list in a list"]]


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401 — YAML
    """Give the paths of all values that are no mappings and no lists of any."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from leaves(one, (*path, key))
    if not isinstance(value, dict | list) and path[0] not in {"texts", "catalogue", "account"}:
        yield path


def with_wrong(document: dict[str, Any], path: tuple[str | int, ...]) -> str:
    """Write a document with something malformed at a path."""
    changed = deepcopy(document)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = WRONG
    return yaml.safe_dump(changed, allow_unicode=True, sort_keys=False)


def check(tmp_path: Path, *texts: str) -> list[tuple[int, str]]:
    """Give line and code of everything that `pbxcore check` finds in one file."""
    file = tmp_path / "some.yaml"
    file.write_text("---\n".join(texts))
    told = CliRunner().invoke(app, ["check", "--json", str(file)])
    return [(one["line"], one["code"]) for one in json.loads(told.stdout)["findings"]]


def test_a_slip_hides_no_mistake(tmp_path: Path) -> None:
    """Malformed values, also of keys that must be there, beside names that are none: all in one run."""
    text = (
        CATALOGUE.replace("currency: EUR", "currency: euro")
        .replace(
            'zone: DE, kind: mobile, price_per_minute: "0.099"',
            'zone: DE, kind: mobile, price_per_minute: "x"',
        )
        .replace("zones: [DE, AT-CH]", "zones: [DE, AT-HC]")
        .replace("countries: [AT, CH]", "countries: [AT, CHE, DE]")
        .replace("  minimum: 1\n", "  minimum: 1\n      per: extensoin\n")
    )
    lines = {word: number for number, line in enumerate(text.splitlines(), 1) for word in line.split()}
    assert check(tmp_path, text) == [
        (lines["euro"], "wrong-value"),
        (lines["CHE,"], "country-twice"),
        (lines["CHE,"], "wrong-value"),
        (lines['"x"}'], "wrong-value"),
        (lines["AT-HC]"], "unknown-zone"),
        (lines["extensoin"], "unknown-product"),
    ]


def test_an_account_with_a_slip_is_held_against_its_catalogue(tmp_path: Path) -> None:
    """What it books is looked for, as far as the catalogue's own slips leave that certain."""
    booked = ACCOUNT.replace("country: DE", "country: dd").replace("size: S", "size: XXL")
    line = CATALOGUE.count("\n") + 1
    codes = [code for number, code in check(tmp_path, CATALOGUE, booked) if number > line]
    assert codes == ["wrong-value", "unknown-size"]
    gone = CATALOGUE.replace("name: Paket DACH", "name: 7")
    assert "unknown-bundle" not in {code for _, code in check(tmp_path, gone, booked)}


@pytest.mark.parametrize("name", ["catalogues/autphone", "catalogues/easybell", "accounts/acme"])
def test_a_slip_makes_no_mistake_that_is_not_there(tmp_path: Path, name: str) -> None:
    """Whatever single value of a right document is malformed, it alone is told."""
    document = yaml.safe_load((CONFIG / f"{name}.yaml").read_text())
    file = tmp_path / "some.yaml"
    for path in leaves(document):
        file.write_text(with_wrong(document, path))
        found = documents.examine([file])
        told = {one.finding.path[: len(path)] for one in found.findings}
        assert told == {path}, path
        if found.marred:
            assert list(beside(found.marred[0])) == [], path


def beside(document: documents.Read) -> tuple[documents.Located, ...]:
    """Give what the checks of a catalogue or an account find in it."""
    if isinstance(document.spec, CatalogueSpec):
        return documents.locate(document, catalogue.check(document.spec, COUNTRIES))
    assert isinstance(document.spec, AccountSpec)
    return documents.locate(document, account.check(document.spec, [OFFER]))
