"""The control process: decides calls and keeps Asterisk up to date.

Owns what only control has: the AMI link and what is done over it. Refuses to wait for Asterisk in a decision.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from prometheus_client import Counter, Gauge

from dialplan.facts import State
from dialplan.hours import local_time
from dialplan.published import TRUNK, Published
from pbxcore import lamps, phones
from pbxcore.control import following
from pbxcore.control.ami import AmiError, Link
from pbxcore.control.confirmations import Confirmations
from pbxcore.control.credit import CreditLine
from pbxcore.control.ends import Ends
from pbxcore.control.extending import extending
from pbxcore.control.patience import Patience
from pbxcore.control.process import Process
from pbxcore.control.turns import Turns
from pbxcore.machine.asterisk import AMI_USER, ami_secret
from pbxcore.machine.collector import settle
from pbxcore.rater.credit_line import path_of
from pbxcore.registrations import registered
from pbxcore.settings import Settings

EXPIRE_AT_ONCE = 50  # actions under way; far below the link's own limit
EXPIRE_AGAIN_S = 2.0  # what failed or was missed is in force that much later

MEASURE_S = 5.0
CHANNEL_SUFFIX = len("-0000001a")  # Asterisk numbers the channels of an endpoint

UNEXPIRED = Gauge("pbxcore_phones_unexpired", "Changes of phones that Asterisk has not acknowledged")
UNFOLLOWED = Gauge("pbxcore_phones_unfollowed", "Phones whose registration Asterisk does not follow yet")
PHONES = Gauge("pbxcore_phones_published", "Phones that stand in Asterisk's tables")
REGISTERED = Gauge("pbxcore_phones_registered", "Phones that are registered now")
REFUSED = Gauge("pbxcore_lamps_refused", "Lamps that Asterisk refused; each is tried again, ever more seldom")
EXPIRY_FAILED = Counter("pbxcore_expiry_failures_total", "Changed phones not yet expired in Asterisk")

log = logging.getLogger(__name__)


async def serve(settings: Settings) -> None:
    """Run control until cancelled."""
    turns = Turns(settings.turns_file)
    process = Process(
        name="control", settings=settings, state=State(longest_call_s=settings.max_call_s), turns=turns
    )
    secret = await asyncio.to_thread(ami_secret, settings)

    link = Link(host="127.0.0.1", port=settings.ports.ami, user=AMI_USER, secret=secret)

    ends = Ends(link)

    turn = asyncio.Lock()  # of two at once, the older could have the last word about a lamp

    patience = Patience()

    changed = asyncio.Event()  # phones may be new

    async def after_reload() -> dict[str, Any]:
        said = await _expire_if_up(settings, link, turn, patience)
        changed.set()
        return {"asterisk": said}

    def first(plans: Published) -> None:
        turns.load(frozenset(plans.plans))
        settle()

    process.first = first
    confirmations = Confirmations(settings)
    process.notice = confirmations.notice
    line = CreditLine(path_of(settings.run_dir), settings.credit_deadline_ms / 1_000)
    process.credit = line.credits
    process.after_reload = after_reload
    process.also = lambda: {
        "asterisk": "up" if link.ready.is_set() else "down",
        "credit": "up" if line.is_up else "down",
        "unconfirmed": confirmations.unconfirmed(process.plans),
    }
    async with process.running(settings.ports.agi) as tasks:
        held = [
            tasks.create_task(link.run(), name="ami"),
            tasks.create_task(_follow(link, process, turns, ends), name="ami-events"),
            tasks.create_task(ends.run(), name="ends"),
            tasks.create_task(turns.run(), name="turns"),
            tasks.create_task(_keep_expired(settings, link, turn, patience), name="expiry"),
            tasks.create_task(line.run(), name="credit"),
            tasks.create_task(extending(line, link, ends), name="extending"),
            tasks.create_task(following.follow(settings, link, changed), name="following"),
            tasks.create_task(_measure(settings), name="measure"),
            tasks.create_task(confirmations.run(), name="confirmations"),
        ]
        try:
            await asyncio.Event().wait()
        finally:
            for task in held:
                task.cancel()


async def expire(settings: Settings, link: Link, patience: Patience) -> Sequence[str]:
    """Tell Asterisk of every phone and lamp that changed since it last confirmed; return what it refuses.

    Raises:
        AmiError: it did not confirm; what is left stays due.
        sqlite3.Error: what is due cannot be read or noted (a full disk).
    """
    now = time.monotonic()
    due = await asyncio.to_thread(phones.to_expire, settings)
    changed = [one for one in due if patience.may((one, one.change), now)]
    refused = []
    for first in range(0, len(changed), EXPIRE_AT_ONCE):
        batch = changed[first : first + EXPIRE_AT_ONCE]
        actions = await asyncio.to_thread(_actions, settings, batch)
        answers = await asyncio.gather(*(link.action(name, fields) for name, fields in actions))
        done = []
        for change, (name, fields), answer in zip(batch, actions, answers, strict=True):
            if name == "DialplanExtensionAdd" and not answer.success:  # it stays due
                refused.append(change.id)
                patience.refused((change, change.change), now)
                EXPIRY_FAILED.inc()
                log.warning("lamp %s is not changed yet: %s", fields, answer)
            else:
                done.append(change)
                patience.accepted((change, change.change))
        await asyncio.to_thread(phones.expired, settings, done)
    REFUSED.set(len(patience))
    return refused


def _actions(settings: Settings, changed: Sequence[phones.Changed]) -> list[lamps.Action]:
    """Give what tells Asterisk of changes; an Error answer says that what we want gone is not there."""
    told = phones.lamp_actions(settings, changed)
    return [
        told.get(
            one, ("SorceryMemoryCacheExpireObject", {"Cache": f"res_pjsip/{one.kind}", "Object": one.id})
        )
        for one in changed
    ]


async def _expire_if_up(settings: Settings, link: Link, turn: asyncio.Lock, patience: Patience) -> str:
    if not link.ready.is_set():
        return "down"
    try:
        async with turn:
            refused = await expire(settings, link, patience)
    except (AmiError, sqlite3.Error) as error:
        EXPIRY_FAILED.inc()
        log.warning("phones that changed are not expired yet: %s", error)
        return f"late: {error}"
    return f"late: it refuses the lamp {refused[0]}" if refused else "done"


async def _keep_expired(settings: Settings, link: Link, turn: asyncio.Lock, patience: Patience) -> None:
    """Expire after each login, and again and again what could not be expired."""
    while True:
        await link.ready.wait()
        await _expire_if_up(settings, link, turn, patience)
        await asyncio.sleep(EXPIRE_AGAIN_S)


async def _measure(settings: Settings) -> None:
    """Count phones for the metrics, also while the link is down."""
    while True:
        try:
            counted = await asyncio.to_thread(phones.counts, settings)
        except (sqlite3.Error, OSError):
            log.warning("phones cannot be counted", exc_info=True)
        else:
            UNEXPIRED.set(counted.unexpired)
            UNFOLLOWED.set(counted.unfollowed)
            PHONES.set(counted.published)
        there = await asyncio.to_thread(registered, settings)
        if there is not None:
            REGISTERED.set(there)
        await asyncio.sleep(MEASURE_S)


async def _follow(link: Link, process: Process, turns: Turns, ends: Ends) -> None:
    """Take events off the link; what phones answer, and what nobody did, is remembered for ring groups."""
    while True:
        event = await link.events.get()
        if event.event == "DialEnd":
            _answered(event, process.plans, turns)
        elif event.event == "Hangup":
            turns.ended(event.get("Linkedid", ""))
        elif event.event in {"AttendedTransfer", "FullyBooted"}:
            ends.notice(event)


def _answered(event: Mapping[str, str], plans: Published, turns: Turns) -> None:
    """Remember that a phone of a tenant has answered, or the number outside that a group rang first.

    Any other trunk and Local channels are nobody's phone.
    """
    call = event.get("DestLinkedid", "")
    endpoint = event.get("DestChannel", "").removeprefix("PJSIP/")[:-CHANNEL_SUFFIX]
    plan = plans.plan_of_endpoint(endpoint)
    payer = f"{plan.tenant}/{plan.endpoints[endpoint]}" if plan else ""
    if endpoint.startswith(TRUNK):
        payer = turns.rings_outside(call)
        plan = plans.plans.get(payer.partition("/")[0])
    if plan:
        now = datetime.now(UTC)
        turns.answered(call, payer, now, local_time(now, plan.zone).date())
