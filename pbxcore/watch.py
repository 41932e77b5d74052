"""A folder whose documents are put in force when they are saved.

Owns noticing what was saved, whole. Refuses to judge it (the door does) and to take away a tenant whose file
is gone. Two looks a second, because that needs nothing from the system and sees every kind of save.

What is saved together is one change: all of it or nothing. Files with mistakes are told once and wait for
their next save; they are tried again together with the next files that are saved, and do not hold those back.
A file counts as saved when it has not changed for a second and nobody has it open for writing; so neither an
editor's half file nor a slow copy is taken. Each document's base (`pbxcore.base`) is the revision that the
folder gave it last, or at the start the one that its file repeats: what others changed in the meantime is
not overwritten. Only a file that was edited while nobody watched, and names no base, replaces what is there.
"""

import asyncio
import errno
import fcntl
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pbxcore import database, door, publication
from pbxcore.base import key_of
from pbxcore.documents import Read, decoded, examine_texts, in_order
from pbxcore.door import Applied
from pbxcore.machine.running import settings_of_running, unstarted_trunks
from pbxcore.receipt import UnansweredError
from pbxcore.revisions import revision_of
from pbxcore.settings import Settings
from pbxcore.yamltree import MAX_BYTES

# What passes: an outage of the database, somebody who keeps the turn, a full disk.
TRY_AGAIN: tuple[type[Exception], ...] = (*publication.PUT_OFF, UnansweredError)
LOOK_S = 0.5
SETTLED_LOOKS = 2  # without a change
PATIENCE_LOOKS = 20  # then files that go on changing do not hold back the others any longer
NO_LEASES = {errno.EACCES, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP}  # not our file, or a network's

