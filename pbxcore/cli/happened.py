"""A past call in sentences, each with its instant: who asked for what, who decided it, what then happened.

Owns these sentences. Refuses to find anything (`pbxcore.calls` does), and to say more than is recorded: of a
phone that was to ring and has no channel it says what that may have been.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.console import RenderableType

from pbxcore.calls import LIMITS, OVER, Call, Happening, What
from pbxcore.cli.panels import decision
from pbxcore.cli.unrung import unrung, unrung_members

HEARD_TOGETHER_S = 0.2  # who answers and who is answered have the same instant, nearly
EMERGENCY = "emergency"
CONSTANT = "constant"  # the version of what the dialplan does by itself for an emergency call
WHO = {"constant": "the constant dialplan", "standby": "the standby"}
SIP = {  # RFC 3261, those with which carriers refuse
    "400": "Bad Request",
    "401": "Unauthorized",
    "402": "Payment Required",
    "403": "Forbidden",
    "404": "Not Found",
    "407": "Proxy Authentication Required",
    "408": "Request Timeout",
    "410": "Gone",
    "480": "Temporarily Unavailable",
    "482": "Loop Detected",
    "483": "Too Many Hops",
    "484": "Address Incomplete",
    "486": "Busy Here",
    "487": "Request Terminated",
    "488": "Not Acceptable Here",
    "500": "Server Internal Error",
    "502": "Bad Gateway",
    "503": "Service Unavailable",
    "504": "Server Time-out",
    "600": "Busy Everywhere",
    "603": "Decline",
    "604": "Does Not Exist Anywhere",
}
CAUSES = {  # Q.850
    "1": "no such number",
    "2": "no way to that network",
    "3": "no way there",
    "16": "ended as usual",
    "17": "busy",
    "18": "no answer",
    "19": "no answer",
    "20": "not there",
    "21": "refused",
    "22": "number changed",
    "27": "out of order",
    "28": "number incomplete",
    "31": "no reason given",
    "34": "no line free",
    "38": "network out of order",
    "41": "passing failure",
    "42": "congestion",
    "58": "sound not possible",
    "102": "too late",
    "127": "no reason known",
}
UNDECIDED = {
    "no-decision": "neither control nor the standby answers: nobody decides, and nothing is dialled",
    "line-break": "nobody is asked: a line break in its number could forge the question",
    "loop": "nobody is asked: phones have sent this call on too often",
}


def story(call: Call) -> Iterator[tuple[datetime, str | RenderableType]]:
    """Give decisions and happenings in order of time; a decision's reasons stand in its panel."""
    told = [*_decided(call), *_happened(call)]
    yield from sorted(told, key=lambda pair: pair[0])


def unlogged(call: Call | None) -> Iterator[str]:
    """Say which decisions are in no log of this machine, and why that may be."""
    if call is None or not (call.decisions or call.unlogged or _undecided(call)):
        yield "no decision about this call is kept on this machine"
        return
    for end in call.unlogged:
        who = f"{end.words['by']} decided by {end.words['version']} for {end.who}"
        yield f"{who}, and its log does not say why"
    if call.unlogged:
        yield "(a process killed by `kill -9` takes along what it decided in the last tenth of a second)"


def _undecided(call: Call) -> bool:
    """Tell whether it is known that nobody was asked, or nobody answered: no log can have anything of it."""
    return _helps(call) or any(one.what is What.ASKS for one in call.happenings)


def _helps(call: Call) -> bool:
    """Tell whether it is an emergency call, or was sent to an emergency number."""
    return any(
        one.words.get("why") == EMERGENCY or (one.what is What.ENDS and one.words.get("version") == CONSTANT)
        for one in call.happenings
    )


def _decided(call: Call) -> Iterator[tuple[datetime, str | RenderableType]]:
    for entry in call.decisions:
        at = datetime.fromisoformat(str(entry["time"]))
        yield at, _question(call, entry) + _decider(entry)
        yield at, decision(entry)
        for missed, endpoint, why in (*unrung(call, entry), *unrung_members(call, entry)):
            yield missed, f"{endpoint} does not ring: {why}"


def _question(call: Call, entry: Mapping[str, Any]) -> str:
    """Say what was asked by who sends a call elsewhere; what a new call asks for stands where it begins."""
    facts = entry["facts"]
    sent = next((one.who for one in call.happenings if one.channel == entry.get("call")), "")
    return _sent_on({**facts, "endpoint": sent or _party(call, entry) or "?"})


def _party(call: Call, entry: Mapping[str, Any]) -> str:
    """Give who stands behind a Local channel that is sent on: of a trunk, the number if one alone talks."""
    endpoint, asked = str(entry["facts"].get("endpoint", "")), datetime.fromisoformat(str(entry["time"]))
    before = [one for one in call.happenings if one.at < asked]
    over = {
        one.channel
        for one in before
        if one.what is What.LEAVES and f"trunk-{one.words.get('trunk')}" == endpoint
    }
    over -= {one.channel for one in before if one.what in OVER}
    talking = {one.who for one in before if one.what is What.ANSWERS and one.channel in over}
    return talking.pop() if len(talking) == 1 else endpoint


