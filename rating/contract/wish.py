"""What somebody wants of a contract, and why they do not get it.

Owns these shapes. Refuses to judge any of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rating.contract.edition import Edition


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What somebody wants.

    Attributes:
        add: units of products; of each option apart, if somebody wrote that.
        remove: units of products.
        choose: choice → option; several where somebody wants to mix them.
        newest: by the version of the catalogue in force today; another option of a choice always is.
        creates: what the tenant wants to have more of, which made this change necessary.
    """

    add: Mapping[str, int] = field(default_factory=dict)
    remove: Mapping[str, int] = field(default_factory=dict)
    choose: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    newest: bool = False
    creates: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not done, and what would help."""

    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a new contract begins with.

    Attributes:
        edition: version that is signed.
        products: units by name.
        choices: option of every choice.
        once: one-off services, and what costs something when it is ordered.
    """

    edition: Edition
    products: Mapping[str, int]
    choices: Mapping[str, str]
    once: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Agreed:
    """A quote that can be ordered: its id, and the change that it is about."""

    id: str
    change: Change
