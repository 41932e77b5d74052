"""The porting story on a real Asterisk: what callers, far end and emergency centre see at each stage."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pbxcore import door, phones, porting, published
from pbxcore.practice import sipp

if TYPE_CHECKING:
    from tests.acceptance.conftest import Pbx

CONFIG = Path(__file__).parents[2] / "config"
T, N = "+493055530100", "+493022230100"
STORY: dict[str, Any] = {
    "version": 1, "tenant": "story", "name": "Story", "country": "DE", "area_code": "30",
    "time_zone": "Europe/Berlin", "account": "acme",
    "numbers": {T: {"to": "hours office", "stands_for": N, "right_of_use": date(2026, 1, 1)}},
    "hours": {"office": {"open": ["Mon-Sun 00:00-24:00"], "then": "group desk", "closed": "busy"}},
    "groups": {"desk": {"name": "Desk", "members": ["30"], "timeout_s": 20, "otherwise": "busy"}},
    "extensions": {"30": {"name": "Sara", "devices": ["p30"]}, "31": {"name": "Tom", "devices": ["p31"]},
                   "32": {"name": "Ute", "devices": ["p32"]}, "33": {"name": "Vera", "devices": ["p33"]}},
}  # fmt: skip
BOTH_T, SHOWN_N, BOTH_N = (T, T), (N, T), (N, N)


class Teller:
    """Who tells the story: makes the calls of each stage and says what was seen."""

    def __init__(self, pbx: Pbx, runs: list[sipp.Run]) -> None:
        self.pbx, self.runs, self.numbers = pbx, runs, count(1)

    async def start(self, database: str) -> None:
        """Put the tenant in force through the door, with a control that knows the database."""
        pbx = self.pbx
        pbx.settings = pbx.settings.model_copy(update={"database": database, "config": CONFIG})
        pbx.stop("control")
        pbx.serve("control")
        pbx.until(lambda: pbx.status("control").get("asterisk") == "up")
        file = pbx.settings.state / "story.yaml"
        file.write_text(yaml.safe_dump(STORY, sort_keys=False))
        paths = [CONFIG / "catalogues", CONFIG / "accounts", file]
        applied = await door.apply(pbx.settings, paths, author="test")
        assert not applied.findings
        self.sara, self.tom, self.ute = (pbx.phone(one, tenant="story") for one in ("p30", "p31", "p32"))
        self.vera = pbx.phone("p33", tenant="story")
        for phone in (self.sara, self.tom, self.ute):
            await phone.register()
        self.runs.append(await self.sara.take(sipp.answering(ring_ms=0), calls=0, limit_s=300))

    async def brings(self, number: str, *diverted: str) -> int:
        """Let the carrier bring a call, diverted by numbers, the last one first; give its final status."""
        headers = "".join(f"Diversion: <sip:{one}@old.example>;reason=unconditional\n" for one in diverted)
        port = self.pbx.port()
        self.runs.append(run := await self.pbx.carrier.call(number, port=port, headers=headers, talk_ms=100))
        said = await run.wait()
        return next(m.status for m in said if m.method == "INVITE" and m.status >= 200)

    async def seen(self, dialled: str) -> tuple[str, str]:
        """Let a phone call outside; give the number shown and the one that can be called back."""
        self.runs.append(run := await self.tom.call(dialled, talk_ms=100))
        await run.wait()
        invite = [m for m in self.pbx.far_end(f"+49{dialled[1:]}") if m.start.startswith("INVITE")][-1]
        return _user(invite.header("From")), _user(invite.header("P-Asserted-Identity"))

    async def help(self) -> tuple[str, str]:
        """Call for help by a phone that is gone afterwards: it would ring first for whoever calls back."""
        await self.vera.register()
        self.runs.append(run := await self.vera.call("112", talk_ms=100))
        await run.wait()
        await self.vera.register(expires_s=0)
        invite = [m for m in self.pbx.far_end("112") if m.start.startswith("INVITE")][-1]
        return _user(invite.header("From")), _user(invite.header("P-Asserted-Identity"))

    async def leads(self) -> list[list[dict[str, Any]]]:
        """Let calls come to N, to T, and to T as diverted by N; give where hours and group lead each."""
        before = len(self.pbx.decisions())
        assert [await self.brings(*to) for to in ((N,), (T,), (T, N))] == [200, 200, 200]
        return [one["decision"]["steps"] for one in self.pbx.decided_since(before, 3)]

    async def goes_round(self) -> str:
        """Let the old provider bring back what we sent to N; give why the call ends."""
        port, headers = self.pbx.port(), "".join(f"Diversion: <sip:{one}@old.example>\n" for one in (N, T))
        run = await self.pbx.carrier.call(T, port=port, headers=headers)
        await run.process.wait()
        await run.end()
        return self.pbx.end_of(self.pbx.decided(dialled=T)["call"])["reason"]

    async def shows(self, outside: tuple[str, str], help_: tuple[str, str]) -> None:
        """Hold what an ordinary call and one for help show, and that both numbers ring."""
        assert await self.seen(f"08945600{next(self.numbers):02}") == outside
        assert await self.help() == help_
        assert [await self.brings(one) for one in (T, N)] == [200, 200]

    async def note(self, event: porting.Event) -> None:
        """Let something become known, and wait until Asterisk has forgotten the phones of before."""
        applied = await porting.note(self.pbx.settings, N, event, author="desk")
        assert applied.changes[0].changed
        self.forgotten()

    def forgotten(self) -> None:
        """Wait until Asterisk asks for the phones again."""
        self.pbx.until(lambda: not phones.to_expire(self.pbx.settings))

    def callback(self) -> str:
        """Give the number to call back of the plan in force."""
        plan = published.load(self.pbx.settings.published).plans.get("story")
        return plan.phones[0].callback if plan else ""


def _user(header: str) -> str:
    return header.partition("<sip:")[2].partition("@")[0]


@pytest.fixture
async def teller(pbx: Pbx, runs: list[sipp.Run], database: str) -> Teller:
    """Give the story at its first page."""
    one = Teller(pbx, runs)
    await one.start(database)
    return one


@pytest.mark.row("0.6")
async def test_a_number_moves_to_us_with_calls_up(teller: Teller) -> None:
    """Temporary, planned, rejected, postponed, confirmed by call, message and hand, taken back, released.

    A call that is up from the beginning to the confirmation goes on; no call is lost at any stage. Calls to T
    are led as those to N, whoever says who diverted; what goes round between the two ends with its reason.
    """
    now = datetime.now(UTC)
    to_n, to_t, diverted = await teller.leads()
    assert to_n == to_t == diverted
    assert (to_n[0]["endpoints"], to_n[0]["timeout_s"]) == (["story-p30"], 20)
    assert await teller.goes_round() == "loop"
    await teller.shows(SHOWN_N, BOTH_T)
    up = await teller.ute.call("030" + T[5:], talk_ms=900_000, limit_s=1_000)
    teller.runs.append(up)
    await up.until(status=200)

    await teller.note(porting.Planned(at=now + timedelta(days=1)))
    await teller.note(porting.Rejected(reason="name differs"))
    assert teller.callback() == T
    await teller.note(porting.Planned(at=now + timedelta(days=8)))
    assert await teller.help() == BOTH_T
    assert await teller.brings(T) == 200
    assert teller.callback() == T  # a call to T confirms nothing

    assert await teller.brings(N) == 200  # the carrier's first call to N does
    await asyncio.to_thread(teller.pbx.until, lambda: teller.callback() == N)
    teller.forgotten()
    await teller.shows(BOTH_N, BOTH_N)
    assert not [m for m in up.messages() if m.start.startswith("BYE") or m.method == "BYE"]

    await teller.note(porting.Reverted())
    assert await teller.help() == BOTH_T
    await teller.note(porting.Confirmed(at=now, by="carrier", reference="WBCI-7"))
    await teller.shows(BOTH_N, BOTH_N)

    await teller.note(porting.Reverted())
    await teller.note(porting.Confirmed(at=now - timedelta(days=31), by="hand"))
    assert await teller.brings(T) == 404  # its grace is over
    assert await teller.brings(N) == 200
    assert await teller.help() == BOTH_N
