"""`pbxcore decide`: show what would happen to a call, and why, without Asterisk and without a database."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from dialplan.compile import compile_tenant
from dialplan.credit import REFUSALS, Credit, questions, with_credit
from dialplan.decide import decide as decide_call
from dialplan.decision import (
    END,
    Admit,
    Confirm,
    Decision,
    ListenToVoicemail,
    Next,
    Outside,
    PickUp,
    Play,
    Reason,
    Reject,
    Ring,
    Step,
    Voicemail,
)
from dialplan.facts import Facts, Origin, State
from dialplan.finding import closest
from dialplan.keys import Keys
from dialplan.published import Published
from dialplan.spec import TenantSpec
from dialplan.switch import NO_SWITCHES, Switches, from_text
from dialplan.switchable import mistake
from pbxcore import documents, published, switches
from pbxcore.cli import findings, kinds
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.instants import read_instant
from pbxcore.cli.tables import Table
from pbxcore.cli.ways import limits_in_words
from pbxcore.control.decision_log import switch_to_json
from pbxcore.payers import limits_of
from pbxcore.settings import Settings
from rating.account import AccountSpec

SWITCH_FORMS = "'acme/10 do-not-disturb on' or 'acme/10 forward-always number +436641234567'"

LIMITS = frozenset(
    one.value
    for one in (Reason.ACCOUNT_DAY, Reason.ACCOUNT_MONTH, Reason.EXTENSION_DAY, Reason.EXTENSION_MONTH)
)

_FILES = typer.Option("--tenant-file", "-f", help="Tenant document; may be given several times.")
_FOLDER = typer.Option("--state", help="Folder of published plans, var/published, instead of documents.")
_FROM = typer.Option("--from", help="Calling phone, acme-p10 (its endpoint: <tenant>-<device>).")
_TRUNK = typer.Option(help="Trunk that brings the call, instead of --from.")
_TO = typer.Option("--to", help="What is dialled: an extension, a code, a number in any form.")
_CALLER = typer.Option(help="Number the call shows, for a call from a trunk.")
_DIVERTED = typer.Option("--diverted-by", help="Number that diverted the call before; the latest first.")
_TRANSFERRED = typer.Option(
    "--transferred-by", help="Phone that transfers the call: its rights, its account."
)
_FORWARDED = typer.Option("--forwarded-by", help="Phone that answered with a 302: its rights, its account.")
_GROUP = typer.Option(
    "--rung-for", help="Group, acme/sales, whose call rang the phone that answered with a 302."
)
_HELPED = typer.Option(
    "--called-for-help",
    help="Phone that called for help lately and showed the number that is called.",
)
_AT = typer.Option(help="Instant, 2026-11-23T10:00 by the tenant's clock, or with its offset. Default: now.")
_SWITCH = typer.Option(
    "--switch", help="Something switched besides, 'acme/10 do-not-disturb on'; may be given several times."
)
_DRAW = typer.Option(
    min=0, help="Another draw: for `random` another order, where turns are taken another first member."
)
_CREDIT = typer.Option(
    help="What is said of credit and spend limits: seconds, or a reason like no-credit or account-day-limit."
)
_BLIND = typer.Option("--blind", help="As the standby decides: nobody can be asked for credit.")


@app.command(rich_help_panel="Explaining")
def decide(
    *,
    to: Annotated[str, _TO],
    from_: Annotated[str, _FROM] = "",
    trunk: Annotated[str, _TRUNK] = "",
    tenant_file: Annotated[list[Path] | None, _FILES] = None,
    state: Annotated[Path | None, _FOLDER] = None,
    caller: Annotated[str, _CALLER] = "",
    diverted_by: Annotated[list[str] | None, _DIVERTED] = None,
    transferred_by: Annotated[str, _TRANSFERRED] = "",
    forwarded_by: Annotated[str, _FORWARDED] = "",
    rung_for: Annotated[str, _GROUP] = "",
    called_for_help: Annotated[str, _HELPED] = "",
    at: Annotated[str, _AT] = "",
    switch: Annotated[list[str] | None, _SWITCH] = None,
    blind: Annotated[bool, _BLIND] = False,
    credit: Annotated[str, _CREDIT] = "",
    draw: Annotated[int, _DRAW] = 0,
    as_json: AsJson = False,
) -> None:
    """Show what would happen to a call, step by step, and which rules say so.

    [bold]pbxcore decide -f config/tenants/acme.yaml --from acme-p10 --to 11[/]
    [bold]pbxcore decide -f config/tenants/acme.yaml --trunk carrier --to +493022200100[/]

    Without --tenant-file and --state the plans and switches in force on this machine are asked.
    """
    settings = Settings()
    accounts: Mapping[str, AccountSpec] = {}  # by tenant; what is published says only who has limits
    if tenant_file:
        plans, accounts = _from_documents(tenant_file, settings)
    else:
        plans = _from_folder(state or settings.published)
    facts = _facts(
        to=to,
        endpoint=_endpoint(from_, trunk),
        caller=caller,
        diversions=tuple(diverted_by or ()),
        transferrer=transferred_by,
        forwarder=forwarded_by,
        group=rung_for,
        helped=called_for_help,
    )
    _require_trunk(trunk, plans)
    _rang_for(rung_for, forwarded_by, plans)
    now = _now(at, plans, facts)
    here = not (tenant_file or state)
    switched = _switches(switch or (), plans, settings if here else None, now)
    known = State(blind=blind, longest_call_s=settings.max_call_s, switches=switched, draw=draw)
    decision = decide_call(plans, facts, known, now)
    if credit:
        decision = _credited(decision, plans, credit, accounts, blind=blind)
    if as_json:
        out.print_json(json.dumps(_json(decision, now)))
    else:
        _show(decision, facts, now)


def _credited(
    decision: Decision, plans: Published, said: str, accounts: Mapping[str, AccountSpec], *, blind: bool
) -> Decision:
    """Decide as control does when it has heard something of every leg that it asks for."""
    if not said.isdecimal() and said not in REFUSALS:
        known = ", ".join(REFUSALS)
        raise fail(f"{said!r} is never said of credit", f"give seconds, or one of {known}", Exit.USAGE)
    asked = () if blind else questions(decision, plans)
    if not asked:
        remedy = "only prepaid accounts and accounts with `spend_limits` are asked for: give such a document"
        raise fail("nobody is asked for credit here", remedy, Exit.USAGE)
    reasons = dict.fromkeys(r for one in asked for r in _reasons(one.payer, plans, accounts))
    if not said.isdecimal() and said not in reasons:
        message = f"no call of {asked[0].payer} is ever refused for {said}, as its account stands"
        raise fail(message, f"give seconds, or one of {', '.join(reasons)}", Exit.USAGE)
    answer = Credit(int(said), "trial") if said.isdecimal() else Credit(0, refused=said)
    return with_credit(decision, plans, {one.step: answer for one in asked})


def _reasons(payer: str, plans: Published, accounts: Mapping[str, AccountSpec]) -> tuple[str, ...]:
    """Give the reasons for which a call of somebody may be refused, as far as its account is known."""
    tenant, account = payer.partition("/")[0], accounts.get(payer.partition("/")[0])
    without = set() if tenant in plans.prepaid else {Reason.NO_CREDIT.value}
    limits = limits_of(account, payer) if account else LIMITS
    return tuple(one for one in REFUSALS if one not in without and (one not in LIMITS or one in limits))


def _endpoint(phone: str, trunk: str) -> str:
    """Name what the call comes from; the number that a trunk's call shows is said by --caller."""
    if phone and trunk:
        remedy = f"of a call from a trunk say with --caller what it shows: --trunk {trunk} --caller {phone}"
        raise fail("--from names a phone of ours, and --trunk says that none calls", remedy, Exit.USAGE)
    if not phone and not trunk:
        raise fail("nobody calls", "give either --from PHONE or --trunk NAME", Exit.USAGE)
    if phone.removeprefix("+").isdecimal():
        remedy = f"name the phone, like --from acme-p10; from outside: --trunk NAME --caller {phone}"
        raise fail(f"--from {phone} is a number, and no phone", remedy, Exit.USAGE)
    return phone or f"trunk-{trunk}"


