"""Portings: what becomes known of one is written into its tenant's document and goes through the door.

Owns finding the document, and what each event writes. Refuses to decide what a stage means
(`dialplan.porting`) and to put anything in force past the door.
"""

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import ValidationError

from dialplan.block import entry_of
from dialplan.build import at, build_plan
from dialplan.plan import Number, Plan
from dialplan.porting import by_whom
from dialplan.spec import NumberSpec, PortingSpec, TenantSpec
from pbxcore import database, door, revisions
from pbxcore.base import without_base
from pbxcore.beside import Note
from pbxcore.change import Change
from pbxcore.edit import EditError, Scalar, set_entry
from pbxcore.revisions import Revision
from pbxcore.settings import Settings

By = Literal["carrier", "call", "hand"]
ATTEMPTS = 3  # each that fails was overtaken by somebody else's change of the same tenant


class PortingError(Exception):
    """A porting cannot be changed like this.

    Attributes:
        code: stable word for answers.
        remedy: what to do about it.
    """

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code, self.remedy = code, remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """It is to happen at an instant, without zone by the tenant's clock; a plan before is replaced."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The old provider refused; nothing changes but that no day is known."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The porting has happened.

    Attributes:
        at: when, without zone by the tenant's clock; None: when an earlier confirmation says, or now.
        by: who says so.
        reference: of the carrier's message, or of the call.
    """

    at: datetime | None
    by: By
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Reverted:
    """A confirmation was wrong: the number lives at the old provider still.

    The plan stays, and the next call to the number confirms it. Where such a call has confirmed, the plan
    goes, or the next one would confirm again.
    """


Event = Planned | Rejected | Confirmed | Reverted


async def note(settings: Settings, number: str, event: Event, *, author: str) -> door.Applied:
    """Write an event down in the document of the tenant whose number it is, and put it in force.

    Args:
        settings: of this machine.
        number: the number that is ported, or the temporary one that stands for it; E.164.
        event: what became known.
        author: who says so; stands in the revision.

    Returns:
        What the door said. A confirmation that is there already changes nothing, except that the reference of
        the carrier's message is added to it.

    Raises:
        PortingError: no tenant has the number, it stands for none, or the event contradicts what is known.
        database.AWAY: the database cannot be reached; nothing is stored.
    """
    for _attempt in range(ATTEMPTS):
        stored = await _document_of(settings, number)
        applied = await _apply(settings, stored, number, event, author)
        if not applied.stale:
            break
    return applied


async def standing(settings: Settings, number: str) -> tuple[Plan, Number]:
    """Give the number whose porting is meant, in the plan of its tenant's newest document.

    Raises:
        PortingError, database.AWAY: as `note`.
    """
    stored = await _document_of(settings, number)
    spec = _read(stored)
    temporary, _ = _entry(spec, number)
    plan = build_plan(spec, revision=stored.revision, trunks=())
    return plan, plan.numbers[temporary]


async def _document_of(settings: Settings, number: str) -> Revision:
    connection = await database.connect(database.url_of(settings), application="pbxcore porting")
    try:
        tenant = await revisions.tenant_of_number(connection, number)
        stored = await revisions.revision(connection, "tenant", tenant) if tenant else None
    finally:
        await connection.close()
    if stored is None:
        raise PortingError("unknown-number", f"no tenant has {number}", "`pbxcore numbers` lists all")
    return stored


async def _apply(
    settings: Settings, stored: Revision, number: str, event: Event, author: str
) -> door.Applied:
    spec = _read(stored)
    temporary, entry = _entry(spec, number)
    known = entry.porting or PortingSpec()
    value = _value(event, known, entry.stands_for or number, ZoneInfo(spec.time_zone))
    if value is None:
        return door.Applied(changes=(_unchanged(stored),), notes=tuple(_heard(event, known, number)))
    text = _written(without_base(stored.source), temporary, value)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{spec.tenant}.yaml"
        await asyncio.to_thread(file.write_text, text)
        applied = await door.apply(settings, [file], author=author, base=stored.revision)
    return _placed(applied, str(file), f"the document of {spec.tenant} that this would be")


def _placed(applied: door.Applied, file: str, place: str) -> door.Applied:
    """Name the document where a file is named that nobody has seen; what is stored was read from none."""
    return replace(
        applied,
        changes=tuple(replace(one, file="") for one in applied.changes),
        findings=tuple(replace(one, file=one.file.replace(file, place)) for one in applied.findings),
        notes=tuple(one._replace(message=one.message.replace(file, place)) for one in applied.notes),
    )


def _read(stored: Revision) -> TenantSpec:
    try:
        return TenantSpec.model_validate_json(stored.document)
    except ValidationError as error:
        message = f"this version of the program cannot read revision {stored.revision} of tenant {stored.id}"
        remedy = f"apply a document of {stored.id} that `pbxcore check` finds right, then say it again"
        raise PortingError("unread-tenant", message, remedy) from error


