"""How soon the pool notices that a machine with a run has died, hangs or is cut off.

Bus, agents, engines (llama.cpp) and model are real processes; the scheduler runs in this one, so
that its core can be asked. In each round a streamed answer is under way on one of two nodes, then
the fault happens. Measured is the time until the core knows that the run is lost (its lease is
over), and the time until the client reads the next text of its answer, which the other node
continues. Then the fault ends, and all nodes serve again.

With ``--minutes`` there are no faults: as many clients as the pool has slots send requests all the
time, and false alarms are counted.

    python -m benchmarks.notice [--json] [--rounds N] [--fault NAME ...] [--minutes M]

Rows: ``fault, rounds, notice_p50_s, notice_p99_s, notice_max_s, resumed, next_token_p50_s,
next_token_p99_s, next_token_max_s, false_alarms``; or ``minutes, clients, requests, failed,
false_alarms, hung_engines``. A fault ``all`` has the rounds of all faults together.
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

from entraide_scheduler.driver import FALSE_ALARM

NODES = 2
COOP = "boreale"
ROUNDS_PER_POOL = 4  # a pool becomes patient with nodes that fail again and again
POLL_S = 0.002
WAIT_S = 120.0  # for the pool to be whole, or for a run to begin
RESUMED_S = 30.0  # longest wait for the next text after that
NOTICE_S = 60.0  # longest wait for the core's knowledge
AWAY_S = 10.0  # then a node's return is no false alarm, which would double its limits
TOKENS = 1_500
PROMPT = "Write all the numbers from one to one thousand in words, each on a line of its own."
READ_TIMEOUT_S = 300.0


class Round(Struct, frozen=True):
    """Times of one fault.

    Attributes:
        notice_s: until the core knew that the run was lost.
        next_token_s: until the client read the next text; None if the answer was not resumed.
    """

    notice_s: float
    next_token_s: float | None


class Notice(Struct, frozen=True):
    """Times of one kind of fault, seconds.

    Attributes:
        notice_p50_s, notice_p99_s, notice_max_s: from the fault to the core's knowledge.
        resumed: rounds whose answer another node continued.
        next_token_p50_s, next_token_p99_s, next_token_max_s: of these, from the fault to the next
            text at the client; None without any.
    """

    fault: str
    rounds: int
    notice_p50_s: float
    notice_p99_s: float
    notice_max_s: float
    resumed: int
    next_token_p50_s: float | None
    next_token_p99_s: float | None
    next_token_max_s: float | None
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
    pool.links[_number(node)].hold()


def go_on(pool: WatchedPool, node: str) -> None:
    """Ends the fault: unfreezes the agent, heals the link."""
    pool.links[_number(node)].heal()
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


class Seam:
    """Where a client's answer went on at another node.

    Attributes:
        is_passed: whether the client was told of it.
        next_token_at_s: when the client read the first text after it; 0 before.
    """

    def __init__(self) -> None:
        self.is_passed = False
        self.next_token_at_s = 0.0

    def note_line(self, line: bytes) -> None:
        """Notes a line of the stream."""
        if line.startswith(b"event: entraide.resumed"):
            self.is_passed = True
        elif self.is_passed and not self.next_token_at_s and has_text(line):
            self.next_token_at_s = time.perf_counter()


def has_text(line: bytes) -> bool:
    """Whether a line of a stream carries text of the answer."""
    if not line.startswith(b"data: {"):
        return False
    choices = json.loads(line[6:]).get("choices") or [{}]
    return bool(choices[0].get("delta", {}).get("content"))


async def ask(pool: WatchedPool, tokens: int = TOKENS, seam: Seam | None = None) -> bool:
    """Streams one answer to its end; returns whether it came whole."""
    body = {
        "model": "smollm2-135m-instruct", "stream": True, "max_tokens": tokens,
        "messages": [{"role": "user", "content": PROMPT}],
        "entraide": {"resume_events": seam is not None},
    }  # fmt: skip
    headers = {"authorization": f"Bearer {pool.key(COOP)}"}
    limit = aiohttp.ClientTimeout(total=None, sock_read=READ_TIMEOUT_S)
    last = b""
    try:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=limit) as session,
            session.post(f"{pool.url}/v1/chat/completions", json=body) as answer,
        ):
            async for line in answer.content:
                last = line.strip() or last
                if seam is not None:
                    seam.note_line(line)
            return answer.status == 200 and last.endswith(b"[DONE]")
    except aiohttp.ClientError:
        return False


async def measure_round(pool: WatchedPool, fault: Callable[[WatchedPool, str], None]) -> Round:
    """Makes one fault during a run; returns its times."""
    await wait_for(pool.is_whole)
    # Completed runs end the back-off that the last fault began.
    await asyncio.gather(*(ask(pool, tokens=4) for _ in range(2 * NODES)))
    seam = Seam()
    client = asyncio.create_task(ask(pool, seam=seam))
    try:
        await wait_for(lambda: pool.active_job() is not None)
        job = pool.active_job()
        assert job is not None
        core = pool.driver.core
        fault(pool, job.node)
        began_s = time.perf_counter()
        await wait_for(lambda: not core.holds_run(job.node, job.job, job.epoch), NOTICE_S)
        noticed_s = time.perf_counter() - began_s
        with contextlib.suppress(TimeoutError):
            await wait_for(lambda: bool(seam.next_token_at_s) or client.done(), RESUMED_S)
        next_token_s = seam.next_token_at_s - began_s if seam.next_token_at_s else None
        await asyncio.sleep(max(0.0, AWAY_S - (time.perf_counter() - began_s - noticed_s)))
        go_on(pool, job.node)
        return Round(noticed_s, next_token_s)
    finally:
        client.cancel()
        await asyncio.wait({client})


def summarize(fault: str, rounds: Sequence[Round], false_alarms: int) -> Notice:
    """Returns the row of a fault's rounds."""
    notices_s = [one_round.notice_s for one_round in rounds]
    next_tokens_s = [
        one_round.next_token_s for one_round in rounds if one_round.next_token_s is not None
    ]
    next_p50_s, next_p99_s, next_max_s = (
        (quantile(next_tokens_s, share) if next_tokens_s else None) for share in (0.5, 0.99, 1.0)
    )
    return Notice(
        fault,
        len(rounds),
        quantile(notices_s, 0.5),
        quantile(notices_s, 0.99),
        quantile(notices_s, 1.0),
        len(next_tokens_s),
        next_p50_s,
        next_p99_s,
        next_max_s,
        false_alarms,
    )


