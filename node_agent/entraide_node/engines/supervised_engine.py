"""Supervised engine: an engine that runs as a child process of the agent.

It detects a hung engine, limits the concurrent requests, and restarts the process:
``core.supervision`` decides, ``process_supervisor`` carries it out, ``child_connection`` connects
to the process, and ``engine_client`` does the requests. While no process serves, every run is
refused at once, and ``ready`` returns the reason.
"""

import time
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from entraide.types import Basis, Outcome, Rates
from entraide_node.engines.base import (
    ENGINE_CRASHED,
    ENGINE_EXITED,
    ENGINE_HUNG,
    ENGINE_REJECTED,
    ChunkReceiver,
    EngineChunk,
    EngineEnd,
    EngineFacts,
    EngineFailure,
    EngineMetrics,
    EngineProblem,
    EngineRequest,
    EngineTimings,
    EngineUsage,
    HeldPrefixes,
)
from entraide_node.engines.child_connection import ChildConnection, EngineChild
from entraide_node.engines.engine_metrics import parse_metrics
from entraide_node.engines.process_supervisor import ProcessSupervisor

WAITING_PER_SLOT_MAX = 2
PROBE_TIMEOUT_S = 2.0
EXIT_TIMEOUT_S = 5.0  # between a lost connection and the end of its process