def _rang_for(group: str, forwarder: str, plans: Published) -> None:
    """Refuse a group that rang nobody: only a phone of its own sends its call elsewhere by a 302."""
    if not group:
        return
    if not forwarder:
        remedy = "name the phone that sends the call on, too: --forwarded-by acme-p10"
        raise fail("--rung-for says for whom a phone rang that answered with a 302", remedy, Exit.USAGE)
    known = [f"{plan.tenant}/{name}" for plan in plans.plans.values() for name in plan.groups]
    if group not in known:
        otherwise = f"name one of: {', '.join(known)}" if known else "no tenant here has a group"
        raise fail(f"there is no group {group}", closest(group, known, otherwise), Exit.USAGE)


def _require_trunk(trunk: str, plans: Published) -> None:
    """Refuse a trunk of which no plan knows; without plans nobody can tell."""
    known = {name for plan in plans.plans.values() for name in plan.trunks}
    if trunk and known and trunk not in known:
        otherwise = f"name one of: {', '.join(sorted(known))}"
        raise fail(f"there is no trunk {trunk}", closest(trunk, known, otherwise), Exit.USAGE)


def _facts(
    *,
    to: str,
    endpoint: str,
    caller: str,
    diversions: tuple[str, ...],
    transferrer: str,
    forwarder: str,
    group: str,
    helped: str,
) -> Facts:
    origin = Origin.TRUNK if endpoint.startswith("trunk-") else Origin.PHONE
    if transferrer:
        origin = Origin.TRANSFER
    elif forwarder:
        origin = Origin.FORWARD
    return Facts(
        call="decide-1.1",
        linkedid="decide-1.1",
        origin=origin,
        endpoint=endpoint,
        actor=transferrer or forwarder or endpoint,
        dialled=to,
        caller=caller,
        diversions=diversions,
        helped=helped,
        group=group,
    )


