"""Runs: what the node does with each request, from the gateway's message to the usage report.

It decides nothing about placement and reads no prompt: bodies go to the engine and answers to the
gateway as they are. What it refuses, ``core.run_admission`` decides.

Of a run the scheduler hears accept, progress and usage; the gateway hears tokens and the end. A
request that the engine refuses before its first token goes back as a decline, with its numbers to
the scheduler and the engine's words to the gateway only.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import aclosing
from typing import Protocol

import structlog

from entraide.types import Basis, Outcome, Usage
from entraide.wire.messages import (
    MESSAGE_BYTES_MAX,
    Accept,
    Decline,
    NodeOut,
    NodeUp,
    Progress,
    RunEnded,
    StartRun,
    Tokens,
    UsageReport,
)
from entraide_node.core.energy_allocation import JobEnergy
from entraide_node.core.run_admission import Admission, ModelOccupancy, RunRequest, admit_run
from entraide_node.engine_provider import (
    ConcurrencyCounter,
    EngineHandle,
    EngineProvider,
    RunTiming,
)
from entraide_node.engines.base import (
    BAD_REQUEST,
    CONTEXT_EXCEEDED,
    ENGINE_EXITED,
    Engine,
    EngineChunk,
    EngineEnd,
    EngineFailure,
    EngineRequest,
)

EPOCHS_REMEMBERED_MAX = 10_000
ENVELOPE_BYTES = 4_096  # of a message around its body
DETAIL_CHARS_MAX = 500

Values = dict[str, str | int | float]


class RunTransport(Protocol):
    """The way out: to the scheduler, and to a gateway. Neither raises; both may drop."""

    async def send_to_scheduler(self, message: NodeUp) -> None:
        """Sends to the scheduler."""

    async def send_to_gateway(self, gateway: str, message: NodeOut) -> None:
        """Sends to a gateway."""

    async def send_report(self, message: UsageReport) -> None:
        """Keeps a usage report, and sends it until it is acknowledged."""


class EnergyAccounting(Protocol):
    """What shares the machine's energy out among the runs."""

    def begin_job(self, job: str, at: float) -> None:
        """A run begins to be computed."""

    def note_first_token(self, job: str, at: float) -> None:
        """Its prefill is over."""

    def end_job(self, job: str, at: float) -> JobEnergy:
        """It is over; returns what it is charged."""


class _ActiveRun:
    """A run that the node has taken, and how far it is."""

    def __init__(
        self, run: StartRun, engine: Engine, *, since_s: float, crowd_s: tuple[float, float]
    ) -> None:
        self.run = run
        self.engine = engine
        self.crowd_s = crowd_s  # of its model, and of the others, when it began
        self.since_s = since_s
        self.first_token_s = 0.0
        self.produced = 0
        self.sent = 0
        self.delivered = False
        self.stopped = ""  # the code with which it was stopped
        self.task: asyncio.Task[None] | None = None


