"""From a tenant document to its plan: names become places, devices endpoints, rules what they do.

Owns the translation. Refuses to judge: `dialplan.checks` does, before. What a document names and does not
have is left out here, so that a plan that was published once can always be built again.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from operator import attrgetter
from sys import intern
from types import MappingProxyType
from zoneinfo import ZoneInfo

from dialplan import hours, numbers, public_holidays, references
from dialplan.block import entry_of, number_of, numbers_of
from dialplan.carriers import Route
from dialplan.entitlement import ALL_FEATURES, Entitlement, Feature, Timeline, instant
from dialplan.keys import Keys
from dialplan.location import civic_address
from dialplan.plan import (
    NO_LIMITS,
    NO_SCREEN,
    Announcement,
    Extension,
    ForwardRule,
    Forwards,
    Group,
    Heard,
    Hours,
    Identity,
    Limits,
    Mailbox,
    Member,
    Music,
    Number,
    Owner,
    Phone,
    Plan,
    Porting,
    Screen,
    Strategy,
    Together,
)
from dialplan.rights import UNLIMITED, Reach, Rights
from dialplan.spec import (
    FORWARD_CASES,
    LONG_RING_S,
    RING_S,
    AnnouncementSpec,
    ExtensionSpec,
    ForwardSpec,
    GroupSpec,
    HoursSpec,
    MemberSpec,
    MusicSpec,
    NumberSpec,
    PortingSpec,
    RightsSpec,
    RouteSpec,
    TenantSpec,
    VoicemailSpec,
)
from dialplan.spoken import Spoken
from dialplan.target import Kind, Target, parse

ANY_YEAR = 2026
ANY = ""  # language of a sound that is for all callers
OWN_SOUNDS = "tenants"  # folder in which Asterisk finds the sounds of all tenants


def build_plan(spec: TenantSpec, *, revision: int, trunks: tuple[str, ...]) -> Plan:
    """Build the plan of a checked document."""
    shared = shared_rights(spec)
    extensions = {number: _extension(spec, shared, number, one) for number, one in spec.extensions.items()}
    groups = {name: _group(spec, shared, name, one) for name, one in spec.groups.items()}
    return Plan(
        tenant=spec.tenant,
        revision=revision,
        version=f"{spec.tenant}@{revision}",
        name=spec.name,
        account=spec.account,
        language=spec.language,
        country=spec.country,
        area_code=spec.area_code or "",
        zone=ZoneInfo(spec.time_zone),
        trunks=trunks,
        emergency=numbers.emergency_numbers(spec.country),
        standby_countries=frozenset(spec.standby.countries if spec.standby else (spec.country,)),
        named_numbers=_named_numbers(spec),
        numbers=MappingProxyType(dict(_numbers(spec))),
        extensions=MappingProxyType(extensions),
        groups=MappingProxyType(groups),
        group_extensions=MappingProxyType({g.extension: n for n, g in spec.groups.items() if g.extension}),
        hours=MappingProxyType({name: _hours(spec, name, one) for name, one in spec.hours.items()}),
        announcements=MappingProxyType(dict(_announcements(spec))),
        endpoints=MappingProxyType({e: x.number for x in extensions.values() for e in x.endpoints}),
        phones=tuple(_phones(spec, extensions)),
        mailboxes=MappingProxyType({box.box: box for box in _mailboxes(spec)}),
        music=MappingProxyType({name: _music(one) for name, one in spec.music.items()}),
        entitlements=timeline(spec),
        document=spec.model_dump_json(exclude_defaults=True),
        screen=_screen(spec.blocked, spec.anonymous),
        limits=_limits(spec),
        own_trunks=tuple(trunk for trunk in spec.trunks if trunk in trunks) if spec.trunks else None,
        routes=tuple(routes(spec.routes, trunks, "routes")),
    )


def routes(written: Iterable[RouteSpec], trunks: tuple[str, ...], path: str) -> Iterator[Route]:
    """Read routes; trunks that are not there are left out, and a route may be left without any."""
    for index, one in enumerate(written):
        yield Route(
            rule=f"{path}.{index}",
            trunks=tuple(trunk for trunk in one.trunks if trunk in trunks),
            numbers=frozenset(one.numbers),
            countries=frozenset(one.countries),
            costly=one.costly,
        )


def _limits(spec: TenantSpec) -> Limits:
    if not (spec.max_inbound or spec.max_outbound or spec.max_calls):
        return NO_LIMITS
    return Limits(inbound=spec.max_inbound or 0, outbound=spec.max_outbound or 0, calls=spec.max_calls or 0)


def timeline(spec: TenantSpec) -> Timeline:
    """Read the entitlements of a document, the first first."""
    zone = ZoneInfo(spec.time_zone)
    entries = (
        Entitlement(
            since=instant(one.since, zone),
            features=ALL_FEATURES if one.features is None else frozenset(map(Feature, one.features)),
            extensions=one.extensions,
            devices=one.devices,
        )
        for one in spec.entitlements
    )
    return tuple(sorted(entries, key=attrgetter("since")))


def endpoint(tenant: str, device: str) -> str:
    """Name the PJSIP endpoint of a device; one text for all who name it, as a plan has hundreds."""
    return intern(f"{tenant}-{device}")


def _payer(spec: TenantSpec, number: str) -> str:
    return intern(f"{spec.tenant}/{number}")


def members(spec: TenantSpec, group: GroupSpec) -> tuple[Member, ...]:
    """Give the members of a group that have a phone or a number, each once."""
    once = {str(one): one for one in reversed(group.members)}
    found = (_member(spec, one) for one in reversed(once.values()))
    return tuple(member for member in found if member.endpoints or member.is_outside)


def _member(spec: TenantSpec, one: MemberSpec) -> Member:
    extensions = extensions_of(spec, str(one))
    devices = chain.from_iterable(spec.extensions[number].devices for number in extensions)
    return Member(
        number=str(one),
        endpoints=tuple(dict.fromkeys(endpoint(spec.tenant, device.device) for device in devices)),
        payers=tuple(_payer(spec, number) for number in extensions or (str(one),)),
        delay_s=one.delay_s,
        timeout_s=one.timeout_s or 0,
    )


def extensions_of(spec: TenantSpec, number: str) -> tuple[str, ...]:
    """Give the extensions that ring for a member of a group, each once; none for a number outside."""
    return tuple(one for one in members_behind(spec, number) if one in spec.extensions)


def members_behind(spec: TenantSpec, number: str) -> tuple[str, ...]:
    """Give what stands behind a member of a group, extensions and numbers outside, each once."""
    return tuple(dict.fromkeys(_members_behind(spec, number, frozenset())))


def _members_behind(spec: TenantSpec, number: str, inside: frozenset[str]) -> Iterator[str]:
    """Give a member itself; of a group that is one, its members."""
    if number in spec.extensions or number.startswith("+"):
        yield number
    nested = next((name for name, group in spec.groups.items() if group.extension == number), "")
    if nested and nested not in inside:
        for inner in spec.groups[nested].members:
            yield from _members_behind(spec, str(inner), inside | {nested})


def _extension(spec: TenantSpec, shared: Mapping[str, Rights], number: str, one: ExtensionSpec) -> Extension:
    mailbox = f"{number}@{spec.tenant}" if one.voicemail else ""
    path = f"extensions.{number}"
    may_call = rights(spec, one.may_call, f"{path}.may_call", shared)
    forward = one.may_forward
    may_forward = rights(spec, forward, f"{path}.may_forward", shared) if forward else may_call
    return Extension(
        number=number,
        name=one.name,
        endpoints=tuple(endpoint(spec.tenant, device.device) for device in one.devices),
        mailbox=mailbox,
        forwards=_forwards(spec, one.forward, RING_S if mailbox else LONG_RING_S),
        owner=Owner(
            payer=_payer(spec, number),
            identity=_identity(spec, number, one.caller_id),
            may_call=may_call,
            may_forward=may_forward,
            max_outbound=one.max_outbound or 0,
        ),
        screen=_screen(one.blocked, one.anonymous),
        while_ringing=_while_ringing(one.while_ringing),
        keys=_keys(spec, _heard_on_hold(spec, one)),
        busy_level=one.busy_level or 0,
        hides=one.hide_number,
        shows=tuple(_identity(spec, number, other) for other in one.caller_ids),
        picks_up=one.may_pick_up,
    )


def _keys(spec: TenantSpec, music: str) -> Keys | None:
    """Give what phones may press, with the music that the other side hears meanwhile."""
    keys = spec.transfer_keys
    if keys is None:
        return None
    return Keys(blind=keys.blind or "", attended=keys.attended or "", tenant=spec.tenant, music=music)


def _screen(blocked: tuple[str, ...], anonymous: str | None) -> Screen:
    if not blocked and anonymous is None:
        return NO_SCREEN
    return Screen(blocked=frozenset(blocked), anonymous=_target(anonymous))


def _forward_rules(spec: TenantSpec, forward: ForwardSpec) -> Iterator[ForwardRule]:
    today = {name: entry.today for name, entry in _numbers(spec)} if forward.rules else {}
    for rule in forward.rules:
        cases = {when: _target(getattr(rule, when)) for when in FORWARD_CASES}
        yield ForwardRule(
            callers=frozenset(rule.callers),
            numbers=frozenset(today.get(number, number) for number in rule.numbers),
            targets=MappingProxyType({when: target for when, target in cases.items() if target}),
        )


def _forwards(spec: TenantSpec, forward: ForwardSpec, ring_s: int) -> Forwards:
    no_answer = forward.no_answer
    return Forwards(
        rules=tuple(_forward_rules(spec, forward)),
        always=_target(forward.always),
        busy=_target(forward.busy),
        no_answer=_target(no_answer.to) if no_answer else None,
        unreachable=_target(forward.unreachable),
        ring_s=no_answer.after_s if no_answer else ring_s,
    )


def _group(spec: TenantSpec, shared: Mapping[str, Rights], name: str, one: GroupSpec) -> Group:
    mailbox = f"{one.extension}@{spec.tenant}" if one.voicemail and one.extension else ""
    may_call = rights(spec, one.may_call, f"groups.{name}.may_call", shared)
    payer = one.extension or name
    found = members(spec, one)
    return Group(
        name=name,
        extension=one.extension or "",
        strategy=Strategy(one.strategy),
        members=found,
        timeout_s=one.timeout_s,
        obeys_forwards=one.members_forward == "obey",
        busy_level=one.busy_level or 0,
        ring_tone=one.ring_tone or "",
        prefix=one.prefix or "",
        otherwise=_target(one.otherwise),
        mailbox=mailbox,
        owner=Owner(
            payer=f"{spec.tenant}/{payer}",
            identity=_identity(spec, payer, one.caller_id),
            may_call=may_call,
            may_forward=may_call,
        ),
        while_ringing=_while_ringing(one.while_ringing),
        keys=_keys(spec, _heard_on_hold(spec)),
        together=_together(spec, one, found),
    )


def _together(spec: TenantSpec, group: GroupSpec, found: tuple[Member, ...]) -> Together | None:
    """Find the phones that one step rings as long as nobody switches anything; None: it takes several."""
    alike = Strategy(group.strategy) is Strategy.SIMULTANEOUS and not group.busy_level
    obeyed = group.members_forward == "obey"
    if not alike or not all(one.rings_with_all and _as_written(spec, one, obeyed=obeyed) for one in found):
        return None
    phones = dict.fromkeys(chain.from_iterable(one.endpoints for one in found))
    payers = frozenset(chain.from_iterable(one.payers for one in found))
    extensions = tuple(number for number in spec.extensions if _payer(spec, number) in payers)
    return Together(phones=tuple(phones), extensions=extensions)


def _as_written(spec: TenantSpec, member: Member, *, obeyed: bool) -> bool:
    """Tell whether a member's own phones ring, however many calls they have: no forward leads elsewhere."""
    own = spec.extensions.get(member.number)
    if own is None:
        return True
    forwards = obeyed and (own.forward.always or any(rule.always for rule in own.forward.rules))
    return not (own.busy_level or forwards)


