"""Calls on a real Asterisk with two SIP stacks: what phones and carrier see, and what is recorded."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from dialplan.build import build_plan
from dialplan.spec import TenantSpec
from pbxcore import phones, publication
from pbxcore.machine import asterisk
from pbxcore.practice import sipp, tone
from tests.acceptance.conftest import CLOCKS_S, until_heard

if TYPE_CHECKING:
    from tests.acceptance.conftest import Pbx

Runs = list[sipp.Run]
BETA: dict[str, Any] = {
    "version": 1,
    "tenant": "beta",
    "name": "Beta",
    "account": "beta",
    "country": "DE",
    "area_code": "30",
    "time_zone": "Europe/Berlin",
    "language": "en",
    "numbers": {"+493055520020": {"to": "extension 20"}, "+493055520024": {"to": "extension 24"}},
    "extensions": {
        **{str(n): {"name": f"Phone {n}", "devices": [{"device": f"p{n}"}]} for n in range(20, 24)},
        "24": {"name": "Busy", "devices": [{"device": "p24"}], "forward": {"busy": "number +493055530040"}},
    },
    "groups": {
        "all": {
            "extension": "70",
            "name": "All",
            "members": ["20", "21", "22"],
            "timeout_s": 5,
            "members_forward": "obey",
        },
    },
}
GAMMA = {
    **BETA,
    "tenant": "gamma",
    "name": "Gamma",
    "account": "gamma",
    "numbers": {"+493055530040": {"to": "extension 40"}},
    "extensions": {"40": {"name": "Away", "forward": {"always": "number +436641110041"}}},
    "groups": {},
}
MOST_CHANNELS = 30
RINGS_S = 5.0  # a phone that is there
LOW, HIGH = 440, 1000  # Hz, voices of phones


@pytest.fixture(scope="module")
def beta(pbx: Pbx) -> Pbx:
    """Give the PBX with a second tenant, who has five phones and a group of three, and a third."""
    settings = pbx.settings
    index = json.loads((settings.published / "index.json").read_text())
    for document in (BETA, GAMMA):
        plan = build_plan(TenantSpec.model_validate(document), revision=1,
                          trunks=tuple(trunk.name for trunk in settings.trunks))  # fmt: skip
        publication.write_plan(settings.published, plan)
        phones.publish(settings, plan)
        index["tenants"][plan.tenant] = 1
    publication.write_aside(settings.published / "index.json", json.dumps(index))
    said = asyncio.run(publication.announce(settings.run_dir))
    assert all(one.done for one in said), said
    return pbx


async def _phone(beta: Pbx, device: str) -> sipp.SippPhone:
    """Give a registered phone of the second tenant."""
    user = f"beta-{device}"
    phone = dataclasses.replace(
        beta.phone(device), user=user, password=phones.password_of(beta.settings, user)
    )
    await phone.register()
    return phone


async def _sends_on(beta: Pbx, runs: Runs, device: str, to: str) -> None:
    """Let a phone answer every call with a 302."""
    contact = f"Contact: <sip:{to}@{beta.server[0]}>\n"
    scenario = sipp.answering(ring_ms=0, start_at="refuse", code=302, headers=contact)
    runs.append(await (await _phone(beta, device)).take(scenario, calls=0))


def _channels(pbx: Pbx) -> int:
    return int(re.findall(r"(\d+) active channel", pbx.asterisk("core show channels count"))[0])


async def _most_channels(pbx: Pbx, caller: sipp.Run) -> int:
    """Count channels until a call has ended."""
    most, ended = 0, asyncio.create_task(caller.wait())
    while not ended.done():
        most = max(most, await asyncio.to_thread(_channels, pbx))
    await ended
    return most


def _talked(pbx: Pbx, number: str) -> float:
    answered, ended = pbx.talk(number)
    return ended - answered


def test_configuration_starts_without_a_complaint(pbx: Pbx) -> None:
    """Asterisk loads every module of our list and logs no warning at its start."""
    assert pbx.complaints == []
    wanted = re.findall(
        r"^(?:pre)?load = (\S+)", (asterisk.TEMPLATES / "modules.conf").read_text(), re.MULTILINE
    )
    assert sorted(wanted) == sorted(
        re.findall(r"^(\S+\.so) .*Running", pbx.asterisk("module show"), re.MULTILINE)
    )


@pytest.mark.row("X.1")
async def test_extension_calls_extension(pbx: Pbx, runs: Runs) -> None:
    """Two phones of the first stack talk; the called one sees name and extension of the other."""
    anna, bruno = pbx.phone("p10"), pbx.phone("p11", tcp=True)
    await anna.register()
    await bruno.register()
    await bruno.register(expires_s=0)
    bruno = pbx.phone("p11")
    await bruno.register()
    runs.append(callee := await bruno.take(sipp.answering(ring_ms=100)))
    runs.append(caller := await anna.call("11", talk_ms=300))
    await caller.wait()
    assert '"Anna" <sip:10@' in sipp.first(await callee.wait(), "INVITE").header("From")
    assert pbx.end_of(pbx.decided(dialled="11")["call"]) == {
        "outcome": "answered", "by": "control", "version": pbx.version, "reason": ""
    }  # fmt: skip


@pytest.mark.row("3.2")
@pytest.mark.row("X.1")
async def test_two_phones_hear_each_other(pbx: Pbx) -> None:
    """Baresip over TCP calls baresip over UDP: the tone that one sends is what the other hears."""
    async with (
        pbx.baresip("p10", transport="tcp", tone_hz=LOW) as anna,
        pbx.baresip("p11", answers=True, tone_hz=HIGH) as bruno,
    ):
        await anna.register()
        await bruno.register()
        await anna.command("dial", "11")
        await anna.until("CALL_ESTABLISHED")
        await bruno.until("CALL_ESTABLISHED")
        await asyncio.sleep(1.0)  # of speech
        await anna.command("hangup")
        for phone in (anna, bruno):
            await phone.until("CALL_CLOSED")
        assert tone.heard(anna.heard(), (LOW, HIGH)) == (HIGH,)
        assert tone.heard(bruno.heard(), (LOW, HIGH)) == (LOW,)


@pytest.mark.row("X.1")
@pytest.mark.parametrize("dialled", ["06641110700", "13"], ids=["plain", "forwarded"])
async def test_a_call_that_leaves_is_heard_both_ways(pbx: Pbx, dialled: str) -> None:
    """Baresip calls outside, or an extension that forwards there: the carrier, sipp, sends its tone back."""
    async with pbx.baresip("p10", tone_hz=HIGH) as anna:
        await anna.register()
        await anna.command("dial", dialled)
        await anna.until("CALL_ESTABLISHED")
        await until_heard(anna, HIGH, 0.5)
        await anna.command("hangup")
        await anna.until("CALL_CLOSED")
    asked = pbx.decided(dialled=dialled)
    pbx.end_of(asked["call"])
    (leg,) = pbx.trunk_legs(asked["linkedid"])
    assert leg["why"] == ("forward" if dialled == "13" else "call")


async def test_extension_calls_outside(pbx: Pbx, runs: Runs) -> None:
    """The carrier sees who calls and whom to call back; one leg is recorded, with the far end's seconds."""
    anna = pbx.phone("p10")
    await anna.register()
    runs.append(caller := await anna.call("06641110000", talk_ms=1_000))
    await caller.wait()
    invite = sipp.first(pbx.far_end("+496641110000"), "INVITE")
    assert invite.start.split()[1].startswith("sip:+496641110000@127.0.0.2")
    assert invite.header("From").startswith("<sip:+493055500100@")
    assert invite.header("P-Asserted-Identity").startswith("<sip:+493055500100@")
    assert (invite.header("Privacy"), invite.header("Diversion")) == ("", "")
    asked = pbx.decided(dialled="06641110000")
    pbx.end_of(asked["call"])
    (leg,) = pbx.trunk_legs(asked["linkedid"])
    assert (leg["payer"], leg["why"], leg["num"], leg["limit"], leg["version"], leg["trunk"]) == (
        "acme/10", "call", "+496641110000", "14400", pbx.version, "carrier",
    )  # fmt: skip
    assert leg["seconds"] == pytest.approx(_talked(pbx, "+496641110000"), abs=CLOCKS_S)


