"""Checks of what is written about portings."""

from collections.abc import Iterator

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
    if not porting.confirmed and (porting.reference or "by" in porting.model_fields_set):
        yield Finding(
            path=path,
            code="porting-unconfirmed",
            message="says who confirmed the porting, and not when it had happened",
            remedy="add confirmed, or leave out by and reference",
        )