def _hours(spec: TenantSpec, name: str, one: HoursSpec) -> Hours:
    return Hours(
        name=name,
        week=week(spec, one),
        then=_sure(one.then),
        closed=_target(one.closed),
        special=_target(one.special),
        code=one.switch.code if one.switch else "",
        switched_by=frozenset(one.switch.by if one.switch else ()),
        owner=_owner(spec, name),
    )


def week(spec: TenantSpec, one: HoursSpec) -> hours.Week:
    """Read the hours of a rule whose lines have been checked."""
    return _week(spec, one.open, one.exceptions, one.holidays)


def _week(
    spec: TenantSpec,
    lines: tuple[str, ...],
    special: Mapping[str, tuple[str, ...]],
    holidays: tuple[str, ...] | None,
) -> hours.Week:
    regular = hours.parse_rules(lines) or hours.Week(((),) * 7)
    exceptions, yearly = {}, {}
    for day, written in special.items():
        spans = hours.parse_spans(written) or ()
        each_year = hours.parse_yearly(day)
        if each_year:
            yearly[each_year] = spans
        else:
            exceptions[date.fromisoformat(day)] = spans
    return hours.Week(
        regular.days, MappingProxyType(exceptions), MappingProxyType(yearly), _holidays(spec, holidays)
    )


