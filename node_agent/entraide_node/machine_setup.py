"""Machine setup: starts the owner's engines, benchmarks them, and finds power figures and meters.

Input: the node's configuration. Output: ``MachineSetup``, or a problem with a stable code, which
the caller prints as a sentence.
"""

import asyncio
import contextlib
import getpass
import ipaddress
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from msgspec import Struct

from entraide.types import Basis, Power, Rates, Replica
from entraide_node.bench import EngineRates, ReadPowerW, load_or_measure_rates
from entraide_node.config import Attach, NodeConfig, PowerConfig
from entraide_node.config import LlamaCpp as LlamaCppKind
from entraide_node.core.supervision import START_TRIES_MAX, restart_backoff_s
from entraide_node.energy.device_catalogue import device_power
from entraide_node.energy.device_detection import detect_device
from entraide_node.energy.meters import PowerMeter, find_meters
from entraide_node.engine_config import OwnerEngine
from entraide_node.engines.base import Engine, EngineFacts, EngineProblem
from entraide_node.engines.start_failures import may_pass
from entraide_node.file_lock import acquire_lock, open_lock
from entraide_node.model_manager.engine_setup import start_owner_engine

RATES_NAME = "rates.json"
RATES_VARIABLE = "ENTRAIDE_RATES"  # a file of results that all nodes of this machine share
EXCLUSIVE_WAIT_S = 60.0


class EngineInstance(Struct, frozen=True):
    """A started engine and its description for the pool.

    Attributes:
        engine: started; the holder of the instance stops it.
        replica: what it serves, and how fast.
        measured_at: time of its benchmark, seconds since the epoch; 0 for never.
    """

    engine: Engine
    replica: Replica
    measured_at: float = 0.0


class MachineSetup(Struct, frozen=True):
    """The started engines, the power and the meters of a machine.

    Attributes:
        instances: its engines.
        power: of the machine, used without a meter.
        meters: power meters, best first; the holder of the setup closes them.
        unreachable: servers of the owner that do not respond yet.
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
    """Starts the owner's engines, and benchmarks those without a stored result.

    A server of the owner that does not respond is retried later, if another engine serves.

    Args:
        config: of the node.
        tell: called with the code of each step (``starting``, ``benchmarking``).
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
    """The owner's engines that serve, and the servers that do not respond yet."""
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
    """Starts one engine of the owner, and benchmarks it unless a result is stored.

    An engine that is killed meanwhile is started again after the back-off of one that is killed
    while it serves, ``START_TRIES_MAX`` times in all.

    Args:
        owner_engine: the engine.
        folder: the agent's folder.
        number: index of the engine in the configuration, for its log file.
        tell: see ``start_machine``.
        power_w: see ``bench.load_or_measure_rates``.
    """
    tries = 0
    while True:
        engine = await start_owner_engine(owner_engine, folder=folder, number=number)
        instance: EngineInstance | EngineProblem
        if isinstance(engine, EngineProblem):
            instance = engine
        else:
            tell("benchmarking")
            # What lies behind the address of an owner's server is not known: it shares no result.
            shared = None if isinstance(owner_engine, Attach) else shared_rates_path()
            instance = await measure_instance(
                engine, folder=folder, shared_path=shared, power_w=power_w
            )
        tries += 1
        if (
            isinstance(instance, EngineInstance)
            or isinstance(owner_engine, Attach)  # not ours to start
            or tries == START_TRIES_MAX
            or not may_pass(instance)
        ):
            return instance
        wait_s = restart_backoff_s(tries)
        structlog.get_logger("entraide.node").warning(
            "node.engine_start_failed", number=number, code=instance.code, wait_s=wait_s
        )
        tell("starting")
        await asyncio.sleep(wait_s)