class SupervisedEngine:
    """The engine; see ``base.Engine``."""

    def __init__(
        self, child: EngineChild, *, stall_timeout_s: float, ready_timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Starts nothing yet.

        Args:
            child: starts the process and connects to it.
            stall_timeout_s: longest silence of all runs and of the health check together.
            ready_timeout_s: time to load.
            clock: monotonic, seconds.
        """
        self._connection = ChildConnection(child)
        self._stall_timeout_s = stall_timeout_s
        self._clock = clock
        self._supervisor = ProcessSupervisor(
            self._connection,
            name=child.facts.model_alias,
            ready_timeout_s=ready_timeout_s,
            clock=clock,
        )
        self._event_at = clock()
        self._runs = 0
        self._exit: tuple[int, int] | None = None  # last exited process, and its runs
        self._answered: int | None = None  # process that answered the last probe

    @property
    def facts(self) -> EngineFacts:
        """Its description; complete after ``start`` returned None."""
        return self._connection.facts

    @property
    def pid(self) -> int | None:
        """Process id of the child that serves now."""
        return self._supervisor.pid

    async def start(self) -> EngineProblem | None:
        """Returns None when it serves, or why it cannot; it is stopped after a problem."""
        if await self._supervisor.start():
            self._event_at = self._clock()
            return None
        problem = self._connection.problem
        await self._supervisor.stop()
        return problem

    async def ready(self) -> EngineProblem | None:
        """Asks whether it serves now; None if it does.

        A process that ended and was replaced between two probes, with no run that failed by it, is
        the problem of the second one: nothing else would say so.
        """
        problem = await self._probe()
        before, self._answered = self._answered, None if problem else self._supervisor.pid
        is_replaced = problem is None and before not in (None, self._answered)
        if is_replaced and (self._exit is None or self._exit[0] != before):
            return EngineProblem("engine_exited", {"status": 0})
        return problem

    async def _probe(self) -> EngineProblem | None:
        client = self._connection.client
        if client is None:
            self._event_at = self._clock()
            return self._connection.problem
        if self._supervisor.pid is None:  # it was killed, and has not ended yet
            return EngineProblem("engine_silent", {"seconds": 0})
        answer = await client.get("/health", timeout_s=PROBE_TIMEOUT_S)
        if client is not self._connection.client:
            return self._connection.problem
        if answer is None or answer[0] != 200:
            self._note_silence()
            if answer is None:
                return EngineProblem("engine_silent", {"seconds": PROBE_TIMEOUT_S})
            return EngineProblem("engine_unhealthy", {"status": answer[0]})
        if client.running == 0:  # while runs exist, only their events count
            self._event_at = self._clock()
        return None

    async def run(self, request: EngineRequest, receive: ChunkReceiver) -> EngineEnd:
        """Runs one request; see ``base.Engine.run``."""

        def note_event(chunk: EngineChunk) -> Awaitable[None] | None:
            self._event_at = self._clock()
            return receive(chunk)

        client = self._connection.client
        places = self.facts.slots * (1 + WAITING_PER_SLOT_MAX)
        if client is None or client.running >= places:
            return _rejected_end(
                "the engine is not there" if client is None else "the engine is full"
            )
        if client.running == 0:
            self._event_at = self._clock()
        pid = self._supervisor.pid
        self._runs += 1
        try:
            end = await client.run(request, note_event)
            if _failed_with(end, ENGINE_HUNG) and client is self._connection.client:
                # One silent run may only have waited; if all are silent, the engine hangs.
                self._note_silence(is_hung=client.is_hung)
            return await self._with_exit(end, pid)
        finally:
            self._runs -= 1

    async def _with_exit(self, end: EngineEnd, pid: int | None) -> EngineEnd:
        """Returns the end of a run, with the code of an exit if its process exited."""
        if pid is None or not _failed_with(end, ENGINE_CRASHED):
            return end
        if self._exit is None or self._exit[0] != pid:
            self._exit = pid, self._runs  # the first run to notice: all runs are still counted
        if (
            not await self._supervisor.has_exited(pid, timeout_s=EXIT_TIMEOUT_S)
            or end.failure is None
        ):
            return end
        beside = max(0, self._exit[1] - 1)
        return replace(end, failure=replace(end.failure, code=ENGINE_EXITED), other_runs=beside)

    def cancel(self, job: str) -> bool:
        """Ends a run at once as cancelled; False if it is unknown."""
        return self._connection.client is not None and self._connection.client.cancel(job)

    def expect_rates(self, rates: Rates) -> None:
        """Sets how long a step takes by the benchmark; see ``core.step_times``."""
        full_batch_s = rates.tpot_base_s + self.facts.slots * rates.tpot_per_sequence_s
        self._connection.step_times.expect(rates.prefill_tokens_per_s, full_batch_s)

    async def metrics(self) -> EngineMetrics | None:
        """Reads its load; None if it reports none or does not respond."""
        if self._connection.client is None:
            return None
        answer = await self._connection.client.get("/metrics", timeout_s=PROBE_TIMEOUT_S)
        return parse_metrics(answer[1]) if answer is not None and answer[0] == 200 else None

    def limit_prefixes(self, rest_bytes_max: int | None) -> None:
        """Sets how much of earlier prompts it may hold; see ``base.Engine``."""
        self._connection.limit_prefixes(rest_bytes_max)

    def forget_prefixes(self, owner: bytes) -> None:
        """Forgets what the partitions hold that begin so; b"" for all."""
        if self._connection.keeper is not None:
            self._connection.keeper.forget(owner)

    def held_prefixes(self) -> HeldPrefixes:
        """Returns what it holds of earlier prompts."""
        keeper = self._connection.keeper
        return keeper.held() if keeper is not None else HeldPrefixes()

    async def stop(self) -> None:
        """Ends the process and all its runs; may be called again."""
        if self._connection.client is not None:
            await self._connection.client.close()
        await self._supervisor.stop()

    def _note_silence(self, *, is_hung: bool = False) -> None:
        if is_hung or self._clock() - self._event_at >= self._stall_timeout_s:
            self._supervisor.mark_hung()


def _failed_with(end: EngineEnd, code: str) -> bool:
    return end.failure is not None and end.failure.code == code


def _rejected_end(detail: str) -> EngineEnd:
    return EngineEnd(
        outcome=Outcome.FAILED,
        usage=EngineUsage(0, 0, 0, counted=Basis.ESTIMATED),
        timings=EngineTimings(0.0, 0.0, 0.0, 0.0, timed=Basis.ESTIMATED),
        failure=EngineFailure(ENGINE_REJECTED, detail, retryable=True),
    )