async def test_hidden_number_travels_marked_private(pbx: Pbx, runs: Runs) -> None:
    """With *31* the carrier gets no name in From, our number for its own eyes, and the wish for privacy."""
    anna = pbx.phone("p10")
    await anna.register()
    runs.append(caller := await anna.call("*31*06641110020", talk_ms=200))
    await caller.wait()
    invite = sipp.first(pbx.far_end("+496641110020"), "INVITE")
    assert "anonymous" in invite.header("From").lower()
    assert "+4930" not in invite.header("From")
    assert invite.header("P-Asserted-Identity").startswith("<sip:+493055500100@")
    assert invite.header("Privacy") == "id"


async def test_group_without_answer_goes_to_a_mobile(pbx: Pbx, runs: Runs) -> None:
    """Two phones ring in vain; the mobile sees who calls and who diverted; one leg, paid by the group."""
    for device in ("p10", "p11"):
        phone = pbx.phone(device)
        await phone.register()
        runs.append(await phone.take(sipp.answering(ring_ms=60_000)))
    runs.append(caller := await pbx.carrier.call("+493055500100", port=pbx.port(), talk_ms=1_000))
    await caller.wait()
    invite = sipp.first(pbx.far_end("+436641110003"), "INVITE")
    assert invite.header("From").startswith("<sip:+4915112345678@")
    assert invite.header("P-Asserted-Identity").startswith("<sip:+493055500100@")
    assert re.match(r"<sip:\+493055500100@[^>]+>;reason=no-answer", invite.header("Diversion"))
    asked = pbx.decided(dialled="+493055500100")
    pbx.end_of(asked["call"])
    (leg,) = pbx.trunk_legs(asked["linkedid"])
    assert (leg["payer"], leg["why"]) == ("acme/60", "forward")
    assert leg["seconds"] == pytest.approx(_talked(pbx, "+436641110003"), abs=CLOCKS_S)
    for phone_run in runs[:2]:
        heard = [m.method for m in phone_run.messages() if not m.status and m.method != "NOTIFY"]
        assert heard[:2] == ["INVITE", "CANCEL"]


