"""The machine: starts the engines that its owner names, and measures each before it is offered.

It decides which power, which speeds and which meters the node advertises, and which engines it
can begin with. A problem is a value with a stable code, so that whoever runs the agent can say it
in a sentence.
"""

import asyncio
import contextlib
import fcntl
import getpass
import ipaddress
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from entraide.types import Basis, Power, Rates, Replica
from entraide_node.bench import EngineRates, ReadPowerW, load_or_measure_rates
from entraide_node.config import Attach, NodeConfig, PowerConfig
from entraide_node.config import LlamaCpp as LlamaCppKind
from entraide_node.energy.device_catalogue import device_power
from entraide_node.energy.device_detection import detect_device
from entraide_node.energy.meters import PowerMeter, find_meters
from entraide_node.engine_config import OwnerEngine
from entraide_node.engines.base import Engine, EngineFacts, EngineProblem
from entraide_node.model_manager.engine_setup import start_owner_engine

RATES_NAME = "rates.json"
EXCLUSIVE_WAIT_S = 20.0
EXCLUSIVE_POLL_S = 0.05


class EngineInstance(Struct, frozen=True):
    """An engine that serves, and what the node says of it.

    Attributes:
        engine: started; whoever holds the bay stops it.
        replica: what it serves, and how fast.
        measured_at: when its speed was measured, seconds since the epoch; 0 for never.
    """

    engine: Engine
    replica: Replica
    measured_at: float = 0.0


class MachineSetup(Struct, frozen=True):
    """What the owner put on a machine, at work.

    Attributes:
        bays: its engines.
        power: of the machine, where no meter says otherwise.
        meters: of its power, best first; whoever holds the machine closes them.
        awaited: servers of the owner's that do not answer yet.
    """

    instances: tuple[EngineInstance, ...]
    power: Power
    meters: tuple[PowerMeter, ...] = ()
    unreachable: tuple[Attach, ...] = ()

    async def stop(self) -> None:
        """Stops the engines."""
        for instance in self.instances:
            await instance.engine.stop()


async def start_machine(
    config: NodeConfig, *, tell: Callable[[str], None]
) -> MachineSetup | EngineProblem:
    """Starts the owner's engines, measures those that were not before, and returns them.

    A server of the owner's that does not answer is waited for, as long as another engine serves.

    Args:
        config: all that the node is told.
        tell: called with the stable code of what goes on (``starting``, ``benchmarking``).
    """
    tell("starting")
    power = await asyncio.to_thread(find_power, config.power, gpu=_may_use_gpu(config))
    if isinstance(power, EngineProblem):
        return power
    async with AsyncExitStack() as stack:
        meters = await find_machine_meters(config)
        for meter in meters:
            stack.push_async_callback(meter.close)
        started = await _start_instances(config, stack, tell=tell, power_w=_power_reader(meters))
        if isinstance(started, EngineProblem):
            return started
        stack.pop_all()
        instances, awaited = started
        return MachineSetup(instances, power, meters, awaited)


async def _start_instances(
    config: NodeConfig,
    stack: AsyncExitStack,
    *,
    tell: Callable[[str], None],
    power_w: ReadPowerW | None,
) -> tuple[tuple[EngineInstance, ...], tuple[Attach, ...]] | EngineProblem:
    """The owner's engines that serve, and the servers that do not answer yet."""
    instances: list[EngineInstance] = []
    unreachable: list[Attach] = []
    problem: EngineProblem | None = None
    for number, engine in enumerate(config.owner_engines):
        instance = await start_instance(
            engine, folder=Path(config.dir), number=number, tell=tell, power_w=power_w
        )
        if isinstance(instance, EngineProblem):
            problem = instance
            if not isinstance(engine, Attach):
                return instance
            unreachable.append(engine)
            continue
        stack.push_async_callback(instance.engine.stop)
        if any(other.replica.model == instance.replica.model for other in instances):
            return EngineProblem("model_twice", {"model": instance.replica.model})
        instances.append(instance)
    return (tuple(instances), tuple(unreachable)) if instances or problem is None else problem


async def start_instance(
    owner_engine: OwnerEngine, *, folder: Path, number: int = 0, tell: Callable[[str], None],
    power_w: ReadPowerW | None = None,
) -> EngineInstance | EngineProblem:  # fmt: skip
    """Starts one engine of the owner's and measures it if that was not done before.

    Args:
        owner_engine: the engine.
        folder: the agent's own.
        number: of the engine among the owner's; each has a log of its own.
        tell: see ``open_machine``.
        power_w: see ``bench.engine_rates``.
    """
    engine = await start_owner_engine(owner_engine, folder=folder, number=number)
    if isinstance(engine, EngineProblem):
        return engine
    tell("benchmarking")
    return await measure_instance(engine, folder=folder, power_w=power_w)


