"""What a change of a plan changes for callers: the same calls, decided before and after it, and holds.

Owns the choice of calls. Refuses to compare documents: a line that changes no call is no difference here,
and a call that changes is one, wherever the line stands that changed it.

A plan's decisions depend on who calls, what is dialled and the hours. So each number of the tenant is called
from outside, by a stranger and by callers of the kinds that rules name (`MAX_KINDS`), each extension and
group from two phones inside (none is its own), and from each phone a stranger abroad, one at home and one for
each pattern of its rights: a number of calls that grows with the tenant, not with its square. Each call is
made once for every state that the hours of both plans (of time rules and of rights) take together within a
week, or on a day of the coming year that is unlike its week (an exception, a public holiday), now and after
each later change of what the tenant is entitled to; and once more while each time rule that has a special way
is switched to it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import chain, product

from dialplan import callers, numbers
from dialplan.decide import decide
from dialplan.decision import Decision
from dialplan.entitlement import Feature, withheld
from dialplan.facts import Facts, Origin, State
from dialplan.hours import Week, is_open
from dialplan.plan import Extension, Music, Number, Owner, Plan
from dialplan.published import Published
from dialplan.rights import Rights, layers
from dialplan.switch import NO_SWITCHES, SPECIAL, Switch, Switches, SwitchKind
from dialplan.target import Kind

MAX_KINDS = 20  # of callers that are tried at one number
DAYS = 8  # the coming week, and the day on which it began
YEAR_DAYS = 366
STRANGER = "+12025550123"  # reserved for examples: nobody's number


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One call that goes another way.

    Attributes:
        caller: endpoint that asks, `trunk-<name>` for a caller from outside.
        dialled: number, extension or group that is called.
        shows: number that a caller from outside shows; empty: none, or a phone inside.
        at: the first instant of those looked at from which it goes another way, in the tenant's time zone.
        switched: the time rule that has to be switched to its special way for that; empty: none.
        before: the decision by the plan in force; None when the tenant had none.
        after: the decision by the new plan; None when the tenant will have none.
    """

    caller: str
    dialled: str
    shows: str
    at: datetime
    before: Decision | None
    after: Decision | None
    switched: str = ""


