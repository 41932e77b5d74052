"""`pbxcore switches|switch|decide --switch` on a machine where nothing runs but published plans stand."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dialplan.build import build_plan
from dialplan.spec import TenantSpec
from pbxcore import publication
from pbxcore.cli import app
from pbxcore.cli.terminal import Terminal
from pbxcore.published import Index

DOCUMENT = {
    "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
    "account": "acme", "numbers": {"+493055500100": {"to": "extension 10"}},
    "extensions": {n: {"name": "X", "devices": [{"device": f"p{n}"}]} for n in ("10", "11")},
}  # fmt: skip

DECIDE = ("decide", "--from", "acme-p10", "--to", "11", "--switch")
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give the command line on a state with one published tenant."""
    monkeypatch.setenv("PBXCORE_STATE", str(tmp_path))
    monkeypatch.setenv("PBXCORE_CONFIG", str(tmp_path))
    plan = build_plan(TenantSpec.model_validate(DOCUMENT), revision=1, trunks=("carrier",))
    publication.write_plan(tmp_path / "published", plan)
    publication.write_index(tmp_path / "published", Index(revisions={"acme": 1}, trunks=plan.trunks))

    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(arguments))
        return result.exit_code, result.output

    return invoke


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("switches", "ghost"), 1, "ghost"),
        (("switches", "acmee"), 1, "did you mean acme?"),
        (("numbers", "acmee"), 1, "did you mean acme?"),
        (("voicemail", "list", "acmee", "10"), 1, "did you mean acme?"),
        (("flow", "acmee"), 1, "did you mean acme?"),
        (("switch", "set", "acme", "99", "do-not-disturb", "on"), 1, "no extension 99"),
        (("switch", "set", "acme", "10", "forward-always", "extension 10"), 1, "loop"),
        (("switch", "set", "acme", "10", "do-not-disturb", "on", "--until", "soon"), 2, "soon"),
        (("switch", "set", "acme", "10", "sleep", "on"), 2, "sleep"),
        (("decide", "--from", "acme-p10", "--to", "11", "--switch", "acme sleeps"), 2, "acme sleeps"),
        ((*DECIDE, "ghost/10 do-not-disturb on"), 2, "no tenant ghost"),
        ((*DECIDE, "acmee/10 do-not-disturb on"), 2, "did you mean acme?"),
        ((*DECIDE, "acme/99 do-not-disturb on"), 2, "no extension 99"),
        ((*DECIDE, "acme/10 do-not-disturb maybe"), 2, "'maybe' is no value"),
        ((*DECIDE, "acme/office hours special"), 2, "no hours office"),
    ],
)
def test_what_cannot_be_switched_is_said(run: Run, arguments: tuple[str, ...], code: int, word: str) -> None:
    """With the reason, a remedy and the exit code of a no."""
    found, said = run(*arguments)
    assert (found, word in said) == (code, True), said
    assert json.loads(run("switches", "acme", "--json")[1]) == []


def test_a_switch_is_set_shown_obeyed_and_cleared(run: Run) -> None:
    """From the command line, as its user could by phone."""
    call = ("decide", "--from", "acme-p11", "--to", "10", "--json")
    assert (
        run("switch", "set", "acme", "10", "forward-always", "extension 11", "--until", "2999-01-01")[0] == 0
    )
    (one,) = json.loads(run("switches", "acme", "--json")[1])
    assert (one["subject"], one["kind"], one["value"]) == ("10", "forward-always", "extension 11")
    assert one["until"].startswith("2998-12-31T23:00:00"), "midnight of the tenant's clock"
    assert one["by"].startswith("cli:")
    assert "forward-always" in run("switches", "acme")[1]
    assert json.loads(run(*call)[1])["because"][0]["rule"] == "switches.10.forward-always"
    assert run("switch", "clear", "acme", "10", "forward-always")[0] == 0
    assert json.loads(run("switches", "acme", "--json")[1]) == []
    assert json.loads(run(*call)[1])["steps"][0]["do"] == "ring"


def test_a_trial_switches_nothing(run: Run) -> None:
    """`decide --switch` shows what would happen; nothing is kept."""
    call = ("decide", "--from", "acme-p11", "--to", "10", "--switch", "acme/10 do-not-disturb on", "--json")
    assert json.loads(run(*call)[1])["steps"][0]["reason"] == "busy"
    confirmed = json.loads(run("decide", "--from", "acme-p10", "--to", "*78", "--json")[1])
    assert [one["kind"] for one in confirmed["changes"]] == ["do-not-disturb"]
    assert json.loads(run("switches", "acme", "--json")[1]) == []


def test_numbers_stay_whole_on_a_narrow_screen(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that is cut off names nobody."""
    monkeypatch.setattr("pbxcore.cli.porting.out", Terminal(width=40))
    assert "+493055500100" in run("numbers", "acme")[1]
