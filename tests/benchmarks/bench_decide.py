"""How long a decision takes among 1,000 tenants of 20 extensions, and how long it takes to load them.

Ends with one line of JSON: `decide_p50_us`, `decide_p99_us` (inbound calls to a group behind hours and calls
outside, alternating: the median lies between the two), `decide_cpu_p99_us` (the same in our own time on the
processor: where others share the machine the clock counts their turns too), `kinds_cpu_p99_us` (all kinds of
calls, drawn evenly), `slowest` (kind, its median and its p99 on the processor), `compile_1000_tenants_s`,
`kb_per_tenant`. Before it a line for each kind.
"""

import gc
import json
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

from dialplan.compile import compile_tenant
from dialplan.decide import decide
from dialplan.facts import Facts, Origin, State
from dialplan.plan import Plan
from dialplan.published import Published
from dialplan.spec import TenantSpec
from tests.benchmarks import kinds_of_calls

TENANTS = 1_000
EXTENSIONS = 20
CALLS = 20_000
CALLS_OF_A_KIND = 2_000
NOTHING = State()
NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)  # a Monday


def document(number: int) -> dict[str, object]:
    """One tenant: phones, forwards, a group, opening hours."""
    extensions = {
        str(200 + n): {
            "name": f"Extension {n}",
            "devices": [f"p{n}"],
            "voicemail": {},
            "forward": {"busy": f"voicemail {200 + n}", "no_answer": {"to": "number +436641234567"}},
        }
        for n in range(EXTENSIONS)
    }
    return {
        "version": 1,
        "tenant": f"t{number}",
        "name": f"Tenant {number}",
        "country": "DE",
        "area_code": "30",
        "time_zone": "Europe/Berlin",
        "account": f"t{number}",
        "numbers": {f"+4930{number:07}": {"to": "hours office"}},
        "extensions": extensions,
        "groups": {"all": {"name": "All", "members": list(extensions), "otherwise": "voicemail 200"}},
        "hours": {
            "office": {"open": ["Mon-Fri 08:00-18:00"], "then": "group all", "closed": "voicemail 200"},
        },
    }


def compiled(specs: list[TenantSpec], trunks: tuple[str, ...] = ("carrier",)) -> list[Plan]:
    """Compile every document; none may be wrong."""
    plans = [compile_tenant(spec, revision=1, trunks=trunks) for spec in specs]
    assert not [finding for _, findings in plans for finding in findings]
    return [plan for plan, _ in plans if plan]


def question(number: int) -> Facts:
    """Draw a call: every other one comes in, every other one goes out."""
    tenant = number * 7 % TENANTS
    call = f"m-1.{number}"
    if number % 2:
        return Facts(
            call=call,
            linkedid=call,
            origin=Origin.TRUNK,
            endpoint="trunk-carrier",
            actor="trunk-carrier",
            dialled=f"+4930{tenant:07}",
            caller="+436641234567",
        )
    phone = f"t{tenant}-p{number % EXTENSIONS}"
    return Facts(
        call=call,
        linkedid=call,
        origin=Origin.PHONE,
        endpoint=phone,
        actor=phone,
        dialled="00436641234567",
    )


def memory_kb() -> int:
    """Return the largest memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measured(
    published: Published, questions: list[Facts], clock: Callable[[], int], state: State = NOTHING
) -> list[float]:
    """Decide every call and return the microseconds of each."""
    times = []
    for facts in questions:
        started = clock()
        decide(published, facts, state, NOON)
        times.append((clock() - started) / 1_000)
    return times


def by_kind(published: Published) -> dict[str, list[float]]:
    """Decide calls of every kind beside the other tenants; return the processor's microseconds of each."""
    offices = [TenantSpec.model_validate(kinds_of_calls.document(n)) for n in range(kinds_of_calls.OFFICES)]
    plans = compiled(offices, kinds_of_calls.TRUNKS)
    every = replace(published.with_plans(plans), carriers=kinds_of_calls.CARRIERS)
    state = State(switches=kinds_of_calls.switches())
    asked = {kind: [ask(n) for n in range(CALLS_OF_A_KIND)] for kind, ask in kinds_of_calls.KINDS.items()}
    return {kind: measured(every, calls, time.thread_time_ns, state) for kind, calls in asked.items()}


def main() -> None:
    """Run it and print one line of JSON."""
    specs = [TenantSpec.model_validate_json(json.dumps(document(n))) for n in range(TENANTS)]
    before = memory_kb()
    started = time.perf_counter()
    published = Published().with_plans(compiled(specs))
    compile_s = time.perf_counter() - started
    kb = (memory_kb() - before) / TENANTS
    questions = [question(n) for n in range(CALLS)]
    gc.collect()
    gc.freeze()  # as a deciding process does once its plans are read
    cuts = statistics.quantiles(measured(published, questions, time.perf_counter_ns), n=100)
    cpu = statistics.quantiles(measured(published, questions, time.thread_time_ns), n=100)
    kinds = by_kind(published)
    each = {kind: statistics.quantiles(times, n=100) for kind, times in kinds.items()}
    for kind, of_kind in sorted(each.items(), key=lambda one: one[1][49]):
        print(f"{of_kind[49]:7.1f} {of_kind[98]:7.1f} µs  {kind}")  # noqa: T201 — what the last line sums up
    slowest = max(each, key=lambda kind: each[kind][49])
    figures = {
        "decide_p50_us": round(cuts[49], 1),
        "decide_p99_us": round(cuts[98], 1),
        "decide_cpu_p99_us": round(cpu[98], 1),
        "kinds_cpu_p99_us": round(statistics.quantiles(chain.from_iterable(kinds.values()), n=100)[98], 1),
        "slowest": [slowest, round(each[slowest][49], 1), round(each[slowest][98], 1)],
        "compile_1000_tenants_s": round(compile_s, 2),
        "kb_per_tenant": round(kb),
    }
    print(json.dumps(figures))  # noqa: T201 — a benchmark's last line is its result


if __name__ == "__main__":
    main()
