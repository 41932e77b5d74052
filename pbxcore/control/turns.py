"""What control remembers of ring groups: whose turn it is, and what each extension has done for callers.

Owns this memory and its file, which keeps it over a restart. It is advisory: what a crash loses of the last
seconds costs fairness, never a call, and no call waits for the file. Refuses to order members
(`dialplan.hunt`).

Several calls may come before anybody answers the first. So a call counts for the member that rings first as
soon as it is decided, until somebody answers it, then for who answered, or until it is over or the group has
rung in vain.
"""

import asyncio
import heapq
import json
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from dialplan.decision import Hunt
from dialplan.facts import Served
from pbxcore.publication import write_aside

SAVE_EVERY_S = 5.0  # at most that much is lost by a crash
FORMAT = 1

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Turns:
    """The memory of one process.

    Attributes:
        path: its file.
        next: whose turn it is, by a group's payer.
        served: by an extension's payer; like `next` never more than the documents have groups and extensions.
    """

    path: Path
    next: dict[str, int] = field(default_factory=dict)
    served: dict[str, Served] = field(default_factory=dict)
    _first: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by call: payers it counts for
    _until: list[tuple[datetime, str]] = field(default_factory=list)  # a heap: when that ends
    _saved: bool = True

    def take(self, call: str, hunts: Iterable[Hunt], now: datetime) -> None:
        """Remember that a call was decided, by its linkedid."""
        for hunt in hunts:
            self.next[hunt.group] = hunt.next_turn
            self._saved = False
            if hunt.at_once:
                self._settle(call)
                self._first[call] = hunt.first
                heapq.heappush(self._until, (now + timedelta(seconds=hunt.rings_s), call))
                for payer in hunt.first:
                    one = self.served.get(payer, Served())
                    self.served[payer] = replace(one, last=now, ringing=one.ringing + 1)

    def answered(self, call: str, payer: str, now: datetime, today: date) -> None:
        """Remember that a phone of an extension has answered a call; `today` is the tenant's."""
        self._settle(call)
        one = self.served.get(payer, Served())
        calls = one.calls + 1 if one.day == today else 1
        self.served[payer] = replace(one, last=now, day=today, calls=calls)
        self._saved = False

    def rings_outside(self, call: str) -> str:
        """Give the payer of the number outside that a call rings first; empty if it rings none."""
        return next((payer for payer in self._first.get(call, ()) if "/+" in payer), "")

    def ended(self, call: str) -> None:
        """Remember that a call is over, answered or not."""
        self._settle(call)

    def forget(self, now: datetime) -> None:
        """Let go of calls whose group has rung in vain, or of whose end nobody told us."""
        while self._until and self._until[0][0] <= now:
            self._settle(heapq.heappop(self._until)[1])

    def _settle(self, call: str) -> None:
        for payer in self._first.pop(call, ()):
            one = self.served[payer]
            self.served[payer] = replace(one, ringing=max(0, one.ringing - 1))

    def load(self, tenants: Collection[str]) -> None:
        """Read the file, leaving out tenants that are gone; one that cannot be read is as good as none."""
        try:
            kept = json.loads(self.path.read_text())
            turns = {group: int(turn) for group, turn in kept["next"].items() if _tenant(group) in tenants}
            served = {
                payer: _served(one) for payer, one in kept["served"].items() if _tenant(payer) in tenants
            }
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as unread:
            log.warning(
                "whose turn it is in ring groups is forgotten: %s cannot be read: %s", self.path, unread
            )
            return
        self.next, self.served = turns, served

    def save(self) -> None:
        """Write the file if there is something new."""
        if not self._saved:
            self._saved = True
            self._write(self._text())

    async def run(self) -> None:
        """Save now and then until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(SAVE_EVERY_S)
                if not self._saved:
                    self._saved = True
                    await asyncio.to_thread(self._write, self._text())
        finally:
            self.save()

    def _text(self) -> str:
        served = {payer: _to_json(one) for payer, one in self.served.items()}
        return json.dumps({"format": FORMAT, "next": self.next, "served": served})

    def _write(self, text: str) -> None:
        try:
            write_aside(self.path, text)
        except OSError as unwritten:
            self._saved = False
            log.warning("whose turn it is in ring groups cannot be kept: %s", unwritten)


def _tenant(payer: str) -> str:
    return payer.partition("/")[0]


def _to_json(one: Served) -> dict[str, Any]:
    return {"last": one.last.isoformat(), "day": one.day.isoformat(), "calls": one.calls}


def _served(kept: Mapping[str, Any]) -> Served:
    last, day = datetime.fromisoformat(kept["last"]), date.fromisoformat(kept["day"])
    if last.tzinfo is None:
        raise ValueError(f"{last} has no time zone")
    return Served(last=last, day=day, calls=int(kept["calls"]))
