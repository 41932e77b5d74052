"""Words for what a change means for callers: calls that go another way, and other music on hold.

Owns how `diff` and a refused `apply` show it. Refuses to find it out (`pbxcore.callers` does).

A line of a document may change every call of a tenant. Calls of which the same part changes are told once,
however many they are.
"""

from collections.abc import Iterable, Sequence

from rich.markup import escape
from rich.text import Text

from dialplan.difference import STRANGER, Changed, Held
from dialplan.plan import Music
from pbxcore.callers import Consequences
from pbxcore.cli.app import out
from pbxcore.cli.places import NOWHERE, Places
from pbxcore.cli.tables import Table
from pbxcore.cli.ways import apart, part

NAMED = 3  # who calls and what is called, by name; the others by their number


def show(found: Consequences, *, most: int | None = None, places: Places = NOWHERE) -> None:
    """Print the calls and holds that change, or that there are none; of calls at most so many.

    Args:
        found: what changes.
        most: calls that are told.
        places: of the document, that change it.
    """
    if not found.calls:
        out.print("[green]=[/] No call goes another way.")
    else:
        _show_calls(found, len(found.calls) if most is None else most, places)
    for one in found.holds:
        words = f"{one.extension} puts on hold to {_music(one.before)}, then to {_music(one.after)}"
        out.print(escape(words), highlight=False)


def as_json(found: Consequences) -> list[dict[str, object]]:
    """Give the same for scripts, without a limit."""
    return [*map(_call, found.calls), *map(_hold, found.holds)]


def _call(one: Changed) -> dict[str, object]:
    before, after = apart(one.before, one.after)
    return {
        "caller": one.caller,
        "dialled": one.dialled,
        "shows": one.shows,
        "at": one.at.isoformat(),
        "switched": one.switched,
        "before": before,
        "after": after,
    }


def _hold(one: Held) -> dict[str, object]:
    return {"on_hold_by": one.extension, "before": _music(one.before), "after": _music(one.after)}


def _show_calls(found: Consequences, most: int, places: Places) -> None:
    alike = together(found.calls)
    for calls in alike[:most]:
        out.print(Text(_heading(calls), style="bold"))
        now, then = _words(calls)
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_row("  now", Text(now))
        table.add_row("  then", Text(then))
        if places.lines:
            table.add_row("  by", Text(places.of(side for one in calls for side in (one.before, one.after))))
        out.print(table)
    if len(alike) > most:
        more = sum(map(len, alike[most:]))
        out.print(f"and {more} more; --json has them all", highlight=False)


def _heading(calls: Sequence[Changed]) -> str:
    """Say who calls whom, and from when on that goes another way, by the tenant's clock."""
    at = min(one.at for one in calls)
    switched = f", while {calls[0].switched} is switched to special" if calls[0].switched else ""
    who, whom = _some(map(_who, calls)), _some(one.dialled for one in calls)
    return f"{who} → {whom}, from {at:%a %Y-%m-%d %H:%M %Z} on{switched}"


def together(calls: Iterable[Changed]) -> list[list[Changed]]:
    """Put those together of which the same part changes; in the order of the first of each."""
    groups: dict[tuple[str, ...], list[Changed]] = {}
    for one in calls:
        groups.setdefault((one.switched, *part(one.before, one.after)), []).append(one)
    return list(groups.values())


def _words(calls: Sequence[Changed]) -> tuple[str, str]:
    """Say what changes: whole where all calls read the same, else the part that does, between dots."""
    whole = {apart(one.before, one.after) for one in calls}
    if len(whole) == 1:
        return whole.pop()
    now, then = part(calls[0].before, calls[0].after)
    return f"… {now} …" if now else "…", f"… {then} …" if then else "…"


def _some(names: Iterable[str]) -> str:
    """Name a few, each once, and say how many more there are."""
    once = list(dict.fromkeys(names))
    more = len(once) - NAMED
    return ", ".join(once[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _who(one: Changed) -> str:
    """Name who calls; what a caller from outside shows only where that makes the difference."""
    if not one.caller.startswith("trunk-"):
        return one.caller
    shows = "anybody" if one.shows == STRANGER else one.shows or "anonymous"
    return f"{shows} over {one.caller.removeprefix('trunk-')}"


def _music(music: Music | None) -> str:
    if music is None:
        return "the machine's music"
    return " ".join(music.sounds) + (" in random order" if music.random else "")
