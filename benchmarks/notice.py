"""How soon the pool notices that a machine with a run has died, hangs or is cut off.

Bus, agents, engines (llama.cpp) and model are real processes; the scheduler runs in this one, so
that its core can be asked. In each round a streamed answer is under way on one of two nodes, then
the fault happens. Measured is the time until the core knows that the run is lost: its lease is
over. Then the fault ends, and all nodes serve again.

With ``--minutes`` there are no faults: as many clients as the pool has slots send requests all the
time, and false alarms are counted.

    python -m benchmarks.notice [--json] [--rounds N] [--fault NAME ...] [--minutes M]

Rows: ``fault, rounds, notice_p50_s, notice_p99_s, notice_max_s, false_alarms``; or
``minutes, clients, requests, failed, false_alarms, hung_engines``.
"""

import asyncio
import contextlib
import json
import logging
import math
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp
import psutil
import structlog
from benchmarks.support.common import make_parser, print_rows
from benchmarks.support.watched_pool import WatchedPool, watched_pool
from msgspec import Struct

from entraide_scheduler.executor import FALSE_ALARM

NODES = 2
COOP = "boreale"
POLL_S = 0.002
WAIT_S = 120.0  # for the pool to be whole, or for a run to begin
NOTICE_S = 60.0  # longest wait for the core's knowledge
AWAY_S = 10.0  # then a node's return is no false alarm, which would double its limits
TOKENS = 1_500
PROMPT = "Write all the numbers from one to one thousand in words, each on a line of its own."
READ_TIMEOUT_S = 300.0


class Notice(Struct, frozen=True):
    """Times of one kind of fault, seconds."""

    fault: str
    rounds: int
    notice_p50_s: float
    notice_p99_s: float
    notice_max_s: float
    false_alarms: int


class Load(Struct, frozen=True):
    """A time at full load without faults."""

    minutes: float
    clients: int
    requests: int
    failed: int
    false_alarms: int
    hung_engines: int


def kill_engine(pool: WatchedPool, node: str) -> None:
    """Kills a node's engine."""
    engine = pool.engine(node)
    assert engine is not None
    engine.send_signal(signal.SIGKILL)


def stop_engine(pool: WatchedPool, node: str) -> None:
    """Freezes a node's engine; its agent kills it."""
    engine = pool.engine(node)
    assert engine is not None
    engine.send_signal(signal.SIGSTOP)


def kill_agent(pool: WatchedPool, node: str) -> None:
    """Kills a node's agent; the supervisor starts it again."""
    pool.agent(node).send_signal(signal.SIGKILL)


def stop_agent(pool: WatchedPool, node: str) -> None:
    """Freezes a node's agent."""
    pool.agent(node).send_signal(signal.SIGSTOP)


def cut_link(pool: WatchedPool, node: str) -> None:
    """Cuts a node off the bus, without a word."""
    pool.links[_number(node)].cut()


def go_on(pool: WatchedPool, node: str) -> None:
    """Ends the fault: unfreezes the agent, mends the link."""
    pool.links[_number(node)].mend()
    with contextlib.suppress(psutil.NoSuchProcess, KeyError):  # a killed agent is not back yet
        pool.agent(node).send_signal(signal.SIGCONT)


def _number(node: str) -> int:
    return int(node.rpartition("-")[2])


FAULTS: dict[str, Callable[[WatchedPool, str], None]] = {
    "engine_killed": kill_engine,
    "engine_stopped": stop_engine,
    "agent_killed": kill_agent,
    "agent_stopped": stop_agent,
    "link_cut": cut_link,
}


async def wait_for(condition: Callable[[], bool], within_s: float = WAIT_S) -> None:
    """Waits for a condition.

    Raises:
        TimeoutError: it did not come true in time.
    """
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  (the core sets no event)
            await asyncio.sleep(POLL_S)