class RunManager:
    """The runs that this node holds."""

    def __init__(
        self,
        seats: EngineProvider,
        *,
        meter: EnergyAccounting,
        post: RunTransport,
        slots_max: Callable[[], int | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Holds nothing yet.

        Args:
            seats: what serves the models.
            meter: shares the machine's energy out.
            post: the way out.
            slots_max: sequences that its owner allows over all models now; None for any number.
            clock: seconds, never going back.
        """
        self._seats = seats
        self._meter = meter
        self._post = post
        self._slots_max = slots_max
        self._clock = clock
        self._crowd = ConcurrencyCounter()
        self._held: dict[tuple[str, int], _ActiveRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._epochs: OrderedDict[str, int] = OrderedDict()
        self._log = structlog.get_logger("entraide.node")
        self.idle = asyncio.Event()
        self.idle.set()

    def active_runs(self) -> tuple[tuple[str, int], ...]:
        """Returns the runs it holds, as (job, epoch)."""
        return tuple(self._held)

    @property
    def foreign_count(self) -> int:
        """How many of the runs are other co-ops'."""
        return sum(not held.run.own for held in self._held.values())

    async def admit(self, run: StartRun, *, reason: str, own_only: bool = False) -> None:
        """Takes or declines a run.

        Args:
            run: the gateway's message.
            reason: why the node takes no work, or "".
            own_only: whether it takes its own co-op's only.
        """
        older = [h for (job, epoch), h in self._held.items() if job == run.job]
        seat = self._seats.get_engine(run.model)
        decision = admit_run(
            RunRequest(run.job, run.epoch, run.path, run.model, bool(run.sealed), run.own),
            holding=self._holding(run, seat, older, own_only=own_only),
            reason=reason,
        )
        if decision.verdict is Admission.IGNORE:
            self._log.info("run.duplicate", job=run.job, epoch=run.epoch)
            return
        if decision.verdict is Admission.DECLINE or seat is None:
            self._log.info("run.declined", job=run.job, epoch=run.epoch, code=decision.code)
            await self._post.send_to_scheduler(Decline(run.job, run.epoch, decision.code, {}))
            return
        self._remember(run)
        now_s = self._clock()
        crowd_s = (
            self._crowd.run_seconds(run.model, now_s),
            self._crowd.other_run_seconds(run.model, now_s),
        )
        held = _ActiveRun(run, seat.engine, since_s=now_s, crowd_s=crowd_s)
        self._held[(run.job, run.epoch)] = held
        self._count(run.model, 1)
        for other in older:
            self._stop(other, "cancelled")
        before = [other.task for other in older if other.task is not None]
        held.task = asyncio.create_task(self._go(held, before))
        self._tasks.add(held.task)
        held.task.add_done_callback(self._done)
        self.idle.clear()

    def _holding(
        self, run: StartRun, seat: EngineHandle | None, older: list[_ActiveRun], *, own_only: bool
    ) -> ModelOccupancy:
        """What there is for a run: the slots of its model, and of the node where that is less."""
        running = self._crowd.count.get(run.model, 0)
        slots = seat.slots if seat is not None else 0
        most = self._slots_max()
        if most is not None:
            slots = min(slots, most - len(self._held) + running)
        return ModelOccupancy(
            model=run.model if seat is not None else "",
            slots=slots,
            running=running,
            epoch_seen=self._epochs.get(run.job, 0),
            superseded=any(held.run.model == run.model for held in older),
            own_only=own_only,
        )

    def _count(self, model: str, by: int) -> None:
        self._seats.set_run_count(model, self._crowd.change_count(model, by, self._clock()))

    def stop(self, job: str, epoch: int, *, code: str = "cancelled") -> None:
        """Stops a run at once; it is reported with what it used so far."""
        held = self._held.get((job, epoch))
        if held is not None:
            self._stop(held, code)

    def stop_all(self, *, code: str, foreign_only: bool = False) -> None:
        """Stops every run; with another code than ``cancelled`` they count as failed.

        Args:
            code: with which they end.
            foreign_only: whether its own co-op's go on.
        """
        for held in tuple(self._held.values()):
            if not (foreign_only and held.run.own):
                self._stop(held, code)

    async def send_progress(self) -> None:
        """Tells the scheduler how far each run is."""
        for held in tuple(self._held.values()):
            await self._post.send_to_scheduler(
                Progress(held.run.job, held.run.epoch, held.produced)
            )

    def _remember(self, run: StartRun) -> None:
        self._epochs[run.job] = run.epoch
        self._epochs.move_to_end(run.job)
        while len(self._epochs) > EPOCHS_REMEMBERED_MAX:
            self._epochs.popitem(last=False)

    def _stop(self, held: _ActiveRun, code: str) -> None:
        if not held.stopped:
            held.stopped = code
            held.engine.cancel(held.run.job)

    async def _go(self, held: _ActiveRun, before: list[asyncio.Task[None]]) -> None:
        run = held.run
        end: EngineEnd | None = None
        try:
            await self._post.send_to_scheduler(Accept(run.job, run.epoch))
            if before:  # an engine knows runs by job: the older epoch must have ended
                await asyncio.wait(before)
            if not held.stopped:
                self._meter.begin_job(_run_key(run), self._clock())
                end = await self._through_engine(held)
        except Exception:  # noqa: BLE001  (an engine's bug ends this run only, and is told)
            self._log.exception("run.broken", job=run.job, epoch=run.epoch)
        finally:
            usage = self._usage(held, end)
            self._pace(held, end)
            self._held.pop((run.job, run.epoch), None)
            self._count(run.model, -1)
        await self._tell(held, end, usage)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._tasks:
            self.idle.set()
        if not task.cancelled() and task.exception() is not None:
            self._log.error("run.untold", exc_info=task.exception())

    async def _through_engine(self, held: _ActiveRun) -> EngineEnd | None:
        run = held.run
        request = EngineRequest(
            job=run.job, path=run.path, body=run.body, stream=run.stream, model=run.model
        )
        async with aclosing(held.engine.run(request)) as answer:
            async for item in answer:
                if isinstance(item, EngineEnd):
                    return item
                await self._chunk(held, item)
        return None

    async def _chunk(self, held: _ActiveRun, chunk: EngineChunk) -> None:
        run = held.run
        first = chunk.n_output_tokens > 0 and not held.first_token_s
        if first:
            held.first_token_s = self._clock()
            self._meter.note_first_token(_run_key(run), held.first_token_s)
        held.produced = chunk.n_output_tokens
        if chunk.data and not held.stopped:
            n = held.produced - held.sent
            await self._post.send_to_gateway(
                run.gateway, Tokens(run.job, run.epoch, first=held.sent, n=n, data=chunk.data)
            )
            held.sent = held.produced
            held.delivered = True
        if first:  # the prompt is read: the scheduler counts what is still in line from now on
            await self._post.send_to_scheduler(Progress(run.job, run.epoch, held.produced))

    def _usage(self, held: _ActiveRun, end: EngineEnd | None) -> Usage:
        now_s = self._clock()
        energy = self._meter.end_job(_run_key(held.run), now_s)
        first_s = held.first_token_s
        counts = end.usage if end is not None else None
        return Usage(
            input_tokens=counts.prompt_tokens if counts else 0,
            cached_tokens=counts.cached_tokens if counts else 0,
            output_tokens=counts.completion_tokens if counts else held.produced,
            counted=counts.counted if counts else Basis.ESTIMATED,
            energy_prefill_uwh=energy.prefill_uwh,
            energy_decode_uwh=energy.decode_uwh,
            energy_basis=energy.basis,
            ttft_s=first_s - held.since_s if first_s else 0.0,
            run_s=now_s - held.since_s,
        )

    def _pace(self, held: _ActiveRun, end: EngineEnd | None) -> None:
        """Tells how fast a run went that completed."""
        if end is None or end.outcome is not Outcome.COMPLETED:
            return
        now_s, model = self._clock(), held.run.model
        beside_s = self._crowd.run_seconds(model, now_s) - held.crowd_s[0]
        usage, timings = end.usage, end.timings
        ran = RunTiming(
            model=model,
            prefill_tokens=usage.prompt_tokens - usage.cached_tokens,
            decode_tokens=usage.completion_tokens,
            prefill_s=timings.prefill_s,
            decode_s=timings.decode_s,
            sequences_mean=max(1.0, beside_s / max(1e-6, now_s - held.since_s)),
            is_alone=self._crowd.other_run_seconds(model, now_s) <= held.crowd_s[1],
        )
        self._seats.record_timing(ran)

    async def _tell(self, held: _ActiveRun, end: EngineEnd | None, usage: Usage) -> None:
        run = held.run
        outcome, code, values = _outcome_of(held, end)
        body, final = (end.body, end.final_chunk) if end is not None else (b"", b"")
        if len(body) + len(final) > MESSAGE_BYTES_MAX - ENVELOPE_BYTES:
            outcome, code, values, body, final = Outcome.FAILED, "engine_failed", {}, b"", b""
        self._log.info(
            "run.ended", job=run.job, epoch=run.epoch, outcome=outcome, code=code,
            output_tokens=usage.output_tokens, run_s=round(usage.run_s, 3),
        )  # fmt: skip
        if code in ("engine_failed", ENGINE_EXITED):
            await self._seats.check_engine(run.model)
        ending = RunEnded(run.job, run.epoch, outcome, code, values, held.sent, final, body, usage)
        await self._post.send_to_gateway(run.gateway, ending)
        if _was_refused_before_output(held, end):
            # Its numbers, never its words: a decline reaches the journal.
            counts = {name: value for name, value in values.items() if name != "detail"}
            await self._post.send_to_scheduler(Decline(run.job, run.epoch, code, counts))
            return
        beside = end.other_runs if end is not None else 0
        report = UsageReport(run.job, run.epoch, outcome, code, held.delivered, usage, beside)
        await self._post.send_report(report)


def _run_key(run: StartRun) -> str:
    return f"{run.job}/{run.epoch}"


def _outcome_of(held: _ActiveRun, end: EngineEnd | None) -> tuple[Outcome, str, Values]:
    """How a run ended, with the stable code and its values."""
    if held.stopped and (end is None or end.outcome is not Outcome.COMPLETED):
        outcome = Outcome.CANCELLED if held.stopped == "cancelled" else Outcome.FAILED
        return outcome, held.stopped, {}
    if end is None:
        return Outcome.FAILED, "engine_failed", {}
    if end.outcome is Outcome.COMPLETED:
        return Outcome.COMPLETED, "", {}
    if end.outcome is Outcome.CANCELLED:
        return Outcome.CANCELLED, "cancelled", {}
    return _failure_outcome(end.failure)


def _failure_outcome(failure: EngineFailure | None) -> tuple[Outcome, str, Values]:
    if failure is None:
        return Outcome.FAILED, "engine_failed", {}
    if failure.code == CONTEXT_EXCEEDED:
        values: Values = {
            "input_tokens": failure.n_prompt_tokens,
            "context_tokens": failure.n_ctx,
        }
        return Outcome.FAILED, "context_exceeded", values
    if failure.code == BAD_REQUEST:
        told: Values = {"detail": failure.detail[:DETAIL_CHARS_MAX]}
        if failure.cause:
            told["cause"] = failure.cause
        return Outcome.FAILED, "engine_refused", told
    if failure.code == ENGINE_EXITED:
        return Outcome.FAILED, ENGINE_EXITED, {}
    return Outcome.FAILED, "engine_failed", {"engine_code": failure.code}


def _was_refused_before_output(held: _ActiveRun, end: EngineEnd | None) -> bool:
    """Whether the engine refused the request itself, before any output."""
    failure = end.failure if end is not None else None
    refusals = (CONTEXT_EXCEEDED, BAD_REQUEST)
    return failure is not None and failure.code in refusals and not held.produced
