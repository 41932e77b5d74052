"""A call that was picked up: what is recorded of it, and how much one step can name."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dialplan.build import build_plan
from dialplan.decide import decide
from dialplan.decision import PickUp
from dialplan.facts import Facts, Origin, State
from dialplan.pickup import ROOM
from dialplan.published import Published
from dialplan.spec import TenantSpec
from pbxcore import recent
from pbxcore.calls import What, find
from pbxcore.control import wire
from pbxcore.settings import Settings

CALLER, RUNG, TAKER = "pbx-1795807897.0", "pbx-1795807897.1", "pbx-1795807897.2"
TAKEN = f"outcome=answered|by=control|version=acme@1|reason=|call={TAKER}|who=acme-p13"
# As Asterisk 22 wrote it: the end of who dialled **11 stands on the channel that rang, all that is left.
RECORDS = f"""\
CHAN_START\t1795807897.300032\t{CALLER}\t{CALLER}\tPJSIP/trunk-carrier-00000000\ttrunk/carrier\t\t
CHAN_START\t1795807897.305188\t{RUNG}\t{CALLER}\tPJSIP/acme-p11-00000001\tacme/11\t\t
CHAN_START\t1795807897.821942\t{TAKER}\t{TAKER}\tPJSIP/acme-p13-00000002\tacme/13\t\t
ANSWER\t1795807897.823547\t{TAKER}\t{TAKER}\tPJSIP/acme-p13-00000002\tacme/13\t\t
USER_DEFINED\t1795807897.829110\t{RUNG}\t{CALLER}\tPJSIP/acme-p11-00000001\tacme/13\tCALL_END\t{TAKEN}
ANSWER\t1795807897.829132\t{CALLER}\t{CALLER}\tPJSIP/trunk-carrier-00000000\ttrunk/carrier\t\t
HANGUP\t1795807897.829335\t{RUNG}\t{CALLER}\tPJSIP/acme-p11-00000001\tacme/13\t\t{TAKEN}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A machine on which the two talk."""
    known = Settings(state=tmp_path)
    known.spool.mkdir(parents=True)
    lines = "".join(f"L1\t{line}\n" for line in RECORDS.splitlines())
    (known.spool / "legs.tsv").write_text(lines)
    return known


def test_the_end_is_told_of_who_took_the_call(settings: Settings) -> None:
    """It is the outcome of the phone that dialled the code; the phone that rang has none."""
    call = find(settings, TAKER)
    assert call
    (end,) = [one for one in call.happenings if one.what is What.ENDS]
    assert (end.channel, end.who, end.words["outcome"]) == (TAKER, "acme-p13", "answered")
    assert [one.who for one in call.happenings if one.what is What.STOPS] == ["acme-p11"]


def test_the_caller_goes_on_in_the_list_of_calls(settings: Settings) -> None:
    """The end of who took the call is not that of the one who called."""
    with (settings.spool / "legs.tsv").open("a") as spool:
        end = "outcome=answered|by=control|version=acme@1|reason="
        spool.write(
            f"L1\tUSER_DEFINED\t1795807899.800000\t{CALLER}\t{CALLER}\tPJSIP/trunk-carrier-00000000\t\tCALL_END\t{end}\n"
        )
    ended = {one.linkedid: one.at.second for one in recent.last(settings, 10, None)}
    assert ended == {CALLER: datetime.fromtimestamp(1795807899, UTC).second}


def test_so_many_phones_are_named_as_a_step_can_hold() -> None:
    """The first of a group that is larger, and every answer fits the wire."""
    extensions = {str(n): {"name": "Phone", "devices": [f"phonewithalongname{n}"]} for n in range(10, 90)}
    document = {
        "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
        "account": "acme", "extensions": extensions,
        "groups": {"all": {"name": "All", "extension": "6", "members": list(extensions)}},
    }  # fmt: skip
    plan = build_plan(TenantSpec.model_validate(document), revision=1, trunks=())
    phone = "acme-phonewithalongname10"
    facts = Facts(call="m-1", linkedid="m-1", origin=Origin.PHONE, endpoint=phone, actor=phone, dialled="*8")
    decision = decide(Published().with_plan(plan), facts, State(), datetime(2026, 11, 27, tzinfo=UTC))
    (step,) = decision.steps
    assert isinstance(step, PickUp)
    assert 60 < len(step.endpoints) < 80
    assert len(":".join(step.endpoints)) <= ROOM
    assert wire.commands(decision, "nonce")
