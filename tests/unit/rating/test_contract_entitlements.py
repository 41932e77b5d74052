"""What a contract includes, as the tenant's document says it."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from dialplan.spec import EntitlementSpec
from pbxcore.cli import app

FOLDER = Path(__file__).parents[3] / "config/catalogues"
ALL = ["announcements", "groups", "hours", "voicemail"]


def told(tmp_path: Path, catalogue: Path, events: str) -> list[dict[str, Any]]:
    """Give the entitlements that are printed; each is one of a tenant's document."""
    file = tmp_path / "contract.yaml"
    file.write_text(f"version: 1\ncontract: story\ncatalogue: {catalogue.stem}\nevents:\n{events}")
    command = ["contract", "entitlements", str(file), "--catalogue", str(catalogue), "--until", "2026-12-31"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = yaml.safe_load(result.stdout)["entitlements"]
    for one in found:
        EntitlementSpec.model_validate(one)
    return found


def test_sizes_and_ends_are_entries_of_their_days(tmp_path: Path) -> None:
    """Five, ten from the order on, though they are charged later; after the end nothing."""
    events = (
        "  - {on: 2026-03-01, sign: {choose: {size: '5', edition: classic}}}\n"
        "  - {on: 2026-04-10, order: {choose: {size: '10'}}}\n"
        "  - {on: 2026-06-15, cancel: {}}\n"
    )
    assert told(tmp_path, FOLDER / "easybell.yaml", events) == [
        {"since": "2026-03-01", "features": ALL, "extensions": 5, "devices": 5},
        {"since": "2026-04-10", "features": ALL, "extensions": 10, "devices": 10},
        {"since": "2026-08-01", "features": [], "extensions": 0, "devices": 0},
    ]


def test_days_before_the_first_contract_are_not_restricted(tmp_path: Path) -> None:
    """Signed in March for May; once one has ended nothing is included, until the next one begins."""
    events = (
        "  - {on: 2026-03-01, sign: {begins: 2026-05-01, choose: {size: '5', edition: classic}}}\n"
        "  - {on: 2026-06-15, cancel: {}}\n"
        "  - {on: 2026-08-10, sign: {begins: 2026-10-01, choose: {size: '10', edition: classic}}}\n"
    )
    assert told(tmp_path, FOLDER / "easybell.yaml", events) == [
        {"since": "2000-01-01", "features": ALL},
        {"since": "2026-05-01", "features": ALL, "extensions": 5, "devices": 5},
        {"since": "2026-08-01", "features": [], "extensions": 0, "devices": 0},
        {"since": "2026-10-01", "features": ALL, "extensions": 10, "devices": 10},
    ]


@pytest.mark.parametrize(("edition", "features"), [("classic", ALL[:3]), ("pro", ALL)])
def test_what_a_catalogue_gates_and_plans_know_is_withheld(
    tmp_path: Path, edition: str, features: list[str]
) -> None:
    """A catalogue that sells voicemail with Pro only withholds it from Classic, from the first call on."""
    values: Any = deepcopy(yaml.safe_load((FOLDER / "easybell.yaml").read_text("utf-8")))
    name = dict.fromkeys(("de", "en", "it", "nl"), "Voicemail")
    values["offer"]["features"]["voicemail"] = {"name": name, "when": {"edition": "pro"}}
    catalogue = tmp_path / "easybell.yaml"
    catalogue.write_text(yaml.safe_dump(values))
    events = f"  - {{on: 2026-03-01, sign: {{choose: {{size: '5', edition: {edition}}}}}}}\n"
    assert told(tmp_path, catalogue, events)[0]["features"] == features
