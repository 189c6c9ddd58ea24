"""Memory, descriptors, threads and latency of a real pool at 80 % load of two cores, by minute.

Starts a pool of two nodes on this machine (bus, scheduler with its gateway, node agents, llama.cpp
engines with the demonstration's model) on two cores, and asks it for streamed answers. The load is
a closed loop: every few seconds the CPU time that all processes of the pool and this one have used
is compared with 80 % of the two cores, and the clients' pauses between requests follow. On a
machine with other work the pool may not get so much; ``use_percent`` says what it got.

    python -m benchmarks.steady [--json] [--minutes M]

The result has ``minutes``: for each, the CPU use, numbers of requests and failures, times to the
first token, between tokens and of whole answers (p50 and p99, seconds), sizes of the store and the
journal, and of each process its memory, descriptors and threads; and ``verdicts``: whether each
series is flat, by the rule of ``support/steadiness.py``. Exits with 1 if one is not flat, a request
failed or a process was started again. A run for the record takes an hour: the rule leaves out the
first quarter, within which what the pool keeps of ended jobs (ten minutes) becomes constant.
``benchmarks/support/steady_picture.py`` draws the result.
"""

import asyncio
import json
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import aiohttp
import psutil
from benchmarks.agent_idle import entraide
from benchmarks.notice import has_text, quantile
from benchmarks.support.common import make_parser
from benchmarks.support.steadiness import (
    MB,
    OF_PROCESSES,
    OF_REQUESTS,
    ProcessSample,
    Verdict,
    judge,
    sample_process,
)
from msgspec import Struct, structs, to_builtins

from entraide.client.admin import AdminClient
from entraide.v1 import admin_pb2
from entraide_node.engines.llamacpp_child import MODULE as ENGINE_MODULE
from entraide_scheduler.supervision import poolfile
from entraide_scheduler.supervision.poolfile import PoolFile

MINUTES = 60.0
NODES, CLIENTS, CORES = 2, 12, 2
TARGET = 0.8  # of the cores' time
CONTROL_S = 5.0
GAIN = 0.15
PAUSE_MIN_S, PAUSE_START_S, PAUSE_MAX_S = 0.01, 2.5, 30.0
TOKENS = (16, 128)  # fewest and most of an answer
COOP = "boreale"
MODEL = "smollm2-135m-instruct"
READ_TIMEOUT_S = 120.0
WORDS = ("the", "river", "bread", "winter", "school", "a", "long", "story", "snow", "and", "work")


class Latencies:
    """Times of the answers that ended since they were last taken, seconds."""

    def __init__(self) -> None:
        self.first_s: list[float] = []
        self.between_s: list[float] = []
        self.whole_s: list[float] = []
        self.failed = 0


class Minute(Struct, frozen=True):
    """What was measured in a minute; see the module's docstring.

    Attributes:
        minute: since the begin of the load, from 0.
        use_percent: of the two cores.
        pause_s: between a client's requests, at its end.
        store_mb, journal_events: size of the database's files, and number of events in the journal.
        processes: by name, what each held at its end.
    """

    minute: int
    use_percent: float
    pause_s: float
    requests: int
    failed: int
    first_token_p50_s: float | None
    first_token_p99_s: float | None
    between_tokens_p50_s: float | None
    between_tokens_p99_s: float | None
    whole_p50_s: float | None
    whole_p99_s: float | None
    store_mb: float
    journal_events: int
    processes: dict[str, ProcessSample]


class Steady(Struct, frozen=True):
    """The result of a run.

    Attributes:
        target_percent: CPU use that the load aimed at, of the two cores.
        restarted: processes that were started again.
    """

    target_percent: float
    minutes: list[Minute]
    verdicts: list[Verdict]
    restarted: list[str]

    @property
    def is_flat(self) -> bool:
        """Whether every series is flat, no request failed and no process was started again."""
        failed = sum(minute.failed for minute in self.minutes)
        return all(verdict.is_flat for verdict in self.verdicts) and not (failed or self.restarted)


def processes_of(pool: PoolFile) -> dict[str, psutil.Process]:
    """Returns the pool's processes by name, and this one as ``clients``."""
    named = {name: psutil.Process(pid) for name, pid in pool.pids.items()}
    for name, process in list(named.items()):
        for child in process.children():
            if ENGINE_MODULE in child.cmdline():
                named[f"engine of {name}"] = child
    return {**named, "clients": psutil.Process()}


