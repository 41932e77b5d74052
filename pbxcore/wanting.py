"""What somebody wants of a contract, as an event writes it: its quote, and the deed that orders it.

Owns the way from what was said to what is done: an order of a contract that runs, the signing of one that
does not, or what ends it or gives it to somebody else. Refuses to store any of them (`pbxcore.contracts`
writes files, `pbxcore.ordering` the database).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from rating.contract import document, facts
from rating.contract.document import (
    ContractSpec,
    HolderSpec,
    MoveSpec,
    OrderSpec,
    PartingSpec,
    SignSpec,
    change_of,
    minute_of,
)
from rating.contract.edition import Shelf
from rating.contract.facts import LAST_MINUTE, Fact
from rating.contract.opening import Opening, offered, quote_opening
from rating.contract.parting import quote_parting
from rating.contract.quote import Quote
from rating.contract.quote import quote as make
from rating.contract.state import State, active
from rating.contract.story import tell

Wanted: TypeAlias = Mapping[str, Any]
"""An order or signing as an event writes it, or one of `PARTINGS` with what an event writes under it."""
CHANGES = frozenset({"add", "remove", "choose", "version"})
NEW_ONLY = frozenset({"begins", "old_contract_ends"})
RUNNING_ONLY = frozenset({"remove", "version"})
PARTINGS: Mapping[str, type[PartingSpec]] = {
    "cancel": PartingSpec,
    "withdraw": PartingSpec,
    "holder": HolderSpec,
    "move": MoveSpec,
}
Said = TypeVar("Said", bound=BaseModel)


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
    """Make the quote of what is wanted: a change, signing where no contract runs, or a parting.

    Raises:
        WantedError: it cannot be said of this contract.
    """
    behind(spec, day)  # what cannot be ordered on that day is not quoted for it
    state = tell(spec, offers, day).states[-1]
    deed, _ = deed_of(state, spec, offers, wanted, "")
    if isinstance(deed, facts.Parting):
        return quote_parting(state, Fact(on=day, deed=deed), offers)
    if isinstance(deed, facts.Order):
        assert deed.change is not None, "what is wanted names its change"
        return make(state, deed.change, offers, day)
    opening = Opening(change=deed.change, begins=deed.begins, old_contract_ends=deed.old_contract_ends)
    return quote_opening(offered(state, offers, day), opening, day)


def deed_of(
    state: State, spec: ContractSpec, offers: Shelf, wanted: Wanted, quote: str
) -> tuple[facts.Order | facts.Sign | facts.Parting, str]:
    """Give what is done, and the key of an event that says it.

    Raises:
        WantedError: it cannot be said of this contract.
    """
    editions, runs = offers[spec.catalogue], active(state)
    key = parting_of(wanted)
    if key is not None:
        said = _said(PARTINGS[key], wanted[key])
        deed = document.deed_of(key, said, offers, editions)
        assert isinstance(deed, facts.Parting), "its key says so"
        return replace(deed, quote=quote), key
    odd = wanted.keys() & (NEW_ONLY if runs else RUNNING_ONLY)
    if odd:
        what = "the contract runs: " if runs else "no contract runs: "
        raise WantedError(f"{what}{', '.join(sorted(odd))} cannot be said", "leave it out")
    if not wanted.keys() & CHANGES:
        remedy = "name what shall be different: add, remove, choose, cancel, withdraw, holder or move"
        raise WantedError("nothing is wanted", remedy)
    if runs:
        change = change_of(_said(OrderSpec, wanted), editions)
        return facts.Order(change=change, quote=quote), "order"
    signing = _said(SignSpec, wanted)
    return facts.Sign(
        change=change_of(signing, editions),
        begins=signing.begins,
        signed_form=signing.signed_form is not None,
        old_contract_ends=signing.old_contract_ends,
        quote=quote,
    ), "sign"


def parting_of(wanted: Wanted) -> str | None:
    """Give the key of what ends a contract or gives it to somebody else, if that is wanted.

    Raises:
        WantedError: something else is wanted, too.
    """
    found = [key for key in PARTINGS if key in wanted]
    if found and len(wanted) > 1:
        more = ", ".join(sorted(key for key in wanted if key != found[0]))
        raise WantedError(f"{found[0]} goes alone, without {more}", "ask for one after the other")
    return found[0] if found else None


def with_form(wanted: Wanted, form: str | None) -> Wanted:
    """Name the file with the signed copy where an event does.

    Raises:
        WantedError: nothing is signed for it.
    """
    if form is None:
        return wanted
    key = parting_of(wanted)
    if key is None:
        return {**wanted, "signed_form": form}
    if "signed_form" not in PARTINGS[key].model_fields:
        raise WantedError(f"no order form is signed for {key}", "leave the signed copy out")
    return {key: {**wanted[key], "signed_form": form}}


def event_of(key: str, wanted: Wanted, agreed: str) -> dict[str, Any]:
    """Give an event's deed, with the quote that was agreed."""
    return {key: {**(wanted[key] if key in PARTINGS else wanted), "agreed": agreed}}


def _said(model: type[Said], wanted: Wanted) -> Said:
    try:
        return model.model_validate(wanted)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise WantedError(f"{place}: {first['msg']}", "use the catalogue's names") from None


def behind(spec: ContractSpec, day: date) -> int:
    """Give the minute behind everything that the document says: what was agreed saw all of it.

    What tenants have had since, and what calls took from a credit, keeps no order away: it is looked at again
    on the day of the change, and in the database when it is ordered, if that day is past.

    Raises:
        WantedError: something else happened later.
    """
    later = [event.on for event in spec.events if event.on > day and not event.told]
    if later:
        raise WantedError(
            f"the contract says what happened on {max(later)}, after {day}",
            "order on that day or later",
            misused=False,
        )
    minutes = [minute_of(event) for event in spec.events if event.on == day]
    return min(max(minutes, default=-1) + 1, LAST_MINUTE)