def _decider(entry: Mapping[str, Any]) -> str:
    if entry["by"] == "standby":
        return f"control gives no answer, the standby decides by {entry['version']}"
    return f"{entry['by']} decides by {entry['version']}"


def _happened(call: Call) -> Iterator[tuple[datetime, str]]:
    for number, one in enumerate(call.happenings):
        if one.what is not What.UNTAKEN:  # what it knows is told of the phones
            yield one.at, _sentence(call, one, call.happenings[:number])


def _sentence(  # noqa: PLR0911 — one for each kind of happening
    call: Call, one: Happening, before: tuple[Happening, ...]
) -> str:
    match one.what:
        case What.CALLS:
            return _asks_for(call, one)
        case What.LEAVES:
            return _leaves(one)
        case What.REFUSED | What.FULL | What.AWAY:
            return _refusal(one, before) + _tried_next(one)
        case What.ASKS:
            return _undecided_question(call, one)
        case What.TALKS:
            return f"{one.who} is answered{_by_machine(call, one, before)}"
        case What.STOPS:
            return _stops(one, before)
        case What.ANSWERS if one.who in _confirming(call):
            return f"{one.who} answers and has to press 1"
        case What.ENDS | What.BRANCH:
            return _outcome(one, one.who if one.what is What.ENDS else _branch(call, one))
        case What.GONE if _is_refused(one, before):
            return f"{one.who} is disconnected"
        case _:
            return f"{one.who} {one.what}"


def _undecided_question(call: Call, one: Happening) -> str:
    ends = (end for end in call.happenings if end.what in {What.ENDS, What.BRANCH})
    reason = next((end.words.get("reason", "") for end in ends if end.channel == one.channel), "")
    return _sent_on(one.words) + UNDECIDED.get(reason, UNDECIDED["no-decision"])


def _stops(one: Happening, before: tuple[Happening, ...]) -> str:
    """Say how long somebody rang who did not answer, and why not where that is known."""
    mine = [other for other in before if other.channel == one.channel]
    lasted = _lasted((one.at - (mine[0].at if mine else one.at)).total_seconds())
    if sip := one.words.get("sip"):
        return f"{one.who} does not take the call: it says {_status(sip)}, after {lasted}"
    if any(other.what is What.LEAVES for other in mine):
        return f"{one.who} is not answered, after {lasted}"
    return f"{one.who} {one.what} after {lasted}"


def _asks_for(call: Call, one: Happening) -> str:
    """Say what the channel with which a call begins asked for, by whatever knows it."""
    facts: Mapping[str, Any] = next(
        (entry["facts"] for entry in call.decisions if entry.get("call") == one.channel), {}
    ) or next((other.words for other in call.happenings if _is_question(other, one.channel)), {})
    dialled = facts.get("dialled") or (_number_of_help(call) if _helps(call) else "")
    caller = facts.get("caller", "")
    if not dialled:
        return f"{one.who} calls"
    if not facts:
        return (
            f"{one.who} calls {dialled}, an emergency number: nobody is asked, the constant dialplan dials it"
        )
    if one.who.startswith("trunk-"):
        diverted = f", diverted by {', '.join(facts['diversions'])}" if facts.get("diversions") else ""
        return f"{one.who} brings a call from {caller or 'a hidden number'} to {dialled}{diverted}"
    return f"{one.who} calls {dialled}" + (f" as {caller}" if caller else "")


def _is_question(one: Happening, channel: str) -> bool:
    return one.what is What.ASKS and one.channel == channel


def _number_of_help(call: Call) -> str:
    """Give the number of an emergency call: that of its first leg, or of the first trunk that failed."""
    trunks = {What.LEAVES, What.REFUSED, What.FULL, What.AWAY}
    return next((one.words.get("num", "") for one in call.happenings if one.what in trunks), "")


def _leaves(one: Happening) -> str:
    words = one.words
    over = f"{one.who} is called over {words.get('trunk', '?')}"
    if words.get("why") == EMERGENCY:
        return f"{over}, an emergency call of {words.get('payer', '?')} that asks nobody; leg {one.channel}"
    until = "first, and longer while there is credit" if words.get("credit") else "most"
    limit = f", {words['limit']} s at {until}" if words.get("limit", "0") != "0" else ""
    return (
        f"{over}, paid by {words.get('payer', 'nobody')} ({words.get('why', 'for nothing')}){limit}; "
        f"leg {one.channel}"
    )


