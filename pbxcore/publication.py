"""Puts stored revisions in force: plan files, phones, and the processes that decide.

Owns the writing side of `<state>/published`. A file is written aside, flushed and renamed, so that a reader
sees the old or the new one, whole. Refuses to judge: what arrives here was checked and stored by the door.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ASK_TIMEOUT_S = 5.0  # a process that does not acknowledge by then is reported, and catches up by itself
LONGEST_ANSWER = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What one process said to a new revision.

    Attributes:
        process: `control` or `standby`.
        done: it decides by the new revision from now on.
        detail: why not; empty when done.
    """

    process: str
    done: bool
    detail: str = ""


def write_aside(path: Path, text: str) -> None:
    """Replace a file whole: readers see the old text or the new one, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_plan(published: Path, tenant: str, plan: str) -> None:
    """Publish one tenant's plan, as `dialplan.published.plan_to_json` gives it."""
    write_aside(published / "tenants" / f"{tenant}.json", plan)


def write_index(published: Path, *, revisions: Mapping[str, int], numbers: Mapping[str, str]) -> None:
    """Publish which revision of each tenant is in force and which tenant has which number."""
    index = {
        "format": 1,
        "tenants": dict(sorted(revisions.items())),
        "numbers": dict(sorted(numbers.items())),
    }
    write_aside(published / "index.json", json.dumps(index, indent=0) + "\n")


async def ask(
    socket: Path, request: Mapping[str, Any], *, timeout_s: float = ASK_TIMEOUT_S
) -> dict[str, Any]:
    """Ask a process over its local socket: one JSON line out, one back.

    Raises:
        OSError: nobody listens there.
        TimeoutError: no answer in time.
        ValueError: the answer is no JSON object.
    """
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_unix_connection(str(socket), limit=LONGEST_ANSWER)
        try:
            writer.write(json.dumps(request).encode() + b"\n")
            await writer.drain()
            answer = json.loads(await reader.readline() or b"null")
        finally:
            writer.close()
    if not isinstance(answer, dict):
        raise ValueError(f"{socket.name} answered {answer!r}")  # noqa: TRY004 — the value came from outside
    return answer


async def announce(run_dir: Path, *, tenant: str, revision: int) -> tuple[Acknowledgement, ...]:
    """Tell control and standby that a tenant's plan has changed; gather what they say."""
    processes = ("control", "standby")
    return tuple(await asyncio.gather(*(_announce_to(run_dir, name, tenant, revision) for name in processes)))


async def _announce_to(run_dir: Path, process: str, tenant: str, revision: int) -> Acknowledgement:
    request = {"do": "reload", "tenant": tenant, "revision": revision}
    try:
        answer = await ask(run_dir / f"{process}.sock", request)
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        return Acknowledgement(process=process, done=False, detail=f"does not answer ({error or 'time-out'})")
    done = answer.get("ok") is True and answer.get("revision") == revision
    return Acknowledgement(
        process=process, done=done, detail="" if done else str(answer.get("error", answer))
    )