def _written(source: str, temporary: str, value: Mapping[str, Scalar]) -> str:
    """Write the porting of a number into a document, in which the number may stand with blanks."""
    numbers = (yaml.safe_load(source) or {}).get("numbers") or {}
    key = next((one for one in numbers if "".join(str(one).split()) == temporary), temporary)
    try:
        return set_entry(source, ("numbers", key, "porting"), value or None)
    except EditError as error:
        remedy = "write it into the document by hand and apply that"
        raise PortingError(error.code, f"the porting cannot be written down: {error}", remedy) from error


def _entry(spec: TenantSpec, number: str) -> tuple[str, NumberSpec]:
    """Find the temporary number whose porting is meant."""
    found = entry_of(spec, number)
    if found and spec.numbers[found[0]].stands_for:
        return found[0], spec.numbers[found[0]]
    raise PortingError(
        "porting-of-nothing",
        f"{number} of tenant {spec.tenant} stands for no other number",
        "name the number that is ported, or the temporary one that stands for it",
    )


def _value(event: Event, known: PortingSpec, number: str, zone: ZoneInfo) -> Mapping[str, Scalar] | None:
    """Give what stands in the document after an event; None: it says so already."""
    kept = known.model_dump(include={"grace_days"}, exclude_defaults=True)
    now = datetime.now(UTC)
    if isinstance(event, Confirmed) and event.at and _at(event.at, zone) > now:
        day = _clock(event.at, zone)
        message = f"{day} is to come, and a confirmation holds at once"
        raise PortingError("porting-to-come", message, f"`pbxcore porting plan {number} --at {day}`")
    if known.confirmed:
        changed = _once_confirmed(event, known, number, zone)
        return changed if changed is None else {**changed, **kept}
    match event:
        case Planned():
            return {"planned": _clock(event.at, zone), **kept}
        case Rejected():
            return {"rejected": event.reason, **kept}
        case Confirmed():
            reference = {"reference": event.reference} if event.reference else {}
            confirmed = _clock(event.at or now, zone)
            return {**_plan_of(known), "confirmed": confirmed, "by": event.by, **reference, **kept}
        case Reverted():
            raise _contradiction("it is not confirmed", "there is nothing to take back")


def _once_confirmed(
    event: Event, known: PortingSpec, number: str, zone: ZoneInfo
) -> Mapping[str, Scalar] | None:
    """Give what stands there after an event that comes after a confirmation; None: it says so already."""
    back = f"if that is wrong, take it back first: `pbxcore porting revert {number}`"
    match event:
        case Confirmed(by="call"):
            return None
        case Confirmed():
            if event.at and _at(event.at, zone) != at(known.confirmed, zone):
                remedy = f"leave out --at to add the carrier's reference to that; {back}"
                raise _contradiction(f"it was confirmed as of {known.confirmed}, {by_whom(known)}", remedy)
            return _with_message(event.reference, known, back)
        case Reverted():
            return {} if known.by == "call" else _plan_of(known)
        case Planned() | Rejected():
            raise _contradiction(f"it was confirmed as of {known.confirmed}, {by_whom(known)}", back)


def _with_message(reference: str, known: PortingSpec, back: str) -> Mapping[str, Scalar] | None:
    """Add the reference of the carrier's message to a confirmation, by whomever it is."""
    there = known.message if known.by == "call" else known.reference
    if not reference or reference == there:
        return None
    if there:
        raise _contradiction(f"the carrier's reference is {there}", back)
    key = "message" if known.by == "call" else "reference"
    said = known.model_dump(include={"planned", "confirmed", "by", "reference", "message"}, exclude_none=True)
    return {**said, key: reference}


def _heard(event: Event, known: PortingSpec, number: str) -> Iterator[Note]:
    """Answer a confirmation that changes nothing: whoever says it shall not think that it was lost."""
    if isinstance(event, Confirmed) and known.confirmed:
        message = (
            f"heard, and confirmed already as of {known.confirmed}, {by_whom(known)}: nothing is written"
        )
        if event.by == "carrier" and not event.reference:
            yield Note(message, "with --reference the carrier's message is added to that")
        else:
            yield Note(message, f"if that is wrong, take it back: `pbxcore porting revert {number}`")


def _plan_of(known: PortingSpec) -> dict[str, Scalar]:
    return {"planned": known.planned} if known.planned else {}


def _contradiction(why: str, remedy: str) -> PortingError:
    return PortingError("porting-contradiction", f"the porting cannot be changed like this: {why}", remedy)


def _clock(at: datetime, zone: ZoneInfo) -> str:
    """Write an instant as the tenant's clock shows it, with offset: one hour comes twice a year."""
    return _at(at, zone).astimezone(zone).isoformat(timespec="seconds")


def _at(at: datetime, zone: ZoneInfo) -> datetime:
    """Read an instant; one without offset is what the tenant's clock shows."""
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _unchanged(stored: Revision) -> Change:
    return Change(kind=stored.kind, id=stored.id, revision=stored.revision, changed=False, file="")
