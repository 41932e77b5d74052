"""The soak: 200,000 legs through the real rater, which is killed with its PostgreSQL again and again.

Two raters stand by each other, as processes of their own. Whenever the stream has come to a drawn position,
and a drawn moment after, whoever writes or PostgreSQL is killed by `kill -9`, and started again. At the end
the rated legs, in their order, and the balances must be those of a clean run of the plain kernel, and nothing
may be in quarantine.

Ends with one line of JSON: `legs`, `rater_killed`, `postgres_killed`, `turns` (how often a rater began to
write), `seconds`, `differences` (0; otherwise some of them are printed, and the exit code is 1).
`LEGS=20000 KILLS=6 make soak` is shorter; `SEED` draws other moments.
"""

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pbxcore.database import migrate
from pbxcore.machine import postgres
from pbxcore.practice.records import World
from tests.adversity import killing
from tests.adversity.killing import Rater, Spool, Story

LEGS = int(os.environ.get("LEGS", "200000"))
KILLS = int(os.environ.get("KILLS", "24"))
SEED = int(os.environ.get("SEED", "1"))
# Twelve days over the end of a month and of summer time, in years to come: no leg is ended by its age.
WORLD = World(first_us=2_076_710_400_000_000, every_us=4_000_000, longest_s=60)
LEGS_PER_S = 3_000  # below what a rater takes in: it sees few legs at once, and many after a kill
FILES = 50  # about so many does the spool become
LATEST_S = 0.3  # after the position: any step of reading, rating and committing


class Ordeal:
    """A server, two raters, and who kills them.

    Attributes:
        killed: how often, by whom.
    """

    def __init__(self, folder: Path) -> None:
        """Start everything on a private database."""
        self.folder = folder
        self.server = postgres.Server(folder / "data", folder)
        self.killed = Counter[str]()
        postgres.prepare(self.server)
        self.running = postgres.start(self.server, folder / "log")
        self.url = postgres.url(self.server)
        self.raters: list[Rater] = []

    def begin(self) -> None:
        """Let two raters come up."""
        asyncio.run(migrate(self.url))
        asyncio.run(killing.put_documents(self.url))
        self.raters = [killing.start(self.url, self.folder) for _ in range(2)]

    def kill_postgres(self) -> None:
        """Kill the database, and let it recover."""
        killing.end_server(self.running, signal.SIGKILL)
        self.running = postgres.start(self.server, self.folder / "log")
        self.killed["postgres"] += 1

    def kill_writer(self) -> None:
        """Kill the rater that writes; another one stands by after."""
        writer = asyncio.run(killing.who_writes(self.url))
        [process] = [one for one in self.raters if one.pid == writer]
        process.kill()
        process.wait()
        self.raters.remove(process)
        self.raters.append(killing.start(self.url, self.folder))
        self.killed["rater"] += 1

    def end(self) -> None:
        """End what was started."""
        for process in self.raters:
            process.kill()
            process.wait()
        postgres.stop(self.running)


@contextmanager
def ordeal() -> Iterator[Ordeal]:
    """Give one that ends with the block."""
    with tempfile.TemporaryDirectory(prefix="pbx", dir="/tmp") as name:
        one = Ordeal(Path(name))
        try:
            one.begin()
            yield one
        finally:
            one.end()


def go_through(one: Ordeal, story: Story) -> killing.Found:
    """Let calls be made and kill in between; return what came of it."""
    rng = random.Random(SEED)
    files = int(story.legs * 10 / killing.LINES / FILES) + 1
    writing = Spool(killing.spool_of(one.folder), story, story.legs / LEGS_PER_S, rotate_every=files)
    writing.start()
    for position in sorted(rng.randrange(1, story.legs) for _ in range(KILLS)):
        asyncio.run(killing.reached(one.url, position))
        time.sleep(rng.uniform(0, LATEST_S))
        rng.choice((one.kill_writer, one.kill_postgres))()
    writing.join()
    return asyncio.run(killing.finished(one.url, story.legs))


def main() -> int:
    """Run it and print one line of JSON."""
    story = Story(legs=LEGS, world=WORLD)
    began = time.monotonic()
    with ordeal() as one:
        found = go_through(one, story)
    seconds = time.monotonic() - began
    differences = killing.differences(killing.rated_cleanly(story), found)
    for difference in differences:
        print(f"✗ {difference}")  # noqa: T201 — a program, not a test
    figures = {
        "legs": len(found.entries),
        "rater_killed": one.killed["rater"],
        "postgres_killed": one.killed["postgres"],
        "turns": found.epoch,
        "seconds": round(seconds),
        "differences": len(differences),
    }
    print(json.dumps(figures))  # noqa: T201 — its result
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