def quantile(times_s: Sequence[float], share: float) -> float:
    """Returns the least time that at least a share of the times does not exceed, seconds."""
    ordered_s = sorted(times_s)
    return round(ordered_s[max(0, math.ceil(share * len(ordered_s)) - 1)], 3)


async def measure(names: Sequence[str], rounds: int) -> list[Notice]:
    """Measures each kind of fault."""
    rows: list[Notice] = []
    measured: list[Round] = []
    for name in names:
        of_fault: list[Round] = []
        alarms = 0
        while len(of_fault) < rounds:
            with tempfile.TemporaryDirectory() as folder:
                async with watched_pool(Path(folder), nodes=NODES) as pool:
                    number = min(ROUNDS_PER_POOL, rounds - len(of_fault))
                    of_fault += [await measure_round(pool, FAULTS[name]) for _ in range(number)]
                    await wait_for(pool.is_whole)
                    alarms += pool.driver.counts[FALSE_ALARM]
        rows.append(summarize(name, of_fault, alarms))
        measured += of_fault
        print(rows[-1], file=sys.stderr)
    if len(rows) > 1:
        rows.append(summarize("all", measured, sum(row.false_alarms for row in rows)))
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
        print_rows([asyncio.run(measure_load(options.minutes))], as_json=options.json)
        return
    rows = asyncio.run(measure(options.fault or list(FAULTS), options.rounds))
    print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