class Load:
    """Clients whose pauses follow the CPU time that the processes use.

    Args:
        pool: the pool that is asked.
    """

    def __init__(self, pool: PoolFile) -> None:
        self._pool = pool
        self.pause_s = PAUSE_START_S
        self.taken = Latencies()
        self._luck = random.Random(7)
        self._used_s, self._at_s = self._cpu_s(), time.monotonic()

    def _cpu_s(self) -> dict[int, float]:
        times = {}
        for process in processes_of(self._pool).values():
            times[process.pid] = sum(process.cpu_times()[:2])
        return times

    def measure_use(self) -> float:
        """Returns the part of the cores' time that was used since the last call."""
        before, at_s = self._used_s, self._at_s
        self._used_s, self._at_s = self._cpu_s(), time.monotonic()
        used_s = sum(now - before.get(pid, 0.0) for pid, now in self._used_s.items())
        return used_s / (CORES * (self._at_s - at_s))

    async def control(self, uses: list[float]) -> None:
        """Adapts the pauses until it is cancelled; adds each measured use to a list."""
        while True:
            await asyncio.sleep(CONTROL_S)
            uses.append(self.measure_use())
            pause_s = self.pause_s * math.exp(GAIN * (uses[-1] - TARGET))
            self.pause_s = min(PAUSE_MAX_S, max(PAUSE_MIN_S, pause_s))

    async def ask_again_and_again(self) -> None:
        """Asks, waits, and asks again, until it is cancelled."""
        headers = {"authorization": f"Bearer {self._pool.keys[COOP]}"}
        limit = aiohttp.ClientTimeout(total=None, sock_read=READ_TIMEOUT_S)
        async with aiohttp.ClientSession(headers=headers, timeout=limit) as session:
            while True:
                try:
                    await self._ask(session)
                except (aiohttp.ClientError, TimeoutError):
                    self.taken.failed += 1
                await asyncio.sleep(self.pause_s * self._luck.uniform(0.5, 1.5))

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        question = " ".join(self._luck.choices(WORDS, k=self._luck.randint(10, 60)))
        body = {
            "model": MODEL, "stream": True, "max_tokens": self._luck.randint(*TOKENS),
            "messages": [{"role": "user", "content": question}],
        }  # fmt: skip
        began_s, last, texts_s = time.perf_counter(), b"", []
        url = f"{self._pool.http}/v1/chat/completions"
        async with session.post(url, json=body) as answer:
            async for line in answer.content:
                if has_text(line):
                    texts_s.append(time.perf_counter())
                last = line.strip() or last
        if not (last.endswith(b"[DONE]") and texts_s):
            self.taken.failed += 1
            return
        self.taken.first_s.append(texts_s[0] - began_s)
        self.taken.between_s += [b - a for a, b in pairwise(texts_s)]
        self.taken.whole_s.append(time.perf_counter() - began_s)


def quantile_or_none(times_s: Sequence[float], share: float) -> float | None:
    """Returns a quantile of times, seconds; None without any."""
    return quantile(times_s, share) if times_s else None


def count_journal(pool: PoolFile) -> int:
    """Returns the number of events in the journal."""
    with AdminClient(pool.grpc, pool.admin_key, ca_pem=pool.ca, lang="en") as admin:
        status = admin.call("GetStatus", admin_pb2.GetStatusRequest())
    return int(status.journal.events)


async def measure(minutes: float, state: Path) -> Steady:
    """Loads the pool in a folder for some minutes."""
    pool = poolfile.read(state)
    assert pool is not None
    load, uses = Load(pool), list[float]()
    tasks = [asyncio.create_task(load.control(uses))]
    tasks += [asyncio.create_task(load.ask_again_and_again()) for _ in range(CLIENTS)]
    rows: list[Minute] = []
    first = processes_of(pool)
    restarted: set[str] = set()
    began_s = time.monotonic()
    try:
        while len(rows) < minutes:
            end_s = began_s + 60.0 * (len(rows) + 1)
            await asyncio.wait(tasks, timeout=end_s - time.monotonic())
            if any(task.done() for task in tasks):
                break  # the error is raised below
            processes = processes_of(poolfile.read(state) or pool)
            restarted |= {name for name, each in processes.items() if first.get(name) != each}
            samples = {name: sample_process(each) for name, each in processes.items()}
            events = await asyncio.to_thread(count_journal, pool)
            row = _make_minute(len(rows), load, uses, samples=samples, state=state, events=events)
            rows.append(row)
            uses.clear()
            print(structs.replace(rows[-1], processes={}), file=sys.stderr, flush=True)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
    return Steady(100.0 * TARGET, rows, judge_all(rows), sorted(restarted))


def _make_minute(
    number: int,
    load: Load,
    uses: Sequence[float],
    *,
    samples: dict[str, ProcessSample],
    state: Path,
    events: int,
) -> Minute:
    taken, load.taken = load.taken, Latencies()
    files = [file for file in state.glob("store.db*") if file.is_file()]
    return Minute(
        number,
        round(100.0 * sum(uses) / max(1, len(uses)), 1),
        round(load.pause_s, 3),
        len(taken.whole_s),
        taken.failed,
        quantile_or_none(taken.first_s, 0.5),
        quantile_or_none(taken.first_s, 0.99),
        quantile_or_none(taken.between_s, 0.5),
        quantile_or_none(taken.between_s, 0.99),
        quantile_or_none(taken.whole_s, 0.5),
        quantile_or_none(taken.whole_s, 0.99),
        round(sum(file.stat().st_size for file in files) / MB, 2),
        events,
        samples,
    )


def judge_all(rows: Sequence[Minute]) -> list[Verdict]:
    """Judges the series of each process and of the requests."""
    verdicts = [
        judge("requests", measure, [getattr(row, measure) for row in rows])
        for measure in OF_REQUESTS
    ]
    for name in rows[-1].processes:
        for measure in OF_PROCESSES:
            values = [
                getattr(row.processes[name], measure) if name in row.processes else None
                for row in rows
            ]
            verdicts.append(judge(name, measure, values))
    return verdicts


def main() -> int:
    """Runs the load and prints the result."""
    parser = make_parser(__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of load; at least 6")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, cores)  # the pool's processes inherit it
    with tempfile.TemporaryDirectory(prefix="entraide-steady-") as folder:
        state = Path(folder) / "pool"
        entraide("up", "--detach", "--nodes", str(NODES), "--state", str(state))
        try:
            result = asyncio.run(measure(options.minutes, state))
        finally:
            entraide("down", "--state", str(state))
    if options.json:
        print(json.dumps(to_builtins(result)))
    else:
        for verdict in result.verdicts:
            print(verdict)
    return 0 if result.is_flat else 1


if __name__ == "__main__":
    sys.exit(main())
