"""What a decision and a rated leg look like on a terminal, wherever they are shown.

Owns the look. Refuses to find or judge them.
"""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.panel import Panel

from pbxcore.cli.tables import Table
from rating import money
from rating.rated import Source


def decision(entry: Mapping[str, Any]) -> Panel:
    """Show a line of the decision log (`pbxcore.control.decision_log`): its reasons, and the steps."""
    decision = entry["decision"]
    rows = Table.grid(padding=(0, 2))
    for because in decision["because"]:
        rows.add_row(f"[dim]{escape(because['rule'])}[/]", escape(because["text"]))
    steps = Table.grid(padding=(0, 1, 0, 0))
    steps.add_column(justify="right", no_wrap=True)
    for number, step in enumerate(decision["steps"], 1):
        steps.add_row(f"  {number}.", escape(_step(step)))
    body = Table.grid()
    body.add_row(rows)
    body.add_row(f"\nSteps for Asterisk, decided once in {entry['micros']} µs:")
    body.add_row(steps)
    return Panel(body, title=f"Decision by {entry['version']}", title_align="left", expand=False)


def _step(step: Mapping[str, Any]) -> str:
    if step["do"] == "ring":
        beside = [f"step {one['step']} after {one['delay_s']} s" for one in step.get("joined", ())]
        rings = ", ".join([*step["endpoints"], *beside])
        busy = f", busy from call {step['busy_level']} on" if step.get("busy_level") else ""
        return f"ring {rings} for {step['timeout_s']} s{busy} ({_jumps(step) or 'then end'})"
    if step["do"] == "outside":
        return (
            f"call {step['number']} through {', '.join(step['trunks'])}, "
            + (
                f"hiding {step['presented'] or 'who calls'}"
                if step.get("hidden")
                else f"showing {step['presented'] or 'nothing'}"
            )
            + (f", diverted by {step['diverting']}" if step["diverting"] else "")
            + f", paid by {step['payer']}"
            + (", who answers has to press 1" if step.get("confirm") else "")
            + (f"; counted: {_limits(step)}" if step.get("limits") else "")
            + (f" ({_jumps(step)})" if _jumps(step) else "")
        )
    then = f", then step {step['then']}" if step.get("then") else ""
    return f"{step['do']} {_what(step)}{then}"


def _jumps(step: Mapping[str, Any]) -> str:
    """Say which step follows where this one is not answered."""
    return ", ".join(f"{how.replace('_', ' ')} → {to}" for how, to in step.get("then", {}).items() if to)


def _what(step: Mapping[str, Any]) -> str:
    """Say of a step that rings nobody what it is about."""
    if step["do"] == "admit":
        return _limits(step)
    if step["do"] == "reject":
        return f"for {step['reason']} (cause {step['cause']})"
    if step["do"] == "pick-up":
        return f"what rings at {', '.join(step['endpoints'])}"
    return str(step.get("mailbox") or step.get("sound") or ", ".join(step.get("sounds", ())))


def _limits(step: Mapping[str, Any]) -> str:
    """Say in which groups a call is counted, and how many of each there may be."""
    return ", ".join(
        f"{one['group']} ({one['category']}, " + (f"at most {one['most']})" if one["most"] else "no limit)")
        for one in step["limits"]
    )


def rated_leg(leg: Mapping[str, Any], *, correction: int = 0) -> Panel:
    """Show a rated leg or a correction of it, its fields by name, piece by piece."""
    table = Table(box=None, pad_edge=False)
    table.add_column("paid from")
    for column in ("seconds", "left\nbefore", "left\nafter", "per\nminute", "amount"):
        table.add_column(column, justify="right", no_wrap=True)
    for piece in leg["pieces"]:
        from_pool = piece["source"] == Source.ALLOWANCE
        table.add_row(
            piece["pool"] if from_pool else f"{piece['source']} ({piece['rule']})",
            str(piece["seconds"]),
            str(piece["before_s"]) if from_pool else "",
            str(piece["after_s"]) if from_pool else "",
            "" if from_pool else money.text(piece["price_per_minute_micro"]),
            money.text(piece["amount_micro"]),
        )
    if leg["connection_micro"]:
        table.add_row("connection fee", "", "", "", "", money.text(leg["connection_micro"]))
    table.add_row(
        "[bold]difference" if correction else "[bold]total",
        f"[bold]{leg['billable_s']}",
        "",
        "",
        "",
        f"[bold]{money.text(leg['amount_micro'])}",
    )
    seconds = money.text(leg["duration_us"])
    what = f"Correction {correction} of the leg" if correction else "Rated leg"
    title = f"{what} to {leg['number']} ({leg['country']} {leg['kind']}), {seconds} s, {leg['payer']} pays"
    return Panel(table, title=title, title_align="left", expand=False)
