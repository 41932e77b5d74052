"""Gives legs back the ends that a transfer took from them.

Owns finding such legs. Refuses to decide when a leg ends: its record says so, or `pbxcore.control.extending`,
which has moved it since.

Problem: an outside leg ends at the hangup time of its channel (`L()`), whoever decided and whoever is alive.
A phone that sends its other side to one that still rings (REFER with Replaces) lets Asterisk put the channel
of that side in the place of its own, which has no such time: the leg would go on when its money is gone. No
dialplan runs on that channel then, so this is mended from outside: within milliseconds, or, where nobody saw
the transfer, at the next login.
"""

import asyncio
import logging
import re
import time
from collections.abc import Mapping

from panoramisk.message import Message
from prometheus_client import Counter

from dialplan.published import TRUNK
from pbxcore.control.ami import AmiError, Link

MAX_SENT = 1_000  # transfers of this kind not yet looked at; of more the legs are found by the next login
TRIES, AGAIN_S = 20, 0.05  # Asterisk tells of the transfer a moment before it does it
STATUS_LIMIT_S = 10.0  # of a list of all channels
AFTER_FAILURE_S = 1.0
EVERYBODY = ""
SECOND_US = 1_000_000

GIVEN_BACK = Counter("pbxcore_leg_ends_given_back_total", "Legs that had lost their end in a transfer")

_LIMIT = re.compile(r"\|limit=([0-9]+)\|")
_BEGUN = re.compile(r"([0-9]+)\.[0-9]+$")  # of a UniqueID, in seconds

log = logging.getLogger(__name__)


class Ends:
    """What was moved, and whose end may be lost.

    Attributes:
        moved: ends that were moved, in microseconds of the epoch by channel.
    """

    def __init__(self, link: Link) -> None:
        self.moved: Mapping[str, int] = {}
        self._link = link
        self._sent: asyncio.Queue[str] = asyncio.Queue(MAX_SENT)

    def notice(self, event: Mapping[str, str]) -> None:
        """Learn of a login, or of a leg that a phone has sent to one that rings; never waits."""
        who = EVERYBODY
        if event.get("Event") == "AttendedTransfer":
            if not event.get("TransfereeChannel", "").startswith(f"PJSIP/{TRUNK}"):
                return
            who = event.get("TransfereeUniqueid", EVERYBODY)
        self._put(who)

    def _put(self, who: str) -> None:
        try:
            self._sent.put_nowait(who)
        except asyncio.QueueFull:
            log.warning("too many transfers at once: %s may have lost its end", who or "somebody")

    async def run(self) -> None:
        """Give back what is lost, until cancelled. What fails is looked for again, among all."""
        while True:
            who = await self._sent.get()
            await self._link.ready.wait()
            try:
                await self._look(who)
            except AmiError as error:
                log.warning("the end of %s is not given back yet: %s", who or "legs that were sent on", error)
                await asyncio.sleep(AFTER_FAILURE_S)
                self._put(EVERYBODY)

    async def _look(self, who: str) -> None:
        """Look at one leg until its transfer is done, or once at all; what never ends needs no end."""
        for _ in range(1 if who == EVERYBODY else TRIES):
            legs = [one for one in await self._channels(who) if _limit_s(one)]
            lost = [one for one in legs if one["TimeToHangup"] == "0"]
            for leg in lost:
                await self._give_back(leg)
            if lost or not legs:
                return
            await asyncio.sleep(AGAIN_S)

    async def _channels(self, who: str) -> list[Message]:
        asked = {"Variables": "CHANNEL(userfield)"} | ({} if who == EVERYBODY else {"Channel": who})
        return await self._link.listing("Status", asked, limit_s=STATUS_LIMIT_S)

    async def _give_back(self, leg: Mapping[str, str]) -> None:
        """Set the end that a leg should have; where that is past it ends at once."""
        left_us = _end_us(leg, self.moved) - time.time_ns() // 1_000
        left_s = max(1, left_us // SECOND_US)
        wanted = {"Channel": leg["Uniqueid"], "Timeout": str(left_s)}
        if (await self._link.action("AbsoluteTimeout", wanted)).success:  # else it has ended
            GIVEN_BACK.inc()
            log.info("%s had lost its end in a transfer: it has %s s left", leg["Uniqueid"], left_s)


def _limit_s(channel: Mapping[str, str]) -> int:
    """Give how long a leg that is up may last by its record; 0: it has no limit, or is none."""
    if not channel.get("Channel", "").startswith(f"PJSIP/{TRUNK}") or channel["ChannelStateDesc"] != "Up":
        return 0
    limit = _LIMIT.search(channel.get("Variable", ""))
    return int(limit[1]) if limit else 0


def _end_us(leg: Mapping[str, str], moved: Mapping[str, int]) -> int:
    """Give when a leg should end.

    Where its end was not moved it is counted from the beginning of the leg, which is some seconds before the
    answer: never more is talked than was authorised.
    """
    uniqueid = leg["Uniqueid"]
    begun = _BEGUN.search(uniqueid)
    begun_s = int(begun[1]) if begun else 0
    return moved.get(uniqueid, (begun_s + _limit_s(leg)) * SECOND_US)
