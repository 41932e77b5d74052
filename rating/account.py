"""Who is charged: one balance, one invoice, in one country and time zone, with the bundles it has booked.

Owns the document `config/accounts/<account>.yaml` and what must be true of it beside its catalogue. Refuses
prices (the catalogue's) and phones (the tenant's): whether a limited extension exists, the door knows.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from rating import money
from rating.catalogue import CatalogueSpec, Name, TimeZone
from rating.finding import Finding, closest
from rating.limits import WHOLE, Limit, Span
from rating.offer import Amount
from rating.periods import month_start, next_month
from rating.stays import Stay, Turn, in_force, stay_on, turns

_PAYER = re.compile(r"[a-z][a-z0-9]{0,19}/[^/\s]{1,64}")


def _payer(written: str) -> str:
    if not _PAYER.fullmatch(written):
        message, remedy = f"{written!r} is nobody's extension", "write <tenant>/<extension>, like acme/10"
        raise PydanticCustomError("no-payer", "{message}", {"message": message, "remedy": remedy})
    return written


Payer = Annotated[str, AfterValidator(_payer)]
"""`<tenant>/<extension>`, as it stands on a leg."""


class BookingSpec(BaseModel):
    """A bundle in one size, from a day on, to the last day of a month or for good.

    Attributes:
        bundle: of the catalogue.
        size: of the bundle.
        first: first day (`from` in the document). Booked in mid-month, it grants the whole month's minutes or
            those of the days that are left, as the catalogue says.
        until: last day, the last of a month; none: until further notice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    bundle: Name
    size: Name
    first: date = Field(alias="from")
    until: date | None = None


class TopUpBookingSpec(BaseModel):
    """A top-up of a bundle that is booked: more minutes from a day on, to the end of its month.

    Attributes:
        bundle: that is booked on that day.
        top_up: of the bundle.
        first: its day (`from` in the document).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    bundle: Name
    top_up: Name
    first: date = Field(alias="from")


class BuyOutBookingSpec(BaseModel):
    """A buy-out of call costs, from a day on, to the last day of a month or for good.

    Attributes:
        buy_out: of the catalogue.
        first: first day (`from` in the document).
        until: last day, the last of a month; none: until further notice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    buy_out: Name
    first: date = Field(alias="from")
    until: date | None = None


class MoveSpec(BaseModel):
    """Another catalogue, from a day on.

    Attributes:
        catalogue: whose prices are paid from then on.
        first: first day (`from` in the document); calls of the days before keep the prices that they had.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    catalogue: Name
    first: date = Field(alias="from")


class SpendLimitSpec(BaseModel):
    """The most that calls may cost, by the prices of the catalogue; what is left out is not limited.

    Attributes:
        per_day: of a calendar day in the account's time zone.
        per_month: of a calendar month.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_day: Amount | None = None
    per_month: Amount | None = None

    def limits(self, who: str) -> tuple[Limit, ...]:
        """What stands here, as limits of somebody."""
        spans = ((Span.DAY, self.per_day), (Span.MONTH, self.per_month))
        return tuple(Limit(who, span, most) for span, most in spans if most is not None)


class SpendLimitsSpec(SpendLimitSpec):
    """The limits of an account as a whole, and those of its extensions beside them.

    Attributes:
        extensions: limits of their own.
    """

    extensions: dict[Payer, SpendLimitSpec] = Field(default_factory=dict)

    def by_who(self) -> dict[str, tuple[Limit, ...]]:
        """All of them, by who is limited."""
        own = {WHOLE: self.limits(WHOLE)} | {
            payer: one.limits(payer) for payer, one in self.extensions.items()
        }
        return {who: limits for who, limits in own.items() if limits}


