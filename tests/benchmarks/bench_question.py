"""What control takes of the processor for a question, Asterisk left out.

A deciding process as it runs (its loop, its metrics in files, its log of decisions, its switches) answers a
process that asks as Asterisk does: a connection for each question, forty lines written one by one, the answer
acknowledged. Phones of 100 tenants call outside; one question follows the other, or they come PER_S a second:
then others use core and caches between two, as they do between two calls, and a question takes twice as much.

Ends with one line of JSON: `question_cpu_us` (median of ROUNDS of a thousand questions: what one takes of the
process that answers, user and system), `question_p50_us` (from connecting to the answer, by the clock), and
`question_cold_cpu_us` (as the first, at PER_S).
"""

import asyncio
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from dialplan.compile import compile_tenant
from dialplan.facts import State
from dialplan.spec import TenantSpec
from pbxcore import metrics, publication
from pbxcore.machine.collector import settle
from pbxcore.published import Index
from pbxcore.settings import Settings
from tests.benchmarks import bench_decide

ROUNDS = int(os.environ.get("ROUNDS", "5"))
QUESTIONS = 1_000  # a round
COLD_QUESTIONS = 300  # a round of them takes three seconds
PER_S = 100
TENANTS = 100
AROUND = 18  # further headers that each request has, and that nobody reads
ANSWER = b"200 result=0\n"


def ask(port: int, questions: int, per_s: int) -> list[float]:
    """Ask so many a second, or one after the other for 0; return the microseconds of each."""
    started = time.perf_counter()
    took = []
    for number in range(questions):
        if per_s:
            time.sleep(max(0.0, started + number / per_s - time.perf_counter()))
        took.append(_asked(port, number))
    return took


def _asked(port: int, number: int) -> float:
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as line:
        for header in _headers(number):
            line.sendall(header)
        while (said := line.recv(4_096)) and not said.endswith(b"\n"):
            pass
        took_us = (time.perf_counter() - started) * 1e6
        assert b"PBX_OK" in said, said
        line.sendall(ANSWER)
        assert not line.recv(1), "the session goes on"
    return took_us


def _headers(number: int) -> list[bytes]:
    tenant = number % TENANTS
    phone, call = f"t{tenant}-p{number % bench_decide.EXTENSIONS}", f"m-1.{number}"
    fields = ("3", f"{number:08x}", call, "phone", phone, phone, "00436641234567", "200", "", "", "", "")
    around = [f"agi_around_{index}: something that is there" for index in range(AROUND)]
    lines = ["agi_network: yes", "agi_network_script: decide", "agi_request: agi://127.0.0.1/decide",
             f"agi_uniqueid: {call}", *around, f"agi_arg_1: {'|'.join(fields)}", ""]  # fmt: skip
    return [f"{line}\n".encode() for line in lines]


def publish(settings: Settings) -> None:
    """Put the tenants in force."""
    for number in range(TENANTS):
        spec = TenantSpec.model_validate(bench_decide.document(number))
        plan, _ = compile_tenant(spec, revision=1, trunks=("carrier",))
        assert plan is not None
        publication.write_plan(settings.published, plan)
    index = Index(revisions={f"t{number}": 1 for number in range(TENANTS)}, trunks=("carrier",))
    publication.write_index(settings.published, index)


async def answer(settings: Settings) -> None:
    """Answer rounds of questions; print the line of JSON."""
    from pbxcore.control.process import Process  # noqa: PLC0415 — makes its metrics, after they have a place
    from pbxcore.control.turns import Turns  # noqa: PLC0415 — as above

    process = Process(name="control", settings=settings, state=State(longest_call_s=14_400),
                      turns=Turns(settings.turns_file))  # fmt: skip
    port = _free_port()
    async with process.running(port):
        settle()
        await _round(port)  # files are open and children of metrics made
        rounds = [await _round(port) for _ in range(ROUNDS)]
        cold = [await _round(port, COLD_QUESTIONS, PER_S) for _ in range(ROUNDS)]
    figures = {
        "question_cpu_us": round(statistics.median(cpu_us for cpu_us, _ in rounds)),
        "question_p50_us": round(statistics.median(wall_us for _, wall_us in rounds)),
        "question_cold_cpu_us": round(statistics.median(cpu_us for cpu_us, _ in cold)),
    }
    print(json.dumps(figures))  # noqa: T201 — a benchmark's last line is its result


async def _round(port: int, questions: int = QUESTIONS, per_s: int = 0) -> tuple[float, float]:
    before = time.process_time()
    asking = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.bench_question", str(port), str(questions), str(per_s),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await asking.communicate()
    assert asking.returncode == 0
    return (time.process_time() - before) * 1e6 / questions, statistics.median(json.loads(said))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Ask, as the process that is given a port; else answer."""
    if len(sys.argv) > 1:
        print(json.dumps(ask(*map(int, sys.argv[1:]))))  # noqa: T201 — for who answers
        return
    with tempfile.TemporaryDirectory(prefix="pbx") as folder:
        settings = Settings(state=Path(folder), config=Path(folder))
        publish(settings)
        metrics.start(settings, "control")
        uvloop.run(answer(settings))


if __name__ == "__main__":
    main()
