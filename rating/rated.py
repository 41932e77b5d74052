"""The result of rating: rated legs that explain themselves, and what could not be rated.

Owns the vocabulary of the output. All amounts are whole micro-units (10^-6) of the account's currency, all
durations whole seconds unless the name says otherwise.
"""

from dataclasses import dataclass
from enum import StrEnum

from dialplan.quick import quick


class Source(StrEnum):
    """Who pays for the seconds of a piece."""

    ALLOWANCE = "allowance"
    OVERFLOW = "overflow"
    MINIMUM = "minimum"  # no seconds: what is missing to the least a call costs


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a leg with one price: cut where an allowance ends, a period ends or a price changes.

    Attributes:
        start_us: instant at which the piece begins, microseconds since the epoch.
        seconds: billable seconds of the piece, rounding seconds included in the last one.
        source: allowance or overflow; minimum: the last piece, what lifts the leg to the least a call costs.
        pool: identity of the allowance, `<bundle>/<fixed|mobile>/<period start>`; empty for overflow. Of a
            top-up `<bundle>+<top-up>/<fixed|mobile>/<day>`.
        before_s: seconds left in the pool before the piece; 0 for overflow.
        after_s: seconds left after it.
        price_per_minute_micro: price of overflow; 0 for allowance.
        amount_micro: what the piece costs.
        rule: where the price stands, `autphone@2026-01-01 overflow DE/mobile`.
    """

    start_us: int
    seconds: int
    source: Source
    pool: str
    before_s: int
    after_s: int
    price_per_minute_micro: int
    amount_micro: int
    rule: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class RatedLeg:
    """One leg with its price. `sum(p.amount_micro for p in pieces) + connection_micro == amount_micro`.

    Attributes:
        key: key of the leg.
        account: who is charged.
        tariff: catalogue and version, `autphone@2026-01-01`.
        country: ISO 3166 code of the destination, or a code of `config/destinations`.
        kind: fixed, mobile, premium, ...
        zone: zone of the tariff that priced it.
        duration_us: exact duration.
        billable_s: after increments.
        limit_s: longest duration that was authorised, 0 for none: re-rating needs it.
        connection_micro: connection fee, charged once.
        amount_micro: total.
        currency: ISO 4217.
        tax_class: of the row in force at the answer; empty where the catalogue names none.
        prices: `net` or `gross`: whether its amounts contain VAT; empty where nothing has a price.
        pieces: in order of time; their seconds add up to `billable_s`.
    """

    key: str
    linkedid: str
    account: str
    payer: str
    why: str
    number: str
    tariff: str
    country: str
    kind: str
    zone: str
    answered_us: int
    ended_us: int
    duration_us: int
    billable_s: int
    connection_micro: int
    amount_micro: int
    currency: str
    limit_s: int = 0
    tax_class: str = ""
    prices: str = ""
    pieces: tuple[Piece, ...]


class Quarantine(StrEnum):
    """Why a leg was not rated. It waits until somebody releases it."""

    NO_PAYER = "no-payer"  # a trunk leg without an owner: it went past the decision
    UNKNOWN_ACCOUNT = "unknown-account"
    UNKNOWN_DESTINATION = "unknown-destination"
    NO_PRICE = "no-price"
    INDETERMINATE = "indeterminate"
    IMPOSSIBLE = "impossible"  # ends before it begins, or longer than anything allowed


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A leg that was not rated, and why, in a code and in words."""

    key: str
    reason: Quarantine
    detail: str