def _now(at: str, plans: Published, facts: Facts) -> datetime:
    """Read when the call comes, now if nothing is said, by the clock of the tenant that it belongs to."""
    plan = plans.plan_of_endpoint(facts.actor) or plans.plan_of_number(facts.dialled)
    zone = plan.zone if plan else UTC
    return read_instant(at, zone) if at else datetime.now(zone).replace(microsecond=0)


def _switches(texts: Iterable[str], plans: Published, settings: Settings | None, now: datetime) -> Switches:
    """Give what is switched on this machine, if it is asked, and for a trial besides: each may be set."""
    try:
        kept = switches.read(settings.switches_db) if settings else NO_SWITCHES
    except sqlite3.Error as unread:
        message = f"the switches in force cannot be read: {unread}"
        raise fail(message, "look at the file in the state folder", Exit.UNAVAILABLE) from unread
    for text in texts:
        trial = from_text(text, now)
        if trial is None:
            raise fail(f"{text!r} is no switch", f"write it like {SWITCH_FORMS}", Exit.USAGE)
        found = mistake(plans, State(switches=kept), trial, now)
        if found:  # whoever switched it by phone would have been refused
            raise fail(f"{text!r}: {found.message}", found.remedy, Exit.USAGE)
        kept = kept.updated((trial,))
    return kept


def _from_documents(files: list[Path], settings: Settings) -> tuple[Published, Mapping[str, AccountSpec]]:
    """Compile the tenants of documents, and give who pays for each of them as far as it stands there.

    Revision 1 stands for what is not applied yet.
    """
    trunks = tuple(trunk.name for trunk in settings.trunks) or documents.SOME_TRUNK
    right, wrong = documents.read(files, trunks=trunks)
    if wrong:
        findings.show(wrong)
        raise fail("nothing can be decided by documents with mistakes", "mend them first", Exit.NO)
    specs = [document.spec for document in right if isinstance(document.spec, TenantSpec)]
    if not specs:
        raise kinds.wrong("tenant", files[0], right)
    plans = [compile_tenant(spec, revision=1, trunks=trunks)[0] for spec in specs]
    there = Published(carriers=settings.carriers).with_plans(plan for plan in plans if plan)
    accounts = {one.spec.account: one.spec for one in right if isinstance(one.spec, AccountSpec)}
    paid_by = {spec.tenant: accounts[spec.account] for spec in specs if spec.account in accounts}
    prepaid = frozenset(tenant for tenant, account in paid_by.items() if account.payment == "prepaid")
    limited = frozenset(tenant for tenant, account in paid_by.items() if account.spend_limits)
    return replace(there, prepaid=prepaid, limited=limited - prepaid), paid_by


def _from_folder(folder: Path) -> Published:
    """Read the published plans, as the standby does."""
    remedy = "publish with `pbxcore apply`, or give a document with --tenant-file"
    try:
        there, unread = published.reload(Published(), folder)
    except published.UnpublishedError as unreadable:
        raise fail(str(unreadable), remedy, Exit.NO) from unreadable
    if unread:
        tenant, error = next(iter(unread.items()))
        raise fail(f"the plan of {tenant} cannot be read: {error}", remedy, Exit.NO)
    if not there.plans:
        raise fail(f"there are no plans in {folder}", remedy, Exit.NO)
    return there


def _json(decision: Decision, now: datetime) -> dict[str, object]:
    steps = [
        {"step": number, "do": _kind(step), **asdict(step)} for number, step in enumerate(decision.steps, 1)
    ]
    because = [asdict(line) for line in decision.because]
    changes = [switch_to_json(one) for one in decision.changes]
    return {"version": decision.version, "at": now.isoformat(), "steps": steps, "because": because,
            "changes": changes}  # fmt: skip


def _kind(step: Step) -> str:
    return {ListenToVoicemail: "listen", PickUp: "pick-up"}.get(type(step), type(step).__name__.lower())


