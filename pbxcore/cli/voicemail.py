"""`pbxcore voicemail list|fetch|delete`: the messages in a mailbox."""

import asyncio
import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from dialplan.finding import closest
from pbxcore import published, voicemail
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.cli.tables import Table, shown
from pbxcore.control.ami import AmiError, Link, connected
from pbxcore.machine.asterisk import AMI_USER, ami_secret
from pbxcore.machine.running import settings_of_running
from pbxcore.mail import ledger
from pbxcore.mail.ledger import State
from pbxcore.settings import Settings

ANSWER_LIMIT_S = 5.0  # to log in; a person waits

commands = typer.Typer(help="Messages in mailboxes: list, fetch, delete.", no_args_is_help=True)
app.add_typer(commands, name="voicemail", rich_help_panel="Seeing")

Tenant = Annotated[str, typer.Argument(help="Its id: acme.")]
Box = Annotated[str, typer.Argument(help="The extension of a user or a group: 10.")]
Id = Annotated[str, typer.Argument(help="A message, as `list` names it.")]


@commands.command("list")
def list_(tenant: Tenant, box: Box, as_json: AsJson = False) -> None:
    """List the messages of a mailbox: from whom, when, how long, and whether somebody heard them."""
    settings = settings_of_running()
    mailbox = _mailbox(settings, tenant, box)
    found, mailed = voicemail.messages(settings, mailbox), _mailed(settings, mailbox)
    if as_json:
        out.print_json(json.dumps([{**_to_json(one), "mail": _mail_of(mailed, one)} for one in found]))
        return
    out.print(listed(found, mailed) if found else "[dim]no message[/]")


def listed(found: Sequence[voicemail.Message], mailed: Mapping[str, tuple[State, str]]) -> Table:
    """Give messages as a table, with what became of the mail about each."""
    table = Table(box=None, pad_edge=False)
    for column in ("message", "from", "at", "seconds", "", "mail"):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    for one in found:
        state = "[bold green]new[/]" if one.new else "old" if one.folder == "Old" else escape(one.folder)
        caller = escape(one.caller) or "[dim]anonymous[/]"
        table.add_row(
            one.id, caller, shown(one.at), str(one.duration_s), state, escape(_mail_of(mailed, one))
        )
    return table


@commands.command()
def fetch(
    tenant: Tenant,
    box: Box,
    message: Id,
    to: Annotated[Path | None, typer.Option(help="File to write. Default: MESSAGE.wav here.")] = None,
) -> None:
    """Write the recording of a message to a WAV file; the message stays as it is, new or old."""
    settings = settings_of_running()
    mailbox = _mailbox(settings, tenant, box)
    try:
        recording = voicemail.sound(settings, mailbox, message)
    except voicemail.VoicemailError as error:
        raise fail(str(error), error.remedy, Exit.NO) from error
    file = to or Path(f"{message}.wav")
    if file.exists():
        raise fail(f"{file!s} exists", "name another file with --to", Exit.NO)
    try:
        _write(file, recording)
    except OSError as error:
        text = f"{file} cannot be written: {error.strerror}"
        raise fail(text, "name another file with --to", Exit.NO) from error
    out.print(f"[green]✓[/] {escape(str(file))}", highlight=False, soft_wrap=True)


@commands.command()
def delete(tenant: Tenant, box: Box, message: Id) -> None:
    """Delete a message for good; the lamp goes out after the last new one."""
    settings = settings_of_running()
    mailbox = _mailbox(settings, tenant, box)
    try:
        asyncio.run(_delete(settings, voicemail.find(settings, mailbox, message)))
    except voicemail.VoicemailError as error:
        raise fail(str(error), error.remedy, Exit.NO) from error
    except AmiError as error:
        text, remedy = f"Asterisk does not answer: {error}", "is it running? see `pbxcore status`"
        raise fail(text, remedy, Exit.UNAVAILABLE) from error
    out.print(f"[green]✓[/] {escape(message)} is deleted")


async def _delete(settings: Settings, message: voicemail.Message) -> None:
    link = Link(host="127.0.0.1", port=settings.ports.ami, user=AMI_USER, secret=ami_secret(settings))
    async with connected(link, ANSWER_LIMIT_S):
        await voicemail.delete(link, message)


def _mailed(settings: Settings, mailbox: str) -> Mapping[str, tuple[State, str]]:
    try:
        return ledger.of_box(ledger.file_of(settings), mailbox)
    except sqlite3.Error as error:
        message = f"what was mailed cannot be read: {error}"
        raise fail(message, "look at mail.sqlite in the state folder", Exit.UNAVAILABLE) from error


def _mail_of(mailed: Mapping[str, tuple[State, str]], one: voicemail.Message) -> str:
    """Say what became of the mail about a message; nothing where none is wanted."""
    state, detail = mailed.get(one.id, ("", ""))
    return f"{state}: {detail}" if detail else str(state)


def _mailbox(settings: Settings, tenant: str, box: str) -> str:
    """Return `<box>@<tenant>` of a mailbox that is in force: only such a name reaches the disk."""
    try:
        plans = published.load(settings.published).plans
    except published.UnpublishedError as error:
        raise fail(str(error), "publish with `pbxcore apply`", Exit.NO) from error
    plan = plans.get(tenant)
    if plan is None:
        remedy = closest(tenant, plans, "list them: pbxcore tenants")
        raise fail(f"no tenant {tenant} is in force", remedy, Exit.NO)
    if box not in plan.mailboxes:
        known = ", ".join(sorted(plan.mailboxes)) or "none"
        raise fail(f"{tenant} has no mailbox {box}", f"it has: {known}", Exit.NO)
    return f"{box}@{tenant}"


def _write(file: Path, recording: bytes) -> None:
    """Write a file whole or not at all."""
    aside = file.with_name(f".{file.name}.part")
    try:
        aside.write_bytes(recording)
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)


def _to_json(one: voicemail.Message) -> dict[str, object]:
    return {"message": one.id, "caller": one.caller, "at": one.at.isoformat(), "duration_s": one.duration_s,
            "new": one.new, "folder": one.folder}  # fmt: skip