@pytest.mark.row("3.2")
@pytest.mark.row("X.1")
@pytest.mark.row("X.2")
async def test_losers_of_a_fork_leave_no_leg(pbx: Pbx, runs: Runs) -> None:
    """Two phones ring, one answers: the other is cancelled, and a call from outside costs nobody anything."""
    for device, ring_ms in (("p10", 300), ("p11", 60_000)):
        phone = pbx.phone(device)
        await phone.register()
        runs.append(await phone.take(sipp.answering(ring_ms=ring_ms)))
    runs.append(caller := await pbx.carrier.call("+493055500100", port=pbx.port(), talk_ms=300))
    await caller.wait()
    await runs[1].until(method="CANCEL")
    asked = pbx.decided(dialled="+493055500100")
    assert pbx.end_of(asked["call"])["outcome"] == "answered"
    assert pbx.trunk_legs(asked["linkedid"]) == []


@pytest.mark.row("X.2")
async def test_busy_forwards_outside(pbx: Pbx, runs: Runs) -> None:
    """A busy phone's forward leaves at once, names the reason and is paid by the phone's extension."""
    anna, clara = pbx.phone("p10"), pbx.phone("p12")
    await anna.register()
    await clara.register()
    runs.append(await clara.take(sipp.answering(ring_ms=0, start_at="refuse", code=486)))
    runs.append(caller := await anna.call("12", talk_ms=300))
    await caller.wait()
    diversion = sipp.first(pbx.far_end("+436641110001"), "INVITE").header("Diversion")
    assert diversion.endswith(";reason=user-busy;counter=1")
    asked = pbx.decided(dialled="12")
    pbx.end_of(asked["call"])
    (leg,) = pbx.trunk_legs(asked["linkedid"])
    assert (leg["payer"], leg["why"]) == ("acme/12", "forward")


async def test_unregistered_phone_forwards_at_once(pbx: Pbx, runs: Runs) -> None:
    """Nobody waits for a phone that is not there as long as for one that is."""
    runs.append(caller := await pbx.carrier.call("+493055500101", port=pbx.port(), talk_ms=200))
    said = await caller.wait()
    invited = sipp.first(said, "INVITE").at
    assert sipp.first(pbx.far_end("+436641110002"), "INVITE").at - invited < RINGS_S


