"""`pbxcore demo`: the story of the product with real SIP, shown as it happens and proved at the end."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.panel import Panel

from pbxcore import demo as story
from pbxcore.cli.app import AsJson, Exit, app, err, fail, out
from pbxcore.cli.panels import decision, rated_leg
from pbxcore.demo import Cast, Story
from pbxcore.machine import debian
from pbxcore.machine.running import running, settings_of_running
from pbxcore.settings import Settings
from rating import money

START_LIMIT_S = 600  # the first start downloads Asterisk
END_LIMIT_S = 30


@app.command(rich_help_panel="Running")
def demo(
    factor: Annotated[int, typer.Option(min=1, max=20, help="Shorten the 95 spoken seconds by this.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Play the story: old number, temporary number, group, nobody answers, mobile in Austria, rated leg.

    Starts the machine if none is running, and ends it again. Exit code 0 only if all of it was seen.
    """
    with _machine(as_json):
        settings = settings_of_running()
        told = _tell(settings, factor, as_json)
    found = story.problems(told)
    if as_json:
        out.print_json(json.dumps({"story": _plain(told), "problems": found}))
    else:
        _show(told)
        for problem in found:
            err.print(f"[bold red]✗[/] {escape(str(problem))}")
        if not found:
            out.print("[bold green]✓[/] All of it was seen.")
    if found:
        raise typer.Exit(int(Exit.NO))


def _tell(settings: Settings, factor: int, as_json: bool) -> Story:
    started = time.monotonic()

    def say(line: str) -> None:
        if not as_json:
            out.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {line}", highlight=False)

    if factor > 1:
        say(f"Told {factor} times shorter: 95 s of talk take {Decimal(story.SPOKEN_S) / factor} s")
    try:
        return asyncio.run(story.tell(settings, _cast(settings), factor=factor, say=say))
    except story.StoryError as error:
        raise fail(str(error), f"look into {settings.state / 'log'}", Exit.NO) from error


def _cast(settings: Settings) -> Cast:
    trunk = next((trunk for trunk in settings.trunks if trunk.practice), None)
    if trunk is None:
        raise fail("no trunk is a practice carrier", "set practice: true in config/service.yaml", Exit.NO)
    sipp = debian.command(settings.state / "asterisk-root", "sipp")
    return Cast(sipp=sipp, ports=_free_ports(3), trunk=trunk)


def _free_ports(count: int) -> list[int]:
    """Ask the kernel for ports nobody uses now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextlib.contextmanager
def _machine(quiet: bool) -> Iterator[None]:
    """Have a machine running: the one that runs already, or one for the time of the story."""
    if running() is not None:
        yield
        return
    if not quiet:
        out.print("No machine is running here: starting one (`make run` keeps it).")
    process = subprocess.Popen(
        [sys.executable, "-m", "pbxcore", "run", "--no-follow"],
        stdout=subprocess.DEVNULL if quiet else None,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _await_machine(process)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGINT)
        process.wait(END_LIMIT_S)


def _await_machine(process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while running() is None:
        if process.poll() is not None:
            raise fail("the machine did not start", "see above", Exit.UNAVAILABLE)
        if time.monotonic() > deadline:
            raise fail("the machine did not start in time", "try `make run` by itself", Exit.UNAVAILABLE)
        time.sleep(0.1)


def _show(told: Story) -> None:
    out.print(decision(told.decision))
    for leg in told.rated:
        out.print(rated_leg(leg))
        out.print(_balance(leg))


def _balance(leg: dict[str, Any]) -> Panel:
    drawn = [piece for piece in leg["pieces"] if piece["source"] == "allowance"]
    before, after = (drawn[0]["before_s"], drawn[-1]["after_s"]) if drawn else (0, 0)
    body = (
        f"before the call  {before:>6} s of the bundle left\n"
        f"after the call   {after:>6} s of the bundle left, "
        f"{money.text(leg['amount_micro'])} {leg['currency']} to pay"
    )
    return Panel(body, title=f"Balance of account {leg['account']}", title_align="left", expand=False)


def _plain(told: Story) -> dict[str, Any]:
    return {
        "account": told.account,
        "factor": told.factor,
        "phones_rang": told.rang,
        "spoken_us": told.spoken_us,
        "decision": told.decision,
        "rated": told.rated,
    }