def _refusal(one: Happening, before: tuple[Happening, ...]) -> str:
    """Say why a trunk did not take a call, or what came of it there."""
    words = one.words
    trunk, cause, sip = words.get("trunk", "?"), words.get("cause", ""), words.get("sip", "")
    if one.what is What.AWAY:
        known = words.get("away") != "unknown"
        why = "is away (no answer to OPTIONS)" if known else "Asterisk does not know (until it starts anew)"
        return f"{one.who} is not called over {trunk}, which {why}"
    if one.what is What.FULL:
        whose = trunk if LIMITS.get(cause) == "trunk" else "its tenant or payer"
        return f"{one.who} is not called over {trunk}: {whose} has as many calls as there may be"
    since = {other.what: other.at for other in before if other.channel == one.channel}
    if What.ANSWERS in since:
        return f"{one.who} does not press 1 and is given up"
    if _is_rung_out(one):
        lasted = _lasted((one.at - since.get(What.LEAVES, one.at)).total_seconds())
        rings = "rings" if sip == "180" else "is called"
        return f"{one.who} {rings} over {trunk} for {lasted}, and nobody answers"
    if sip == "408":
        return f"{one.who} is not reached over {trunk}: it says nothing in time ({_cause(cause)})"
    said = f"it says {_status(sip)}" if sip else "it refuses"
    return f"{one.who} is not taken by {trunk}: {said} ({_cause(cause)})"


def _is_rung_out(one: Happening) -> bool:
    """Tell whether a leg was given up as nobody answered in time: its trunk refused nothing."""
    sip = one.words.get("sip", "")
    return one.words.get("status") == "NOANSWER" and (sip in {"", "487"} or sip.startswith("1"))


def _tried_next(one: Happening) -> str:
    if following := one.words.get("next"):
        return f"; {following} is tried next"
    # Where the number was reached, no other trunk could do better.
    reached = one.what is What.REFUSED and one.words.get("status") in {"BUSY", "NOANSWER"}
    return "" if reached else "; no other trunk is tried"


def _status(sip: str) -> str:
    return f"{sip} {SIP.get(sip, '')}".rstrip()


def _cause(cause: str) -> str:
    return f"cause {cause}, {CAUSES[cause]}" if cause in CAUSES else f"cause {cause or 'unknown'}"


def _sent_on(facts: Mapping[str, Any]) -> str:
    """Say who sends a call elsewhere, and where to; nothing where somebody calls."""
    actor, dialled = facts.get("actor", "?"), facts.get("dialled", "?")
    match facts.get("origin"):
        case "transfer":
            return f"{actor} transfers {facts.get('endpoint', '?')} to {dialled}: "
        case "forward":
            return f"{actor} sends the call on to {dialled} (302): "
        case "consult":
            return f"{actor} calls {dialled} before it transfers: "
        case _:
            return ""


def _confirming(call: Call) -> set[str]:
    """Give the numbers of which who answers is asked to press 1."""
    steps = [step for entry in call.decisions for step in entry["decision"]["steps"]]
    return {step["number"] for step in steps if step.get("confirm")}


def _by_machine(call: Call, one: Happening, before: tuple[Happening, ...]) -> str:
    """Name the mailbox, or the confirmation of a star code, that answers where nobody else does."""
    near = [other for other in call.happenings if other.what is What.ANSWERS and _are_together(one, other)]
    talking = {other.channel for other in before if other.what is What.ANSWERS}
    talking -= {other.channel for other in before if other.what is What.GONE}
    if near or talking:
        return ""
    steps = [step for entry in call.decisions for step in entry["decision"]["steps"]]
    machines = {f" by mailbox {step['mailbox']}" for step in steps if "mailbox" in step}
    machines |= {" by a spoken confirmation" for step in steps if step["do"] == "confirm"}
    return machines.pop() if len(machines) == 1 else ""


def _are_together(one: Happening, other: Happening) -> bool:
    return abs((other.at - one.at).total_seconds()) < HEARD_TOGETHER_S


def _lasted(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{round(seconds * 1000)} ms"


def _branch(call: Call, one: Happening) -> str:
    """Name what a Local channel was made for: a phone's 302, or a question before a transfer."""
    asked: Mapping[str, Any] = next(
        (entry["facts"] for entry in call.decisions if entry.get("call") == one.channel), {}
    ) or next((other.words for other in call.happenings if _is_question(other, one.channel)), {})
    what = {"forward": "302", "consult": "call"}.get(str(asked.get("origin")), "transfer")
    return f"the {what} of {asked.get('actor', '?')} to {asked.get('dialled', '?')}"


def _outcome(one: Happening, whose: str) -> str:
    words = one.words
    outcome, reason, by = words.get("outcome", "?"), words.get("reason", ""), words.get("by", "")
    if outcome == "carrier-failure":
        outcome += f" ({_cause(reason)})"
    elif outcome == "answered" and reason:
        outcome += f", then sent on in vain ({reason})"
    elif reason:
        outcome += f" ({reason})"
    return f"the outcome for {whose}: {outcome}, decided by {WHO.get(by, by)}"


def _is_refused(one: Happening, before: tuple[Happening, ...]) -> bool:
    """Tell whether it was our side that ended a call, which its own outcome says."""
    ends = [
        end.words.get("outcome") for end in before if end.what is What.ENDS and end.channel == one.channel
    ]
    return bool(ends) and ends[-1] not in {"answered", "abandoned"}
