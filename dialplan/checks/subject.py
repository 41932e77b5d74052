"""A document under examination, and what the checks ask it again and again.

Owns each answer once per document, however many checks want it. Refuses to judge.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from dialplan.block import Written, numbers_of
from dialplan.build import shared_rights
from dialplan.finding import Path
from dialplan.references import Place, Reference, references
from dialplan.rights import Rights
from dialplan.spec import TenantSpec
from dialplan.target import Kind, Target, parse

SECTIONS: Mapping[Kind, str] = {
    Kind.EXTENSION: "extensions",
    Kind.GROUP: "groups",
    Kind.HOURS: "hours",
    Kind.ANNOUNCEMENT: "announcements",
}


@dataclass(frozen=True)
class Subject:
    """A document under examination, and what the checks ask it again and again.

    Attributes:
        spec: the document.
        trunks: trunks of the machine.
        left_out: entries that had to be left out because their form is wrong, `("groups", "sales")`. They
            are not missing, and what only they lead to is not unreachable.
        sounds: the tenant's sounds on this machine and what is wrong with each, nothing for one that can be
            played; None where nobody has looked.
        voices: languages in which this machine can speak a text; None where nobody has looked.
        at: the instant from which on the document shall be in force; None: what depends on it is not asked.
        unstarted: trunks that stand in the settings and that the running machine does not know yet.
    """

    spec: TenantSpec
    trunks: tuple[str, ...]
    left_out: frozenset[Path] = field(default_factory=frozenset)
    sounds: Mapping[str, str] | None = None
    voices: Collection[str] | None = None
    at: datetime | None = None
    unstarted: Collection[str] = ()

    @property
    def knows_country(self) -> bool:
        """Whether the country is the document's, or only stands for one whose form is wrong."""
        return ("country",) not in self.left_out

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """Every rule that sends a call somewhere."""
        return tuple(references(self.spec))

    @cached_property
    def group_extensions(self) -> Mapping[str, str]:
        """Name of the group by its internal number."""
        return {group.extension: name for name, group in self.spec.groups.items() if group.extension}

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """The number of ours behind each number that calls may be made to."""
        own = {one.number.stands_for: number for number, one in self.numbers.items() if one.number.stands_for}
        return {**own, **{number: number for number in self.numbers}}

    @cached_property
    def numbers(self) -> Mapping[str, Written]:
        """Every number of the tenant, blocks written out."""
        return numbers_of(self.spec)

    def stands_for_itself(self, one: Written) -> bool:
        """Tell whether a number stands for one of its own entry."""
        meant = self.numbers.get(one.number.stands_for or "")
        return meant is not None and meant.key == one.key

    @cached_property
    def shared_rights(self) -> Mapping[str, Rights]:
        """The rights under `rights`."""
        return shared_rights(self.spec)

    @cached_property
    def mailboxes(self) -> frozenset[str]:
        """Every box of the tenant."""
        groups = (group.extension for group in self.spec.groups.values() if group.voicemail)
        personal = (number for number, one in self.spec.extensions.items() if one.voicemail)
        return frozenset([*personal, *(box for box in groups if box)])

    @cached_property
    def ways(self) -> Mapping[Place, tuple[Reference, ...]]:
        """The rules of each place that send a call on."""
        found: dict[Place, list[Reference]] = {}
        for reference in self.references:
            found.setdefault(reference.source, []).append(reference)
        return {place: tuple(rules) for place, rules in found.items()}

    def place(self, target: Target) -> Place | None:
        """Give the place within the document that a target leads to; None where the call ends or leaves."""
        if target.kind == Kind.NUMBER:
            number = self.aliases.get(target.name)
            return self._behind(self.numbers[number]) if number else None
        if target.kind == Kind.EXTENSION and target.name in self.group_extensions:
            return Place(Kind.GROUP, self.group_extensions[target.name])
        ends = target.kind in {Kind.BUSY, Kind.REJECT, Kind.VOICEMAIL}
        return None if ends else Place(target.kind, target.name)

    @cached_property
    def places_after(self) -> Mapping[Place, tuple[Place, ...]]:
        """The places that each place sends calls to."""
        after = {place: (self.place(rule.target) for rule in rules) for place, rules in self.ways.items()}
        return {place: tuple(one for one in onward if one) for place, onward in after.items()}

    def _behind(self, written: Written) -> Place | None:
        """Give the place of a number: its entry, or the extension that it rings in a block."""
        block = self.spec.numbers[written.key]
        target = parse(written.number.to)
        if block.ddi and target and written.number.to != block.to:
            return self.place(target)
        return Place(Kind.NUMBER, written.key)

    def onward(self, place: Place) -> tuple[Place, ...]:
        """Give the places that a place sends calls to."""
        return self.places_after.get(place, ())

    def names(self, kind: Kind) -> frozenset[str]:
        """Give all names of a kind, those left out included."""
        return self.named(SECTIONS[kind])

    def named(self, section: str) -> frozenset[str]:
        """Give all names of a section, those left out included."""
        present = frozenset(getattr(self.spec, section))
        return present | {str(path[1]) for path in self.left_out if len(path) > 1 and path[0] == section}
