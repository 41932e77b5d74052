"""All plans in force, and which tenant has which number.

Owns the swap of one tenant's plan, whole or not at all, and a plan's form on disk. Refuses two tenants with
one number.

A plan on disk is the document it was made from with its revision, and is built again when it is read. It is
not checked again: what was published once stays in force, even if a later version of the checks is stricter.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from dialplan import numbers
from dialplan.build import build_plan
from dialplan.carriers import NO_CARRIERS, Carriers
from dialplan.finding import DialplanError
from dialplan.notation import E164, Notation, read
from dialplan.plan import Plan
from dialplan.shelves import Shelves
from dialplan.spec import TenantSpec

FORMAT = 1
TRUNK = "trunk-"  # endpoints of carriers: what they present is never one of our extensions


class NumberTaken(DialplanError):  # noqa: N818 — what happened, not that it is an error
    """Two tenants would have one number; a door that used `check_together` never sees this."""

    code = "number-taken"

    def __init__(self, number: str, tenant: str, holder: str) -> None:
        super().__init__(f"{number} of tenant {tenant} belongs to tenant {holder}")
        self.number, self.tenant, self.holder = number, tenant, holder


class UnreadablePlan(DialplanError):  # noqa: N818 — what happened, not that it is an error
    """A plan on disk is none that this version can read."""

    code = "unreadable-plan"


@dataclass(frozen=True, slots=True)
class Published:
    """The plans in force. A change gives another `Published`; whoever holds this one goes on with it.

    Attributes:
        plans: by tenant.
        numbers: tenant by number, E.164; the numbers that are stood for too.
        prepaid: tenants whose account calls on credit.
        carriers: what is known of the machine's trunks.
        limited: tenants whose account is invoiced and has spend limits.
    """

    plans: Shelves[Plan] = field(default_factory=Shelves)
    numbers: Shelves[str] = field(default_factory=Shelves)
    prepaid: frozenset[str] = frozenset()
    carriers: Carriers = NO_CARRIERS
    limited: frozenset[str] = frozenset()

    def with_plan(self, plan: Plan) -> "Published":
        """Put one tenant's plan in force in the place of its former one."""
        return self.with_plans((plan,))

    def with_plans(self, plans: Iterable[Plan]) -> "Published":
        """Put several plans in force at once, as when a number moves from one tenant to another.

        Raises:
            NumberTaken: a number belongs to a tenant whose plan keeps it.
        """
        new = {plan.tenant: plan for plan in plans}
        numbers = self.numbers.without(number for tenant in new for number in self._numbers_of(tenant))
        claimed: dict[str, str] = {}
        for plan in new.values():
            for number in plan.numbers:
                holder = numbers.get(number) or claimed.setdefault(number, plan.tenant)
                if holder != plan.tenant:
                    raise NumberTaken(number, plan.tenant, holder)
        return replace(self, plans=self.plans.updated(new), numbers=numbers.updated(claimed))

    def without(self, tenant: str) -> "Published":
        """Take a tenant's plan out of force."""
        numbers = self.numbers.without(self._numbers_of(tenant))
        return replace(self, plans=self.plans.without((tenant,)), numbers=numbers)

    def plan_of_endpoint(self, endpoint: str) -> Plan | None:
        """Give the plan of a tenant's device; None for a trunk, an unknown tenant or an unknown device."""
        plan = self.plans.get(endpoint.partition("-")[0])
        return plan if plan and endpoint in plan.endpoints else None

    def plan_of_number(self, number: str) -> Plan | None:
        """Give the plan that a number in E.164 form leads into."""
        return self.plans.get(self.numbers.get(number) or "")

    def notation_at(self, endpoint: str) -> Notation:
        """Give how the carrier behind an endpoint writes numbers; nobody else's endpoint has a notation."""
        notations = self.carriers.notations
        return notations.get(endpoint.removeprefix(TRUNK), E164) if notations else E164

    def number_brought(self, dialled: str, notation: Notation = E164) -> str:
        """Read a number as its carrier writes it, or as most do, `+49…`, `0049…`, `49…`; empty: nobody's."""
        if dialled in self.numbers:
            return dialled
        forms = (read(dialled, notation), f"+{dialled}", f"+{dialled.removeprefix('00')}")
        return next((form for form in forms if form in self.numbers), "")

    def number_written(self, text: str, country: str, notation: Notation = E164) -> str | None:
        """Read a number of a header: one of ours in any form, others as the carrier or a country writes."""
        return self.number_brought(text, notation) or read(text, notation) or numbers.normalise(text, country)

    def _numbers_of(self, tenant: str) -> Iterable[str]:
        plan = self.plans.get(tenant)
        return plan.numbers if plan else ()


def plan_to_json(plan: Plan) -> str:
    """Write a plan for the disk."""
    head = json.dumps({"format": FORMAT, "revision": plan.revision, "trunks": plan.trunks})
    return f'{head[:-1]}, "document": {plan.document}}}\n'


def plan_from_json(text: str) -> Plan:
    """Read a plan from the disk and build it again.

    Raises:
        UnreadablePlan: it is cut off, of another format, or its document is none of this version.
    """
    try:
        wrapper = json.loads(text)
        if not isinstance(wrapper, Mapping) or wrapper.get("format") != FORMAT:
            raise UnreadablePlan(f"not a plan of format {FORMAT}")
        spec = TenantSpec.model_validate_json(json.dumps(wrapper["document"]))
        trunks = tuple(str(trunk) for trunk in wrapper["trunks"])
        return build_plan(spec, revision=int(wrapper["revision"]), trunks=trunks)
    except (ValueError, ArithmeticError, KeyError, TypeError) as unreadable:
        raise UnreadablePlan(f"not a plan: {unreadable}") from unreadable
