"""Switches: what is one, when it holds, and which may be set."""

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dialplan.build import build_plan
from dialplan.codes import CODES, read
from dialplan.facts import State
from dialplan.published import Published
from dialplan.spec import TenantSpec
from dialplan.switch import FORWARDS, NO_SWITCHES, Switch, SwitchKind, from_text
from dialplan.switchable import mistake

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
PUBLISHED = Published().with_plan(
    build_plan(
        TenantSpec.model_validate(
            {
                "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
                "account": "acme", "numbers": {"+493055500100": {"to": "extension 10"}},
                "extensions": {
                    "10": {"name": "Anna", "devices": ["p10"]},
                    "11": {"name": "Bruno", "devices": ["p11"], "may_call": "country"},
                },
            }
        ),
        revision=1,
        trunks=("carrier",),
    )
)  # fmt: skip


def switch(text: str, *, until: datetime | None = None) -> Switch:
    """Make a switch of a text."""
    made = from_text(text, NOW)
    assert made, text
    return dataclasses.replace(made, until=until)


@pytest.mark.parametrize(
    "text",
    ["", "acme", "acme/10", "acme/10 do-not-disturb", "acme/10 sleep on", "/10 do-not-disturb on",
     "acme/ do-not-disturb on"],
)  # fmt: skip
def test_what_is_no_switch(text: str) -> None:
    """A text without place, kind or value is none."""
    assert from_text(text, NOW) is None


@pytest.mark.parametrize(
    ("text", "until", "message"),
    [
        ("ghost/10 do-not-disturb on", None, "no tenant ghost"),
        ("acme/99 do-not-disturb on", None, "no extension 99"),
        ("acme/99 forward-always extension 10", None, "no extension 99"),
        ("acme/10 do-not-disturb maybe", None, "'maybe'"),
        ("acme/10 forward-busy mars", None, "'mars'"),
        ("acme/10 forward-busy number 123", None, "'number 123'"),
        ("acme/10 forward-busy extension 99", None, "unknown-number"),
        ("acme/10 forward-always extension 10", None, "loop"),
        ("acme/10 forward-always number +493055500100", None, "loop"),
        ("acme/11 forward-always number +436641234567", None, "not-allowed"),
        ("acme/10 do-not-disturb on", NOW, "run out"),
    ],
)
def test_what_may_not_be_switched(text: str, until: datetime | None, message: str) -> None:
    """A switch from elsewhere than a phone is held to what a phone may switch, with words and a remedy."""
    found = mistake(PUBLISHED, State(), switch(text, until=until), NOW)
    assert found
    assert message in found.message
    assert found.remedy


@pytest.mark.parametrize(
    "text",
    ["acme/10 do-not-disturb on", "acme/10 forward-busy off", "acme/10 forward-no-answer extension 11",
     "acme/10 forward-unreachable number +436641234567", "acme/10 forward-busy busy"],
)  # fmt: skip
def test_what_may_be_switched(text: str) -> None:
    """Forwards to where the extension may call, off, and do-not-disturb."""
    assert mistake(PUBLISHED, State(), switch(text, until=NOW + HOUR), NOW) is None


def test_a_switch_holds_until_it_runs_out() -> None:
    """To the instant, and for instants without zone too; a cleared one never holds."""
    one = switch("acme/10 do-not-disturb on", until=NOW + HOUR)
    assert one.holds(NOW + HOUR - timedelta(microseconds=1))
    assert not one.holds(NOW + HOUR)
    assert one.holds(NOW.replace(tzinfo=None))
    assert not dataclasses.replace(one, value="", until=None).holds(NOW)


def test_the_later_of_two_changes_counts() -> None:
    """And a copy leaves what it was made from as it is."""
    one, two = switch("acme/10 forward-busy busy"), switch("acme/10 forward-busy off")
    known = NO_SWITCHES.updated((one, two))
    assert known.value("acme", SwitchKind.FORWARD_BUSY, "10", NOW) == "off"
    assert [each.value for each in known.of("acme", NOW)] == ["off"]
    assert not NO_SWITCHES.of_tenant("acme")
    assert not known.of_tenant("beta")


@pytest.mark.parametrize(
    ("dialled", "code", "argument"),
    [("*", "*", ""), ("*73", "*73", ""), ("*7211", "*72", "11"), ("*21*11#", "*21", "11"),
     ("#21#", "#21", ""), ("*72+4930123", "*72", "+4930123"), ("*9810", "*98", "10"),
     ("**11", "**", "11"), ("**", "**", ""), ("**11#", "**", "11"),
     ("*8", "*8", ""), ("*8#", "*8", ""), ("*811", "*81", "1")],
)  # fmt: skip
def test_how_a_code_is_read(dialled: str, code: str, argument: str) -> None:
    """The star notation of North America and the service codes of Europe."""
    assert read(dialled) == (code, argument)


def test_every_code_is_documented() -> None:
    """The table for users has a row for each code, and no code that does nothing."""
    text = (Path(__file__).parents[3] / "docs" / "features.md").read_text()
    ways = {"*31", "#31", "*59"}
    assert {code for row in re.findall(r"^\|(.*?\|.*?)\|", text, re.MULTILINE)
            for code in re.findall(r"`([*][*8](?=`)|[*#]\d{2})", row)} == {*CODES, *ways}  # fmt: skip


def test_every_forward_has_codes() -> None:
    """Each personal forward can be switched on and off by phone."""
    on = [
        one.does for code, one in CODES.items() if code.startswith("*") and one.argument.startswith("number")
    ]
    assert len(on) == 2 * len(FORWARDS)
