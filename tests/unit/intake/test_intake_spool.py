"""Reading the spool as it grows: halves, rotation of every kind, restarts, gaps."""

import gzip
import os
import random
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from pbxcore.intake import spool as module
from pbxcore.intake.record import Fault
from pbxcore.intake.source import Position
from pbxcore.intake.spool import Spool
from pbxcore.practice.records import World, records

LINES = [line.rstrip("\n") for line in records(60, World())]


class Reader:
    """Somebody who reads, and may begin again where he was."""

    def __init__(
        self,
        folder: Path,
        position: Position | None = None,
        *,
        rotate_at: int = 1 << 30,
        rotate_after_s: float = 1e9,
    ) -> None:
        self.spool = Spool(folder, rotate_at=rotate_at, rotate_after_s=rotate_after_s)
        self.spool.seek(position)
        self.position = position
        self.lines: list[str] = []
        self.bad: list[tuple[Fault, str]] = []

    def read(self) -> "Reader":
        """Read all there is now."""
        for _ in range(10):  # a rotation needs some looks
            while batch := self.spool._read():
                self.lines += [record.line for record in batch.records]
                self.bad += [(bad.fault, bad.line) for bad in batch.bad]
                self.position = batch.position
                if batch.position:
                    self.spool.done(batch.position)
        return self


@pytest.fixture
def legs(tmp_path: Path) -> Path:
    """Give the file Asterisk writes."""
    return tmp_path / "legs.tsv"


@pytest.fixture
def reader(tmp_path: Path) -> Callable[..., Reader]:
    """Give readers of the folder; their files are closed in the end."""
    return lambda *arguments, **options: Reader(tmp_path, *arguments, **options)


def append(file: Path, lines: Iterable[str]) -> None:
    """Write lines as Asterisk does."""
    with file.open("a") as out:
        out.writelines(line + "\n" for line in lines)


def test_nothing_there_is_nothing_read(tmp_path: Path) -> None:
    """No folder, no file, an empty file: it waits."""
    assert Reader(tmp_path / "none").read().position is None
    (tmp_path / "legs.tsv").touch()
    assert Reader(tmp_path).read().position is None


