"""Defects: errors in the pool's own code that a run of the chaos test has to find.

The variable ``DEFECTS`` of the run's environment names them; ``launch`` and the counting engine put
them into their processes as these start. The checkers know nothing of them (``test_defects``).
"""

import asyncio
import ctypes
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

from msgspec.structs import replace

DEFECTS = "ENTRAIDE_CHAOS_DEFECTS"
RUN_FOLDER = "ENTRAIDE_CHAOS_RUN"  # as ``watchers.MARK``
SCHEDULER, GATEWAY, ENGINE = "scheduler", "gateway", "engine"
ONE_IN = 5
OVER_TOKENS = 40
AGAIN_AFTER_S = 2.0


def is_left_out(job: str) -> bool:
    """Whether the settlement of a job is left out."""
    return crc32(job.encode()) % ONE_IN == 0


def leave_settlements_out() -> None:
    """The settlement of one job in five is not written."""
    from entraide_scheduler.store.store import Store

    write = Store.write_settlement

    def write_most(store: Any, row: Any) -> Any:
        if not is_left_out(row.job):
            return write(store, row)
        written = asyncio.get_running_loop().create_future()
        written.set_result(True)
        return written

    Store.write_settlement = write_most


def double_amounts() -> None:
    """The ledger's amounts are twice those of the settlement, on both sides."""
    from entraide_scheduler.core import accounting

    entries = accounting.entries
    accounting.entries = lambda *values: tuple(
        replace(entry, amount=2 * entry.amount) for entry in entries(*values)
    )


def never_resume() -> None:
    """No machine is found that goes on with an answer."""
    from entraide_scheduler.core.leases import resumption

    resumption.can_continue = lambda *_: False


def drop_silent_machines() -> None:
    """A machine that is silent for a moment counts as one that has gone."""
    from entraide.types import NodeState
    from entraide_scheduler.core.leases import resumption

    resumption.REACHABLE = frozenset({NodeState.LIVE})


def bill_broken_answers_more() -> None:
    """An answer that broke is billed for more than came."""
    from entraide_scheduler.core.settlement import resumed_jobs

    bill = resumed_jobs.bill_resumed

    def bill_more(earlier: Any, last: Any) -> Any:
        usages = bill(earlier, last)
        if last is not None:
            return usages
        ended = replace(usages[-1], output_tokens=usages[-1].output_tokens + OVER_TOKENS)
        return (*usages[:-1], ended)

    resumed_jobs.bill_resumed = bill_more


def alter_real_text() -> None:
    """A digit of the real engine's answers is another one."""
    from entraide_scheduler.gateway.jobs.running_job import RunningJob

    forward = RunningJob.forward

    def forward_altered(job: Any, message: Any) -> bool:
        data = message.data
        if job.facts.model != "compte":
            data = re.sub(rb'("content": ?")3', rb"\g<1>8", data)
        return forward(job, replace(message, data=data))

    RunningJob.forward = forward_altered


def run_last_job_again() -> None:
    """After a restart, the gateway of the scheduler has the last run before it run again."""
    from entraide.wire import codec
    from entraide_scheduler.bus import NatsNodeChannel
    from entraide_scheduler.gateway import Gateway

    run, start = NatsNodeChannel.run, Gateway.start
    last = Path(os.environ[RUN_FOLDER], "last-run")

    def run_and_note(channel: Any, key: str, message: Any) -> None:
        last.write_bytes(key.encode() + b"\n" + codec.encode(message))
        run(channel, key, message)

    def run_again(channel: Any) -> None:
        if last.exists():
            key, _, message = last.read_bytes().partition(b"\n")
            run(channel, key.decode(), codec.node_in.decode(message))

    async def start_and_run(gateway: Any, *values: Any) -> None:
        await start(gateway, *values)
        channel = gateway._running_jobs._nodes
        asyncio.get_running_loop().call_later(AGAIN_AFTER_S, run_again, channel)

    NatsNodeChannel.run, Gateway.start = run_and_note, start_and_run


def outlive_agent() -> None:
    """An engine stays when its agent has ended."""
    ctypes.CDLL(None).prctl(1, 0)
    sys.modules["__main__"]._wait_for_end_of_input = lambda _: threading.Event().wait()


CHANGES: dict[str, tuple[tuple[str, ...], Callable[[], None]]] = {
    "settlements_left_out": ((SCHEDULER,), leave_settlements_out),
    "amounts_doubled": ((SCHEDULER,), double_amounts),
    "never_resumed": ((SCHEDULER,), never_resume),
    "silent_machines_dropped": ((SCHEDULER,), drop_silent_machines),
    "broken_answers_billed_more": ((SCHEDULER,), bill_broken_answers_more),
    "real_text_altered": ((SCHEDULER, GATEWAY), alter_real_text),
    "last_job_run_again": ((SCHEDULER,), run_last_job_again),
    "engine_outlives_agent": ((ENGINE,), outlive_agent),
}


def install(part: str) -> None:
    """Puts those defects of the environment that are of a part into this process."""
    for name in filter(None, os.environ.get(DEFECTS, "").split(",")):
        parts, change = CHANGES[name]
        if part in parts:
            change()
