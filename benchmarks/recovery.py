"""Time without service after an event that raises, and the cost of checkpoints.

A live driver with its store drives the core of ``benchmarks.decisions``: 1,000 nodes, 10,000 queued
and 4,000 running jobs. Jobs are processed until a checkpoint is almost due, when the most events
must be replayed. Then a node's event changes the state and raises. Measured is the whole call:
rebuild of the core, quarantine of the node, new placement of its jobs. A second node's event raises
right after, before the checkpoint of the first recovery is complete.

    python -m benchmarks.recovery [--json] [--nodes N] [--jobs N]

Rows: ``nodes, jobs_waiting, jobs_running, checkpoint_bytes, checkpoint_cpu_s, checkpoint_part,
events_since, recovery_cpu_s, next_recovery_cpu_s, recovery_s``. ``checkpoint_part`` is the part of
the core's time spent on checkpoints under constant load. Times are medians of ``ROUNDS``: CPU
seconds of the driver's thread, and wall-clock time for ``recovery_s``.
"""

import asyncio
import gc
import json
import logging
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import structlog
from benchmarks.decisions import ASKED, START, CoreBench, facts
from benchmarks.support.common import make_parser
from msgspec import Struct, to_builtins

from entraide.types import Basis, Outcome, Usage
from entraide.wire import messages as m
from entraide_scheduler.core import events, machine
from entraide_scheduler.core.machine import HANDLERS
from entraide_scheduler.driver import Clock, LiveDriver, RecoveredState
from entraide_scheduler.driver.feeder import REFEED_MAX_S
from entraide_scheduler.store.journal import Retention
from entraide_scheduler.store.store import Store

NODES, JOBS, ROUNDS = 1_000, 10_000, 5
ALMOST = 0.95  # of the handling after which a new checkpoint is made
USED = Usage(300, 0, 80, Basis.MEASURED, 20_000, 200_000, Basis.ESTIMATED, ttft_s=0.4, run_s=3.0)


class Row(Struct, frozen=True):
    """Measurements with one number of nodes and queued jobs."""

    nodes: int
    jobs_waiting: int
    jobs_running: int
    checkpoint_bytes: int
    checkpoint_cpu_s: float
    checkpoint_part: float
    events_since: int
    recovery_cpu_s: float
    next_recovery_cpu_s: float
    recovery_s: float


class Placements:
    """Command ports that keep placements to answer them."""

    def __init__(self) -> None:
        self.placed: deque[m.JobPlaced] = deque()

    def send_to_gateway(self, gateway: str, message: m.GatewayDown) -> None:
        """Keeps a placement."""
        del gateway
        if isinstance(message, m.JobPlaced):
            self.placed.append(message)

    def send_to_node(self, node: str, message: m.NodeDownCtl) -> None:
        """Discards a command to a node."""


def break_node(nodes: tuple[str, ...]) -> None:
    """Makes each changed heartbeat of these nodes corrupt the state and raise."""
    handle = HANDLERS[events.NodeChanged]

    def broken(state: Any, event: events.NodeChanged) -> None:
        handle(state, event)
        if event.node in nodes:
            state.jobs.clear()
            raise ZeroDivisionError

    machine.HANDLERS = {**HANDLERS, events.NodeChanged: broken}  # type: ignore[misc]


def live_once(live: LiveDriver, outside: Placements, number: int) -> None:
    """Submits one job, and ends a running one."""
    live.feed(events.JobRequested(*events.UNNUMBERED, facts=facts(1_000_000 + number, ASKED)))
    run = outside.placed.popleft()
    fields = {"job": run.job, "epoch": run.epoch, "node": run.node}
    live.feed(events.RunAccepted(*events.UNNUMBERED, **fields))
    live.feed(events.RunProgressed(*events.UNNUMBERED, **fields, output_tokens=60))
    report_fields = {"outcome": Outcome.COMPLETED, "code": "", "delivered": True, "usage": USED}
    live.feed(events.RunReported(*events.UNNUMBERED, **fields, **report_fields))


def timed_raise(live: LiveDriver, node: str) -> tuple[float, float]:
    """Delivers a node's event that raises; returns its wall-clock and CPU seconds."""
    began, began_cpu = time.perf_counter(), time.thread_time()
    fields = {"accepting": False, "reason": "paused", "energy": None}
    taken = live.feed(events.NodeChanged(*events.UNNUMBERED, node=node, **fields))
    took = time.perf_counter() - began, time.thread_time() - began_cpu
    assert not taken
    assert live.core.quarantines()[-1].name == node
    return took


async def measure(nodes: int, jobs: int) -> Row:
    """Measures events that raise at the worst moment, ``ROUNDS`` times."""
    bench = CoreBench(nodes, jobs)
    state = bench.core.snapshot()
    running = sum(view.state.value == "active" for view in bench.core.jobs())
    outside = Placements()
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(f"sqlite:///{folder}/store.db")
        recovered = RecoveredState(bench.core, 10_000_000, START, 1, {}, [], base=state)
        keep = Retention(3_600.0, 1_000_000)
        live = LiveDriver(recovered, store=store, clock=Clock(), outbound=outside, retention=keep)
        feeder = live._feeder  # noqa: SLF001  (the worst moment is known to it alone)
        gc.collect()
        gc.freeze()
        checkpoints, recoveries, cpu, again, since = [], [], [], [], 0
        for number in range(ROUNDS):
            began = time.thread_time()
            feeder.take_snapshot()
            checkpoints.append(time.thread_time() - began)
            first = live.event_id
            while feeder.handled_s < ALMOST * REFEED_MAX_S:
                live_once(live, outside, live.event_id)
            since = live.event_id - first
            pair = tuple(f"node-{2 * number + offset:05}" for offset in (0, 1))
            break_node(pair)
            took_s, took_cpu_s = timed_raise(live, pair[0])
            recoveries.append(took_s)
            cpu.append(took_cpu_s)
            again.append(timed_raise(live, pair[1])[1])
            machine.HANDLERS = HANDLERS  # type: ignore[misc]
            outside.placed.clear()
            await live.committed()
        await live.stop()
        await store.close()
    checkpoint_s = statistics.median(checkpoints)
    return Row(
        nodes=nodes,
        jobs_waiting=jobs,
        jobs_running=running,
        checkpoint_bytes=len(state),
        checkpoint_cpu_s=round(checkpoint_s, 4),
        checkpoint_part=round(checkpoint_s / (checkpoint_s + REFEED_MAX_S), 3),
        events_since=since,
        recovery_cpu_s=round(statistics.median(cpu), 4),
        next_recovery_cpu_s=round(statistics.median(again), 4),
        recovery_s=round(statistics.median(recoveries), 4),
    )


def main(arguments: Sequence[str]) -> None:
    """Measures and prints the row."""
    parser = make_parser(__doc__)
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--jobs", type=int, default=JOBS, help="how many jobs wait")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    rows = [asyncio.run(measure(options.nodes, options.jobs))]
    if options.json:
        print(json.dumps(to_builtins(rows)))
        return
    for name, value in to_builtins(rows[0]).items():
        print(f"{name:<18} {value:>14,}")


if __name__ == "__main__":
    main(sys.argv[1:])