def _show(decision: Decision, facts: Facts, now: datetime) -> None:
    """Print the decision as a ladder: what is done, for how long, and where each failure leads."""
    who = escape(f"{facts.endpoint} ({facts.caller})" if facts.caller else facts.endpoint)
    sent = escape(f", sent there by {facts.actor}") if facts.actor != facts.endpoint else ""
    out.print(f"[bold]{who}[/] → [bold]{escape(facts.dialled)}[/]{sent}")
    out.print(f"[dim]decided by {decision.version} for {now.isoformat()}[/]\n")
    out.print(_ladder(decision), "")
    why = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for line in decision.because:
        why.add_row(f" [cyan]{escape(line.rule)}[/]", escape(line.text))
    out.print("[bold]why[/]")
    out.print(why)


def _ladder(decision: Decision) -> Table:
    ladder = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for number, step in enumerate(decision.steps, 1):
        ladder.add_row(f" [bold cyan]{number}[/]", *_rung(step))
    return ladder


def _rung(step: Step) -> tuple[str, str, str]:  # noqa: PLR0911 — one for each kind of step
    """Give what a step does, with whom, and what follows."""
    match step:
        case Ring():
            return f"[green]ring[/] {step.timeout_s} s", _rings(step), _jumps(step.then)
        case Outside():
            return f"[yellow]outside[/] {step.timeout_s} s", _leg(step), _jumps(step.then)
        case Voicemail():
            return "[blue]record[/]", f"{step.mailbox}{', greeting busy' if step.busy else ''}", ""
        case ListenToVoicemail():
            return "[blue]listen[/]", step.mailbox, ""
        case Admit():
            return "[yellow]count[/]", limits_in_words(step.limits), f"then {_jump(step.then)}"
        case Play():
            return "[blue]play[/]", step.sound, f"then {_jump(step.then)}"
        case Reject():
            return "[red]refuse[/]", f"{step.reason} (cause {step.cause})", ""
        case Confirm():
            return "[green]confirm[/]", _confirms(step), ""
        case PickUp():
            return "[green]pick up[/]", f"what rings at {', '.join(step.endpoints)}", ""


def _confirms(step: Confirm) -> str:
    lines = [", ".join(step.sounds)]
    if step.silent:
        lines.append(f"{', '.join(step.silent)} stop ringing for {', '.join(step.groups) or 'all groups'}")
    return "\n".join(lines)


def _rings(step: Ring) -> str:
    lines = [", ".join(step.endpoints)] if step.endpoints else []
    lines += [f"{_after(one.delay_s)} step [bold cyan]{one.step}[/]" for one in step.joined]
    if step.busy_level:
        lines.append(f"busy from {step.busy_level} calls on")
    if step.heard:
        lines.append(f"the caller hears {step.heard}")
    lines += _keys(step.calling_keys, "caller") + _keys(step.called_keys, "who answers")
    if step.tone or step.prefix:
        lines.append(escape(f"tone {step.tone or 'as ever'}, caller {step.prefix or 'without prefix'}"))
    return "\n".join(lines)


def _keys(keys: Keys | None, who: str) -> list[str]:
    return [f"{who} transfers by {keys}"] if keys else []


def _after(delay_s: int) -> str:
    return f"after {delay_s} s" if delay_s else "and"


def _leg(step: Outside) -> str:
    shows = "no number" if step.hidden else step.presented or "no number"
    lines = [
        f"{step.number} over {', '.join(step.trunks)}",
        f"shows {shows}, network {step.network or 'none'}",
    ]
    if step.diverting:
        before = f", before by {', '.join(step.diverted)}" if step.diverted else ""
        why = f" ({step.diversion_reason})" if step.diversion_reason else ""
        lines.append(f"diverted by {step.diverting}{why}{before} ({step.diversions} in all)")
    limit = f", at most {step.limit_s} s" if step.limit_s else ""
    lines.append(f"{step.payer} pays, why={step.why}{limit}")
    if step.limits:
        lines.append(f"counted: {limits_in_words(step.limits)}")
    if step.confirm:
        lines.append(f"only who presses 1 has the call, asked in {step.confirm}")
    return "\n".join(lines)


def _jumps(then: Next) -> str:
    if then.busy == then.no_answer == then.unreachable:
        return f"else {_jump(then.busy)}"
    jumps = (("busy", then.busy), ("no answer", then.no_answer), ("unreachable", then.unreachable))
    return "\n".join(f"{word} {_jump(index)}" for word, index in jumps)


def _jump(index: int) -> str:
    return "[dim]end[/]" if index == END else f"→ [bold cyan]{index}[/]"