@dataclass(frozen=True, slots=True)
class Switched:
    """A time rule, and the switches by which it goes its special way."""

    rule: str
    switches: Switches


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An extension whose callers hear something else while it keeps them on hold.

    Attributes:
        extension: its number.
        before: what they hear now; None: the machine's music.
        after: what they will hear.
    """

    extension: str
    before: Music | None
    after: Music | None


def held(before: Plan | None, after: Plan) -> tuple[Held, ...]:
    """Find the extensions that put callers on hold to other music, in the order of the document."""
    old, new = _music(before) if before else {}, _music(after)
    return tuple(
        Held(extension=extension, before=old.get(extension), after=music)
        for extension, music in new.items()
        if music != old.get(extension)
    )


def _music(plan: Plan) -> Mapping[str, Music | None]:
    return {phone.extension: plan.music.get(phone.music) for phone in plan.phones}


def difference(
    published: Published, before: Plan | None, after: Plan | None, now: datetime
) -> tuple[Changed, ...]:
    """Find the calls that a change makes go another way within the week from now, or on a special day.

    Each later change of entitlements begins a week of its own.

    Args:
        published: the plans in force, of other tenants too: calls between tenants are calls.
        before: the tenant's plan in force, None for a new tenant.
        after: its plan after the change, None for a tenant that goes.
        now: an instant with a time zone.

    Returns:
        Changed calls, each way of changing once, in the order of what is dialled.
    """
    old = _with(published, before, instead_of=after)
    new = _with(published, after, instead_of=before)
    instants, switched = tuple(_instants(before, after, now)), (None, *_special(before, after, now))
    changed = []
    for caller, dialled, shows in _calls(before, after):
        told: set[tuple[object, object]] = set()
        for rule, at in product(switched, instants):
            one = _changed(old, new, _facts(caller, dialled, shows), at, rule)
            if one is None:
                continue
            # Where a rule gets its special way, the clock says before what the switch says now: told once.
            ways = (one.switched or _way(one.before), _way(one.after))
            if ways not in told:
                told.add(ways)
                changed.append(one)
    return tuple(changed)


def _with(published: Published, plan: Plan | None, *, instead_of: Plan | None) -> Published:
    if plan:
        return published.with_plan(plan)
    return published.without(instead_of.tenant) if instead_of else published


def _changed(
    old: Published, new: Published, facts: Facts, at: datetime, switched: Switched | None
) -> Changed | None:
    state = State(switches=switched.switches) if switched else State()
    was = decide(old, facts, state, at) if _asks(old, facts) else None
    will = decide(new, facts, state, at) if _asks(new, facts) else None
    if _way(was) == _way(will):
        return None
    return Changed(
        caller=facts.endpoint, dialled=facts.dialled, shows=facts.caller, at=at, before=was, after=will,
        switched=switched.rule if switched else "",
    )  # fmt: skip


def _way(decision: Decision | None) -> object:
    """Give what a caller could notice: the steps, and how the members of groups take turns in other calls."""
    return decision and (decision.steps, tuple((hunt.group, hunt.strategy) for hunt in decision.hunts))


def _asks(published: Published, facts: Facts) -> bool:
    """Tell whether this question can come at all: the phone is there, or the number leads to a tenant."""
    if facts.origin is Origin.TRUNK:
        return published.plan_of_number(facts.dialled) is not None
    return published.plan_of_endpoint(facts.endpoint) is not None


def _calls(before: Plan | None, after: Plan | None) -> Iterator[tuple[str, str, str]]:
    """Give (caller, dialled, number that is shown)."""
    plans = [plan for plan in (before, after) if plan]
    trunk = next((trunk for plan in plans for trunk in plan.trunks), "")
    for number in sorted({number for plan in plans for number in plan.numbers}):
        kinds = dict.fromkeys(kind for plan in plans for kind in _kinds_of_callers(plan, number))
        shown = dict.fromkeys((STRANGER, *map(callers.example, kinds)))
        yield from ((f"trunk-{trunk}", number, one) for one in list(shown)[: MAX_KINDS + 1])
    phones = _phones(plans)
    for inside in sorted({name for plan in plans for name in (*plan.extensions, *plan.group_extensions)}):
        others = [phone for extension, phone in phones.items() if extension != inside]
        yield from ((phone, inside, "") for phone in others[:2])
    for phone in phones.values():
        strangers = dict.fromkeys(chain([STRANGER], *(_called_outside(plan, phone) for plan in plans)))
        yield from ((phone, stranger, "") for stranger in list(strangers)[: MAX_KINDS + 2])


def _called_outside(plan: Plan, phone: str) -> Iterator[str]:
    """Give a number of the tenant's own country, and one for each pattern that a phone's rights name."""
    extension = plan.extensions.get(plan.endpoints.get(phone, ""))
    yield numbers.example(f"+{numbers.COUNTRIES[plan.country].calling}")
    for route in plan.routes:
        yield from _examples(route.numbers)
    for one in layers(extension.owner.may_call) if extension else ():
        yield from _examples(one.allowed | one.blocked)


def _examples(patterns: Iterable[str]) -> Iterator[str]:
    return map(numbers.example, sorted(pattern.removesuffix("*") for pattern in patterns))


def _kinds_of_callers(plan: Plan, number: str) -> Iterator[str]:
    """Give the patterns that rules name at a number, in the tenant, and at the extension it leads to."""
    entry = plan.numbers.get(number)
    if entry is None:
        return
    yield from entry.callers
    for screen in (plan.screen, *(one.screen for one in _behind(plan, entry))):
        yield from (callers.ANONYMOUS,) if screen.anonymous else ()
        yield from sorted(screen.blocked)
    for rule in (rule for one in _behind(plan, entry) for rule in one.forwards.rules):
        yield from sorted(rule.callers)


def _behind(plan: Plan, entry: Number) -> tuple[Extension, ...]:
    """Give the extension that a number leads to at once."""
    found = plan.extensions.get(entry.to.name) if entry.to.kind is Kind.EXTENSION else None
    return (found,) if found else ()


def _phones(plans: Iterable[Plan]) -> Mapping[str, str]:
    """Give one phone of each extension: its others are decided alike."""
    first: dict[str, str] = {}
    for plan in plans:
        for endpoint, extension in sorted(plan.endpoints.items()):
            first.setdefault(extension, endpoint)
    return dict(sorted(first.items()))


def _instants(before: Plan | None, after: Plan | None, now: datetime) -> Iterator[datetime]:
    """Give now, and the first instant of each further state of all time rules and entitlements together."""
    plans = [plan for plan in (before, after) if plan]
    rules = [(week, plan.zone) for plan in plans for week in _weeks(plan)]
    changes = {entry.since for plan in plans for entry in plan.entitlements if entry.since > now}
    edges: set[datetime] = set()
    for start in (now, *changes):
        days = _days([week for week, _ in rules], start)
        edges.update(edge for week, zone in rules for edge in _edges(week, zone, days, start))
    seen: set[tuple[object, ...]] = set()
    zone = next((plan.zone for plan in (after, before) if plan), now.tzinfo)
    for at in (now, *sorted(changes | edges)):
        state = (
            *(is_open(week, at, of) for week, of in rules),
            *(withheld(plan.entitlements, feature, at) for plan in plans for feature in Feature),
        )
        if state not in seen:
            seen.add(state)
            yield at.astimezone(zone)


def _special(before: Plan | None, after: Plan | None, now: datetime) -> Iterator[Switched]:
    """Give each time rule that has a special way, switched to it."""
    plans = [plan for plan in (before, after) if plan]
    rules = {(plan.tenant, name) for plan in plans for name, rule in plan.hours.items() if rule.special}
    for tenant, rule in sorted(rules):
        one = Switch(tenant=tenant, kind=SwitchKind.HOURS, subject=rule, value=SPECIAL, since=now, by="diff")
        yield Switched(rule, NO_SWITCHES.updated([one]))


def _weeks(plan: Plan) -> tuple[Week, ...]:
    """Give all hours of a plan: those of time rules, and those of rights."""
    owners = [one.owner for one in plan.extensions.values()] + [one.owner for one in plan.groups.values()]
    named = (one.week for owner in owners for one in _rights(owner) if one.week)
    once = {id(week): week for week in chain((rule.week for rule in plan.hours.values()), named)}
    return tuple(once.values())


def _rights(owner: Owner) -> Iterator[Rights]:
    yield from layers(owner.may_call)
    yield from layers(owner.may_forward)


def _days(weeks: Sequence[Week], now: datetime) -> frozenset[date]:
    """Give the days of the coming week, and those of the coming year that are unlike their week."""
    first = now.date() - timedelta(days=2)  # wherever on earth, yesterday has begun by then
    unlike = {day for week in weeks for day in week.unlike_the_week((first.year, first.year + 1))}
    near = {first + timedelta(days=n) for n in range(DAYS + 2)}
    return frozenset(near | {day for day in unlike if first <= day <= first + timedelta(days=YEAR_DAYS)})


def _edges(week: Week, zone: tzinfo, days: Iterable[date], now: datetime) -> Iterator[datetime]:
    """Give the instants of some days, from now on, at which a rule opens or closes."""
    for day in days:
        midnight = datetime.combine(day, time())
        for minute in (minute for span in week.on(day) for minute in span):
            edge = (midnight + timedelta(minutes=minute)).replace(tzinfo=zone)
            if now < edge:
                yield edge.astimezone(now.tzinfo)


def _facts(caller: str, dialled: str, shows: str) -> Facts:
    from_outside = caller.startswith("trunk-")
    return Facts(
        call="diff-1.1",
        linkedid="diff-1.1",
        origin=Origin.TRUNK if from_outside else Origin.PHONE,
        endpoint=caller,
        actor=caller,
        dialled=dialled,
        caller=shows,
    )