def _holidays(spec: TenantSpec, spans: tuple[str, ...] | None) -> hours.Holidays | None:
    if spans is None:
        return None
    region = spec.region or ""
    # The library loads what it knows of a country when it is first asked: here, and not while a call waits.
    public_holidays.in_year(spec.country, region, ANY_YEAR)
    return hours.Holidays(spec.country, region, hours.parse_spans(spans) or ())


def _announcements(spec: TenantSpec) -> Iterator[tuple[str, Announcement]]:
    for name, one in spec.announcements.items():
        owner = _owner(spec, name)
        yield (
            name,
            Announcement(
                name=name,
                sounds=MappingProxyType(_sounds(spec, one)),
                translated=one.sound is not None,
                spoken=tuple(texts_of(spec, one)),
                then=_target(one.then),
                owner=owner,
            ),
        )


def _sounds(spec: TenantSpec, one: AnnouncementSpec) -> dict[str, str]:
    """Find the sounds of an announcement as Asterisk knows them."""
    if one.sound:
        return {ANY: one.sound}
    own = dict(one.recorded or {}) | {text.language: text.name for text in texts_of(spec, one)}
    return {language: f"{OWN_SOUNDS}/{spec.tenant}/{sound}" for language, sound in own.items()}


def texts_of(spec: TenantSpec, one: AnnouncementSpec) -> Iterator[Spoken]:
    """Give the texts of an announcement; one without a language is in the tenant's."""
    for language, text in (one.spoken or {}).items():
        yield Spoken(language=language or spec.language, text=text)