@pytest.mark.parametrize(
    ("number", "status", "outcome", "reason"),
    [
        ("06641110486", 486, "busy", ""),
        ("06641110404", 404, "carrier-failure", "1"),
        ("99", 404, "rejected", "unknown-number"),
        ("*8", 480, "rejected", "nothing-rings"),  # no pick-up of Asterisk's own, which would write no end
    ],
)
async def test_a_call_that_fails_has_a_named_end(  # noqa: PLR0917 — fixtures and the row
    pbx: Pbx, runs: Runs, number: str, status: int, outcome: str, reason: str | None
) -> None:
    """The caller's phone hears why, and the record names it."""
    anna = pbx.phone("p10")
    await anna.register()
    runs.append(caller := await anna.call(number))
    said = await caller.wait()
    assert max(m.status for m in said if m.method == "INVITE" and m.status != 401) == status
    end = pbx.end_of(pbx.decided(dialled=number)["call"])
    assert end["outcome"] == outcome
    assert reason in (None, end["reason"])


@pytest.mark.parametrize("number", ["06641110503", "06641110302"])
async def test_the_next_trunk_takes_what_the_first_cannot(pbx: Pbx, runs: Runs, number: str) -> None:
    """After a failure, or a 302, another is tried; each attempt is recorded, the answered one counts."""
    anna = pbx.phone("p10")
    await anna.register()
    runs.append(caller := await anna.call(number, talk_ms=300))
    said = await caller.wait()
    assert 200 in [m.status for m in said if m.method == "INVITE"]
    asked = pbx.decided(dialled=number)
    pbx.end_of(asked["call"])
    first, second = pbx.trunk_legs(asked["linkedid"])
    assert (first["trunk"], first["seconds"], second["trunk"]) == ("carrier", 0.0, "backup")
    assert second["seconds"] > 0.2


async def test_caller_who_gives_up(pbx: Pbx, runs: Runs) -> None:
    """A caller who hangs up while it rings ends the call as abandoned."""
    anna = pbx.phone("p10")
    await anna.register()
    runs.append(caller := await anna.call("06641110999", patience_ms=500))
    await caller.wait()
    assert pbx.end_of(pbx.decided(dialled="06641110999")["call"])["outcome"] == "abandoned"


async def test_message_is_left(pbx: Pbx) -> None:
    """Who speaks to a mailbox leaves a message in it."""
    async with pbx.baresip("p11") as bruno:
        await bruno.register()
        await bruno.command("dial", "*9910")
        await bruno.until("CALL_ESTABLISHED")
        await asyncio.sleep(0.5)  # of greeting
        await bruno.command("sndcode", "#")  # enough of it
        spool = asterisk.home(pbx.settings) / "spool" / "voicemail" / "acme" / "10"
        await asyncio.to_thread(pbx.until, lambda: any(spool.glob("tmp/*.wav")))
        await asyncio.sleep(3.0)  # of message; shorter ones are dropped
        await bruno.command("hangup")
        await asyncio.to_thread(pbx.until, (spool / "INBOX" / "msg0000.wav").exists)
    assert pbx.end_of(pbx.decided(dialled="*9910")["call"])["outcome"] == "answered"


async def test_redirect_by_a_phone_asks_us(pbx: Pbx, runs: Runs) -> None:
    """A phone's 302 is decided like a call of its own, and paid by it."""
    anna, bruno = pbx.phone("p10"), pbx.phone("p11")
    await anna.register()
    await bruno.register()
    contact = f"Contact: <sip:06641110030@{pbx.server[0]}>\n"
    runs.append(await bruno.take(sipp.answering(ring_ms=0, start_at="refuse", code=302, headers=contact)))
    runs.append(caller := await anna.call("11", talk_ms=300))
    await caller.wait()
    asked = pbx.decided(dialled="06641110030")
    assert (asked["facts"]["origin"], asked["facts"]["actor"]) == ("forward", "acme-p11")
    pbx.end_of(asked["call"])
    (leg,) = pbx.trunk_legs(asked["linkedid"])
    assert (leg["payer"], leg["why"], leg["num"]) == ("acme/11", "forward", "+496641110030")