async def measure_instance(
    engine: Engine, *, folder: Path, shared_path: Path | None,
    is_busy: Callable[[], bool] = lambda: False, power_w: ReadPowerW | None = None,
) -> EngineInstance | EngineProblem:  # fmt: skip
    """Returns a started engine with its rates; benchmarks it unless a result is stored.

    An engine that cannot be benchmarked is stopped.

    Args:
        engine: started.
        folder: the agent's folder.
        shared_path: see ``bench.load_or_measure_rates``.
        is_busy: see ``bench.load_or_measure_rates``.
        power_w: see ``bench.load_or_measure_rates``.
    """
    try:
        async with exclusive_benchmark():
            rates = await load_or_measure_rates(
                engine,
                cache_path=folder / RATES_NAME,
                shared_path=shared_path,
                is_busy=is_busy,
                power_w=power_w,
            )
    except BaseException:
        await engine.stop()
        raise
    if isinstance(rates, EngineProblem):
        await engine.stop()
        return rates
    if rates.measured_at:
        engine.expect_rates(rates.as_rates())
    return EngineInstance(engine, make_replica(engine.facts, rates.as_rates()), rates.measured_at)


async def remeasure_instance(
    instance: EngineInstance, *, folder: Path, is_busy: Callable[[], bool]
) -> EngineInstance:
    """Benchmarks an instance again; returns it unchanged if that fails."""
    async with exclusive_benchmark():
        rates = await load_or_measure_rates(
            instance.engine, cache_path=folder / RATES_NAME, ignore_cache=True, is_busy=is_busy
        )
    if isinstance(rates, EngineProblem) or not rates.measured_at:
        return instance
    instance.engine.expect_rates(rates.as_rates())
    return EngineInstance(
        instance.engine, make_replica(instance.engine.facts, rates.as_rates()), rates.measured_at
    )


async def benchmark_machine(config: NodeConfig) -> EngineRates | EngineProblem:
    """Benchmarks the owner's first engine now, ignoring stored results, and stores the result.

    A power meter is read too, if there is one.
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


def shared_rates_path() -> Path | None:
    """Returns the file of results that nodes of this machine share; None if none is named."""
    name = os.environ.get(RATES_VARIABLE)
    return Path(name) if name else None


def _power_reader(meters: tuple[PowerMeter, ...]) -> ReadPowerW | None:
    """Returns a function that reads the best meter; None without a meter."""
    if not meters:
        return None

    async def read() -> float | None:
        return (await meters[0].read()).power_w

    return read


@asynccontextmanager
async def exclusive_benchmark() -> AsyncIterator[None]:
    """Holds the benchmark lock of this machine: concurrent benchmarks would disturb each other.

    After ``EXCLUSIVE_WAIT_S``, or where somebody else's file has the lock's name, it continues
    without the lock: an imprecise result is better than none.
    """
    path = Path(tempfile.gettempdir()) / f"entraide-bench-{getpass.getuser()}.lock"
    async with AsyncExitStack() as stack:
        with contextlib.suppress(OSError):  # a TimeoutError is one
            descriptor = await stack.enter_async_context(open_lock(path))
            async with asyncio.timeout(EXCLUSIVE_WAIT_S):
                await acquire_lock(descriptor)
        yield


def find_power(power: PowerConfig, *, gpu: bool) -> Power | EngineProblem:
    """Returns the machine's power: the owner's figures, else the catalogue's. Blocks.

    Args:
        power: the owner's figures.
        gpu: whether a graphics card may be in use.
    """
    detected = (power.device, Basis.ESTIMATED) if power.device else detect_device(gpu=gpu)
    device, basis = detected
    return device_power(device, basis=basis, idle_w=power.idle_w, active_w=power.active_w)


async def find_machine_meters(config: NodeConfig) -> tuple[PowerMeter, ...]:
    """Returns the meters of the machine.

    The machine's own counters are left out if an engine may compute on another machine.
    """
    here = all(not isinstance(e, Attach) or _is_loopback(e.url) for e in config.owner_engines)
    return await find_meters(
        config.power.meter,
        counters=config.power.counters and here,
        gpu=_may_use_gpu(config),
        folder=Path(config.dir),
    )


def _may_use_gpu(config: NodeConfig) -> bool:
    """Whether an engine may use a graphics card: any engine but the bundled llama.cpp."""
    return any(not isinstance(engine, LlamaCppKind) for engine in config.owner_engines)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make_replica(facts: EngineFacts, rates: Rates) -> Replica:
    """Returns the description of a started engine for the node's card."""
    return Replica(
        model=facts.model_alias,
        revision=facts.model_revision,
        engine=f"{facts.name}/{facts.version}",
        context_tokens=facts.context_tokens,
        slots=facts.slots,
        features=facts.features,
        rates=rates,
    )
