"""`pbxcore sounds add|list|engine`: bring a tenant's sounds, or what speaks texts, to this machine."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from pbxcore import prompts, sounds, speech
from pbxcore.cli.app import AsJson, Exit, app, fail, out
from pbxcore.machine import debian
from pbxcore.machine.errors import TreeError
from pbxcore.settings import Settings

commands = typer.Typer(help="Sounds of tenants: music on hold, announcements.", no_args_is_help=True)
app.add_typer(commands, name="sounds", rich_help_panel="Changing")

Tenant = Annotated[str, typer.Argument(help="Its id: acme.")]


@commands.command()
def add(
    tenant: Tenant,
    files: Annotated[list[Path], typer.Argument(help="WAV files: 8 kHz, 16 bit, mono.")],
) -> None:
    """Take files in as sounds of a tenant; each replaces the one of its name.

    A sound is called like its file, without .wav. Who hears the old one hears it to its end.
    """
    folder = Settings().sounds
    for file in files:
        try:
            name = sounds.add(folder, tenant, file)
        except sounds.SoundError as refused:
            raise fail(str(refused), refused.remedy, Exit.NO) from refused
        except OSError as error:
            message, remedy = (
                f"{file} cannot be kept: {error.strerror}",
                f"look at {folder}, its rights and room",
            )
            raise fail(message, remedy, Exit.UNAVAILABLE) from error
        out.print(f"[green]✓[/] {escape(tenant)} has sound [bold]{escape(name)}[/]")


@commands.command()
def engine() -> None:
    """Make the engine that speaks texts of announcements (`spoken:`), a private tree of Debian packages.

    What our calls say by themselves (press 1, switched on) is spoken at once, in de, it and nl.
    Where the machine has espeak-ng of its own, that is used and nothing is made.
    """
    settings = Settings()
    try:
        if not speech.engine(settings.state):
            debian.ensure(settings.state / speech.TREE, packages=(speech.ENGINE,))
        spoken = speech.languages(settings.state)
        for language in prompts.texts():
            prompts.speak(settings, language)
    except (TreeError, speech.SpeechError) as failed:
        remedy = failed.remedy if isinstance(failed, TreeError) else "install Debian's package espeak-ng"
        raise fail(str(failed), remedy, Exit.UNAVAILABLE) from failed
    out.print(f"[green]✓[/] speaks {', '.join(sorted(spoken))}", highlight=False)


@commands.command("list")
def list_(tenant: Tenant, as_json: AsJson = False) -> None:
    """List the sounds of a tenant, and what cannot be played."""
    found = sounds.of_tenant(Settings().sounds, tenant)
    if as_json:
        out.print_json(json.dumps([{"sound": name, "wrong": flaw} for name, flaw in found.items()]))
        return
    for name, flaw in found.items():
        sign = f"[red]✗[/] {escape(name)}  [red]{escape(flaw)}[/]" if flaw else f"[green]✓[/] {escape(name)}"
        out.print(sign, highlight=False)
    if not found:
        out.print(f"[dim]none yet[/]\n  → `pbxcore sounds add {escape(tenant)} FILE.wav`", highlight=False)
