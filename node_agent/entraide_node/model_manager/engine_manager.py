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
        bays: tuple[EngineInstance, ...],
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
            bays: the owner's engines, started; it stops them.
            folder: the agent's own.
            limits: what the owner allows now.
            supplier: of models that the pool asks for; None for none.
            unreachable: servers of the owner's that did not answer yet.
            failed: awaited with each model that the pool cannot have.
            changed: called when there is something new to tell.
        """
        self._folder = folder
        self._limits = limits
        self._supplier = supplier or NoModelSource()
        self._unreachable = unreachable
        self._failed = failed
        self._changed = changed
        self._plan = Plan()
        self._bays: dict[str, EngineInstance] = {}
        self._down: dict[str, tuple[float, str]] = {}  # since when, and why
        self._drift: dict[str, RateDrift] = {}
        self._work: dict[str, asyncio.Task[None]] = {}  # what is done with a model
        self._ran_s = time.monotonic()
        self._running = 0
        self._turn = asyncio.Event()
        self._log = structlog.get_logger("entraide.node")
        self.is_measuring = False
        for bay in bays:
            self._park(bay)

    # What the runs see.

    def get_engine(self, model: str) -> EngineHandle | None:
        """See ``Seats``."""
        bay = self._bays.get(model)
        serves = self._plan.state_of(model) is ModelState.SERVING and model not in self._down
        return EngineHandle(bay.engine, bay.replica.slots) if bay is not None and serves else None

    def set_run_count(self, model: str, count: int) -> None:
        """See ``Seats``."""
        now_s = time.monotonic()
        self._ran_s = now_s
        self._plan.set_run_count(model, count, now_s)
        self._running = sum(parked.runs for parked in self._plan.records())
        if not count:
            self._turn.set()

    def record_timing(self, ran: RunTiming) -> None:
        """See ``Seats``."""
        bay = self._bays.get(ran.model)
        if bay is None or not ran.is_alone:
            return
        self._drift[ran.model] = rate_drift.add_run(
            self._drift.get(ran.model, RateDrift()),
            bay.replica.rates,
            read=(ran.prefill_tokens, ran.prefill_s),
            write=(ran.decode_tokens, ran.decode_s),
            beside=ran.sequences_mean,
            at=time.time(),
        )

    async def check_engine(self, model: str) -> None:
        """See ``Seats``."""
        bay = self._bays.get(model)
        if bay is not None:
            await self._look(bay)

    # What the agent asks.

    def replicas(self) -> tuple[Replica, ...]:
        """Returns what the node serves, for its card; what is down for a moment stays on it."""
        now_s = time.monotonic()
        return tuple(
            bay.replica
            for model, bay in self._bays.items()
            if self._plan.state_of(model) is ModelState.SERVING
            and now_s - self._down.get(model, (now_s, ""))[0] <= DOWN_HIDDEN_S
        )

    def loadable_models(self) -> tuple[Loadable, ...]:
        """Returns what the node could load, for its card."""
        return self._supplier.loadable

    def loading_models(self) -> tuple[str, ...]:
        """Returns what the node loads, for its card."""
        return self._plan.loading_models()

    def model_states(self) -> tuple[tuple[str, str, int], ...]:
        """Returns each model that is here or on its way: its state, and its runs."""
        down = "down"
        known = {p.model: p for p in self._plan.records() if p.state is not ModelState.ABSENT}
        told = [
            (model, down if model in self._down else str(parked.state), parked.runs)
            for model, parked in known.items()
        ]
        waiting = [(m, "waiting", 0) for m in self._plan.loading_models() if m not in known]
        return (*told, *waiting)

    @property
    def is_up(self) -> bool:
        """Whether an engine serves, or there is none that should."""
        serving = [m for m in self._bays if self._plan.state_of(m) is ModelState.SERVING]
        return not serving or any(model not in self._down for model in serving)

    # What the pool asks.

    async def load_model(self, model: str) -> None:
        """Loads a model, or says why not."""
        found = next((one for one in self._supplier.loadable if one.model == model), None)
        need = LoadRequest(model, found.memory_bytes, found.fetch_bytes > 0) if found else None
        limits, now_s = self._limits(), time.monotonic()
        refusal = self._plan.request(model, need, limits=limits, at=now_s)
        if refusal is not None and refusal.code == UNKNOWN:
            problem = self._supplier.explain_refusal(model)
            refusal = Refusal(model, problem.code, problem.values)
        if refusal is not None:
            await self._refuse(refusal)
        self.wake()

    async def unload_model(self, model: str) -> None:
        """Unloads a model once its runs have ended."""
        if not self._plan.release(model, at=time.monotonic()):
            self._log.info("node.unload_ignored", model=model)
        self.wake()

    def wake(self) -> None:
        """Something changed that it must decide upon: the owner's word, or the pool's."""
        self._turn.set()
        self._changed()

    # Its life.

    async def run(self) -> None:
        """Does what is to be done for as long as the agent lives."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._decide())
            group.create_task(self._ask())
            for number, asked in enumerate(self._unreachable):
                group.create_task(self._await(asked, len(self._bays) + number))

    async def stop(self) -> None:
        """Gives up what goes on, and stops every engine."""
        for task in self._work.values():
            task.cancel()
        if self._work:
            await asyncio.wait(self._work.values())
        await asyncio.gather(*(bay.engine.stop() for bay in self._bays.values()))

    async def _decide(self) -> None:
        while True:
            self._turn.clear()
            limits, now_s = self._limits(), time.monotonic()
            for said in self._plan.decide(limits, now_s):
                if isinstance(said, Refusal):
                    await self._refuse(said)
                else:
                    self._begin(said)
                self._changed()
            wake_s = self._plan.next_deadline(limits)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, wake_s - now_s) if wake_s else None):
                    await self._turn.wait()

    def _begin(self, order: ModelAction) -> None:
        self._log.info("node.model", do=order.do, model=order.model)
        deeds = {
            ModelActionKind.FETCH: self._fetch,
            ModelActionKind.LOAD: self._load,
            ModelActionKind.UNLOAD: self._unload,
        }
        before = self._work.get(order.model)
        task = asyncio.create_task(deeds[order.do](order.model, before))
        self._work[order.model] = task
        task.add_done_callback(lambda done: self._done(order.model, done))

    def _done(self, model: str, task: asyncio.Task[None]) -> None:
        if self._work.get(model) is task:
            del self._work[model]
        if not task.cancelled() and task.exception() is not None:
            self._log.error("node.model_broken", model=model, exc_info=task.exception())
        self.wake()

    async def _fetch(self, model: str, _: asyncio.Task[None] | None) -> None:
        problem = await self._guarded(self._supplier.fetch_weights(model), model)
        await self._came_of(model, ModelEvent.FETCHED, problem)

    async def _load(self, model: str, _: asyncio.Task[None] | None) -> None:
        bay = await self._guarded(self._open(model), model)
        if isinstance(bay, EngineInstance):
            self._bays[model] = bay
            self._drift.pop(model, None)
            await self._came_of(model, ModelEvent.UP, None)
        else:
            await self._came_of(model, ModelEvent.UP, bay)

    async def _open(self, model: str) -> EngineInstance | EngineProblem:
        engine = await start_engine(await self._supplier.make_engine(model))
        if isinstance(engine, EngineProblem):
            return engine
        return await measure_instance(
            engine, folder=self._folder, is_busy=lambda: self._running > 0
        )

    async def _unload(self, model: str, before: asyncio.Task[None] | None) -> None:
        if before is not None:  # the fetch or load that is given up
            before.cancel()
            await asyncio.wait([before])
        await self._take_out(model)
        self._plan.apply_event(model, ModelEvent.GONE, at=time.monotonic())

    async def _take_out(self, model: str) -> None:
        bay = self._bays.pop(model, None)
        self._down.pop(model, None)
        if bay is not None:
            await bay.engine.stop()

    async def _guarded(
        self, deed: Awaitable[EngineInstance | EngineProblem | None], model: str
    ) -> EngineInstance | EngineProblem | None:
        """A bug in what loads a model is that model's failure, and no more."""
        try:
            return await deed
        except Exception:  # noqa: BLE001
            self._log.exception("node.model_broken", model=model)
            return EngineProblem("load_broken", {"model": model})

    async def _came_of(
        self, model: str, event: ModelEvent, problem: EngineInstance | EngineProblem | None
    ) -> None:
        """Tells the plan what came of a fetch or a load, unless it was given up meanwhile."""
        if self._plan.state_of(model) is ModelState.UNLOADING:
            return
        now_s = time.monotonic()
        if isinstance(problem, EngineProblem):
            self._plan.apply_event(model, ModelEvent.FAIL, at=now_s, code=problem.code)
            await self._refuse(Refusal(model, problem.code, problem.values))
        else:
            self._plan.apply_event(model, event, at=now_s)
            self._log.info("node.model_came", model=model, came=event)

    async def _refuse(self, refusal: Refusal) -> None:
        self._log.warning("node.model_refused", model=refusal.model, code=refusal.code)
        await self._failed(replace(refusal, values=dict(refusal.values)))

    # Whether the engines serve.

    async def _ask(self) -> None:
        while True:
            await asyncio.gather(*(self._look(bay) for bay in tuple(self._bays.values())))
            await self._give_up_lost()
            await self._measure_again()
            await asyncio.sleep(PROBE_INTERVAL_S)

    async def _look(self, bay: EngineInstance) -> None:
        model = bay.replica.model
        problem = await bay.engine.ready()
        if self._bays.get(model) is not bay:
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

    async def _give_up_lost(self) -> None:
        """Unloads what the pool asked for and whose engine does not come back."""
        now_s = time.monotonic()
        kept = {parked.model for parked in self._plan.records() if parked.fixed}
        for model, (since_s, code) in tuple(self._down.items()):
            if model in kept or now_s - since_s < DOWN_LOST_S or model in self._work:
                continue
            await self._take_out(model)
            self._plan.apply_event(model, ModelEvent.FAIL, at=time.monotonic(), code=code)
            await self._refuse(Refusal(model, code, {}))
            self.wake()

    async def _await(self, asked: Attach, number: int) -> None:
        """Waits for a server of the owner's, and takes it in."""
        wait_s = RETRY_MIN_S
        while True:
            await asyncio.sleep(wait_s)
            wait_s = min(RETRY_MAX_S, 2 * wait_s)
            bay = await start_instance(
                asked, folder=self._folder, number=number, tell=lambda _: None
            )
            if isinstance(bay, EngineInstance):
                self._park(bay)
                self.wake()
                return

    def _park(self, bay: EngineInstance) -> None:
        self._bays[bay.replica.model] = bay
        self._plan.add_fixed(bay.replica.model)

    async def _measure_again(self) -> None:
        """Measures an engine again that has drifted, once nobody has used the node for a while."""
        if self._running or self._work or time.monotonic() - self._ran_s < QUIET_MIN_S:
            return
        now = time.time()
        for model, bay in tuple(self._bays.items()):
            seen = self._drift.get(model)
            unsure = not bay.measured_at
            due = seen is not None and rate_drift.is_measurement_due(
                seen, measured_s=bay.measured_at, at=now
            )
            if model in self._down or not (due or unsure):
                continue
            await self._measure(model, bay)
            return

    async def _measure(self, model: str, bay: EngineInstance) -> None:
        self._log.info("node.measured_again", model=model)
        self.is_measuring = True
        self._changed()
        try:
            anew = await remeasure_instance(
                bay, folder=self._folder, is_busy=lambda: self._running > 0
            )
        finally:
            self.is_measuring = False
            self._changed()
        self._drift.pop(model, None)
        self._ran_s = time.monotonic()  # where it could not be measured, not at once again
        if self._bays.get(model) is bay:
            self._bays[model] = anew
