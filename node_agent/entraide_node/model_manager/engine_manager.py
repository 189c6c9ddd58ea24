"""Engine manager: the shell that carries out the actions of ``core.model_manager``.

It fetches, starts, benchmarks and stops the engine of each model that the pool orders, probes every
engine each ``PROBE_INTERVAL_S``, and repeats the benchmark when rates drift. The owner's engines
are held too and stay. Runs obtain the engine of a serving model here.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import structlog
from msgspec.structs import replace

from entraide.types import Loadable, Replica, Sandbox
from entraide_node.config import Attach
from entraide_node.core import rate_drift
from entraide_node.core.model_manager import (
    UNKNOWN,
    LoadLimits,
    ModelAction,
    ModelActionKind,
    ModelManager,
    Refusal,
)
from entraide_node.core.model_records import ModelEvent, ModelState
from entraide_node.core.rate_drift import RateDrift
from entraide_node.engines.base import EngineProblem, HeldPrefixes
from entraide_node.machine_setup import (
    EngineInstance,
    measure_instance,
    remeasure_instance,
    shared_rates_path,
    start_instance,
)
from entraide_node.model_manager.engine_setup import start_engine
from entraide_node.model_manager.model_source import ModelSource
from entraide_node.run_timing import RunTiming

PROBE_INTERVAL_S = 1.0
CHECK_MAX_S = 0.5
QUIET_MIN_S = 60.0  # without a run, before an engine is benchmarked again
RETRY_MIN_S, RETRY_MAX_S = 1.0, 30.0


class EngineManager:
    """The engines of one node."""

    def __init__(
        self,
        instances: tuple[EngineInstance, ...],
        *,
        folder: Path,
        limits: Callable[[], LoadLimits],
        source: ModelSource,
        unreachable: tuple[Attach, ...] = (),
        failed: Callable[[Refusal], Awaitable[None]],
        changed: Callable[[], object],
    ) -> None:
        """Starts nothing yet.

        Args:
            instances: the owner's engines, started; it stops them.
            folder: the agent's folder.
            limits: returns the owner's current limits on loading.
            source: source of the models that the pool orders.
            unreachable: servers of the owner's that did not answer yet.
            failed: awaited with each model that is not loaded.
            changed: called when the node's card may have changed.
        """
        self._folder = folder
        self._limits = limits
        self._source = source
        self._unreachable = unreachable
        self._failed = failed
        self._changed = changed
        self._manager = ModelManager()
        self._instances: dict[str, EngineInstance] = {}
        self._drift: dict[str, RateDrift] = {}
        self._failures: dict[str, EngineProblem] = {}  # the last one of a model
        self._tasks: dict[str, asyncio.Task[None]] = {}  # current action on a model
        self._last_run_s = time.monotonic()
        self._wake = asyncio.Event()
        self._log = structlog.get_logger("entraide.node")
        self.is_measuring = False
        for instance in instances:
            self._add_owner_instance(instance)

    # For runs.

    def get_engine(self, model: str) -> EngineInstance | None:
        """Returns the engine for runs of a model; None if the model is not served."""
        return self._instances[model] if self._manager.is_ready(model) else None

    def problem_code(self, model: str) -> str:
        """Returns the stable code of why a model's engine does not respond; "" if it does."""
        return self._manager.problem_code(model)

    def set_run_count(self, model: str, count: int) -> None:
        """Sets the current number of runs of a model."""
        now_s = time.monotonic()
        self._last_run_s = now_s
        self._manager.set_run_count(model, count, now_s)
        if not count:
            self._wake.set()

    def record_timing(self, timing: RunTiming) -> None:
        """Records the durations of a completed run."""
        instance = self._instances.get(timing.model)
        if instance is None or not timing.is_alone:
            return
        self._drift[timing.model] = rate_drift.add_run(
            self._drift.get(timing.model, RateDrift()),
            instance.replica.rates,
            prefill=(timing.prefill_tokens, timing.prefill_s),
            decode=(timing.decode_tokens, timing.decode_s),
            sequences_mean=timing.sequences_mean,
            at=time.time(),
        )

    async def check_engine(self, model: str) -> None:
        """Probes a model's engine after it failed a run.

        Awaited before the failure is reported, so that the node's state is up to date when the next
        message arrives; for ``CHECK_MAX_S`` at most, since the pool waits for the report.
        """
        instance = self._instances.get(model)
        if instance is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_MAX_S):
                    await self._probe(instance)

    def limit_prefixes(self, memory_part: float | None) -> None:
        """Sets how much of earlier prompts the engines may hold at rest, each an equal share.

        Args:
            memory_part: part of the machine's memory, for all together; None to hold nothing at
                all, and to forget what they hold.
        """
        engines = [instance.engine for instance in self._instances.values()]
        memory_bytes = psutil.virtual_memory().total
        for engine in engines:
            share = None if memory_part is None else int(memory_part * memory_bytes / len(engines))
            engine.limit_prefixes(share)

    def forget_prefixes(self, owner: bytes) -> None:
        """Forgets what was read for one sender; b"" for all."""
        for instance in self._instances.values():
            instance.engine.forget_prefixes(owner)

    # For the announcer.

    def held_prefixes(self) -> HeldPrefixes:
        """Returns what the engines hold of earlier prompts."""
        held = [instance.engine.held_prefixes() for instance in self._instances.values()]
        return HeldPrefixes(
            jobs=tuple(job for each in held for job in each.jobs),
            rest_bytes=sum(each.rest_bytes for each in held),
            blocks=sum(each.blocks for each in held),
        )

    def replicas(self) -> tuple[Replica, ...]:
        """Returns the served replicas for the node's card."""
        models = self._manager.listed_models(time.monotonic())
        return tuple(self._instances[model].replica for model in models)

    def loadable_models(self) -> tuple[Loadable, ...]:
        """Returns the loadable models for the node's card."""
        return self._source.loadable

    def sandboxes(self) -> tuple[Sandbox, ...]:
        """Returns what closes in each engine that serves, for the node's card."""
        models = self._manager.listed_models(time.monotonic())
        return tuple(self._instances[model].engine.facts.sandbox for model in models)

    def loading_models(self) -> tuple[str, ...]:
        """Returns the models that are being loaded, for the node's card."""
        return self._manager.loading_models()

    def find_failure(self, model: str) -> EngineProblem | None:
        """Returns why a model could not be loaded; None unless its last attempt failed."""
        has_failed = self._manager.state_of(model) is ModelState.FAILED
        return self._failures.get(model) if has_failed else None

    def model_states(self) -> tuple[tuple[str, str, int], ...]:
        """Returns each known model with its state and its number of runs."""
        known = [r for r in self._manager.records() if r.state is not ModelState.ABSENT]
        states = [
            (r.model, str(r.state) if r.down_since is None else "down", r.runs) for r in known
        ]
        names = [record.model for record in known]
        waiting = [(m, "waiting", 0) for m in self._manager.loading_models() if m not in names]
        return (*states, *waiting)

    @property
    def is_up(self) -> bool:
        """Whether an engine serves, or none is expected to."""
        records = self._manager.records()
        serving = [record for record in records if record.state is ModelState.SERVING]
        return not serving or any(record.down_since is None for record in serving)

    @property
    def _is_running(self) -> bool:
        return any(record.runs for record in self._manager.records())

    # Orders of the pool.

    async def load_model(self, model: str) -> None:
        """Handles a load order; reports a refusal to the pool."""
        refusal = self._manager.request(
            model, self._source.loadable, limits=self._limits(), at=time.monotonic()
        )
        if refusal is not None and refusal.code == UNKNOWN:
            problem = self._source.explain_refusal(model)
            refusal = Refusal(model, problem.code, problem.values)
        if refusal is not None:
            await self._refuse(refusal)
        self.wake()

    async def unload_model(self, model: str) -> None:
        """Handles an unload order: the model is unloaded when its runs have ended."""
        if not self._manager.release(model, at=time.monotonic()):
            self._log.info("node.unload_ignored", model=model)
        self.wake()

    def wake(self) -> None:
        """Wakes the decision loop after a change of limits or orders."""
        self._wake.set()
        self._changed()

    # Life cycle.

    async def run(self) -> None:
        """Runs the decision loop and the probes for as long as the agent lives."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._decide_loop())
            group.create_task(self._probe_loop())
            for number, engine in enumerate(self._unreachable):
                group.create_task(self._retry_unreachable(engine, len(self._instances) + number))

    async def stop(self) -> None:
        """Cancels the current actions, and stops every engine."""
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        await asyncio.gather(*(instance.engine.stop() for instance in self._instances.values()))

    async def _decide_loop(self) -> None:
        while True:
            self._wake.clear()
            limits, now_s = self._limits(), time.monotonic()
            for decision in self._manager.decide(limits, now_s):
                if isinstance(decision, Refusal):
                    await self._refuse(decision)
                else:
                    self._start_action(decision)
                self._changed()
            wake_s = self._manager.next_deadline(limits)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, wake_s - now_s) if wake_s else None):
                    await self._wake.wait()

    def _start_action(self, action: ModelAction) -> None:
        self._log.info("node.model", action=action.do, model=action.model)
        handlers = {
            ModelActionKind.FETCH: self._fetch,
            ModelActionKind.LOAD: self._load,
            ModelActionKind.UNLOAD: self._unload,
        }
        previous = self._tasks.get(action.model)
        task = asyncio.create_task(handlers[action.do](action.model, previous))
        self._tasks[action.model] = task
        task.add_done_callback(lambda done: self._finish_task(action.model, done))

    def _finish_task(self, model: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(model) is task:
            del self._tasks[model]
        if not task.cancelled() and task.exception() is not None:
            self._log.error("node.model_broken", model=model, exc_info=task.exception())
        self.wake()

    async def _fetch(self, model: str, _: asyncio.Task[None] | None) -> None:
        problem = await self._run_guarded(self._source.fetch_weights(model), model)
        await self._report_result(model, ModelEvent.FETCHED, problem)

    async def _load(self, model: str, _: asyncio.Task[None] | None) -> None:
        instance = await self._run_guarded(self._start_and_measure(model), model)
        if isinstance(instance, EngineInstance):
            self._instances[model] = instance
            self._drift.pop(model, None)
            await self._report_result(model, ModelEvent.UP, None)
        else:
            await self._report_result(model, ModelEvent.UP, instance)

    async def _start_and_measure(self, model: str) -> EngineInstance | EngineProblem:
        engine = await start_engine(await self._source.make_engine(model))
        if isinstance(engine, EngineProblem):
            return engine
        return await measure_instance(
            engine,
            folder=self._folder,
            shared_path=shared_rates_path(),
            is_busy=lambda: self._is_running,
        )

    async def _unload(self, model: str, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:  # a fetch or load that is cancelled
            previous.cancel()
            await asyncio.wait([previous])
        await self._remove_instance(model)
        self._manager.apply_event(model, ModelEvent.GONE, at=time.monotonic())

    async def _remove_instance(self, model: str) -> None:
        instance = self._instances.pop(model, None)
        if instance is not None:
            await instance.engine.stop()

    async def _run_guarded(
        self, work: Awaitable[EngineInstance | EngineProblem | None], model: str
    ) -> EngineInstance | EngineProblem | None:
        """An unexpected exception while loading fails that model only."""
        try:
            return await work
        except Exception:  # noqa: BLE001
            self._log.exception("node.model_broken", model=model)
            return EngineProblem("load_broken", {"model": model})

    async def _report_result(
        self, model: str, event: ModelEvent, problem: EngineInstance | EngineProblem | None
    ) -> None:
        """Applies the result of a fetch or load, unless it was cancelled meanwhile."""
        if self._manager.state_of(model) is ModelState.UNLOADING:
            return
        now_s = time.monotonic()
        if isinstance(problem, EngineProblem):
            self._manager.apply_event(model, ModelEvent.FAIL, at=now_s, code=problem.code)
            self._failures[model] = problem
            await self._refuse(Refusal(model, problem.code, problem.values))
        else:
            self._manager.apply_event(model, event, at=now_s)
            self._failures.pop(model, None)
            self._log.info("node.model_action_done", model=model, result=event)

    async def _refuse(self, refusal: Refusal) -> None:
        self._log.warning("node.model_refused", model=refusal.model, code=refusal.code)
        await self._failed(replace(refusal, values=dict(refusal.values)))

    # Probing.

    async def _probe_loop(self) -> None:
        while True:
            await asyncio.gather(
                *(self._probe(instance) for instance in tuple(self._instances.values()))
            )
            await self._remeasure_if_due()
            await asyncio.sleep(PROBE_INTERVAL_S)

    async def _probe(self, instance: EngineInstance) -> None:
        model = instance.replica.model
        problem = await instance.engine.ready()
        if self._instances.get(model) is not instance:
            return  # it was unloaded meanwhile
        features = instance.engine.facts.features
        if features != instance.replica.features:  # an attached server came back with others
            replica = replace(instance.replica, features=features)
            self._instances[model] = replace(instance, replica=replica)
            self._log.warning("node.engine_features", model=model, features=features)
            self.wake()
        code = "" if problem is None else problem.code
        if not self._manager.set_response(model, code, at=time.monotonic()):
            return
        if code:
            self._log.warning("node.engine_down", model=model, code=code)
        else:
            self._log.info("node.engine_up", model=model)
        self.wake()

    async def _retry_unreachable(self, engine: Attach, number: int) -> None:
        """Retries a server of the owner until it responds, and adds it."""
        wait_s = RETRY_MIN_S
        while True:
            await asyncio.sleep(wait_s)
            wait_s = min(RETRY_MAX_S, 2 * wait_s)
            instance = await start_instance(
                engine, folder=self._folder, number=number, tell=lambda _: None
            )
            if isinstance(instance, EngineInstance):
                self._add_owner_instance(instance)
                self.wake()
                return

    def _add_owner_instance(self, instance: EngineInstance) -> None:
        self._instances[instance.replica.model] = instance
        self._manager.add_fixed(instance.replica.model)

    async def _remeasure_if_due(self) -> None:
        """Benchmarks an engine again if its rates drifted and the node is quiet."""
        if self._is_running or self._tasks or time.monotonic() - self._last_run_s < QUIET_MIN_S:
            return
        now = time.time()
        for model, instance in tuple(self._instances.items()):
            rate_drift_seen = self._drift.get(model)
            is_unmeasured = not instance.measured_at
            is_due = rate_drift_seen is not None and rate_drift.is_measurement_due(
                rate_drift_seen, measured_s=instance.measured_at, at=now
            )
            if not self._manager.is_ready(model) or not (is_due or is_unmeasured):
                continue
            await self._remeasure(model, instance)
            return

    async def _remeasure(self, model: str, instance: EngineInstance) -> None:
        self._log.info("node.remeasuring", model=model)
        self.is_measuring = True
        self._changed()
        try:
            remeasured = await remeasure_instance(
                instance, folder=self._folder, is_busy=lambda: self._is_running
            )
        finally:
            self.is_measuring = False
            self._changed()
        self._drift.pop(model, None)
        self._last_run_s = time.monotonic()  # after a failed benchmark, wait before the next one
        if self._instances.get(model) is instance:
            self._instances[model] = remeasured
