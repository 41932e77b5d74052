"""What is wanted of a contract, as `pbxcore quote` and `pbxcore order` take it from the command line.

Owns these options, how a command takes all of them as one, and the way from them to what an event writes.
Refuses to judge any of it (`pbxcore.wanting`).
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml
from pydantic import ValidationError

from pbxcore.cli.app import Exit, fail
from pbxcore.cli.contract import day_of
from rating.party import CustomerSpec

Add = Annotated[list[str] | None, typer.Option(help="Units of a product: extension=2; may be repeated.")]
Remove = Annotated[list[str] | None, typer.Option(help="Units of a product that are given up.")]
Choose = Annotated[list[str] | None, typer.Option(help="Option of a choice: package=plus.")]

Newest = Annotated[bool, typer.Option("--newest", help="By the catalogue's version in force on that day.")]
Begins = Annotated[str | None, typer.Option(help="First day of a new contract. Default: that of the order.")]
OldEnds = Annotated[
    str | None, typer.Option("--old-contract-ends", help="Last day at the provider that numbers come from.")
]
CancelIt = Annotated[bool, typer.Option("--cancel", help="Give notice of the contract.")]
WithdrawIt = Annotated[bool, typer.Option("--withdraw", help="Withdraw from it, as a consumer may at first.")]
Holder = Annotated[
    Literal["private", "company"] | None, typer.Option("--holder", help="It changes hands: to whom.")
]
Ticket = Annotated[str | None, typer.Option("--ticket", help="Number of the ticket for another holder.")]
OpenedBy = Annotated[str | None, typer.Option("--opened-by", help="Who opened that ticket.")]
CustomerFile = Annotated[
    Path | None,
    typer.Option("--customer", help="YAML file with what a contract writes below `customer:`: the new one."),
]
MoveTo = Annotated[
    str | None,
    typer.Option(
        "--move-to", help="To this catalogue, when the contract can end; --add, --choose: with what."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was said on the command line."""

    add: Add = None
    remove: Remove = None
    choose: Choose = None
    newest: Newest = False
    begins: Begins = None
    old_ends: OldEnds = None
    cancel: CancelIt = False
    withdraw: WithdrawIt = False
    holder: Holder = None
    ticket: Ticket = None
    opened_by: OpenedBy = None
    customer: CustomerFile = None
    move_to: MoveTo = None


Said = dict[str, Any]
"""What is wanted as an event writes it; empty where nothing is."""


def says_what_is_wanted(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all options of `Options`; it takes what they come to as `said`.

    Typer reads options from a signature: the command's own, with those in the place of `said`.
    """
    own, options = (inspect.signature(one).parameters for one in (command, Options))
    there = [one for name, one in own.items() if name != "said"]

    @functools.wraps(command)
    def run(**given: Any) -> None:  # noqa: ANN401 — whatever an option holds
        options_given = {name: given.pop(name) for name in options}
        command(**given, said=wanted(Options(**options_given)))

    signature = inspect.Signature([there[0], *options.values(), *there[1:]])
    run.__signature__ = signature  # type: ignore[attr-defined]  # what inspect looks for
    run.__annotations__ = {name: one.annotation for name, one in signature.parameters.items()}
    return run


def wanted(said: Options) -> Said:
    """Give what is wanted as an event writes it; nothing where nothing is."""
    partings = {
        "cancel": {} if said.cancel else None,
        "withdraw": {} if said.withdraw else None,
        "holder": _holder(said),
        "move": _move(said),
    }
    found: dict[str, Any] = {key: one for key, one in partings.items() if one is not None}
    return found if said.move_to is not None and len(found) == 1 else {**found, **_change(said)}


def _change(said: Options) -> dict[str, Any]:
    change: dict[str, Any] = {
        "add": {name: _units(units) for name, units in map(_pair, said.add or ())},
        "remove": {name: _units(units) for name, units in map(_pair, said.remove or ())},
        "choose": dict(map(_pair, said.choose or ())),
        "begins": day_of(said.begins) if said.begins is not None else None,
        "old_contract_ends": day_of(said.old_ends) if said.old_ends is not None else None,
        "version": "newest" if said.newest else None,
    }
    return {key: value for key, value in change.items() if value}


def _holder(said: Options) -> dict[str, Any] | None:
    values = {"ticket": said.ticket, "opened_by": said.opened_by}
    named = {key: value for key, value in values.items() if value}
    if said.holder is None:
        if named or said.customer is not None:
            remedy = "--holder private or --holder company"
            raise fail("nothing says what the new holder is", remedy, Exit.USAGE)
        return None
    customer = {"customer": _customer(said.customer)} if said.customer is not None else {}
    return {"kind": said.holder, **named, **customer}


def _customer(file: Path) -> dict[str, Any]:
    """Read who the new holder is."""
    remedy = "write it as below `customer:` of a contract: name, address, email …"
    try:
        read = CustomerSpec.model_validate(yaml.safe_load(file.read_text("utf-8")))
    except OSError as error:
        raise fail(f"{file} cannot be read: {error.strerror}", "name another file", Exit.USAGE) from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise fail(f"{file} is no YAML", remedy, Exit.USAGE) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise fail(f"{file}: {place}: {first['msg']}", remedy, Exit.USAGE) from None
    return read.model_dump(mode="json", exclude_defaults=True)


def _move(said: Options) -> dict[str, Any] | None:
    if said.move_to is None:
        return None
    begun = _change(said)
    odd = begun.keys() - {"add", "choose"}
    if odd:
        words = f"{', '.join(sorted(odd))} cannot be said of a move"
        raise fail(words, "say --add and --choose: what it begins with there", Exit.USAGE)
    return {"catalogue": said.move_to, **begun}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise fail(f"{text!r} says not how many or which", "write extension=2 or package=plus", Exit.USAGE)
    return name, value


def _units(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise fail(f"{text!r} is no number of units", "write a whole number from 1 on", Exit.USAGE)
    return int(text)
