"""Run manager: executes each run, from the gateway's message to the usage report.

Input: run messages of gateways. Output: accept, progress and usage report to the scheduler, tokens
and the end of the run to the gateway. ``core.run_admission`` decides whether a run is accepted.
Request bodies and answers are passed on unread. If the engine refuses a request before its first
token, the node declines the run: the scheduler receives the token counts, only the gateway receives
the engine's text.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import islice
from typing import Protocol

import structlog

from entraide.resuming import RESUME, RESUME_UNSUPPORTED
from entraide.types import Basis, Outcome, Usage
from entraide.wire.messages import (
    BEAT_RUNS_MAX,
    MESSAGE_BYTES_MAX,
    Accept,
    Decline,
    NodeOut,
    NodeUp,
    Progress,
    RunBeat,
    RunEnded,
    StartRun,
    Tokens,
    UsageReport,
)
from entraide_node.core.energy_allocation import JobEnergy
from entraide_node.core.run_admission import Admission, ModelOccupancy, RunRequest, admit_run
from entraide_node.engines.base import (
    BAD_REQUEST,
    CONTEXT_LENGTH_EXCEEDED,
    EMBEDDINGS_PATH,
    ENGINE_EXITED,
    ENGINE_HUNG,
    Engine,
    EngineChunk,
    EngineEnd,
    EngineFailure,
    EngineRequest,
)
from entraide_node.machine_setup import EngineInstance
from entraide_node.model_manager.engine_manager import EngineManager
from entraide_node.run_timing import ConcurrencyCounter, RunTiming

EPOCHS_REMEMBERED_MAX = 10_000
REPORT_AFTER_S = 0.05  # after the begin of a run, and after its first token
ENVELOPE_BYTES = 4_096  # of a message in addition to its body
DETAIL_CHARS_MAX = 500

Values = dict[str, str | int | float]


class RunTransport(Protocol):
    """Sends messages to the scheduler and to gateways; may drop a message, never raises."""

    def send_to_scheduler(self, message: NodeUp) -> None:
        """Sends to the scheduler."""

    def send_to_gateway(self, gateway: str, message: NodeOut, *, joins: bool = False) -> None:
        """Sends to a gateway, which may read several messages in one."""

    @property
    def has_room(self) -> bool:
        """Whether little of what was sent before waits for the bus."""

    async def wait_for_room(self) -> None:
        """Waits until there is room."""

    async def keep_report(self, message: UsageReport) -> None:
        """Puts a usage report on the disk, from where it is sent until it is acknowledged."""


class EnergyAccounting(Protocol):
    """Charges the machine's energy to runs."""

    def begin_job(self, job: str, at: float) -> None:
        """Begins to charge a run."""

    def note_first_token(self, job: str, at: float) -> None:
        """Ends a run's prefill."""

    def end_job(self, job: str, at: float) -> JobEnergy:
        """Ends a run; returns its energy."""


class _ActiveRun:
    """An accepted run and its progress."""

    def __init__(
        self, run: StartRun, engine: Engine, *, since_s: float, run_seconds: tuple[float, float]
    ) -> None:
        self.run = run
        self.engine = engine
        self.run_seconds = run_seconds  # of its model, and of the other models, at its begin
        self.since_s = since_s
        self.first_token_s = 0.0
        self.first = run.resume.tokens if run.resume is not None else 0  # sent by earlier runs
        self.produced = 0
        self.prompt_read = 0
        self.sent = 0
        self.delivered = False
        self.stopped = ""  # the code with which it was stopped
        self.task: asyncio.Task[None] | None = None
        self.reporting: asyncio.TimerHandle | None = None


