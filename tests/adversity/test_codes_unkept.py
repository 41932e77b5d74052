"""Codes that phones dial, through both deciding processes, while one cannot keep what they ask for."""

import dataclasses
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dialplan.build import build_plan
from dialplan.facts import State
from dialplan.published import Published
from dialplan.spec import TenantSpec
from dialplan.switch import SwitchKind
from pbxcore.control.deciding import answering
from pbxcore.control.decision_log import DecisionLog
from pbxcore.control.fastagi import Reply, SessionError
from pbxcore.control.process import Process
from pbxcore.settings import Settings
from pbxcore.switches import UnkeptError

NONCE = "0b7ac2f2-9f0d-4a11-b7d1-5e4a52c1f1aa"
DOCUMENT = {
    "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
    "account": "acme", "numbers": {"+493055500100": {"to": "extension 10"}},
    "extensions": {n: {"name": "X", "devices": [{"device": f"p{n}"}]} for n in ("10", "11")},
}  # fmt: skip


@pytest.fixture
def both(short_path: Path) -> tuple[Process, Process]:
    """Give control and standby of one machine, with one tenant's plan."""
    settings = Settings(state=short_path, config=short_path)
    plan = build_plan(TenantSpec.model_validate(DOCUMENT), revision=1, trunks=("carrier",))
    control, standby = (
        Process(name=name, settings=settings, state=State(blind=name == "standby"),
                plans=Published().with_plan(plan))
        for name in ("control", "standby")
    )  # fmt: skip
    return control, standby


async def _dial(process: Process, dialled: str, phone: str = "acme-p10") -> list[str]:
    """Ask as the dialplan does and give the commands of the answer."""
    fields = ("3", NONCE, "pbx-1.0", "phone", phone, phone, dialled, "", ":", "", "", "")
    headers = {"agi_network_script": "decide", "agi_uniqueid": "pbx-1.0", "agi_arg_1": "|".join(fields)}
    answer = answering(process.decide, DecisionLog(process.settings.decisions / "x"), process.keep)
    said = answer(headers)
    reply = said if isinstance(said, Reply) else await said
    return list(reply.commands)


async def test_a_code_dialled_through_one_process_holds_in_the_other(both: tuple[Process, Process]) -> None:
    """Control takes it, the standby obeys with the next call, and the other way round."""
    control, standby = both
    for process, other, code, sign in (
        (control, standby, "*78", "reject(17,busy)"),
        (standby, control, "*79", "ring(PJSIP/acme-p10"),
        (standby, control, "*7206641234567", "outside(carrier,+496641234567"),
    ):
        (confirmed,) = await _dial(process, code)
        assert "confirm(" in confirmed
        for asked in (other, process):
            assert sign in (await _dial(asked, "10", "acme-p11"))[0]
    control.switches.close()
    standby.switches.close()


async def test_what_cannot_be_kept_is_not_confirmed(both: tuple[Process, Process]) -> None:
    """While somebody holds the file no answer comes, nothing changes, and other calls are decided."""
    control, standby = both
    await _dial(control, "10", "acme-p11")
    holder = sqlite3.connect(control.settings.switches_db, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for process in both:
        with pytest.raises(SessionError, match="unkept"):
            await _dial(process, "*78")
        assert "ring(" in (await _dial(process, "10", "acme-p11"))[0]
    holder.execute("ROLLBACK")
    holder.close()
    assert "confirm(" in (await _dial(standby, "*78"))[0]
    assert "reject(17,busy)" in (await _dial(control, "10", "acme-p11"))[0]
    control.switches.close()
    standby.switches.close()


async def test_a_full_disk_is_not_confirmed(
    both: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file cannot grow: the caller hears no confirmation, and what was switched before still holds."""
    control, _ = both
    await _dial(control, "*78")
    connect = sqlite3.connect

    def full(*arguments: object, **more: object) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*arguments, **more)  # type: ignore[call-overload]  # passed through
        db.execute("PRAGMA max_page_count = 1")
        return db

    monkeypatch.setattr(sqlite3, "connect", full)
    (kept,) = control.switches.look().of("acme", datetime.now(UTC))
    with pytest.raises(UnkeptError, match="full"):
        await control.keep((dataclasses.replace(kept, subject="11", by="x" * 50_000),))
    known = control.switches.look()
    assert known.value("acme", SwitchKind.DO_NOT_DISTURB, "10", datetime.now(UTC)) == "on"
    control.switches.close()
