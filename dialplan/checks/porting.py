"""Checks of what is written about portings."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from dialplan.build import at
from dialplan.checks.register import check
from dialplan.checks.subject import Subject
from dialplan.finding import Finding, Path
from dialplan.spec import NumberSpec, PortingSpec


@check
def portings_that_cannot_be(subject: Subject) -> Iterator[Finding]:
    """A porting is of the number that is stood for, and is planned, rejected or confirmed, one at a time."""
    for number, one in subject.spec.numbers.items():
        if one.porting:
            yield from _of_number(("numbers", number, "porting"), one, one.porting)


@check
def numbers_that_stand_for_themselves(subject: Subject) -> Iterator[Finding]:
    """A number stands for another: one that is its own temporary number would be nobody's after its grace."""
    written = subject.numbers.values()
    own = {one.key: one.number.stands_for for one in written if subject.stands_for_itself(one)}
    for key, meant in own.items():
        what = "itself" if subject.spec.numbers[key].stands_for == key else f"a number of its own, {meant}"
        yield Finding(
            path=("numbers", key, "stands_for"),
            code="stands-for-itself",
            message=f"{key} stands for {what}",
            remedy="name the customer's own number, which lives at the old provider still; if this one is "
            "ours already, leave out stands_for and porting",
        )


@check
def portings_that_are_to_come(subject: Subject) -> Iterator[Finding]:
    """A confirmation is of what has happened: from then on emergency centres are shown the number."""
    if subject.at is None or ("time_zone",) in subject.left_out:
        return
    for number, one in subject.spec.numbers.items():
        confirmed = at(one.porting.confirmed, ZoneInfo(subject.spec.time_zone)) if one.porting else None
        if one.porting and confirmed and confirmed > subject.at:
            yield Finding(
                path=("numbers", number, "porting", "confirmed"),
                code="porting-to-come",
                message=f"{one.porting.confirmed} is to come, and a confirmation holds at once",
                remedy="write it as planned; `pbxcore porting confirm`, or a call to it, confirms it",
            )


def _of_number(path: Path, number: NumberSpec, porting: PortingSpec) -> Iterator[Finding]:
    if not number.stands_for:
        yield Finding(
            path=path,
            code="porting-of-nothing",
            message="a number that stands for no other is not ported",
            remedy="name the customer's own number: stands_for",
        )
    if porting.rejected and (porting.planned or porting.confirmed):
        yield Finding(
            path=(*path, "rejected"),
            code="porting-twice",
            message="a porting that was rejected has neither a day nor a confirmation",
            remedy="leave out rejected, or what contradicts it",
        )
    if porting.confirmed and number.ordered:
        yield Finding(
            path=(*path, "confirmed"),
            code="porting-before-order",
            message="the temporary number is still on order",
            remedy="leave out ordered once the number is there",
        )
    if not porting.confirmed and (porting.reference or porting.message or "by" in porting.model_fields_set):
        yield Finding(
            path=path,
            code="porting-unconfirmed",
            message="says who confirmed the porting, and not when it had happened",
            remedy="add confirmed, or leave out by, reference and message",
        )
