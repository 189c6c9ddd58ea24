"""An engine that is a child process of the agent, whichever program computes in it.

It decides when such an engine counts as hung, how many requests it takes at once, and that it
comes back: the steps are in ``core.supervision``, done by ``keeper``; the talk is in
``chat_stream``; how the process is started is the child's own affair. While the child is not there
every run is refused at once, and ``ready`` says why in one code.
"""

import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from msgspec.structs import replace

from entraide.types import Basis, Outcome
from entraide_node.core.supervision import Supervision
from entraide_node.engines.base import (
    ENGINE_CRASHED,
    ENGINE_EXITED,
    ENGINE_HUNG,
    ENGINE_REJECTED,
    EngineChunk,
    EngineEnd,
    EngineFacts,
    EngineFailure,
    EngineMetrics,
    EngineProblem,
    EngineRequest,
    EngineTimings,
    EngineUsage,
)
from entraide_node.engines.chat_stream import ChatStream
from entraide_node.engines.engine_metrics import parse_metrics
from entraide_node.engines.process_supervisor import ProcessHooks, ProcessSupervisor

WAITING_PER_SLOT_MAX = 2
PROBE_TIMEOUT_S = 2.0
EXIT_TIMEOUT_S = 5.0  # between a broken line and the end of the process behind it


class EngineChild(ProcessHooks, Protocol):
    """The children of one engine, one after the other.

    Attributes:
        stream: the line to the one that serves; None while none does.
        problem: why none does; None while one does.
        facts: what it serves.
    """

    stream: ChatStream | None
    problem: EngineProblem | None
    facts: EngineFacts


class SupervisedEngine:
    """The engine; see ``base.Engine``."""

    def __init__(
        self, child: EngineChild, *, stall_timeout_s: float, ready_timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Starts nothing yet.

        Args:
            child: starts the process and speaks to it.
            stall_timeout_s: the longest silence, of all runs and of the health check together.
            ready_timeout_s: how long it may take to load.
            clock: seconds, never going back.
        """
        self._child = child
        self._stall_timeout_s = stall_timeout_s
        self._clock = clock
        self._supervisor = ProcessSupervisor(child, ready_timeout_s=ready_timeout_s, clock=clock)
        self._event_at = clock()
        self._runs = 0
        self._exit: tuple[int, int] | None = None  # the process that exited last, and its runs

    @property
    def facts(self) -> EngineFacts:
        """What it serves; complete once ``start`` returned None."""
        return self._child.facts

    @property
    def pid(self) -> int | None:
        """Process id of the child that serves now."""
        return self._supervisor.pid

    @property
    def supervision(self) -> Supervision:
        """Where the child stands, and the story of it."""
        return self._supervisor.supervision

    async def start(self) -> EngineProblem | None:
        """Returns None once it serves, or why it cannot; after a problem it is stopped."""
        if await self._supervisor.start():
            self._event_at = self._clock()
            return None
        problem = self._child.problem
        await self._supervisor.stop()
        return problem

    async def ready(self) -> EngineProblem | None:
        """Asks whether it serves now; None when it does."""
        stream = self._child.stream
        if stream is None:
            self._event_at = self._clock()
            return self._child.problem
        answer = await stream.get("/health", timeout_s=PROBE_TIMEOUT_S)
        if stream is not self._child.stream:
            return self._child.problem
        if answer is None or answer[0] != 200:
            self._note_silence()
            if answer is None:
                return EngineProblem("engine_silent", {"seconds": PROBE_TIMEOUT_S})
            return EngineProblem("engine_unhealthy", {"status": answer[0]})
        if stream.running == 0:  # else its runs are the witnesses: an HTTP thread may outlive them
            self._event_at = self._clock()
        return None

    async def run(self, request: EngineRequest) -> AsyncGenerator[EngineChunk | EngineEnd, None]:
        """Runs one request; see ``base.Engine.run``."""
        stream = self._child.stream
        places = self.facts.slots * (1 + WAITING_PER_SLOT_MAX)
        if stream is None or stream.running >= places:
            yield _rejected_end(
                "the engine is not there" if stream is None else "the engine is full"
            )
            return
        if stream.running == 0:
            self._event_at = self._clock()
        pid = self._supervisor.pid
        self._runs += 1
        try:
            async with contextlib.aclosing(stream.run(request)) as items:
                async for item in items:
                    if not isinstance(item, EngineEnd):
                        self._event_at = self._clock()
                        yield item
                        continue
                    if _failed_with(item, ENGINE_HUNG) and stream is self._child.stream:
                        # One silent run may only have waited; silent in all of them, it is hung.
                        self._note_silence()
                    yield await self._with_exit(item, pid)
        finally:
            self._runs -= 1

    async def _with_exit(self, end: EngineEnd, pid: int | None) -> EngineEnd:
        """Returns the end of a run, told apart where the process behind it exited."""
        if pid is None or not _failed_with(end, ENGINE_CRASHED):
            return end
        if self._exit is None or self._exit[0] != pid:
            self._exit = pid, self._runs  # the first to notice: the others are still counted
        if (
            not await self._supervisor.has_exited(pid, timeout_s=EXIT_TIMEOUT_S)
            or end.failure is None
        ):
            return end
        beside = max(0, self._exit[1] - 1)
        return replace(end, failure=replace(end.failure, code=ENGINE_EXITED), other_runs=beside)

    def cancel(self, job: str) -> bool:
        """Makes a run end at once, as cancelled; False when it is unknown."""
        return self._child.stream is not None and self._child.stream.cancel(job)

    async def metrics(self) -> EngineMetrics | None:
        """Asks for its load; None when it tells none or does not answer."""
        if self._child.stream is None:
            return None
        answer = await self._child.stream.get("/metrics", timeout_s=PROBE_TIMEOUT_S)
        return parse_metrics(answer[1]) if answer is not None and answer[0] == 200 else None

    async def stop(self) -> None:
        """Ends the child, and every run with it; may be called again."""
        if self._child.stream is not None:
            await self._child.stream.close()
        await self._supervisor.stop()

    def _note_silence(self) -> None:
        if self._clock() - self._event_at >= self._stall_timeout_s:
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