async def ask(pool: WatchedPool, tokens: int = TOKENS) -> bool:
    """Streams one answer to its end; returns whether it came whole."""
    body = {
        "model": "smollm2-135m-instruct", "stream": True, "max_tokens": tokens,
        "messages": [{"role": "user", "content": PROMPT}],
    }  # fmt: skip
    headers = {"authorization": f"Bearer {pool.key(COOP)}"}
    limit = aiohttp.ClientTimeout(total=None, sock_read=READ_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=limit) as session,
            session.post(f"{pool.url}/v1/chat/completions", json=body) as answer,
        ):
            text = await answer.read()
            return answer.status == 200 and text.rstrip().endswith(b"[DONE]")
    except aiohttp.ClientError:
        return False


async def notice_s(pool: WatchedPool, fault: Callable[[WatchedPool, str], None]) -> float:
    """Makes one fault during a run; returns how long the core did not know, seconds."""
    await wait_for(pool.is_whole)
    # Completed runs end the back-off that the last fault began.
    await asyncio.gather(*(ask(pool, tokens=4) for _ in range(2 * NODES)))
    client = asyncio.create_task(ask(pool))
    try:
        await wait_for(lambda: pool.active_job() is not None)
        job = pool.active_job()
        assert job is not None
        core = pool.driver.core
        fault(pool, job.node)
        began_s = time.perf_counter()
        await wait_for(lambda: not core.holds_run(job.node, job.job, job.epoch), NOTICE_S)
        noticed_s = time.perf_counter() - began_s
        await asyncio.sleep(AWAY_S)
        go_on(pool, job.node)
        return noticed_s
    finally:
        client.cancel()
        await asyncio.wait({client})


async def measure(names: Sequence[str], rounds: int) -> list[Notice]:
    """Measures each kind of fault."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        async with watched_pool(Path(folder), nodes=NODES) as pool:
            for name in names:
                before = pool.driver.counts[FALSE_ALARM]
                times_s = sorted([await notice_s(pool, FAULTS[name]) for _ in range(rounds)])
                await wait_for(pool.is_whole)
                rows.append(
                    Notice(
                        name,
                        rounds,
                        round(times_s[(rounds - 1) // 2], 3),
                        round(times_s[math.ceil(0.99 * rounds) - 1], 3),
                        round(times_s[-1], 3),
                        pool.driver.counts[FALSE_ALARM] - before,
                    )
                )
                print(rows[-1], file=sys.stderr)
    return rows


async def measure_load(minutes: float) -> Load:
    """Keeps every slot busy for some minutes, and counts false alarms."""
    with tempfile.TemporaryDirectory() as folder:
        async with watched_pool(Path(folder), nodes=NODES) as pool:
            await wait_for(pool.is_whole)
            views = pool.driver.core.nodes()
            clients = sum(replica.slots for view in views for replica in view.card.replicas)
            engines = {view.card.node: pool.engine(view.card.node) for view in views}
            until_s = time.monotonic() + 60.0 * minutes

            async def client() -> list[bool]:
                answers = []
                while time.monotonic() < until_s:
                    answers.append(await ask(pool, tokens=200))
                return answers

            lists = await asyncio.gather(*(client() for _ in range(clients)))
            answers = [is_whole for answers in lists for is_whole in answers]
            hung = sum(pool.engine(node) != engine for node, engine in engines.items())
            alarms = pool.driver.counts[FALSE_ALARM]
    return Load(minutes, clients, len(answers), answers.count(False), alarms, hung)


def main(arguments: Sequence[str]) -> None:
    """Measures and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each fault")
    parser.add_argument("--fault", action="append", choices=FAULTS, help="this fault only")
    parser.add_argument("--minutes", type=float, default=0.0, help="full load without faults")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if options.minutes:
        print(json.dumps(_builtins(asyncio.run(measure_load(options.minutes)))))
        return
    rows = asyncio.run(measure(options.fault or list(FAULTS), options.rounds))
    print_rows(rows, as_json=options.json)


def _builtins(row: Load) -> dict[str, float]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


if __name__ == "__main__":
    main(sys.argv[1:])
