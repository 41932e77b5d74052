"""How carriers write numbers: in both directions, in a decision, and as Asterisk does it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dialplan import numbers
from dialplan.build import build_plan
from dialplan.carriers import Carriers
from dialplan.decide import CALL_BACK_RING_S, decide
from dialplan.decision import Decision, Outside, Reject, Ring
from dialplan.facts import Facts, Origin, State
from dialplan.notation import E164, Form, Notation, read, written
from dialplan.numbers import COUNTRIES
from dialplan.porting import confirmation
from dialplan.published import Published
from dialplan.spec import TenantSpec
from pbxcore.machine.asterisk import countries, form_of, ways
from pbxcore.settings import Settings, Trunk

GERMAN, AUSTRIAN = Notation(Form.NATIONAL, "DE"), Notation(Form.NATIONAL, "AT")
ZEROS, DIGITS = Notation(Form.ZEROS), Notation(Form.DIGITS)
BERLIN, VIENNA, DOCTOR = "+493012345678", "+4315551234", "+49116117"
NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
OURS, PORTED = "+493055500100", "+493022200100"
PLAN = build_plan(
    TenantSpec.model_validate({
        "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
        "account": "acme", "extensions": {"10": {"name": "A", "devices": ["p10"]}},
        "numbers": {OURS: {"to": "extension 10", "stands_for": PORTED,
                           "porting": {"planned": "2026-12-01T06:00"}}},
    }),
    revision=1,
    trunks=("carrier",),
)  # fmt: skip


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"numbers": "e164"}, "enum"),
        ({"numbers": "national"}, "country-missing"),
        ({"numbers": "national", "country": "XX"}, "no-country"),
        ({"numbers": "zeros", "country": "DE"}, "idle-country"),
        ({"country": "DE"}, "idle-country"),
    ],
)
def test_a_trunk_whose_numbers_nobody_could_write(more: dict[str, Any], code: str) -> None:
    """A form that is none, national numbers of no country, a country for nothing."""
    with pytest.raises(ValidationError) as raised:
        Trunk.model_validate({"name": "alpine", "host": "127.0.0.2", **more})
    assert [error["type"] for error in raised.value.errors()] == [code]


@pytest.mark.parametrize(
    ("number", "notation", "said"),
    [
        (BERLIN, E164, BERLIN),
        (BERLIN, ZEROS, "00493012345678"),
        (BERLIN, DIGITS, "493012345678"),
        (BERLIN, GERMAN, "03012345678"),
        (BERLIN, AUSTRIAN, "00493012345678"),
        (VIENNA, AUSTRIAN, "015551234"),
        (DOCTOR, GERMAN, "116117"),
        ("+4314000", AUSTRIAN, "014000"),  # the city of Vienna, and not the short number 14000 of elsewhere
        ("+39061234567", Notation(Form.NATIONAL, "IT"), "061234567"),
        ("+39002524123456", Notation(Form.NATIONAL, "IT"), "0039002524123456"),  # 00252… would be Somalia
        ("+3612345678", Notation(Form.NATIONAL, "HU"), "0612345678"),
        ("+34912345678", Notation(Form.NATIONAL, "ES"), "912345678"),
        ("112", GERMAN, "112"),
        ("", DIGITS, ""),
    ],
)
def test_a_number_is_written_as_its_carrier_wants_it(number: str, notation: Notation, said: str) -> None:
    """At home without country, abroad with 00; short numbers as they are, and what is no number too."""
    assert written(number, notation) == said


@pytest.mark.parametrize(
    ("text", "notation", "number"),
    [
        ("anonymous", DIGITS, ""),
        ("12", DIGITS, ""),
        ("03012345678", DIGITS, ""),
        ("03012345678", ZEROS, ""),  # read without a notation, as every country dials
        ("", GERMAN, ""),
        ("493012345678", DIGITS, BERLIN),
        ("015551234", AUSTRIAN, VIENNA),
        ("00493012345678", AUSTRIAN, BERLIN),
        (BERLIN, AUSTRIAN, BERLIN),
    ],
)
def test_what_only_the_notation_explains_is_read_by_it(text: str, notation: Notation, number: str) -> None:
    """Nothing is made of what the carrier does not write so."""
    assert read(text, notation) == number


@given(
    st.sampled_from(sorted(COUNTRIES)), st.sampled_from(sorted(COUNTRIES)), st.text("0123456789", max_size=12)
)
def test_what_was_written_is_read_again(home: str, country: str, digits: str) -> None:
    """In the national form of any country, every number of it or of another comes back."""
    number = f"+{COUNTRIES[country].calling}{digits}"
    notation = Notation(Form.NATIONAL, home)
    if numbers.is_e164(number):
        said = written(number, notation)
        assert read(said, notation) == number
        assert said.startswith("00") == (home != country)


CONTEXTS: Mapping[str, list[tuple[str, str]]] = {
    block.partition("]")[0]: re.findall(r"^exten => _(\S+),1,Return\((.*)\)$", block, re.MULTILINE)
    for block in countries().split("\n[")
}


def returned(context: str, text: str) -> str:
    """Do what Asterisk does: of the patterns that fit, the one with most digits in front speaks."""
    fitting = [
        (len(pattern.rstrip("X!")), result)
        for pattern, result in CONTEXTS[context]
        if re.fullmatch(
            re.escape(pattern).replace("X", "[0-9]").replace("!", ".*").replace("\\.*", ".*"), text
        )
    ]
    lead, _, cut = max(fitting)[1].partition("${EXTEN:")
    return lead + text[int(cut.removesuffix("}")) :]


@given(
    st.sampled_from(sorted(COUNTRIES)), st.sampled_from(sorted(COUNTRIES)), st.text("0123456789", max_size=12)
)
def test_asterisk_writes_and_reads_as_we_say(home: str, country: str, digits: str) -> None:
    """The patterns that are generated for a country do what `written` does, and lead back to the digits."""
    number = f"+{COUNTRIES[country].calling}{digits}"
    notation = Notation(Form.NATIONAL, home)
    if numbers.is_e164(number):
        said = written(number, notation)
        assert returned(f"written-{form_of(notation)}", number) == said
        if len(digits) > 6:  # nobody calls back from a short number
            assert returned(f"digits-{form_of(notation)}", said) == number[1:]


def test_asterisk_knows_how_each_trunk_writes() -> None:
    """Who takes E.164 costs a call nothing; any other has a way by name, as `s` writes E.164."""
    trunks = (
        Trunk(name="one", host="127.0.0.2"),
        Trunk(name="two", host="127.0.0.3", numbers=Form.DIGITS),
        Trunk(name="three", host="127.0.0.4", numbers=Form.NATIONAL, country="AT"),
    )
    assert ways(Settings(trunks=trunks)).splitlines()[1:] == [
        "WAY_one = s", "WAY_two = user_pai", "FORM_two = digits", "WAY_three = user_pai",
        "FORM_three = national-at",
    ]  # fmt: skip
    assert Settings(trunks=trunks).carriers.notations == {"two": DIGITS, "three": AUSTRIAN}


def published(notation: Notation) -> Published:
    """Publish the tenant where the carrier writes numbers in a way."""
    notations = {} if notation == E164 else {"carrier": notation}
    return Published(carriers=Carriers(notations=notations)).with_plan(PLAN)


def brings(dialled: str, caller: str, *diversions: str) -> Facts:
    """Ask for a call that the carrier brings."""
    return Facts(call="c", linkedid="c", origin=Origin.TRUNK, endpoint="trunk-carrier", actor="trunk-carrier",
                 dialled=dialled, caller=caller, diversions=diversions)  # fmt: skip


@pytest.mark.parametrize(
    ("notation", "dialled", "caller", "shown"),
    [
        (E164, OURS, VIENNA, ""),
        (E164, "493055500100", "004315551234", ""),
        (ZEROS, "00493055500100", "004315551234", ""),
        (DIGITS, "493055500100", "4315551234", VIENNA),  # no phone in Germany could call 4315551234 back
        (GERMAN, "03055500100", "004315551234", ""),
        (GERMAN, OURS, "03012345678", ""),
        (AUSTRIAN, "00493055500100", "015551234", VIENNA),
        (DIGITS, "493055500100", "", ""),
    ],
)
def test_what_a_carrier_brings_is_read_as_it_writes(
    notation: Notation, dialled: str, caller: str, shown: str
) -> None:
    """The called number is found, and phones see a number that they can call back."""
    (step,) = decided(notation, brings(dialled, caller)).steps
    assert isinstance(step, Ring)
    assert step.caller == shown


def test_who_calls_back_after_an_emergency_is_shown_so_too() -> None:
    """The phone that called for help rings first, and sees a number that it can call back."""
    called = replace(brings("493055500100", "4315551234"), helped="acme-p10")
    first = decided(DIGITS, called).steps[0]
    assert isinstance(first, Ring)
    assert (first.endpoints, first.timeout_s, first.caller) == (("acme-p10",), CALL_BACK_RING_S, VIENNA)


def test_national_numbers_of_a_carrier_that_does_not_say_so_are_nobodys() -> None:
    """What is brought could be a number of any country: nothing is guessed."""
    (step,) = decided(E164, brings("03055500100", VIENNA)).steps
    assert isinstance(step, Reject)


def test_diversions_are_read_as_the_carrier_writes_them() -> None:
    """A loop dies, and a call that the old number diverted confirms no porting."""
    looped = decided(GERMAN, brings("03055500100", BERLIN, "03055500100"))
    assert isinstance(looped.steps[0], Reject)
    direct = brings("03022200100", BERLIN)
    assert confirmation(published(GERMAN), direct)
    assert not confirmation(published(GERMAN), brings("03022200100", BERLIN, "03022200100"))
    assert not confirmation(published(AUSTRIAN), direct)


@pytest.mark.parametrize(
    ("notation", "said"),
    [
        (E164, ""),
        (ZEROS, "is asked for 004315551234 and told From 00493055500100, p-asserted-identity 00493055500100"),
        (GERMAN, "is asked for 004315551234 and told From 03055500100, p-asserted-identity 03055500100"),
        (AUSTRIAN, "is asked for 015551234 and told From 00493055500100, p-asserted-identity 00493055500100"),
    ],
)
def test_a_decision_says_what_its_carrier_is_told(notation: Notation, said: str) -> None:
    """The step has E.164, as records and prices do; the explanation says what the trunk writes of it."""
    phone = "acme-p10"
    facts = Facts(call="c", linkedid="c", origin=Origin.PHONE, endpoint=phone, actor=phone, dialled=VIENNA)
    decision = decided(notation, facts)
    (step,) = decision.steps
    assert isinstance(step, Outside)
    assert (step.number, step.presented) == (VIENNA, OURS)
    assert [line.text for line in decision.because if line.rule == "trunks.carrier"] == [said] * bool(said)


def decided(notation: Notation, facts: Facts) -> Decision:
    """Decide a call of a carrier, or to one, that writes numbers in a way."""
    return decide(published(notation), facts, State(), NOW)