def _while_ringing(text: str | None) -> Heard | None:
    kind, _, name = (text or "").partition(" ")
    return Heard(**{kind: name}) if name else None


def _numbers(spec: TenantSpec) -> Iterator[tuple[str, Number]]:
    """Give each number under its own name and under the one it stands for."""
    written = numbers_of(spec)
    for number, one in written.items():
        entry = _number(spec, one.key, number, one.number)
        yield number, entry
        if entry.stands_for and entry.stands_for not in written:
            yield entry.stands_for, entry


def _number(spec: TenantSpec, key: str, number: str, one: NumberSpec) -> Number:
    zone, porting = ZoneInfo(spec.time_zone), one.porting or PortingSpec()
    confirmed = at(porting.confirmed, zone) if one.stands_for else None
    return Number(
        key=key,
        number=number,
        stands_for=one.stands_for or "",
        today=one.stands_for if one.stands_for and confirmed else number,
        ordered=one.ordered,
        planned_at=None if confirmed else at(porting.planned, zone),
        released_at=confirmed + timedelta(days=porting.grace_days) if confirmed else None,
        porting=_porting(porting, confirmed),
        to=_sure(one.to),
        owner=_owner(spec, key, number),
        callers=MappingProxyType({pattern: _sure(to) for pattern, to in one.callers.items()}),
    )


def _porting(said: PortingSpec, confirmed: datetime | None) -> Porting | None:
    if not (said.rejected or confirmed):
        return None
    return Porting(
        rejected=said.rejected or "",
        confirmed_at=confirmed,
        by=said.by if confirmed else "",
        reference=said.reference or "",
        message=said.message or "",
    )


def at(text: str | None, zone: ZoneInfo) -> datetime | None:
    """Read an instant of a document in UTC; without an offset it is what the clock of the zone shows."""
    if text is None:
        return None
    read = datetime.fromisoformat(text)
    return read.astimezone(UTC) if read.tzinfo else instant(text, zone)


def _owner(spec: TenantSpec, name: str, caller_id: str | None = None) -> Owner:
    return Owner(payer=f"{spec.tenant}/{name}", identity=_identity(spec, name, caller_id))


def shared_rights(spec: TenantSpec) -> Mapping[str, Rights]:
    """Read the rights that extensions and groups share, each once; they build on no other."""
    return {name: rights(spec, one, f"rights.{name}", {}) for name, one in spec.rights.items()}


