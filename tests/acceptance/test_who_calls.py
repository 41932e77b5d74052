"""Who calls, and whom, makes a difference on a real Asterisk: refused, led elsewhere, or put through."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from typing import TYPE_CHECKING, Any

import pytest

from dialplan.notation import Form
from pbxcore import publication
from pbxcore.machine.asterisk import ways
from pbxcore.practice import sipp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.conftest import Pbx

Runs = list[sipp.Run]
BRUNO = "+493055500111"
MOBILE, ROUTED = "+436641110031", "+436641110041"


@pytest.fixture(autouse=True)
def _restored(pbx: Pbx) -> Iterator[None]:
    """Leave the first trunk as it is, and nobody who has called for help, to the next test."""
    yield
    for line in ("WAY_carrier s", 'FORM_carrier ""'):
        pbx.asterisk(f"dialplan set global {line}")
    pbx.forget_help()


@pytest.fixture(scope="module")
def choosy(pbx: Pbx) -> Pbx:
    """Give the PBX with a tenant that does not take every call."""
    _publish(pbx)
    return pbx


def _publish(pbx: Pbx) -> None:
    """Put that tenant in force, and what the settings say of trunks."""
    bruno = {
        **pbx.tenant["extensions"]["11"],
        "hide_number": True,
        "forward": {
            "rules": [
                {"callers": ["+4941*"], "always": f"number {MOBILE}"},
                {"callers": ["+4942*"], "always": f"number {ROUTED}"},
            ]
        },
    }
    document: dict[str, Any] = {
        **pbx.tenant,
        "blocked": ["+49900*"],
        "routes": [{"numbers": [ROUTED], "trunks": ["backup"]}],
        "anonymous": "reject",
        "numbers": {
            **pbx.tenant["numbers"],
            BRUNO: {"to": "extension 11", "callers": {"+4940*": "number +436641110032"}},
        },
        "rights": {"never": {"open": [], "allowed": ["+4366411100*"]}},
        "extensions": {
            **pbx.tenant["extensions"],
            "10": {**pbx.tenant["extensions"]["10"], "may_call": "never"},
            "11": bruno,
        },
    }
    pbx.publish(document, 2)
    said = asyncio.run(publication.announce(pbx.settings.run_dir))
    assert all(one.done for one in said), said


async def _call(
    pbx: Pbx, runs: Runs, caller: str, headers: str = "", *, number: str = BRUNO, address: str = "127.0.0.2"
) -> int:
    """Let a caller call Bruno and give the final status."""
    carrier = dataclasses.replace(pbx.carrier, address=address)
    run = await carrier.call(number, port=pbx.port(), caller=caller, headers=headers, talk_ms=300)
    runs.append(run)
    return max(m.status for m in await run.wait() if m.method == "INVITE")


@pytest.mark.parametrize(
    ("caller", "headers"),
    [
        ("+499001234567", ""),
        ("09001234567", ""),
        ("anonymous", ""),
        ("+4915199", "P-Asserted-Identity: <sip:+4915199@x.y>\nPrivacy: id\n"),
        ("+4915199", "Privacy: user\n"),
        ("+4915199", "Privacy: Header;ID\n"),
    ],
    ids=["blocked", "blocked-national", "anonymous", "private", "private-from", "private-in-capitals"],
)
async def test_who_is_not_wanted_is_refused(choosy: Pbx, runs: Runs, caller: str, headers: str) -> None:
    """The carrier hears 403, the call ends as rejected with its reason, and no leg leaves."""
    since = len(choosy.decisions())
    assert await _call(choosy, runs, caller, headers) == 403
    asked = choosy.decided(since=since, dialled=BRUNO)
    end = choosy.end_of(asked["call"])
    assert (end["outcome"], end["reason"]) == ("rejected", "blocked")
    assert choosy.trunk_legs(asked["linkedid"]) == []


@pytest.mark.parametrize(
    ("caller", "number", "payer", "diverts"),
    [
        ("+4940123456", "+436641110032", f"acme/{BRUNO}", BRUNO),
        ("+4941123456", MOBILE, "acme/11", BRUNO),
    ],
    ids=["by-number", "by-extension"],
)
async def test_who_is_led_elsewhere(  # noqa: PLR0917 — fixtures and the row
    choosy: Pbx, runs: Runs, caller: str, number: str, payer: str, diverts: str
) -> None:
    """A number's way for some callers, and an extension's forward for some, each paid by whose rule it is."""
    assert await _call(choosy, runs, caller) == 200
    asked = choosy.decided(dialled=BRUNO, caller=caller)
    choosy.end_of(asked["call"])
    (leg,) = choosy.trunk_legs(asked["linkedid"])
    assert (leg["payer"], leg["num"], leg["why"]) == (payer, number, "forward")
    invite = [m for m in choosy.far_end(number) if m.start.startswith("INVITE")][-1]
    assert invite.header("From").startswith(f"<sip:{caller}@")
    assert invite.header("Diversion").startswith(f"<sip:{diverts}@")


async def test_everybody_else_is_put_through(choosy: Pbx, runs: Runs) -> None:
    """A caller whom no rule names reaches the phone."""
    async with choosy.baresip("p11", answers=True) as bruno:
        await bruno.register()
        assert await _call(choosy, runs, "+4989123456") == 200
        await bruno.until("CALL_ESTABLISHED")


@pytest.mark.parametrize(
    ("number", "status", "reason"),
    [("03012345678", 403, "not-allowed-now"), (MOBILE, 200, "")],
    ids=["out-of-hours", "own-list"],
)
async def test_rights_hold_by_hour_and_number(
    choosy: Pbx, runs: Runs, number: str, status: int, reason: str
) -> None:
    """Out of hours a phone hears 403 and no leg leaves, but for a number that its rights name."""
    anna = choosy.phone("p10")
    await anna.register()
    runs.append(run := await anna.call(number, talk_ms=200))
    assert max(m.status for m in await run.wait() if m.method == "INVITE" and m.status != 401) == status
    asked = choosy.decided(dialled=number)
    assert choosy.end_of(asked["call"])["reason"] == reason
    assert len(choosy.trunk_legs(asked["linkedid"])) == (status == 200)


OURS, THEIRS = BRUNO, "+4942123456"


@pytest.mark.parametrize(
    ("way", "shown", "header", "beside"),
    [
        ("s", THEIRS, "P-Asserted-Identity", OURS),
        ("network_pai", OURS, "P-Asserted-Identity", THEIRS),
        ("user_ppi", THEIRS, "P-Preferred-Identity", OURS),
        ("network_rpid", OURS, "Remote-Party-ID", THEIRS),
        ("network_none", OURS, "", ""),
    ],
)
async def test_a_trunk_is_told_who_calls_as_it_wants(  # noqa: PLR0917 — fixtures and the row
    choosy: Pbx, runs: Runs, way: str, shown: str, header: str, beside: str
) -> None:
    """A call that a route sends by the second trunk: one number in From, the other in the header."""
    choosy.asterisk(f"dialplan set global WAY_backup {way}")
    assert await _call(choosy, runs, THEIRS) == 200
    invite = _sent_by_backup(choosy)
    assert invite.header("From").startswith(f"<sip:{shown}@")
    for name in ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"):
        assert invite.header(name).startswith(f"<sip:{beside}@" if name == header else "")
        assert bool(invite.header(name)) == (name == header)
    assert invite.header("Diversion").startswith(f"<sip:{OURS}@")
    assert invite.header("Privacy") == ""


async def test_who_hides_is_known_to_the_carrier_alone(choosy: Pbx, runs: Runs) -> None:
    """Nobody in From, ours in the header, and the wish for privacy in both notations; `#31#` shows it."""
    choosy.asterisk("dialplan set global WAY_backup network_rpid")
    bruno = choosy.phone("p11")
    await bruno.register()
    for dialled, seen in ((f"#31#{ROUTED}", OURS), (ROUTED, "anonymous")):
        runs.append(run := await bruno.call(dialled.replace("#", "%23"), talk_ms=200))
        await run.wait()
        invite = _sent_by_backup(choosy)
        assert seen in invite.header("From").lower()
    assert invite.header("Remote-Party-ID").startswith(f"<sip:{OURS}@")
    assert "privacy=full" in invite.header("Remote-Party-ID")
    assert invite.header("Privacy") == "id"


@pytest.mark.parametrize(
    ("way", "header"), [("network_rpid", "Remote-Party-ID"), ("user_ppi", "P-Preferred-Identity")]
)
async def test_help_is_called_in_the_way_of_its_trunk(choosy: Pbx, runs: Runs, way: str, header: str) -> None:
    """Whoever hides and may call nobody is known to the centre by a number that can be called back."""
    choosy.asterisk(f"dialplan set global WAY_carrier {way}")
    bruno = choosy.phone("p11")
    await bruno.register()
    runs.append(run := await bruno.call("112", talk_ms=200))
    await run.wait()
    invite = [m for m in choosy.far_end("112") if m.start.startswith("INVITE")][-1]
    assert invite.header("From").startswith(f"<sip:{OURS}@")
    assert invite.header(header).startswith(f"<sip:{OURS}@")
    assert (invite.header("P-Asserted-Identity"), invite.header("Privacy")) == ("", "")


FORMS = [
    ("zeros", "004942123456", "00493055500111", "00436641110041"),
    ("digits", "4942123456", "493055500111", "436641110041"),
    ("national-de", "042123456", "03055500111", "00436641110041"),
]


@pytest.mark.parametrize(("form", "theirs", "ours", "called"), FORMS)
async def test_a_trunk_is_told_numbers_as_it_writes_them(  # noqa: PLR0917 — fixtures and the row
    choosy: Pbx, runs: Runs, written: Callable[[str], None], form: str, theirs: str, ours: str, called: str
) -> None:
    """Called number, From, identity and both headers of the diversion; the record of the leg has E.164."""
    await asyncio.to_thread(written, form)
    assert await _call(choosy, runs, THEIRS) == 200
    invite = _sent_by_backup(choosy, called)
    assert invite.header("From").startswith(f"<sip:{theirs}@")
    assert invite.header("P-Asserted-Identity").startswith(f"<sip:{ours}@")
    assert invite.header("Diversion").startswith(f"<sip:{ours}@")
    assert re.findall(r"<sip:([^@]*)@", invite.header("History-Info")) == [ours, called]
    decision = choosy.decided(caller=THEIRS)
    choosy.end_of(decision["call"])
    assert [leg["num"] for leg in choosy.trunk_legs(decision["linkedid"])] == [ROUTED]


async def test_help_and_who_calls_back_are_understood_in_the_form_of_the_trunk(
    choosy: Pbx, runs: Runs, written: Callable[[str], None]
) -> None:
    """The centre is asked for by its short number, and told one as the trunk writes; so written, it calls.

    With a plus everybody writes it alike, also where national numbers have no prefix that tells them.
    Whoever shows no number is refused here, but is put through to the phone that called for help.
    """
    await asyncio.to_thread(written, "national-de")
    for line in ("WAY_carrier user_pai", "FORM_carrier national-de"):
        choosy.asterisk(f"dialplan set global {line}")
    async with choosy.baresip("p11", answers=True) as bruno:
        await bruno.register()
        await bruno.command("dial", "112")
        await bruno.until("CALL_ESTABLISHED")
        await bruno.command("hangup")
        await bruno.until("CALL_CLOSED")
        choosy.asterisk("dialplan set global WAY_carrier s")
        choosy.asterisk('dialplan set global FORM_carrier ""')
        invite = [m for m in choosy.far_end("112") if m.start.startswith("INVITE")][-1]
        assert invite.header("From").startswith("<sip:03055500111@")
        assert invite.header("P-Asserted-Identity").startswith("<sip:03055500111@")
        assert await _call(choosy, runs, "anonymous", number="03055500111", address="127.0.0.3") == 200
        await asyncio.to_thread(written, "national-it")
        assert await _call(choosy, runs, "anonymous", number="+493055500111", address="127.0.0.3") == 200


async def test_what_a_trunk_brings_is_read_as_it_writes(
    choosy: Pbx, runs: Runs, written: Callable[[str], None]
) -> None:
    """A called number without plus or country is found, and the phone is shown a caller it can call back."""
    await asyncio.to_thread(written, "national-at")
    async with choosy.baresip("p11", answers=True) as bruno:
        await bruno.register()
        assert await _call(choosy, runs, "015551234", number="00493055500111", address="127.0.0.3") == 200
        call = await bruno.until("CALL_ESTABLISHED")
        assert call["peeruri"].startswith("sip:+4315551234@")


@pytest.fixture
def written(choosy: Pbx) -> Iterator[Callable[[str], None]]:
    """Let the second trunk write, and read, numbers in a form; afterwards in E.164 again."""
    settings = choosy.settings

    def write(form: str) -> None:
        numbers, _, country = form.partition("-")
        notation = {"numbers": Form(numbers), "country": country.upper() or None}
        carrier, backup = settings.trunks
        trunks = (carrier, backup.model_copy(update=notation))
        choosy.settings = settings.model_copy(update={"trunks": trunks})
        choosy.asterisk('dialplan set global FORM_backup ""')
        for line in ways(choosy.settings).splitlines()[1:]:
            choosy.asterisk(f"dialplan set global {line.replace(' = ', ' ')}")
        _publish(choosy)

    yield write
    write("plus")
    choosy.settings = settings


def _sent_by_backup(pbx: Pbx, called: str = ROUTED) -> sipp.SipMessage:
    """Give the last INVITE that left by the second trunk."""
    text = (pbx.settings.state / "backup" / "messages.log").read_text(errors="replace")
    return [m for m in sipp.parse(text) if m.start.startswith(f"INVITE sip:{called}@")][-1]
