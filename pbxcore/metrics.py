"""What all processes of one machine count, in one folder, shown by `web` under /metrics.

Owns names and meanings of our own metrics. Refuses what Prometheus can compute itself (rates, ages).

prometheus_client decides when a metric is made whether its value lives in memory or in a file that other
processes can read. So `start` comes first in a process, and each metric is made when it is first used.
Without `start` (tests, commands) they live in memory.

Values of a process that died stay in the sums: its file is taken over by the next process of that name.
"""

import fcntl
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

from pbxcore.settings import Settings

_MOST_OF_ONE_NAME = 16  # processes of one name on one machine
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0)
_locks: list[int] = []  # held as long as the process lives


def folder(settings: Settings) -> Path:
    """Return the folder with the values of all processes."""
    return settings.state / "metrics"


def start(settings: Settings, process: str) -> None:
    """Keep the values of this process where `web` sees them. Comes before the first metric; twice is once."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR") == str(folder(settings)) and _locks:
        return
    folder(settings).mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder(settings))
    name = next(_free_names(folder(settings), process))
    values.ValueClass = values.MultiProcessValue(lambda: name)  # type: ignore[no-untyped-call]  # has no types
    heartbeat().labels(process=process).set_to_current_time()


def _free_names(place: Path, process: str) -> Iterator[str]:
    """Name the first file of this process name that no living process holds."""
    for number in range(_MOST_OF_ONE_NAME):
        name = f"{process}-{number}"
        lock = os.open(place / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            _locks.append(lock)
            yield name
    raise RuntimeError(f"more than {_MOST_OF_ONE_NAME} processes {process!r} in {place}")


def lives(settings: Settings, process: str) -> bool:
    """Tell whether a process of this name is at work on this machine: it holds one of its files."""
    return any(map(_held, folder(settings).glob(f"{process}-*.lock")))


def _held(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def exposition(settings: Settings) -> bytes:
    """Return the values of all processes in Prometheus' text format."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder(settings)))  # type: ignore[no-untyped-call]  # no types
    return generate_latest(registry)


@cache
def heartbeat() -> Gauge:
    """When a process was last seen at work."""
    return Gauge(
        "pbxcore_heartbeat_timestamp_seconds",
        "When a process was last seen at work",
        ["process"],
        multiprocess_mode="mostrecent",
    )


@cache
def publications_completed() -> Counter:
    """Changes that somebody else had stored and not put in force: a process of ours, or an apply, died."""
    return Counter("pbxcore_publications_completed", "Revisions put in force for a publisher that died")


@cache
def contracts_debited() -> Counter:
    """Contracts on credit of which something fell due by itself: a debit on the first, what goes back."""
    return Counter("pbxcore_contracts_debited", "Looks at a contract that entered something in a balance")


@cache
def spool_lines() -> Counter:
    """Records taken in."""
    return Counter("pbxcore_spool_records", "Records taken in from the spool")


@cache
def spool_bad_lines() -> Counter:
    """Lines put aside: each one is worth a look."""
    return Counter("pbxcore_spool_bad_lines", "Lines of the spool that are no record", ["fault"])


@cache
def spool_gaps() -> Counter:
    """Spool files that vanished before they were read to the end: an alarm."""
    return Counter(
        "pbxcore_spool_gaps", "Spool files that were gone when reading should have gone on in them"
    )


@cache
def spool_free_bytes() -> Gauge:
    """Space where Asterisk writes its records."""
    return Gauge(
        "pbxcore_spool_free_bytes", "Free space of the spool's file system", multiprocess_mode="mostrecent"
    )


@cache
def open_legs() -> Gauge:
    """Trunk channels under way."""
    return Gauge("pbxcore_open_legs", "Trunk channels under way", multiprocess_mode="mostrecent")


@cache
def rated_legs() -> Counter:
    """Legs rated and committed."""
    return Counter("pbxcore_rated_legs", "Legs rated and committed")


@cache
def known_legs() -> Counter:
    """Legs that came again and changed nothing."""
    return Counter("pbxcore_known_legs", "Legs that had been rated before and changed nothing")


@cache
def quarantined_legs() -> Counter:
    """Legs put aside, by reason."""
    return Counter("pbxcore_quarantined_legs", "Legs put into quarantine", ["reason"])


@cache
def authorisations() -> Counter:
    """Prepaid calls that wanted to begin or to go on, by what became of them."""
    return Counter("pbxcore_authorisations", "Prepaid calls that asked for credit", ["end"])


@cache
def released_reservations() -> Counter:
    """What was set aside and given back: because a leg was rated, or because none can come any more."""
    return Counter("pbxcore_reservations_released", "Reservations that ended", ["why"])


@cache
def overspent_legs() -> Counter:
    """Prepaid legs that cost more than was set aside for them: an alarm."""
    return Counter("pbxcore_overspent_legs", "Prepaid legs that cost more than was set aside")


@cache
def rating_delay_seconds() -> Histogram:
    """From hangup to commit, the last leg of each batch that was at the end of the spool."""
    return Histogram("pbxcore_rating_delay_seconds", "From hangup to committed rated leg", buckets=_SECONDS)


@cache
def commit_seconds() -> Histogram:
    """From a batch read to its commit."""
    return Histogram("pbxcore_commit_seconds", "From a batch read to its commit", buckets=_SECONDS)


@cache
def database_losses() -> Counter:
    """How often the rater lost its database."""
    return Counter("pbxcore_database_losses", "Times the rater lost its database or its turn")


@cache
def writing() -> Gauge:
    """Whether this machine's rater is the one that writes."""
    return Gauge(
        "pbxcore_rater_writing", "1 while this rater is the one that writes", multiprocess_mode="max"
    )