class RunManager:
    """The runs of this node.

    Attributes:
        ended_runs: numbers of ended runs by outcome.
    """

    def __init__(
        self,
        engines: EngineManager,
        *,
        energy: EnergyAccounting,
        transport: RunTransport,
        slots_max: Callable[[], int | None] = lambda: None,
        on_noticed: Callable[[], None] = lambda: None,
        on_count: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Has no run yet.

        Args:
            engines: of this node.
            energy: shares the machine's energy out.
            transport: the way out.
            slots_max: returns the owner's current limit on concurrent runs over all models; None
                for none.
            on_noticed: called when a run has given its first text, and when it is reported.
            on_count: called when a run has begun, and when it has ended.
            clock: monotonic, seconds.
        """
        self._engines = engines
        self._energy = energy
        self._transport = transport
        self._slots_max = slots_max
        self._on_noticed = on_noticed
        self._on_count = on_count
        self._clock = clock
        self._concurrency = ConcurrencyCounter()
        self._active: dict[tuple[str, int], _ActiveRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.ended_runs: Counter[Outcome] = Counter()
        self._epochs: OrderedDict[str, int] = OrderedDict()
        self._log = structlog.get_logger("entraide.node")
        self.idle = asyncio.Event()
        self.idle.set()

    def active_runs(self) -> tuple[tuple[str, int], ...]:
        """Returns the current runs as (job, epoch)."""
        return tuple(self._active)

    @property
    def foreign_count(self) -> int:
        """Number of runs of other co-ops."""
        return sum(not active.run.own for active in self._active.values())

    def admit(self, run: StartRun, *, reason: str, own_only: bool = False) -> None:
        """Accepts or declines a run.

        Args:
            run: the gateway's message.
            reason: why the node accepts no work, or "".
            own_only: whether it accepts only its own co-op's jobs.
        """
        older = [h for (job, epoch), h in self._active.items() if job == run.job]
        instance = self._engines.get_engine(run.model)
        decision = admit_run(
            RunRequest(
                run.job,
                run.epoch,
                run.path,
                run.model,
                bool(run.sealed),
                run.own,
                resumed=run.resume is not None,
            ),
            occupancy=self._occupancy(run, instance, older, own_only=own_only),
            reason=reason,
        )
        if decision.verdict is Admission.IGNORE:
            self._log.info("run.duplicate", job=run.job, epoch=run.epoch)
            return
        if decision.verdict is Admission.DECLINE or instance is None:
            self._log.info("run.declined", job=run.job, epoch=run.epoch, code=decision.code)
            self._transport.send_to_scheduler(Decline(run.job, run.epoch, decision.code, {}))
            return
        self._remember_epoch(run)
        now_s = self._clock()
        run_seconds = (
            self._concurrency.run_seconds(run.model, now_s),
            self._concurrency.other_run_seconds(run.model, now_s),
        )
        active = _ActiveRun(run, instance.engine, since_s=now_s, run_seconds=run_seconds)
        self._active[(run.job, run.epoch)] = active
        self._change_count(run.model, 1)
        for other in older:
            self._stop(other, "cancelled")
        before = [other.task for other in older if other.task is not None]
        active.task = asyncio.create_task(self._execute(active, before))
        self._tasks.add(active.task)
        active.task.add_done_callback(self._on_task_done)
        self.idle.clear()

    def _occupancy(
        self,
        run: StartRun,
        instance: EngineInstance | None,
        older: list[_ActiveRun],
        *,
        own_only: bool,
    ) -> ModelOccupancy:
        """The occupancy of a run's model, limited by the free slots of the node."""
        running = self._concurrency.count.get(run.model, 0)
        slots = instance.replica.slots if instance is not None else 0
        node_slots = self._slots_max()
        if node_slots is not None:
            slots = min(slots, node_slots - len(self._active) + running)
        return ModelOccupancy(
            model=run.model if instance is not None else "",
            slots=slots,
            running=running,
            epoch_seen=self._epochs.get(run.job, 0),
            superseded=any(active.run.model == run.model for active in older),
            own_only=own_only,
            resumes=instance is not None and run.stream and RESUME in instance.replica.features,
        )

    def _change_count(self, model: str, by: int) -> None:
        self._engines.set_run_count(model, self._concurrency.change_count(model, by, self._clock()))
        self._on_count()

    def stop(self, job: str, epoch: int, *, code: str = "cancelled") -> None:
        """Stops a run at once; its usage so far is reported."""
        active = self._active.get((job, epoch))
        if active is not None:
            self._stop(active, code)

    def stop_all(self, *, code: str, foreign_only: bool = False) -> None:
        """Stops every run; with a code other than ``cancelled`` they count as failed.

        Args:
            code: end code of the runs.
            foreign_only: whether the runs of its own co-op continue.
        """
        for active in tuple(self._active.values()):
            if not (foreign_only and active.run.own):
                self._stop(active, code)

    def describe_runs(self) -> tuple[RunBeat, ...]:
        """Returns the state of the first ``BEAT_RUNS_MAX`` runs, for a heartbeat."""
        return tuple(
            RunBeat(
                active.run.job,
                active.run.epoch,
                active.produced,
                active.prompt_read,
                self._engines.problem_code(active.run.model),
            )
            for active in islice(self._active.values(), BEAT_RUNS_MAX)
        )

    def send_progress(self, *, after: int = 0) -> None:
        """Sends the progress of each run to the scheduler, without the first ``after`` runs."""
        for active in tuple(self._active.values())[after:]:
            self._transport.send_to_scheduler(
                Progress(active.run.job, active.run.epoch, active.produced)
            )

    def _remember_epoch(self, run: StartRun) -> None:
        self._epochs[run.job] = run.epoch
        self._epochs.move_to_end(run.job)
        while len(self._epochs) > EPOCHS_REMEMBERED_MAX:
            self._epochs.popitem(last=False)

    def _stop(self, active: _ActiveRun, code: str) -> None:
        if not active.stopped:
            active.stopped = code
            active.engine.cancel(active.run.job)

    async def _execute(self, active: _ActiveRun, before: list[asyncio.Task[None]]) -> None:
        run = active.run
        end: EngineEnd | None = None
        self._report_later(active)
        try:
            if before:  # engines identify runs by job: the older epoch must end first
                await asyncio.wait(before)
            if not active.stopped:
                self._energy.begin_job(_run_key(run), self._clock())
                end = await self._run_engine(active)
        except Exception:  # noqa: BLE001  (an engine's bug fails this run only)
            self._log.exception("run.broken", job=run.job, epoch=run.epoch)
        finally:
            usage = self._usage(active, end)
            self._record_timing(active, end)
            if active.reporting is not None:
                active.reporting.cancel()  # its end says more
            self._active.pop((run.job, run.epoch), None)
            self._change_count(run.model, -1)
        await self._report_end(active, end, usage)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._tasks:
            self.idle.set()
        if not task.cancelled() and task.exception() is not None:
            self._log.error("run.end_unreported", exc_info=task.exception())

    async def _run_engine(self, active: _ActiveRun) -> EngineEnd:
        run = active.run
        request = EngineRequest(
            job=run.job, path=run.path, body=run.body, stream=run.stream, model=run.model,
            resume=run.resume, partition=run.partition, prefix_keep_s=run.prefix_keep_s,
        )  # fmt: skip
        return await active.engine.run(request, partial(self._forward_chunk, active))

    def _forward_chunk(self, active: _ActiveRun, chunk: EngineChunk) -> Awaitable[None] | None:
        """Sends a chunk to the gateway; returns what to wait for, if the bus is slow."""
        run = active.run
        first = chunk.n_output_tokens > 0 and not active.first_token_s
        if first:
            active.first_token_s = self._clock()
            self._energy.note_first_token(_run_key(run), active.first_token_s)
        active.produced = chunk.n_output_tokens
        active.prompt_read = chunk.n_prompt_tokens
        if chunk.data and not active.stopped:
            shown = chunk.n_shown_tokens if chunk.n_shown_tokens >= 0 else active.produced
            n = max(0, shown - active.sent)
            self._transport.send_to_gateway(
                run.gateway,
                Tokens(run.job, run.epoch, first=active.first + active.sent, n=n, data=chunk.data),
                joins=run.joins,
            )
            active.sent += n
            if not active.delivered:
                active.delivered = True
                self._on_noticed()
        if first:  # prefill is done: the scheduler updates its backlog estimate
            self._report_later(active)
        return None if self._transport.has_room else self._transport.wait_for_room()

    def _report_later(self, active: _ActiveRun) -> None:
        """Tells the scheduler of a run soon, unless the run has ended by then."""
        if active.reporting is None:
            active.reporting = asyncio.get_running_loop().call_later(
                REPORT_AFTER_S, self._report_run, active
            )

    def _report_run(self, active: _ActiveRun) -> None:
        active.reporting = None
        job, epoch, produced = active.run.job, active.run.epoch, active.produced
        message = Progress(job, epoch, produced) if produced else Accept(job, epoch)
        self._transport.send_to_scheduler(message)
        self._on_noticed()

    def _usage(self, active: _ActiveRun, end: EngineEnd | None) -> Usage:
        now_s = self._clock()
        energy = self._energy.end_job(_run_key(active.run), now_s)
        first_s = active.first_token_s
        if end is not None and end.outcome is Outcome.COMPLETED and _is_embedding(active.run):
            first_s = now_s  # the embeddings come all at once, at the end
        counts = end.usage if end is not None else None
        return Usage(
            input_tokens=counts.prompt_tokens if counts else 0,
            cached_tokens=counts.cached_tokens if counts else 0,
            output_tokens=counts.completion_tokens if counts else active.produced,
            counted=counts.counted if counts else Basis.ESTIMATED,
            energy_prefill_uwh=energy.prefill_uwh,
            energy_decode_uwh=energy.decode_uwh,
            energy_basis=energy.basis,
            ttft_s=first_s - active.since_s if first_s else 0.0,
            run_s=now_s - active.since_s,
            reasoning_tokens=counts.reasoning_tokens if counts else 0,
        )

    def _record_timing(self, active: _ActiveRun, end: EngineEnd | None) -> None:
        """Records the durations of a completed run."""
        if end is None or end.outcome is not Outcome.COMPLETED:
            return
        now_s, model = self._clock(), active.run.model
        run_seconds_during = self._concurrency.run_seconds(model, now_s) - active.run_seconds[0]
        usage, timings = end.usage, end.timings
        timing = RunTiming(
            model=model,
            prefill_tokens=usage.prompt_tokens - usage.cached_tokens,
            decode_tokens=usage.completion_tokens,
            prefill_s=timings.prefill_s,
            decode_s=timings.decode_s,
            sequences_mean=max(1.0, run_seconds_during / max(1e-6, now_s - active.since_s)),
            is_alone=self._concurrency.other_run_seconds(model, now_s) <= active.run_seconds[1],
        )
        self._engines.record_timing(timing)

    async def _report_end(self, active: _ActiveRun, end: EngineEnd | None, usage: Usage) -> None:
        run = active.run
        outcome, code, values = _outcome_of(active, end)
        body, final = (end.body, end.final_chunk) if end is not None else (b"", b"")
        if len(body) + len(final) > MESSAGE_BYTES_MAX - ENVELOPE_BYTES:
            outcome, code, values, body, final = Outcome.FAILED, "engine_failed", {}, b"", b""
        self.ended_runs[outcome] += 1
        if code in ("engine_failed", ENGINE_EXITED, ENGINE_HUNG):
            await self._engines.check_engine(run.model)
        ending = RunEnded(
            run.job, run.epoch, outcome, code, values, active.first + active.sent, final, body,
            usage,
        )  # fmt: skip
        await self._send_end(active, end, ending)
        self._log.info(
            "run.ended", job=run.job, epoch=run.epoch, outcome=outcome, code=code,
            output_tokens=usage.output_tokens, run_s=round(usage.run_s, 3),
        )  # fmt: skip

    async def _send_end(self, active: _ActiveRun, end: EngineEnd | None, ending: RunEnded) -> None:
        job, epoch, code = ending.job, ending.epoch, ending.code
        last: Decline | UsageReport
        if _was_refused_before_output(active, end):
            if active.run.resume is not None:  # another engine may continue the answer
                last = Decline(job, epoch, RESUME_UNSUPPORTED, {})
                self._transport.send_to_scheduler(last)
                return
            # Counts only, no text: a decline is written to the journal.
            counts = {name: value for name, value in ending.values.items() if name != "detail"}
            last = Decline(job, epoch, code, counts)
        else:
            beside = end.other_runs if end is not None else 0
            last = UsageReport(
                job, epoch, ending.outcome, code, active.delivered, ending.usage, beside
            )
            await self._transport.keep_report(last)  # before the answer ends: it will be billed
        self._transport.send_to_gateway(active.run.gateway, ending, joins=active.run.joins)
        self._transport.send_to_scheduler(last)


def _is_embedding(run: StartRun) -> bool:
    return run.path == EMBEDDINGS_PATH


def _run_key(run: StartRun) -> str:
    return f"{run.job}/{run.epoch}"


def _outcome_of(active: _ActiveRun, end: EngineEnd | None) -> tuple[Outcome, str, Values]:
    """Outcome of a run, with its stable code and values."""
    if active.stopped and (end is None or end.outcome is not Outcome.COMPLETED):
        outcome = Outcome.CANCELLED if active.stopped == "cancelled" else Outcome.FAILED
        return outcome, active.stopped, {}
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
    if failure.code == CONTEXT_LENGTH_EXCEEDED:
        values: Values = {
            "input_tokens": failure.n_prompt_tokens,
            "context_tokens": failure.n_ctx,
        }
        return Outcome.FAILED, "context_length_exceeded", values
    if failure.code == BAD_REQUEST:
        detail: Values = {"detail": failure.detail[:DETAIL_CHARS_MAX]}
        if failure.cause:
            detail["cause"] = failure.cause
        return Outcome.FAILED, "engine_refused", detail
    if failure.code in (ENGINE_EXITED, ENGINE_HUNG):
        return Outcome.FAILED, failure.code, {}
    return Outcome.FAILED, "engine_failed", {"engine_code": failure.code}


def _was_refused_before_output(active: _ActiveRun, end: EngineEnd | None) -> bool:
    """Whether the engine refused the request itself before any output."""
    failure = end.failure if end is not None else None
    refusals = (CONTEXT_LENGTH_EXCEEDED, BAD_REQUEST)
    return failure is not None and failure.code in refusals and not active.produced
