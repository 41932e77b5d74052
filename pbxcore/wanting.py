"""What somebody wants of a contract, as an event writes it: its quote, and the deed that orders it.

Owns the way from what was said to what is done: an order of a contract that runs, the signing of one that
does not. Refuses to store either (`pbxcore.contracts` writes files, `pbxcore.ordering` the database).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from pydantic import ValidationError

from rating.contract import facts
from rating.contract.document import ContractSpec, OrderSpec, SignSpec, change_of, minute_of
from rating.contract.edition import Shelf
from rating.contract.opening import Opening, quote_opening
from rating.contract.quote import Quote
from rating.contract.quote import quote as make
from rating.contract.state import State, active
from rating.contract.story import tell

Wanted: TypeAlias = Mapping[str, Any]
LAST_MINUTE = 24 * 60 - 1
NEW_ONLY = frozenset({"begins", "old_contract_ends"})
RUNNING_ONLY = frozenset({"remove", "version"})


@dataclass
class WantedError(Exception):
    """What is wanted cannot be said of this contract.

    Attributes:
        misused: it was said wrongly; False: the contract says no.
    """

    message: str
    remedy: str
    misused: bool = True


def quoted(spec: ContractSpec, offers: Shelf, wanted: Wanted, day: date) -> Quote:
    """Make the quote of a change, or of signing where no contract runs.

    Raises:
        WantedError: it cannot be said of this contract.
    """
    state = tell(spec, offers, day).states[-1]
    deed, _ = deed_of(state, spec, offers, wanted, "")
    if isinstance(deed, facts.Order):
        assert deed.change is not None, "what is wanted names its change"
        return make(state, deed.change, offers, day)
    opening = Opening(change=deed.change, begins=deed.begins, old_contract_ends=deed.old_contract_ends)
    return quote_opening(state, opening, day)


def deed_of(
    state: State, spec: ContractSpec, offers: Shelf, wanted: Wanted, quote: str
) -> tuple[facts.Order | facts.Sign, str]:
    """Give what is done, and the key of an event that says it: an order, or the signing that comes first.

    Raises:
        WantedError: it cannot be said of this contract.
    """
    editions, runs = offers[spec.catalogue], active(state)
    odd = wanted.keys() & (NEW_ONLY if runs else RUNNING_ONLY)
    if odd:
        what = "the contract runs: " if runs else "no contract runs: "
        raise WantedError(f"{what}{', '.join(sorted(odd))} cannot be said", "leave it out")
    try:
        if runs:
            change = change_of(OrderSpec.model_validate(wanted), editions)
            return facts.Order(change=change, quote=quote), "order"
        said = SignSpec.model_validate(wanted)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise WantedError(f"{place}: {first['msg']}", "use the catalogue's names") from None
    signing = facts.Sign(
        change=change_of(said, editions),
        begins=said.begins,
        signed_form=said.signed_form is not None,
        old_contract_ends=said.old_contract_ends,
        quote=quote,
    )
    return signing, "sign"


def behind(spec: ContractSpec, day: date) -> int:
    """Give the minute behind everything that the document says: what was agreed saw all of it.

    Raises:
        WantedError: something happened later.
    """
    later = [event.on for event in spec.events if event.on > day]
    if later:
        raise WantedError(
            f"the contract says what happened on {max(later)}, after {day}",
            "order on that day or later",
            misused=False,
        )
    minutes = [minute_of(event) for event in spec.events if event.on == day]
    return min(max(minutes, default=-1) + 1, LAST_MINUTE)