Tell = Callable[[Applied | Exception], None]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What differs after a save."""

    changed_ns: int
    size: int
    inode: int


@dataclass(slots=True)
class Folder:
    """What is known of a watched folder.

    Attributes:
        taken: files that were applied or refused, as they were then.
        looks: how many looks in a row have seen each other file as it is.
        unready: how many looks in a row some file was not ready yet.
        waiting: contents of files that were refused.
        bases: revisions that the folder's documents have, by `kind/id`.
        unanswered: documents that may be stored: the database died over their commit.
    """

    path: Path
    taken: dict[Path, Stamp] = field(default_factory=dict)
    looks: dict[tuple[Path, Stamp], int] = field(default_factory=dict)
    unready: int = 0
    waiting: dict[Path, bytes] = field(default_factory=dict)
    bases: dict[str, int] = field(default_factory=dict)
    unanswered: tuple[Read, ...] = ()


async def watch(settings: Settings, path: Path, *, author: str, tell: Tell, look_s: float = LOOK_S) -> None:
    """Put in force what is saved below a folder, beginning with what is there, until cancelled.

    Args:
        settings: of this machine.
        path: the folder, searched for `*.yaml` at any depth.
        author: who changes it; stands in the revisions.
        tell: hears what became of each change, and once of an outage of the database.
        look_s: time between two looks.
    """
    folder = Folder(path)
    away = False
    while True:
        saved = await asyncio.to_thread(look, folder)
        try:
            if saved:
                tell(await _take(settings, folder, saved, author))
            away = False
        except TRY_AGAIN as error:  # nothing is taken: the next look sees the same again
            if not away:
                tell(error)
            away = True
        await asyncio.sleep(look_s)


def look(folder: Folder) -> dict[Path, tuple[Stamp, bytes]]:
    """Give the files that have been saved since they were taken, once all that changed are ready."""
    try:
        stamps = {path: stamp for path in folder.path.rglob("*.yaml") if (stamp := _stamp(path))}
    except FileNotFoundError:  # a folder went while it was searched: the next look sees what is there
        return {}
    for gone in {*folder.taken, *folder.waiting} - set(stamps):
        folder.taken.pop(gone, None)
        folder.waiting.pop(gone, None)
    changed = {path: stamp for path, stamp in stamps.items() if folder.taken.get(path) != stamp}
    folder.looks = {one: folder.looks.get(one, 0) + 1 for one in changed.items()}
    ready = {}
    for path, stamp in sorted(changed.items()):
        raw = read_saved(path, stamp) if folder.looks[path, stamp] > SETTLED_LOOKS else None
        if raw is not None:
            ready[path] = (stamp, raw)
    folder.unready = folder.unready + 1 if len(ready) < len(changed) else 0
    return ready if not 0 < folder.unready < PATIENCE_LOOKS else {}


def read_saved(path: Path, stamp: Stamp) -> bytes | None:
    """Read a file that nobody is writing; None if somebody is, or it has changed since `stamp`.

    The kernel gives a read lease only on a file that nobody has open for writing, and lets nobody open it
    for that until the lease is given back, milliseconds later.
    """
    try:
        with path.open("rb") as file:
            fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)  # who wants to write: the default would end us
            try:
                fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            except OSError as error:
                if error.errno not in NO_LEASES:
                    return None
            raw = file.read(MAX_BYTES + 1)
            same = _of(os.fstat(file.fileno())) == stamp
    except OSError:
        return None
    return raw if same else None


def _stamp(path: Path) -> Stamp | None:
    """Give a file's stamp; None for an editor's own files (`.#acme.yaml`) and for what is no file."""
    try:
        return None if path.name.startswith(".") or not path.is_file() else _of(path.stat())
    except OSError:
        return None


def _of(stat: os.stat_result) -> Stamp:
    return Stamp(stat.st_mtime_ns, stat.st_size, stat.st_ino)


async def _take(
    settings: Settings, folder: Folder, saved: Mapping[Path, tuple[Stamp, bytes]], author: str
) -> Applied:
    """Apply what was saved: with the files that wait, or if that is refused, without them.

    A machine that was started again since the watch began may have other trunks.
    """
    settings = settings_of_running(settings)
    new = {path: raw for path, (_, raw) in saved.items()}
    waiting = {path: raw for path, raw in folder.waiting.items() if path not in new}
    applied = await _apply(settings, folder, {**waiting, **new}, author)
    refused = bool(applied.findings or applied.stale)
    if refused and waiting:
        applied = await _apply(settings, folder, new, author)
        refused = bool(applied.findings or applied.stale)
    elif not refused:
        folder.waiting.clear()
    for path, (stamp, raw) in saved.items():
        folder.taken[path] = stamp
        folder.waiting.pop(path, None)
        if refused:
            folder.waiting[path] = raw
    folder.bases |= {key_of(change.kind, change.id): change.revision for change in applied.changes}
    return applied


async def _apply(settings: Settings, folder: Folder, saved: Mapping[Path, bytes], author: str) -> Applied:
    texts = [(str(path), decoded(str(path), raw)) for path, raw in sorted(saved.items())]
    right = ((file, text) for file, text in texts if isinstance(text, str))
    trunks = tuple(trunk.name for trunk in settings.trunks)
    found = examine_texts(
        right,
        trunks=trunks,
        sounds=settings.sounds,
        at=datetime.now(UTC),
        unstarted=unstarted_trunks(settings),
    )
    unread = [text for _, text in texts if not isinstance(text, str)]
    findings = (*unread, *(one for one in found.findings if one.finding.code != "other-document"))
    keys = {door.key(document): document for document in found.right}
    await _learn(settings, folder)
    unknown = [document for key, document in keys.items() if key not in folder.bases]
    # Kept even if this is refused: an edit of what a file repeats now starts from there.
    folder.bases |= await _repeated(settings, unknown) if unknown else {}
    if findings:
        told, _ = await door.beside(settings, found._replace(complete=found.complete and not unread))
        return Applied(findings=in_order([*findings, *told]))
    base = {key: revision for key, revision in folder.bases.items() if key in keys}
    try:
        return await door.enter(settings, found.right, author=author, base=base)
    except UnansweredError:
        folder.unanswered = found.right
        raise


async def _learn(settings: Settings, folder: Folder) -> None:
    """Take what was stored and never answered for ours: an edit of it starts from there."""
    if folder.unanswered:
        for key, revision in (await _repeated(settings, folder.unanswered)).items():
            folder.bases[key] = max(revision, folder.bases.get(key, 0))
        folder.unanswered = ()


async def _repeated(settings: Settings, documents: Sequence[Read]) -> dict[str, int]:
    """Give the revision that each document repeats, by `kind/id`: nobody has edited its file since."""
    connection = await database.connect(database.url_of(settings), application="pbxcore apply")
    try:
        found = {
            door.key(one): await revision_of(connection, one.kind, door.id_of(one), door.body(one))
            for one in documents
        }
    finally:
        await connection.close()
    return {key: revision for key, revision in found.items() if revision is not None}