@pytest.mark.parametrize(
    ("ways", "dialled"),
    [
        ({"p20": "70", "p21": "70", "p22": "70"}, "70"),
        ({"p20": "21", "p21": "22", "p22": "21"}, "20"),
        ({"p20": "21", "p21": "+493055520020"}, "20"),
    ],
    ids=["fork", "chain", "by-number"],
)
async def test_phones_that_send_a_call_round_end_it(
    beta: Pbx, runs: Runs, ways: dict[str, str], dialled: str
) -> None:
    """Phones whose 302 lead back to each other: each way ends as a loop, with few channels."""
    for device, to in ways.items():
        await _sends_on(beta, runs, device, to)
    before = len(beta.decisions())
    runs.append(caller := await (await _phone(beta, "p23")).call(dialled))
    assert await _most_channels(beta, caller) < MOST_CHANNELS
    asked = beta.decided_since(before, 2)
    assert beta.end_of(asked[0]["call"])["outcome"] == "unanswered"
    end = beta.end_of(asked[-1]["call"])
    assert (end["outcome"], end["reason"]) == ("rejected", "loop")
    assert len(asked) <= 1 + len(ways)


async def test_a_circle_that_nobody_sees_has_an_end(beta: Pbx, runs: Runs) -> None:
    """A call that phones have sent on five times is ended without a question, whoever decides."""
    await _sends_on(beta, runs, "p20", "0021")
    blind = "PBX_S1=ring(PJSIP/beta-p20,5,,0,0,0),PBX_N=1,PBX_VERSION=x,PBX_OK="
    asked = 0

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        nonce = ""
        while (line := (await reader.readline()).decode()) not in ("\n", ""):
            if line.startswith("agi_arg_1: "):
                nonce = line.split("|")[1]
        asked += 1
        writer.write(f'EXEC MSet "{blind}{nonce}"\n'.encode())
        await asyncio.wait_for(reader.readline(), 5)
        writer.close()

    before = len(beta.legs())
    beta.stop("control")
    try:
        async with await asyncio.start_server(speak, "127.0.0.1", beta.settings.ports.agi):
            runs.append(caller := await (await _phone(beta, "p23")).call("20"))
            assert await _most_channels(beta, caller) < MOST_CHANNELS
    finally:
        beta.serve("control")
        beta.until(lambda: beta.status("control").get("asterisk") == "up")
    assert asked == 1 + 5
    circle = "outcome=rejected|by=constant|version=|reason=loop"
    await asyncio.to_thread(beta.until, lambda: circle in beta.ends_since(before))


async def test_a_name_is_shown_as_it_is_written(pbx: Pbx, runs: Runs) -> None:
    """A backslash, commas and what Asterisk reads otherwise are part of a name on the phone that rings."""
    name = "Büro 1\\2, Süd; ${CHANNEL} (a&b) 'x'"
    extensions = pbx.tenant["extensions"]
    named = {**extensions, "10": {**extensions["10"], "name": name}}
    with pbx.in_force({**pbx.tenant, "extensions": named}):
        anna, bruno = pbx.phone("p10"), pbx.phone("p11")
        await anna.register()
        await bruno.register()
        runs.append(rung := await bruno.take(sipp.answering(ring_ms=0)))
        runs.append(caller := await anna.call("11", talk_ms=200))
        await caller.wait()
        shown = sipp.first(await rung.wait(), "INVITE").header("From").rpartition(" <sip:")[0]
    assert re.sub(r"\\(.)", r"\1", shown.strip('"')) == name


@pytest.mark.parametrize(
    ("dialled", "sender"),
    [("+493055520020", "<sip:+493055500100@"), ("*31*+493055520020", '"Anonymous" <sip:anonymous@')],
    ids=["number", "hidden"],
)
@pytest.mark.parametrize("through", ["", "p20"], ids=["direct", "sent-on"])
async def test_another_tenants_phone_sees_a_number(
    beta: Pbx, runs: Runs, dialled: str, sender: str, through: str
) -> None:
    """Who calls from another tenant is shown with a number that can be called back, or not at all."""
    if through:
        await _sends_on(beta, runs, through, "21")
    rung = await (await _phone(beta, "p21" if through else "p20")).take(sipp.answering(ring_ms=0))
    runs.append(rung)
    anna = beta.phone("p10")
    await anna.register()
    runs.append(caller := await anna.call(dialled, talk_ms=200))
    await caller.wait()
    invite = sipp.first(await rung.wait(), "INVITE")
    assert invite.header("From").startswith(sender)
    assert "Anna" not in invite.text