async def measure_instance(
    engine: Engine, *, folder: Path, is_busy: Callable[[], bool] = lambda: False,
    power_w: ReadPowerW | None = None,
) -> EngineInstance | EngineProblem:  # fmt: skip
    """Returns a started engine with its speed, measured now if it was not before.

    It is stopped where it cannot be measured.

    Args:
        engine: started.
        folder: the agent's own.
        is_busy: whether the machine has other work now, see ``bench.engine_rates``.
        power_w: likewise.
    """
    try:
        async with exclusive_benchmark():
            rates = await load_or_measure_rates(
                engine, cache_path=folder / RATES_NAME, is_busy=is_busy, power_w=power_w
            )
    except BaseException:
        await engine.stop()
        raise
    if isinstance(rates, EngineProblem):
        await engine.stop()
        return rates
    return EngineInstance(engine, make_replica(engine.facts, rates.as_rates()), rates.measured_at)


async def remeasure_instance(
    instance: EngineInstance, *, folder: Path, is_busy: Callable[[], bool]
) -> EngineInstance:
    """Returns a bay with its speed measured now; as it was, where that cannot be."""
    async with exclusive_benchmark():
        rates = await load_or_measure_rates(
            instance.engine, cache_path=folder / RATES_NAME, ignore_cache=True, is_busy=is_busy
        )
    if isinstance(rates, EngineProblem) or not rates.measured_at:
        return instance
    return EngineInstance(
        instance.engine, make_replica(instance.engine.facts, rates.as_rates()), rates.measured_at
    )


async def benchmark_machine(config: NodeConfig) -> EngineRates | EngineProblem:
    """Measures the owner's first engine now, whatever was measured before, and keeps the result.

    Where a meter tells the machine's power, it is asked too.
    """
    if not config.owner_engines:
        return EngineProblem("no_engine", {})
    folder = Path(config.dir)
    engine = await start_owner_engine(config.owner_engines[0], folder=folder)
    if isinstance(engine, EngineProblem):
        return engine
    try:
        async with AsyncExitStack() as stack:
            meters = await find_machine_meters(config)
            for meter in meters:
                stack.push_async_callback(meter.close)
            await stack.enter_async_context(exclusive_benchmark())
            return await load_or_measure_rates(
                engine,
                cache_path=folder / RATES_NAME,
                ignore_cache=True,
                power_w=_power_reader(meters),
            )
    finally:
        await engine.stop()


def _power_reader(meters: tuple[PowerMeter, ...]) -> ReadPowerW | None:
    """What tells the power: the best meter."""
    if not meters:
        return None

    async def read() -> float | None:
        return (await meters[0].read()).power_w

    return read


@asynccontextmanager
async def exclusive_benchmark() -> AsyncIterator[None]:
    """Waits for other agents of this machine to finish measuring: side by side all would lie.

    After ``ALONE_WAIT_S`` it goes on all the same: a poor figure is better than no node.
    """
    path = Path(tempfile.gettempdir()) / f"entraide-bench-{getpass.getuser()}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EXCLUSIVE_WAIT_S):
                while not _try_lock(descriptor):  # noqa: ASYNC110  (another process holds it)
                    await asyncio.sleep(EXCLUSIVE_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def find_power(power: PowerConfig, *, gpu: bool) -> Power | EngineProblem:
    """Returns the machine's power: the owner's word, else the catalogue's. Blocks.

    Args:
        power: what the owner said.
        gpu: whether a graphics card may be at work.
    """
    detected = (power.device, Basis.ESTIMATED) if power.device else detect_device(gpu=gpu)
    device, basis = detected
    return device_power(device, basis=basis, idle_w=power.idle_w, active_w=power.active_w)


async def find_machine_meters(config: NodeConfig) -> tuple[PowerMeter, ...]:
    """Returns the meters of the machine that computes.

    Its own counters are left out where the engine may compute on another machine.
    """
    here = all(not isinstance(e, Attach) or _is_loopback(e.url) for e in config.owner_engines)
    return await find_meters(
        config.power.meter,
        counters=config.power.counters and here,
        gpu=_may_use_gpu(config),
        folder=Path(config.dir),
    )


def _may_use_gpu(config: NodeConfig) -> bool:
    """Whether a graphics card may be at work: with an engine whose owner, or maker, sees to it."""
    return any(not isinstance(engine, LlamaCppKind) for engine in config.owner_engines)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make_replica(facts: EngineFacts, rates: Rates) -> Replica:
    """Returns what a node says of an engine that serves."""
    return Replica(
        model=facts.model_alias,
        revision=facts.model_revision,
        engine=f"{facts.name}/{facts.version}",
        context_tokens=facts.context_tokens,
        slots=facts.slots,
        features=facts.features,
        rates=rates,
    )
