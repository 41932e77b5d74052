"""Announcements: what is named is there and can be spoken, and each mistake of form has its name."""

from typing import Any

import pytest
from pydantic import ValidationError

from dialplan.checks import check_tenant
from dialplan.spec import TenantSpec

TRUNKS = ("carrier",)
BASE: dict[str, Any] = {
    "version": 1,
    "tenant": "acme",
    "name": "Acme",
    "country": "DE",
    "time_zone": "Europe/Berlin",
    "account": "acme",
    "numbers": {"+493055500100": {"to": "extension 10"}},
    "extensions": {"10": {"name": "A", "devices": ["p10"]}},
}


@pytest.mark.parametrize(
    ("voices", "found"),
    [
        (
            {},
            [
                ("no-voice", ("announcements", "hello", "spoken")),
                ("no-voice", ("announcements", "hello", "spoken", "it")),
            ],
        ),
        ({"en"}, [("no-voice", ("announcements", "hello", "spoken", "it"))]),
        ({"en", "it"}, []),
        (None, []),
    ],
)
def test_a_text_needs_a_voice(voices: set[str] | None, found: list[tuple[str, tuple[str, ...]]]) -> None:
    """Without an engine, or one that speaks the language, a text is a mistake before it is applied."""
    document = {
        **BASE,
        "numbers": {"+493055500100": {"to": "announcement hello"}},
        "announcements": {"hello": {"spoken": {"": "Hello.", "it": "Buongiorno."}, "then": "extension 10"}},
    }
    told = check_tenant(TenantSpec.model_validate(document), trunks=TRUNKS, voices=voices)
    assert [(finding.code, finding.path) for finding in told] == found
    assert all("recorded:" in finding.remedy for finding in told)


@pytest.mark.parametrize(
    ("heard", "codes"),
    [
        ("music jazz", ["unknown-heard"]),
        ("announcement jazz", ["unknown-heard"]),
        ("announcement goodbye", ["not-repeatable"]),
        ("announcement own", []),
    ],
)
def test_what_is_heard_while_it_rings_is_there(heard: str, codes: list[str]) -> None:
    """It is music or an announcement of the tenant; a recording of the machine is played once."""
    document = {
        **BASE,
        "numbers": {"+493055500100": {"to": "announcement goodbye"}},
        "extensions": {"10": {"name": "A", "devices": ["p10"], "while_ringing": heard}},
        "announcements": {
            "goodbye": {"sound": "vm-goodbye", "then": "extension 10"},
            "own": {"recorded": "own"},
        },
    }
    told = check_tenant(TenantSpec.model_validate(document), trunks=TRUNKS)
    assert [finding.code for finding in told if finding.code != "unreachable"] == codes
    own = [finding.path for finding in told if finding.code == "unreachable"]
    assert own == ([] if heard == "announcement own" else [("announcements", "own")])


@pytest.mark.parametrize(
    ("announcement", "code"),
    [
        ({}, "no-sound"),
        ({"sound": "vm-goodbye", "recorded": "own"}, "no-sound"),
        ({"recorded": "../own"}, "no-sound"),
        ({"recorded": {}}, "too_short"),
        ({"recorded": {"german": "own"}}, "no-language"),
        ({"spoken": "two\nlines"}, "no-text"),
        ({"spoken": "x" * 1_001}, "no-text"),
    ],
)
def test_an_announcement_has_a_form(announcement: dict[str, Any], code: str) -> None:
    """It is one sound: of the machine, recorded, or spoken from a short text."""
    with pytest.raises(ValidationError) as refused:
        TenantSpec.model_validate({**BASE, "announcements": {"a": announcement}})
    assert [error["type"] for error in refused.value.errors()] == [code]
