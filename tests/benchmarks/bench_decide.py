"""How long a decision takes among 1,000 tenants of 20 extensions, and how long it takes to load them.

Ends with one line of JSON: `decide_p50_us`, `decide_p99_us` (inbound calls to a group behind hours and calls
outside, alternating), `decide_cpu_p99_us` (the same in our own time on the processor: where others share the
machine the clock counts their turns too), `compile_1000_tenants_s`, `kb_per_tenant`.
"""

import gc
import json
import resource
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from dialplan.compile import compile_tenant
from dialplan.decide import decide
from dialplan.facts import Facts, Origin, State
from dialplan.plan import Plan
from dialplan.published import Published
from dialplan.spec import TenantSpec

TENANTS = 1_000
EXTENSIONS = 20
CALLS = 20_000
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


def compiled(specs: list[TenantSpec]) -> list[Plan]:
    """Compile every document; none may be wrong."""
    plans = [compile_tenant(spec, revision=1, trunks=("carrier",)) for spec in specs]
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


def measured(published: Published, questions: list[Facts], clock: Callable[[], int]) -> list[float]:
    """Decide every call and return the microseconds of each."""
    times = []
    for facts in questions:
        started = clock()
        decide(published, facts, State(), NOON)
        times.append((clock() - started) / 1_000)
    return times


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
    figures = {
        "decide_p50_us": round(cuts[49], 1),
        "decide_p99_us": round(cuts[98], 1),
        "decide_cpu_p99_us": round(cpu[98], 1),
        "compile_1000_tenants_s": round(compile_s, 2),
        "kb_per_tenant": round(kb),
    }
    print(json.dumps(figures))  # noqa: T201 — a benchmark's last line is its result


if __name__ == "__main__":
    main()
