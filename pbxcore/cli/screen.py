"""The screen at the end of the start: who can register, whom to call, where to look.

Owns its words. Refuses to know anything that does not stand in the published plans and the settings.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.text import Text

from dialplan.hours import is_open
from dialplan.hunt import each_once
from dialplan.plan import Extension, Plan
from dialplan.target import Kind, Target
from pbxcore.cli.phones import server_of
from pbxcore.cli.tables import Table
from pbxcore.phones import password_of, pin_of
from pbxcore.settings import Settings

LISTEN = "*98"  # dialplan.decide: before a box, listen to it
MANY = 12  # of one kind; a screen is no telephone book


def show(console: Console, settings: Settings, plans: Sequence[Plan]) -> None:
    """Print the screen."""
    parts: list[Group | Table | Text] = []
    for plan in plans[:MANY]:
        heading = Text.from_markup(
            f"[bold]{escape(plan.name)}[/] [dim]({plan.version}, pays from {plan.account})[/]"
        )
        parts += [heading, _accounts(settings, plan), Text(""), _numbers(settings, plan), Text("")]
    parts.append(_addresses(settings))
    console.print()
    if console.is_terminal:
        console.print(
            Panel(Group(*parts), title="pbxcore is up", title_align="left", expand=False, padding=(1, 2))
        )
    else:
        console.print("pbxcore is up\n")
        console.print(*parts, sep="\n", soft_wrap=True)


def _accounts(settings: Settings, plan: Plan) -> Table:
    where = f"Register at {server_of(settings)}, UDP or TCP"
    table = Table("SIP account", "password", "extension", "", title=where,
                  title_justify="left", title_style="none", box=None, pad_edge=False)  # fmt: skip
    for phone in plan.phones[:MANY]:
        password = phone.password or password_of(settings, phone.endpoint)
        table.add_row(
            f"[cyan]{phone.endpoint}[/]", f"[green]{password}[/]", phone.extension, escape(phone.name)
        )
    if len(plan.phones) > MANY:
        table.caption = f"and {len(plan.phones) - MANY} more: `pbxcore phones {plan.tenant} --show-passwords`"
        table.caption_justify, table.caption_style = "left", "dim"
    return table


def _numbers(settings: Settings, plan: Plan) -> Table:
    table = Table("dial", "from", "and this happens", title="Call", title_justify="left", title_style="none",
                  box=None, pad_edge=False)  # fmt: skip
    for number, origin, text in _rows(settings, plan):
        table.add_row(f"[cyan]{number}[/]", origin, escape(text))
    return table


def _rows(settings: Settings, plan: Plan) -> Iterator[tuple[str, str, str]]:
    for extension in list(plan.extensions.values())[:MANY]:
        yield extension.number, "a phone", _extension(extension)
        if extension.mailbox:
            box = plan.mailboxes[extension.number]
            pin = box.pin or pin_of(settings, extension.mailbox)
            yield f"{LISTEN}{extension.number}", "a phone", f"{extension.name}'s mailbox, PIN {pin}"
    for group in list(plan.groups.values())[:MANY]:
        phones = sum(len(one.endpoints) or 1 for one in each_once(group.members))
        rings = f"group {group.name} rings {phones} phones"
        yield group.extension, "a phone", _then(rings, group.otherwise)
    for named in sorted(plan.named_numbers)[:1]:
        practice = next((trunk for trunk in settings.trunks if trunk.practice), None)
        answer = ": the practice carrier answers after 2 s and echoes" if practice else ""
        yield named, "a phone", f"outside, over a trunk{answer}; rated when you hang up"
    entries = [number for name, number in plan.numbers.items() if name == number.key]  # of a block its own
    for number in entries[:MANY]:
        stands = f"stands for {number.stands_for}; " if number.stands_for else ""
        yield number.number, "anywhere", f"{stands}leads to {number.to}{_open(plan, number.to)}"


def _extension(extension: Extension) -> str:
    forwards = extension.forwards
    if forwards.always:
        return f"{extension.name}: always forwarded to {forwards.always}"
    mailbox = Target(Kind.VOICEMAIL, extension.number) if extension.mailbox else None
    return _then(f"{extension.name} rings {forwards.ring_s} s", forwards.no_answer or mailbox)


def _then(text: str, target: Target | None) -> str:
    return f"{text}, then {target}" if target else text


def _open(plan: Plan, target: Target) -> str:
    rule = plan.hours.get(target.name) if target.kind is Kind.HOURS else None
    if rule is None:
        return ""
    if is_open(rule.week, datetime.now(plan.zone), plan.zone):
        return f" (open now: {rule.then})"
    return f" (closed now: {rule.closed or 'ends'})"


def _addresses(settings: Settings) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    http = f"http://{settings.bind}:{settings.ports.http}"
    table.add_row("API", f"{http}/docs")
    table.add_row("Metrics", f"{http}/metrics")
    table.add_row("State, logs", escape(f"{settings.state}, {settings.state / 'log'}"))
    table.add_row("Stop", "Ctrl-C")
    return table
