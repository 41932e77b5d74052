"""The rater and its database die, at any moment: nothing is lost or doubled, balances as in a clean run."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pbxcore.database import migrate
from pbxcore.machine import postgres as postgresql
from pbxcore.practice.records import World
from rating.rate import Rating
from tests.adversity import killing
from tests.adversity.killing import Rater, Spool, Story

STORY = Story(legs=2_000, world=World(longest_s=60))
BEHIND = Story(legs=16_000, world=World(longest_s=60))  # some batches of two megabytes
KILLS = 8


@pytest.fixture(scope="module")
def clean() -> Rating:
    """Give what a run without any trouble makes of the same lines."""
    return killing.rated_cleanly(STORY)


@pytest.fixture
def keep() -> Iterator[Callable[[Rater], Rater]]:
    """Give a function that takes care that a rater has ended when the test has."""
    started: list[Rater] = []

    def taken(process: Rater) -> Rater:
        started.append(process)
        return process

    yield taken
    for process in started:
        process.kill()
        process.wait(60)


def test_a_rater_killed_at_random_moments_loses_and_doubles_nothing(
    database: str, clean: Rating, tmp_path: Path, keep: Callable[[Rater], Rater]
) -> None:
    """Kill -9, eight times, while 2,000 legs come in and the file is rotated: as if nothing had been."""
    asyncio.run(killing.put_documents(database))
    rng = random.Random(8)
    writing = Spool(killing.spool_of(tmp_path), STORY, seconds=12)
    writing.start()
    for _ in range(KILLS):
        process = keep(asyncio.run(killing.take_over(database, tmp_path)))
        time.sleep(rng.uniform(0, 0.4))
        process.kill()
        process.wait(60)
    last = keep(asyncio.run(killing.take_over(database, tmp_path)))
    writing.join(60)
    found = asyncio.run(killing.finished(database, STORY.legs))
    assert not killing.differences(clean, found)
    assert found.epoch == KILLS + 1
    last.send_signal(signal.SIGTERM)
    assert last.wait(60) == 0, "SIGTERM ends it"


def test_a_rater_killed_while_it_catches_up_loses_and_doubles_nothing(
    database: str, tmp_path: Path, keep: Callable[[Rater], Rater]
) -> None:
    """Kill -9, four times, while one batch is committed and the next is rated: as if nothing had been."""
    asyncio.run(killing.put_documents(database))
    rng = random.Random(9)
    with (killing.spool_of(tmp_path) / "legs.tsv").open("w") as file:
        file.writelines(BEHIND.lines())
    for _ in range(KILLS // 2):
        process = keep(asyncio.run(killing.take_over(database, tmp_path)))
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.wait(60)
    keep(asyncio.run(killing.take_over(database, tmp_path)))
    found = asyncio.run(killing.finished(database, BEHIND.legs))
    assert not killing.differences(killing.rated_cleanly(BEHIND), found)
    assert found.epoch == KILLS // 2 + 1


def test_two_raters_one_killed_the_other_goes_on(
    database: str, clean: Rating, tmp_path: Path, keep: Callable[[Rater], Rater]
) -> None:
    """The one that stands by takes over by itself, and writes nothing before."""
    asyncio.run(killing.put_documents(database))
    writing = Spool(killing.spool_of(tmp_path), STORY, seconds=6)
    writing.start()
    raters = [keep(killing.start(database, tmp_path)) for _ in range(2)]
    asyncio.run(killing.reached(database, STORY.legs // 10))
    writer = asyncio.run(killing.who_writes(database))
    assert writer in {process.pid for process in raters}
    os.kill(writer, signal.SIGKILL)
    writing.join(60)
    found = asyncio.run(killing.finished(database, STORY.legs))
    assert not killing.differences(clean, found)
    assert found.epoch == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["stopped", "killed"])
def test_postgres_goes_away_and_comes_back(
    clean: Rating,
    tmp_path: Path,
    short_path: Path,
    keep: Callable[[Rater], Rater],
    number: signal.Signals,
) -> None:
    """The rater waits, the spool grows, then everything is caught up: three times."""
    server = postgresql.Server(short_path / "data", short_path)
    postgresql.prepare(server)
    url = postgresql.url(server)
    running = postgresql.start(server, short_path / "log")
    try:
        asyncio.run(migrate(url))
        asyncio.run(killing.put_documents(url))
        process = keep(killing.start(url, tmp_path))
        writing = Spool(killing.spool_of(tmp_path), STORY, seconds=6)
        writing.start()
        for _ in range(3):
            time.sleep(1.5)
            killing.end_server(running, number)
            time.sleep(0.3)
            running = postgresql.start(server, short_path / "log")
        writing.join(60)
        found = asyncio.run(killing.finished(url, STORY.legs))
        assert not killing.differences(clean, found)
        assert process.poll() is None, "it is the same process"
    finally:
        postgresql.stop(running)