async def test_it_waits_a_second_and_says_that_nothing_came(
    tmp_path: Path, legs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty batch at the end lets the rater see to other things."""
    monkeypatch.setattr(module, "IDLE_S", 0.1)
    append(legs, LINES[:3])
    spool = Spool(tmp_path)
    assert len((await spool.read()).records) == 3
    batch = await spool.read()
    end = sum(len(line) + 1 for line in LINES[:3])
    assert (len(batch.records), batch.at_end, batch.position) == (0, True, Position(batch.file, end))
    spool.close()


def test_a_half_line_is_read_when_it_is_whole(legs: Path, reader: Callable[..., Reader]) -> None:
    """What has no newline yet waits, the very first line too."""
    one = reader()
    for part in (LINES[0][:10], LINES[0][10:], "\n", LINES[1][:50]):
        with legs.open("a") as file:
            file.write(part)
        one.read()
    assert (one.lines, one.bad) == (LINES[:1], [])
    append(legs, [LINES[1][50:]])
    assert one.read().lines == LINES[:2]


def test_a_renamed_file_is_read_to_its_end_first(legs: Path, reader: Callable[..., Reader]) -> None:
    """Foreign rotation in mid-write: the old inode is drained, then comes the new one."""
    one = reader()
    append(legs, LINES[:10])
    one.read()
    with legs.open("a") as still_open:
        legs.rename(legs.with_suffix(".tsv.1"))
        still_open.write(LINES[10] + "\n")
        legs.touch()  # logrotate's `create`: nothing in it, so the old one is not finished
        one.read()
        still_open.write(LINES[11] + "\n")
    append(legs, LINES[12:20])
    assert one.read().lines == LINES[:20]


def test_several_rotations_between_two_looks_lose_nothing(legs: Path, reader: Callable[..., Reader]) -> None:
    """Files follow each other by the time they began, whatever they are called."""
    one = reader()
    append(legs, LINES[:10])
    one.read()
    for number, name in enumerate(("b.2", "a.9", "c.1"), 1):
        legs.rename(legs.with_name(f"legs.tsv.{name}"))
        append(legs, LINES[number * 10 : number * 10 + 10])
    assert one.read().lines == LINES[:40]


def test_a_restart_finds_its_place_in_a_renamed_file(legs: Path, reader: Callable[..., Reader]) -> None:
    """The position is in the file, not in its name or inode."""
    append(legs, LINES[:10])
    before = reader().read()
    append(legs, LINES[10:15])
    shutil.copy(legs, legs.with_name("legs.tsv.1"))
    legs.unlink()
    append(legs, LINES[15:20])
    assert reader(before.position).read().lines == LINES[10:20]


def test_a_file_emptied_in_place_is_followed_through_its_copy(
    legs: Path, reader: Callable[..., Reader]
) -> None:
    """Copytruncate: the rest is in the copy, then the file begins anew."""
    one = reader()
    append(legs, LINES[:10])
    one.read()
    append(legs, LINES[10:12])
    shutil.copy(legs, legs.with_name("legs.tsv.1"))
    os.truncate(legs, 0)
    one.read()
    append(legs, LINES[12:30])
    assert one.read().lines == LINES[:30]


def test_where_the_place_is_gone_everything_is_read_again(legs: Path, reader: Callable[..., Reader]) -> None:
    """A gap is an alarm and no reason to leave something out."""
    append(legs, LINES[:10])
    lost = reader(Position("of another file", 100)).read()
    known = reader().read().position
    assert known is not None
    shrunk = reader(Position(known.file, 1_000_000)).read()
    assert lost.lines == shrunk.lines == LINES[:10]


def test_packed_files_are_left_alone(legs: Path, reader: Callable[..., Reader]) -> None:
    """What logrotate has compressed was read before, or the gap is an alarm."""
    append(legs, LINES[:3])
    with gzip.open(legs.with_name("legs.tsv.1.gz"), "wt") as packed:
        packed.write("rubbish")
    assert reader().read().lines == LINES[:3]


def test_a_clock_set_back_does_not_stop_the_reading(legs: Path, reader: Callable[..., Reader]) -> None:
    """A new file that seems older than the one before is read all the same."""
    one = reader()
    append(legs, LINES[20:30])
    one.read()
    legs.rename(legs.with_name("legs.tsv.1"))
    append(legs, LINES[:10])
    assert one.read().lines == LINES[20:30] + LINES[:10]


def test_what_will_never_have_an_end_is_put_aside(
    legs: Path, reader: Callable[..., Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fragment at the end of a finished file, and a line beyond all limits."""
    append(legs, LINES[:2])
    with legs.open("a") as file:
        file.write(LINES[2][:40])
    one = reader().read()
    legs.rename(legs.with_name("legs.tsv.1"))
    append(legs, LINES[3:5])
    assert one.read().bad == [(Fault.ENDLESS, LINES[2][:40])]
    assert one.lines == LINES[:2] + LINES[3:5]
    monkeypatch.setattr(module, "CHUNK", 3_000)
    with legs.open("a") as file:
        file.write("x" * 3_000 + "\n")
    append(legs, LINES[5:6])
    one.read()
    assert (one.bad[1], one.lines[-1]) == ((Fault.ENDLESS, "x" * 3_000), LINES[5])


def test_we_rename_a_long_file_and_remove_old_ones(legs: Path, reader: Callable[..., Reader]) -> None:
    """Rotation of our own: nothing is lost, and what we renamed goes after two weeks; nothing else does."""
    one = reader(rotate_at=2_000)
    foreign = legs.with_name("legs.tsv.1")
    foreign.write_text("theirs\n")
    os.utime(foreign, (0, 0))
    for number in range(0, 50, 10):
        append(legs, LINES[number : number + 10])
        one.read()
    renamed = sorted(path for path in legs.parent.iterdir() if "-" in path.name)
    assert (one.lines, len(renamed) >= 2) == (LINES[:50], True)
    os.utime(renamed[0], (0, 0))
    for number in (50, 60):
        append(legs, LINES[number : number + 10])
        one.read()
    assert (renamed[0].exists(), renamed[1].exists(), foreign.exists()) == (False, True, True)


def test_a_file_that_is_read_for_a_day_is_renamed_however_short(
    legs: Path, reader: Callable[..., Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few calls are kept no longer than many; before that day the file stays as it is."""
    now = 1_000.0
    monkeypatch.setattr("pbxcore.intake.spool.time.monotonic", lambda: now)
    one = reader(rotate_after_s=86_400)
    append(legs, LINES[:3])
    one.read()
    now += 86_399
    append(legs, LINES[3:6])
    one.read()
    assert [path.name for path in legs.parent.iterdir()] == ["legs.tsv"]
    now += 1
    append(legs, LINES[6:9])
    one.read()
    append(legs, LINES[9:12])
    one.read()
    first = next(path for path in legs.parent.iterdir() if path != legs)
    assert (first.read_text().splitlines(), legs.read_text().splitlines()) == (LINES[:9], LINES[9:12])
    assert one.lines == LINES[:12]


def test_whatever_happens_in_whatever_order_nothing_is_lost(
    legs: Path, reader: Callable[..., Reader]
) -> None:
    """Halves, reads, renames and restarts at random: every line comes, and in order."""
    for seed in range(40):
        rng = random.Random(seed)
        for path in legs.parent.iterdir():
            path.unlink()
        text = "".join(line + "\n" for line in LINES)
        one, seen, renames = reader(), list[str](), 0
        while text:
            match rng.randrange(6):
                case 0 if text.startswith("L1\t") and legs.exists() and legs.stat().st_size:
                    renames += 1
                    legs.rename(legs.with_name(f"legs.tsv.{renames}"))
                case 1:
                    seen += one.read().lines
                    one = reader(one.position)
                case 2:
                    one.read()
                case _:
                    cut = rng.randrange(1, 900)
                    with legs.open("a") as file:
                        file.write(text[:cut])
                    text = text[cut:]
        assert seen + one.read().lines == LINES, seed
        assert one.bad == []