def rights(spec: TenantSpec, one: RightsSpec, rule: str, shared: Mapping[str, Rights]) -> Rights:
    """Read rights that stand at a path of the document.

    A name that is not there gives the least: who could not be checked calls nobody outside.
    """
    to: Reach | Rights = Reach(one.to) if one.to in _REACHES else shared.get(one.to, Reach.INSIDE)
    if not (one.allowed or one.blocked or one.open is not None):
        if isinstance(to, Rights):
            return to
        if to is Reach.ANYWHERE:
            return UNLIMITED  # those of most extensions: one for all
    return Rights(
        to=to,
        rule=rule,
        allowed=frozenset(one.allowed),
        blocked=frozenset(one.blocked),
        week=None if one.open is None else _week(spec, one.open, one.exceptions, one.holidays),
        closed=Reach(one.closed),
    )


_REACHES = frozenset(Reach)


def _identity(spec: TenantSpec, name: str, caller_id: str | None) -> Identity:
    """Find the number of ours behind a caller ID.

    Without one, or if it is not ours, it is the first number; of a block the owner's own, if it has one.
    """
    for key, suffix in _entries(spec, name, caller_id):
        one = number_of(spec, key, suffix)
        if not one.ordered:
            return _seen(key + suffix, one, caller_id)
    return Identity() if caller_id is None else _identity(spec, name, None)


def _entries(spec: TenantSpec, name: str, caller_id: str | None) -> Iterator[tuple[str, str]]:
    """Give the entries whose number may be shown, each with the digits behind it."""
    if caller_id is None:
        for key, one in spec.numbers.items():
            yield key, name if one.ddi == len(name) and name.isdigit() else ""
    elif found := entry_of(spec, caller_id):
        yield found


def _seen(number: str, one: NumberSpec, caller_id: str | None) -> Identity:
    """Give what is seen of a number: once the one it stands for is ported, that one alone."""
    if one.stands_for and one.porting and one.porting.confirmed:
        return Identity(network=one.stands_for, shown=one.stands_for)
    if one.stands_for and one.right_of_use and caller_id != number:
        return Identity(network=number, shown=one.stands_for, shown_from=one.right_of_use)
    return Identity(network=number, shown=number)


def _phones(spec: TenantSpec, extensions: Mapping[str, Extension]) -> Iterator[Phone]:
    for number, one in spec.extensions.items():
        for device in one.devices:
            yield Phone(
                endpoint=endpoint(spec.tenant, device.device),
                extension=number,
                name=one.name,
                callback=extensions[number].owner.identity.network,
                location=_location(spec, device.location or one.location or spec.location),
                mailbox=extensions[number].mailbox,
                music=_heard_on_hold(spec, one),
                password=device.password or "",
            )


def _location(spec: TenantSpec, name: str | None) -> str:
    known = spec.locations.get(name or "")
    return civic_address(known, country=spec.country, name=spec.name) if known else ""


def _heard_on_hold(spec: TenantSpec, extension: ExtensionSpec | None = None) -> str:
    named = (extension and extension.on_hold) or spec.on_hold or ""
    return named if named in spec.music else ""


def _music(one: MusicSpec) -> Music:
    return Music(sounds=one.sounds, random=one.order == "random")


def _mailboxes(spec: TenantSpec) -> Iterator[Mailbox]:
    for number, extension in spec.extensions.items():
        if extension.voicemail:
            yield _mailbox(number, extension.name, extension.voicemail)
    for group in spec.groups.values():
        if group.voicemail and group.extension:
            yield _mailbox(group.extension, group.name, group.voicemail)


def _mailbox(box: str, name: str, spec: VoicemailSpec) -> Mailbox:
    return Mailbox(box=box, name=name, pin=spec.pin or "", mail=spec.mail or "", attach=spec.attach,
                   delete_after_mail=spec.delete_after_mail)  # fmt: skip


def _named_numbers(spec: TenantSpec) -> frozenset[str]:
    targets = (reference.target for reference in references.references(spec))
    return frozenset(target.name for target in targets if target.kind == Kind.NUMBER)


def _target(text: str | None) -> Target | None:
    return parse(text) if text else None


def _sure(text: str) -> Target:
    """Parse a target whose form the spec has checked."""
    found = parse(text)
    assert found is not None, text
    return found