class AccountSpec(BaseModel):
    """One account.

    Attributes:
        version: of this form of the document.
        account: its id, which tenants name; it never changes.
        name: what people read.
        catalogue: whose prices it pays; the first one, where it has moved.
        moves: to other catalogues since, in the order of their days.
        country: where the account's numbers are at home; short numbers and freephone are of this country.
        time_zone: months and tariffs begin at midnight here.
        payment: prepaid accounts call while their credit lasts, postpaid ones are invoiced.
        spend_limits: calls that would cost more are refused, and calls under way end; emergencies never.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    account: Name
    name: str
    catalogue: Name
    moves: tuple[MoveSpec, ...] = ()
    country: str = Field(pattern=r"^[A-Z]{2}$")
    time_zone: TimeZone
    payment: Literal["postpaid", "prepaid"] = "postpaid"
    bundles: tuple[BookingSpec, ...] = ()
    buy_outs: tuple[BuyOutBookingSpec, ...] = ()
    top_ups: tuple[TopUpBookingSpec, ...] = ()
    spend_limits: SpendLimitsSpec | None = None

    @property
    def stays(self) -> tuple[Stay, ...]:
        """By which catalogue it is charged, and from when on."""
        return stays(self.catalogue, self.moves)

    @property
    def catalogues(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(one.catalogue for one in self.stays))


def stays(catalogue: str, moves: Sequence[MoveSpec]) -> tuple[Stay, ...]:
    """Give the days that an account stays with each catalogue."""
    return (Stay(date.min, catalogue), *(Stay(one.first, one.catalogue) for one in moves))


def check(spec: AccountSpec, catalogues: Sequence[CatalogueSpec]) -> tuple[Finding, ...]:
    """Find what the shape of the document cannot show.

    Args:
        spec: the document.
        catalogues: every version of every catalogue there is.
    """
    versions: dict[str, list[CatalogueSpec]] = {}
    for catalogue in catalogues:
        versions.setdefault(catalogue.catalogue, []).append(catalogue)
    lost = tuple(_check_catalogues(spec, versions)) or tuple(_check_moves(spec, versions))
    if lost:
        return lost
    laid_out = turns(spec.stays, versions)
    return (
        *_check_dates(spec),
        *_check_overlaps(spec),
        *_check_products(spec, laid_out),
        *_check_top_ups(spec, laid_out),
        *_check_limits(spec),
    )


def _check_catalogues(spec: AccountSpec, known: Collection[str]) -> Iterator[Finding]:
    named: list[tuple[tuple[str | int, ...], str]] = [(("catalogue",), spec.catalogue)]
    named += [(("moves", number, "catalogue"), one.catalogue) for number, one in enumerate(spec.moves)]
    for path, name in named:
        if name not in known:
            listed = "use one of " + ", ".join(sorted(known)) if known else "write its catalogue first"
            yield Finding(
                path=path,
                code="unknown-catalogue",
                message=f"there is no catalogue {name}",
                remedy=closest(name, known, listed),
            )


def _check_moves(spec: AccountSpec, versions: Mapping[str, Sequence[CatalogueSpec]]) -> Iterator[Finding]:
    for number, (before, one) in enumerate(pairwise(spec.stays)):
        path = ("moves", number)
        if one.first <= before.first:
            yield Finding(
                path=(*path, "from"),
                code="moves-backwards",
                message=f"the move to {one.catalogue} on {one.first} stands behind the one of {before.first}",
                remedy="write moves in the order of their days, one for each day",
            )
        elif one.catalogue == before.catalogue:
            yield Finding(
                path=(*path, "catalogue"),
                code="moves-nowhere",
                message=f"the account is charged by {one.catalogue} before {one.first} already",
                remedy="leave the move out, or name another catalogue",
            )
        elif len({versions[name][0].currency for name in (before.catalogue, one.catalogue)}) > 1:
            yield Finding(
                path=(*path, "catalogue"),
                code="moves-currency",
                message=f"{one.catalogue} is in {versions[one.catalogue][0].currency}, "
                f"{before.catalogue} in {versions[before.catalogue][0].currency}",
                remedy="an account keeps its currency: what is paid in the other one needs another account",
            )
        elif in_force(turns([Stay(date.min, one.catalogue)], versions), one.first) is None:
            first = min(version.valid_from for version in versions[one.catalogue])
            yield Finding(
                path=(*path, "from"),
                code="moves-too-early",
                message=f"nothing of {one.catalogue} is in force on {one.first}",
                remedy=f"move on {first}, when its first version begins, or later",
            )


def _check_dates(spec: AccountSpec) -> Iterator[Finding]:
    booked: list[tuple[str, int, str, BookingSpec | BuyOutBookingSpec]] = [
        *(("bundles", number, one.bundle, one) for number, one in enumerate(spec.bundles)),
        *(("buy_outs", number, one.buy_out, one) for number, one in enumerate(spec.buy_outs)),
    ]
    for key, number, name, booking in booked:
        path = (key, number, "until")
        if booking.until is None:
            continue
        if booking.until < booking.first:
            yield Finding(
                path=path,
                code="ends-before-it-begins",
                message=f"{name} ends on {booking.until}, before it begins on {booking.first}",
                remedy="correct one of the days",
            )
        elif (next_month(booking.until) - booking.until).days != 1:
            yield Finding(
                path=path,
                code="not-a-month-end",
                message=f"{name} ends on {booking.until}, in the middle of a month",
                remedy="what is booked runs by calendar months: write the last day of one",
            )


def _check_overlaps(spec: AccountSpec) -> Iterator[Finding]:
    for number, booking in enumerate(spec.bundles):
        for earlier in spec.bundles[:number]:
            if earlier.bundle == booking.bundle and _overlap(earlier, booking):
                yield Finding(
                    path=("bundles", number),
                    code="booked-twice",
                    message=f"{booking.bundle} is booked twice at the same time",
                    remedy="end the earlier booking on the last day of the month before",
                )
                break
    for number, buy_out in enumerate(spec.buy_outs):
        stay = stay_on(spec.stays, buy_out.first)
        beside = (one for one in spec.buy_outs[:number] if stay_on(spec.stays, one.first) == stay)
        if any(_overlap(one, buy_out) for one in beside):
            yield Finding(
                path=("buy_outs", number),
                code="bought-out-twice",
                message="call costs are bought out twice at the same time",
                remedy="end the earlier one on the last day of the month before",
            )


def _overlap(one: BookingSpec | BuyOutBookingSpec, other: BookingSpec | BuyOutBookingSpec) -> bool:
    return (one.until is None or other.first <= one.until) and (
        other.until is None or one.first <= other.until
    )


def _check_products(spec: AccountSpec, laid_out: Sequence[Turn[CatalogueSpec]]) -> Iterator[Finding]:
    for number, booking in enumerate(spec.bundles):
        for version in _booked_under(booking, laid_out):
            yield from _check_product(number, booking, version)
    for number, buy_out in enumerate(spec.buy_outs):
        for version in _booked_under(buy_out, laid_out):
            if buy_out.buy_out not in version.buy_outs:
                listed = "it has " + (", ".join(version.buy_outs) or "none at all")
                yield Finding(
                    path=("buy_outs", number, "buy_out"),
                    code="unknown-buy-out",
                    message=f"{version.catalogue}@{version.valid_from} has no buy-out {buy_out.buy_out}",
                    remedy=closest(buy_out.buy_out, version.buy_outs, listed),
                )


def _check_top_ups(spec: AccountSpec, laid_out: Sequence[Turn[CatalogueSpec]]) -> Iterator[Finding]:
    for number, one in enumerate(spec.top_ups):
        path = ("top_ups", number)
        if one in spec.top_ups[:number]:
            yield Finding(
                path=path,
                code="topped-up-twice",
                message=f"{one.bundle} is topped up by {one.top_up} twice on {one.first}",
                remedy="write the second one with the next day",
            )
        if not any(
            booking.bundle == one.bundle and booking.first <= one.first <= (booking.until or date.max)
            for booking in spec.bundles
        ):
            yield Finding(
                path=(*path, "bundle"),
                code="not-booked",
                message=f"{one.bundle} is not booked on {one.first}",
                remedy="book it from that day on, or choose another bundle",
            )
        version = in_force(laid_out, one.first)
        bundle = version.bundles.get(one.bundle) if version is not None else None
        catalogue = stay_on(spec.stays, one.first).catalogue
        if bundle is None or one.top_up not in bundle.top_ups:
            known = tuple(bundle.top_ups) if bundle else ()
            yield Finding(
                path=(*path, "top_up"),
                code="unknown-top-up",
                message=f"{catalogue} has no {one.top_up} for {one.bundle} on {one.first}",
                remedy=closest(one.top_up, known, "it has " + (", ".join(known) or "none at all")),
            )


def _check_limits(spec: AccountSpec) -> Iterator[Finding]:
    if spec.spend_limits is None:
        return
    whole = spec.spend_limits
    if not whole.by_who():
        yield Finding(
            path=("spend_limits",),
            code="nothing-limited",
            message="spend_limits limit nothing",
            remedy='write per_day or per_month, like per_day: "20.00", or leave them out',
        )
    yield from _check_limit(("spend_limits",), whole, {})
    above = {limit.span: limit.most_micro for limit in whole.limits(WHOLE)}
    for payer, one in whole.extensions.items():
        path = ("spend_limits", "extensions", payer)
        if not one.limits(payer):
            yield Finding(
                path=path,
                code="nothing-limited",
                message=f"nothing is limited for {payer}",
                remedy="write per_day or per_month, or leave it out",
            )
        yield from _check_limit(path, one, above)


def _check_limit(path: tuple[str, ...], one: SpendLimitSpec, above: Mapping[Span, int]) -> Iterator[Finding]:
    """Find limits that are never reached, because another one always is before."""
    own = {limit.span: limit.most_micro for limit in one.limits(path[-1])}
    if Span.MONTH in own and own.get(Span.DAY, 0) > own[Span.MONTH]:
        yield _never_reached((*path, "per_day"), own[Span.DAY], f"{money.text(own[Span.MONTH])} of its month")
    for span, most_micro in own.items():
        if most_micro > above.get(span, most_micro):
            first = f"{money.text(above[span])} of the whole account"
            yield _never_reached((*path, f"per_{span}"), most_micro, first)


def _never_reached(path: tuple[str, ...], most_micro: int, first: str) -> Finding:
    return Finding(
        path=path,
        code="limit-never-reached",
        message=f"{money.text(most_micro)} is never reached: the {first} are before",
        remedy="write a smaller amount, or leave it out",
    )


def _booked_under(
    booking: BookingSpec | BuyOutBookingSpec, laid_out: Sequence[Turn[CatalogueSpec]]
) -> Iterator[CatalogueSpec]:
    """Yield the versions that are in force while something is booked.

    What is booked runs to the end of its month: in the month of a move the new catalogue need not have it.
    """
    for turn, following in zip(laid_out, [*laid_out[1:], None], strict=True):
        kept_until = _month_not_begun(turn.stay.first) if booking.first < turn.stay.first else date.min
        first = max(turn.first, kept_until)
        ended = booking.until is not None and booking.until < first
        replaced = following is not None and following.first <= max(booking.first, first)
        if turn.version is not None and not ended and not replaced:
            yield turn.version


def _month_not_begun(day: date) -> date:
    """Give the first of the month that begins on a day or after it."""
    return day if day == month_start(day) else next_month(day)


def _check_product(number: int, booking: BookingSpec, version: CatalogueSpec) -> Iterator[Finding]:
    edition = f"{version.catalogue}@{version.valid_from}"
    bundle = version.bundles.get(booking.bundle)
    if bundle is None:
        known = ", ".join(version.bundles) or "no bundles at all"
        yield Finding(
            path=("bundles", number, "bundle"),
            code="unknown-bundle",
            message=f"{edition} has no bundle {booking.bundle}",
            remedy=closest(booking.bundle, version.bundles, f"it has {known}"),
        )
    elif booking.size not in bundle.sizes:
        yield Finding(
            path=("bundles", number, "size"),
            code="unknown-size",
            message=f"{edition} has no {booking.bundle} in size {booking.size}",
            remedy=closest(booking.size, bundle.sizes, "it has " + ", ".join(bundle.sizes)),
        )
