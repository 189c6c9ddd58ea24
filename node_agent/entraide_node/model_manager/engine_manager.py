"""The garage's shell: holds the engines, and does what ``core.model_manager`` says.

It starts an engine for each model that the pool asks for, measures it before it is offered, stops
it once nobody needs it, and asks every engine each second whether it serves. Its owner's engines
are held beside them and stay. What a run needs is a seat, which only an engine that serves has.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
from msgspec.structs import replace

from entraide.types import Loadable, Replica
from entraide_node.config import Attach
from entraide_node.core import rate_drift
from entraide_node.core.model_manager import (
    UNKNOWN,
    LoadLimits,
    LoadRequest,
    ModelAction,
    ModelActionKind,
    ModelEvent,
    ModelState,
    Refusal,
)
from entraide_node.core.model_manager import ModelManager as Plan
from entraide_node.core.rate_drift import RateDrift
from entraide_node.engine_provider import EngineHandle, RunTiming
from entraide_node.engines.base import EngineProblem
from entraide_node.machine_setup import (
    EngineInstance,
    measure_instance,
    remeasure_instance,
    start_instance,
)
from entraide_node.model_manager.engine_setup import start_engine
from entraide_node.model_manager.model_source import ModelSource, NoModelSource

PROBE_INTERVAL_S = 1.0
DOWN_HIDDEN_S = 15.0  # an engine that is down for longer: its model leaves the card
DOWN_LOST_S = 120.0  # for longer still: what the pool had asked for is given up
QUIET_MIN_S = 60.0  # without a run, before an engine is measured again
RETRY_MIN_S, RETRY_MAX_S = 1.0, 30.0


class EngineManager:
    """The engines of one node; it is what runs see as ``Seats``."""

    def __init__(
        self,
        instances: tuple[EngineInstance, ...],
        *,
        folder: Path,
        limits: Callable[[], LoadLimits],
        supplier: ModelSource | None = None,
        unreachable: tuple[Attach, ...] = (),
        failed: Callable[[Refusal], Awaitable[None]],
        changed: Callable[[], object],
    ) -> None:
        """Starts nothing yet.

        Args:
            instances: the owner's engines, started; it stops them.
            folder: the agent's own.
            limits: what the owner allows now.
            supplier: of models that the pool asks for; None for none.
            unreachable: servers of the owner's that did not answer yet.
            failed: awaited with each model that the pool cannot have.
            changed: called when there is something new to tell.
        """
        self._folder = folder
        self._limits = limits
        self._source = supplier or NoModelSource()
        self._unreachable = unreachable
        self._failed = failed
        self._changed = changed
        self._manager = Plan()
        self._instances: dict[str, EngineInstance] = {}
        self._down: dict[str, tuple[float, str]] = {}  # since when, and why
        self._drift: dict[str, RateDrift] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}  # what is done with a model
        self._last_run_s = time.monotonic()
        self._running = 0
        self._wake = asyncio.Event()
        self._log = structlog.get_logger("entraide.node")
        self.is_measuring = False
        for instance in instances:
            self._add_owner_instance(instance)

    # What the runs see.

    def get_engine(self, model: str) -> EngineHandle | None:
        """See ``Seats``."""
        instance = self._instances.get(model)
        serves = self._manager.state_of(model) is ModelState.SERVING and model not in self._down
        return (
            EngineHandle(instance.engine, instance.replica.slots)
            if instance is not None and serves
            else None
        )

    def set_run_count(self, model: str, count: int) -> None:
        """See ``Seats``."""
        now_s = time.monotonic()
        self._last_run_s = now_s
        self._manager.set_run_count(model, count, now_s)
        self._running = sum(record.runs for record in self._manager.records())
        if not count:
            self._wake.set()

    def record_timing(self, timing: RunTiming) -> None:
        """See ``Seats``."""
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
        """See ``Seats``."""
        instance = self._instances.get(model)
        if instance is not None:
            await self._probe(instance)

    # What the agent asks.

    def replicas(self) -> tuple[Replica, ...]:
        """Returns what the node serves, for its card; what is down for a moment stays on it."""
        now_s = time.monotonic()
        return tuple(
            instance.replica
            for model, instance in self._instances.items()
            if self._manager.state_of(model) is ModelState.SERVING
            and now_s - self._down.get(model, (now_s, ""))[0] <= DOWN_HIDDEN_S
        )

    def loadable_models(self) -> tuple[Loadable, ...]:
        """Returns what the node could load, for its card."""
        return self._source.loadable

    def loading_models(self) -> tuple[str, ...]:
        """Returns what the node loads, for its card."""
        return self._manager.loading_models()

    def model_states(self) -> tuple[tuple[str, str, int], ...]:
        """Returns each model that is here or on its way: its state, and its runs."""
        down = "down"
        known = {p.model: p for p in self._manager.records() if p.state is not ModelState.ABSENT}
        states = [
            (model, down if model in self._down else str(record.state), record.runs)
            for model, record in known.items()
        ]
        waiting = [(m, "waiting", 0) for m in self._manager.loading_models() if m not in known]
        return (*states, *waiting)

    @property
    def is_up(self) -> bool:
        """Whether an engine serves, or there is none that should."""
        serving = [m for m in self._instances if self._manager.state_of(m) is ModelState.SERVING]
        return not serving or any(model not in self._down for model in serving)

    # What the pool asks.

    async def load_model(self, model: str) -> None:
        """Loads a model, or says why not."""
        loadable = next(
            (candidate for candidate in self._source.loadable if candidate.model == model), None
        )
        request = (
            LoadRequest(model, loadable.memory_bytes, loadable.fetch_bytes > 0)
            if loadable
            else None
        )
        limits, now_s = self._limits(), time.monotonic()
        refusal = self._manager.request(model, request, limits=limits, at=now_s)
        if refusal is not None and refusal.code == UNKNOWN:
            problem = self._source.explain_refusal(model)
            refusal = Refusal(model, problem.code, problem.values)
        if refusal is not None:
            await self._refuse(refusal)
        self.wake()

    async def unload_model(self, model: str) -> None:
        """Unloads a model once its runs have ended."""
        if not self._manager.release(model, at=time.monotonic()):
            self._log.info("node.unload_ignored", model=model)
        self.wake()

    def wake(self) -> None:
        """Something changed that it must decide upon: the owner's word, or the pool's."""
        self._wake.set()
        self._changed()

    # Its life.

    async def run(self) -> None:
        """Does what is to be done for as long as the agent lives."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._decide_loop())
            group.create_task(self._probe_loop())
            for number, engine in enumerate(self._unreachable):
                group.create_task(self._retry_unreachable(engine, len(self._instances) + number))

    async def stop(self) -> None:
        """Gives up what goes on, and stops every engine."""
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
        self._log.info("node.model", do=action.do, model=action.model)
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
        instance = await self._run_guarded(self._open(model), model)
        if isinstance(instance, EngineInstance):
            self._instances[model] = instance
            self._drift.pop(model, None)
            await self._report_result(model, ModelEvent.UP, None)
        else:
            await self._report_result(model, ModelEvent.UP, instance)

    async def _open(self, model: str) -> EngineInstance | EngineProblem:
        engine = await start_engine(await self._source.make_engine(model))
        if isinstance(engine, EngineProblem):
            return engine
        return await measure_instance(
            engine, folder=self._folder, is_busy=lambda: self._running > 0
        )

    async def _unload(self, model: str, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:  # the fetch or load that is given up
            previous.cancel()
            await asyncio.wait([previous])
        await self._remove_instance(model)
        self._manager.apply_event(model, ModelEvent.GONE, at=time.monotonic())

    async def _remove_instance(self, model: str) -> None:
        instance = self._instances.pop(model, None)
        self._down.pop(model, None)
        if instance is not None:
            await instance.engine.stop()

    async def _run_guarded(
        self, work: Awaitable[EngineInstance | EngineProblem | None], model: str
    ) -> EngineInstance | EngineProblem | None:
        """A bug in what loads a model is that model's failure, and no more."""
        try:
            return await work
        except Exception:  # noqa: BLE001
            self._log.exception("node.model_broken", model=model)
            return EngineProblem("load_broken", {"model": model})

    async def _report_result(
        self, model: str, event: ModelEvent, problem: EngineInstance | EngineProblem | None
    ) -> None:
        """Tells the plan what came of a fetch or a load, unless it was given up meanwhile."""
        if self._manager.state_of(model) is ModelState.UNLOADING:
            return
        now_s = time.monotonic()
        if isinstance(problem, EngineProblem):
            self._manager.apply_event(model, ModelEvent.FAIL, at=now_s, code=problem.code)
            await self._refuse(Refusal(model, problem.code, problem.values))
        else:
            self._manager.apply_event(model, event, at=now_s)
            self._log.info("node.model_came", model=model, came=event)

    async def _refuse(self, refusal: Refusal) -> None:
        self._log.warning("node.model_refused", model=refusal.model, code=refusal.code)
        await self._failed(replace(refusal, values=dict(refusal.values)))

    # Whether the engines serve.

    async def _probe_loop(self) -> None:
        while True:
            await asyncio.gather(
                *(self._probe(instance) for instance in tuple(self._instances.values()))
            )
            await self._unload_lost()
            await self._remeasure_if_due()
            await asyncio.sleep(PROBE_INTERVAL_S)

    async def _probe(self, instance: EngineInstance) -> None:
        model = instance.replica.model
        problem = await instance.engine.ready()
        if self._instances.get(model) is not instance:
            return  # it was unloaded meanwhile
        was_down = model in self._down
        if problem is None and was_down:
            del self._down[model]
            self._log.info("node.engine_up", model=model)
            self._changed()
        elif problem is not None and not was_down:
            self._down[model] = (time.monotonic(), problem.code)
            self._log.warning("node.engine_down", model=model, code=problem.code)
            self._changed()

    async def _unload_lost(self) -> None:
        """Unloads what the pool asked for and whose engine does not come back."""
        now_s = time.monotonic()
        fixed = {record.model for record in self._manager.records() if record.fixed}
        for model, (since_s, code) in tuple(self._down.items()):
            if model in fixed or now_s - since_s < DOWN_LOST_S or model in self._tasks:
                continue
            await self._remove_instance(model)
            self._manager.apply_event(model, ModelEvent.FAIL, at=time.monotonic(), code=code)
            await self._refuse(Refusal(model, code, {}))
            self.wake()

    async def _retry_unreachable(self, engine: Attach, number: int) -> None:
        """Waits for a server of the owner's, and takes it in."""
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
        """Measures an engine again that has drifted, once nobody has used the node for a while."""
        if self._running or self._tasks or time.monotonic() - self._last_run_s < QUIET_MIN_S:
            return
        now = time.time()
        for model, instance in tuple(self._instances.items()):
            rate_drift_seen = self._drift.get(model)
            is_unmeasured = not instance.measured_at
            is_due = rate_drift_seen is not None and rate_drift.is_measurement_due(
                rate_drift_seen, measured_s=instance.measured_at, at=now
            )
            if model in self._down or not (is_due or is_unmeasured):
                continue
            await self._remeasure(model, instance)
            return

    async def _remeasure(self, model: str, instance: EngineInstance) -> None:
        self._log.info("node.measured_again", model=model)
        self.is_measuring = True
        self._changed()
        try:
            remeasured = await remeasure_instance(
                instance, folder=self._folder, is_busy=lambda: self._running > 0
            )
        finally:
            self.is_measuring = False
            self._changed()
        self._drift.pop(model, None)
        self._last_run_s = time.monotonic()  # where it could not be measured, not at once again
        if self._instances.get(model) is instance:
            self._instances[model] = remeasured
