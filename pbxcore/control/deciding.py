"""Answers one question: facts in, decision out, within its deadline.

Owns the way from an AGI request to channel variables. Refuses to decide: that is the decider's, a function.

What a decision changes is kept before its answer is sent. If it cannot be kept there is no answer, the
dialplan asks the standby, and if that cannot either the call fails: nobody hears a confirmation of nothing.
What only tells of a decision, its line in the log and its counts, comes after its answer.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import cache

from prometheus_client import Counter, Histogram

from dialplan.decision import Decision
from dialplan.facts import Facts, Origin
from dialplan.switch import Switch
from pbxcore.control import decision_log, wire
from pbxcore.control.decision_log import DecisionLog
from pbxcore.control.fastagi import Answer, Headers, Reply, SessionError
from pbxcore.control.wire import Question
from pbxcore.switches import UnkeptError

DECISION_LIMIT_S = 0.3  # later the standby is faster

DECIDED = Counter(
    "pbxcore_decisions_total", "Decisions carried out, by origin and first step", ["origin", "step"]
)
REFUSED = Counter("pbxcore_questions_refused_total", "Questions without an answer", ["code"])
SECONDS = Histogram(
    "pbxcore_decision_seconds",
    "Time to decide, without the wire",
    buckets=(0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.005, 0.02, 0.1, 0.3),
)

logger = logging.getLogger(__name__)

Decider = Callable[[Facts], Decision]
Keep = Callable[[tuple[Switch, ...]], Awaitable[None]]
"""Keeps what a decision changes; raises `UnkeptError` if it cannot."""


Pay = Callable[[Facts, Decision], Awaitable[Decision] | None]
"""Asks for the credit that a decision needs, and decides again by what it heard; None where it needs none."""


def nothing(facts: Facts, decision: Decision) -> None:
    """Ask nobody."""
    del facts, decision


async def nowhere(changes: tuple[Switch, ...]) -> None:
    """Keep nothing."""
    raise UnkeptError(f"there is no place for {len(changes)} changes")


def answering(decide: Decider, log: DecisionLog, keep: Keep = nowhere, pay: Pay = nothing) -> Answer:
    """Return what `pbxcore.control.fastagi.listen` calls for each request."""

    def answer(headers: Headers) -> Reply | Awaitable[Reply]:
        question = _question(headers)
        decision, took_s = _decide(decide, question)
        paying = pay(question.facts, decision)
        if paying or decision.changes:
            return later(question, decision, took_s, paying)
        return reply(question, decision, took_s)

    async def later(
        question: Question, decision: Decision, took_s: float, paying: Awaitable[Decision] | None
    ) -> Reply:
        decision = await paying if paying else decision
        answered = reply(question, decision, took_s)
        if decision.changes:
            await _keep(keep, decision)
        return answered

    def reply(question: Question, decision: Decision, took_s: float) -> Reply:
        commands = _commands(question, decision)
        if took_s > DECISION_LIMIT_S:
            REFUSED.labels("late").inc()
            SECONDS.observe(took_s)
            raise SessionError("late")
        at = datetime.now(UTC)
        return Reply(commands, lambda: note(question.facts, decision, at, took_s))

    def note(facts: Facts, decision: Decision, at: datetime, took_s: float) -> None:
        SECONDS.observe(took_s)
        _decided(facts.origin, type(decision.steps[0]).__name__).inc()
        log.note(decision_log.line(facts, decision, at=at, micros=round(took_s * 1e6)))

    return answer


def _question(headers: Headers) -> Question:
    if headers.get("agi_network_script") != "decide":
        raise SessionError("garbage")
    try:
        return wire.question(headers)
    except wire.WireError as error:
        raise _unanswered(error) from error


def _commands(question: Question, decision: Decision) -> tuple[str, ...]:
    try:
        return wire.commands(decision, question.nonce)
    except wire.WireError as error:
        raise _unanswered(error) from error


def _unanswered(error: wire.WireError) -> SessionError:
    """Count and tell of a question or an answer that cannot be carried."""
    REFUSED.labels(error.code).inc()
    logger.warning("a question is not answered: %s", error)
    return SessionError(error.code)


async def _keep(keep: Keep, decision: Decision) -> None:
    try:
        await keep(decision.changes)
    except UnkeptError as error:
        REFUSED.labels(error.code).inc()
        logger.error("a caller's change is not kept: %s", error)  # noqa: TRY400 — its words say enough
        raise SessionError(error.code) from error


def _decide(decide: Decider, question: Question) -> tuple[Decision, float]:
    started = time.perf_counter()
    decision = decide(question.facts)
    return decision, time.perf_counter() - started


@cache
def _decided(origin: Origin, step: str) -> Counter:
    """Find the counter of an origin and a first step; there are five of the one and eight of the other."""
    return DECIDED.labels(origin.value, step.lower())