async def test_a_call_may_be_sent_on_twice(beta: Pbx, runs: Runs) -> None:
    """One phone's 302 leads to the next, the third takes the call and is not told whose they were."""
    await _sends_on(beta, runs, "p20", "21")
    await _sends_on(beta, runs, "p21", "22")
    runs.append(third := await (await _phone(beta, "p22")).take(sipp.answering(ring_ms=0)))
    runs.append(caller := await (await _phone(beta, "p23")).call("20", talk_ms=200))
    said = await caller.wait()
    assert 200 in [m.status for m in said if m.method == "INVITE"]
    assert beta.decided(origin="forward", dialled="22")["facts"]["actor"] == "beta-p21"
    invite = sipp.first(third.messages(), "INVITE")
    assert (invite.header("Diversion"), invite.header("History-Info")) == ("", "")


async def test_two_tenants_divert_a_call(beta: Pbx, runs: Runs) -> None:
    """The far end is told of both, and why the last one sent the call on, not what a phone before it did."""
    busy = sipp.answering(ring_ms=0, start_at="refuse", code=486)
    runs.append(await (await _phone(beta, "p24")).take(busy))
    runs.append(caller := await beta.carrier.call("+493055520024", port=beta.port(), talk_ms=200))
    await caller.wait()
    invite = sipp.first(beta.far_end("+436641110041"), "INVITE")
    domain = invite.header("P-Asserted-Identity").split("@")[1].rstrip(">")
    assert invite.headers("Diversion") == (
        f"<sip:+493055530040@{domain}>;reason=unconditional;counter=1",
        f"<sip:+493055520024@{domain}>;reason=unknown;counter=1",
    )
    assert invite.header("History-Info").endswith("cause=302>;index=1.1.1;mp=1.1")
    asked = beta.decided(dialled="+493055520024")
    beta.end_of(asked["call"])
    (leg,) = beta.trunk_legs(asked["linkedid"])
    assert (leg["payer"], leg["why"]) == ("gamma/40", "forward")


async def test_blind_transfer_asks_us(pbx: Pbx, runs: Runs) -> None:
    """A caller from outside who is sent on pays nothing: who sent them does, by a question of its own."""
    bruno = pbx.phone("p11")
    await bruno.register()
    scenario = sipp.answering(ring_ms=100, talk_ms=2_000, refer_to="06641110040")
    runs.append(await bruno.take(scenario))
    runs.append(caller := await pbx.carrier.call("+493055500111", port=pbx.port(), talk_ms=2_000))
    await caller.wait()
    asked = pbx.decided(dialled="06641110040")
    facts = asked["facts"]
    assert (facts["origin"], facts["actor"], facts["endpoint"]) == ("transfer", "acme-p11", "trunk-carrier")
    pbx.end_of(asked["call"])
    (leg,) = pbx.trunk_legs(asked["linkedid"])
    assert (leg["payer"], leg["why"], leg["num"]) == ("acme/11", "transfer", "+496641110040")
    assert leg["seconds"] == pytest.approx(_talked(pbx, "+496641110040"), abs=CLOCKS_S)
    assert not sipp.first(pbx.far_end("+496641110040"), "INVITE").header("From").startswith("<sip:s@")


async def test_who_was_answered_and_is_sent_on_in_vain_was_answered(pbx: Pbx, runs: Runs) -> None:
    """Somebody had taken the call; why it went no further stands beside that."""
    bruno = pbx.phone("p11")
    await bruno.register()
    runs.append(await bruno.take(sipp.answering(ring_ms=100, talk_ms=2_000, refer_to="99")))
    runs.append(caller := await pbx.carrier.call("+493055500111", port=pbx.port(), talk_ms=2_000))
    await caller.wait()
    end = pbx.end_of(pbx.decided(dialled="99")["call"])
    assert (end["outcome"], end["reason"]) == ("answered", "unknown-number")


async def test_transfer_to_help_asks_nobody(pbx: Pbx, runs: Runs) -> None:
    """Who sends a caller on to 112 sends them there at once, with a number of theirs to call back."""
    bruno = pbx.phone("p11")
    await bruno.register()
    runs.append(await bruno.take(sipp.answering(ring_ms=100, talk_ms=2_000, refer_to="112")))
    runs.append(caller := await pbx.carrier.call("+493055500111", port=pbx.port(), talk_ms=1_500))
    await caller.wait()
    asked = pbx.decided(origin="trunk", dialled="+493055500111")
    invite = sipp.first(pbx.far_end("112"), "INVITE")
    assert invite.header("P-Asserted-Identity").startswith("<sip:+493055500111@")
    pbx.end_of(asked["call"])
    (leg,) = pbx.trunk_legs(asked["linkedid"])
    assert (leg["payer"], leg["why"], leg["num"]) == ("acme/11", "emergency", "112")
    pbx.forget_help()


@pytest.mark.parametrize(
    ("caller", "headers", "seen", "diversions"),
    [
        ("anonymous", "", "", []),
        ("+4915199", "P-Asserted-Identity: <sip:+4915199@x.y>\nPrivacy: id\n", "", []),
        (
            "+4915199",
            "Diversion: <sip:+493022200100@x.y>;reason=unconditional\n",
            "+4915199",
            ["+493022200100"],
        ),
        ("a,PBX_OK=1%22)$%7bX%7d)%3a0%3a1", "", None, []),
    ],
    ids=["anonymous", "private", "diverted", "hostile"],
)
async def test_what_a_carrier_says_reaches_the_decision(  # noqa: PLR0917 — fixtures and the row
    pbx: Pbx, runs: Runs, caller: str, headers: str, seen: str | None, diversions: list[str]
) -> None:
    """The caller's number and who diverted come as they are; what could break a line does not."""
    run = await pbx.carrier.call("+493055500199", port=pbx.port(), caller=caller, headers=headers)
    runs.append(run)
    await run.wait()
    facts = pbx.decided(dialled="+493055500199")["facts"]
    assert facts["diversions"] == diversions
    assert seen in (None, facts["caller"])
    assert re.fullmatch(r"[0-9A-Za-z_+*#.@-]*", facts["caller"])


@pytest.mark.parametrize("forged", ["a%0aagi_arg_2:%20x", "a)%3a0%0a%0a", "%0a"])
async def test_a_line_break_in_a_number_ends_the_call(pbx: Pbx, runs: Runs, forged: str) -> None:
    """A caller who could write lines into our question is refused without one."""
    before = len(pbx.decisions()), len(pbx.legs())
    runs.append(run := await pbx.carrier.call("+493055500199", port=pbx.port(), caller=forged))
    await run.wait()
    await asyncio.to_thread(pbx.until, lambda: bool(pbx.ends_since(before[1])))
    assert pbx.ends_since(before[1]) == ["outcome=rejected|by=constant|version=|reason=line-break"]
    assert len(pbx.decisions()) == before[0]


async def test_phones_get_in_from_the_address_of_a_carrier(pbx: Pbx, runs: Runs) -> None:
    """A gateway beside phones: they register and call as themselves, and what it brings comes from outside.

    Who calls there by a phone's name is asked for its password, as anywhere.
    """
    address = pbx.carrier.address
    phone = dataclasses.replace(pbx.phone("p10"), local=(address, pbx.port()))
    await phone.register()
    runs.append(run := await phone.call("7196"))
    await run.wait()
    runs.append(run := await pbx.carrier.call("+493055500196", port=pbx.port()))
    await run.wait()
    scenario = sipp.calling("+493055500197", user="acme-p10", password="guess")
    command = sipp.words(pbx.program, local=(address, pbx.port()), remote=pbx.server)
    runs.append(run := await sipp.start(command, scenario))
    assert {m.status for m in await run.wait() if m.status} <= {100, 401}
    assert pbx.decided(dialled="7196")["facts"]["origin"] == "phone"
    assert pbx.decided(dialled="+493055500196")["facts"]["origin"] == "trunk"
    assert "+493055500197" not in {one["facts"]["dialled"] for one in pbx.decisions()}
    await phone.register(expires_s=0)


async def test_nobody_calls_as_a_trunk(pbx: Pbx, runs: Runs) -> None:
    """A From header that names a trunk opens nothing from a phone's address."""
    scenario = sipp.calling("+493055500100", user="trunk-carrier", password="guess")
    command = sipp.words(pbx.program, local=("127.0.0.1", pbx.port()), remote=pbx.server)
    before = len(pbx.decisions())
    runs.append(run := await sipp.start(command, scenario))
    said = await run.wait()
    assert {m.status for m in said if m.status} <= {100, 401}
    assert len(pbx.decisions()) == before
