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
from entraide_node.bench import EngineRates, PowerW, engine_rates
from entraide_node.config import Attach, NodeConfig, PowerConfig
from entraide_node.config import LlamaCpp as LlamaCppKind
from entraide_node.energy.catalogue import power_of
from entraide_node.energy.detect import detect_device
from entraide_node.energy.meters import Meter, meters_here
from entraide_node.engine_config import Fixed
from entraide_node.engines.base import Engine, EngineFacts, EngineProblem
from entraide_node.garage.making import start_engine

RATES_NAME = "rates.json"
ALONE_WAIT_S = 20.0
ALONE_POLL_S = 0.05


class Bay(Struct, frozen=True):
    """An engine that serves, and what the node says of it.

    Attributes:
        engine: started; whoever holds the bay stops it.
        replica: what it serves, and how fast.
        measured_at: when its speed was measured, seconds since the epoch; 0 for never.
    """

    engine: Engine
    replica: Replica
    measured_at: float = 0.0


class Machine(Struct, frozen=True):
    """What the owner put on a machine, at work.

    Attributes:
        bays: its engines.
        power: of the machine, where no meter says otherwise.
        meters: of its power, best first; whoever holds the machine closes them.
        awaited: servers of the owner's that do not answer yet.
    """

    bays: tuple[Bay, ...]
    power: Power
    meters: tuple[Meter, ...] = ()
    awaited: tuple[Attach, ...] = ()

    async def stop(self) -> None:
        """Stops the engines."""
        for bay in self.bays:
            await bay.engine.stop()


async def open_machine(
    config: NodeConfig, *, tell: Callable[[str], None]
) -> Machine | EngineProblem:
    """Starts the owner's engines, measures those that were not before, and returns them.

    A server of the owner's that does not answer is waited for, as long as another engine serves.

    Args:
        config: all that the node is told.
        tell: called with the stable code of what goes on (``starting``, ``benchmarking``).
    """
    tell("starting")
    power = await asyncio.to_thread(power_for, config.power, gpu=_may_use_gpu(config))
    if isinstance(power, EngineProblem):
        return power
    async with AsyncExitStack() as stack:
        meters = await meters_for(config)
        for meter in meters:
            stack.push_async_callback(meter.close)
        opened = await _open_bays(config, stack, tell=tell, power_w=_power_w(meters))
        if isinstance(opened, EngineProblem):
            return opened
        stack.pop_all()
        bays, awaited = opened
        return Machine(bays, power, meters, awaited)


async def _open_bays(
    config: NodeConfig,
    stack: AsyncExitStack,
    *,
    tell: Callable[[str], None],
    power_w: PowerW | None,
) -> tuple[tuple[Bay, ...], tuple[Attach, ...]] | EngineProblem:
    """The owner's engines that serve, and the servers that do not answer yet."""
    bays: list[Bay] = []
    awaited: list[Attach] = []
    problem: EngineProblem | None = None
    for number, asked in enumerate(config.fixed):
        bay = await open_bay(
            asked, folder=Path(config.dir), number=number, tell=tell, power_w=power_w
        )
        if isinstance(bay, EngineProblem):
            problem = bay
            if not isinstance(asked, Attach):
                return bay
            awaited.append(asked)
            continue
        stack.push_async_callback(bay.engine.stop)
        if any(one.replica.model == bay.replica.model for one in bays):
            return EngineProblem("model_twice", {"model": bay.replica.model})
        bays.append(bay)
    return (tuple(bays), tuple(awaited)) if bays or problem is None else problem


async def open_bay(
    asked: Fixed, *, folder: Path, number: int = 0, tell: Callable[[str], None],
    power_w: PowerW | None = None,
) -> Bay | EngineProblem:  # fmt: skip
    """Starts one engine of the owner's and measures it if that was not done before.

    Args:
        asked: the engine.
        folder: the agent's own.
        number: of the engine among the owner's; each has a log of its own.
        tell: see ``open_machine``.
        power_w: see ``bench.engine_rates``.
    """
    engine = await start_engine(asked, folder=folder, number=number)
    if isinstance(engine, EngineProblem):
        return engine
    tell("benchmarking")
    return await measured(engine, folder=folder, power_w=power_w)


async def measured(
    engine: Engine, *, folder: Path, is_busy: Callable[[], bool] = lambda: False,
    power_w: PowerW | None = None,
) -> Bay | EngineProblem:  # fmt: skip
    """Returns a started engine with its speed, measured now if it was not before.

    It is stopped where it cannot be measured.

    Args:
        engine: started.
        folder: the agent's own.
        is_busy: whether the machine has other work now, see ``bench.engine_rates``.
        power_w: likewise.
    """
    try:
        async with alone_on_this_machine():
            rates = await engine_rates(
                engine, cache_path=folder / RATES_NAME, is_busy=is_busy, power_w=power_w
            )
    except BaseException:
        await engine.stop()
        raise
    if isinstance(rates, EngineProblem):
        await engine.stop()
        return rates
    return Bay(engine, replica_of(engine.facts, rates.as_rates()), rates.measured_at)


async def remeasured(bay: Bay, *, folder: Path, is_busy: Callable[[], bool]) -> Bay:
    """Returns a bay with its speed measured now; as it was, where that cannot be."""
    async with alone_on_this_machine():
        rates = await engine_rates(
            bay.engine, cache_path=folder / RATES_NAME, anew=True, is_busy=is_busy
        )
    if isinstance(rates, EngineProblem) or not rates.measured_at:
        return bay
    return Bay(bay.engine, replica_of(bay.engine.facts, rates.as_rates()), rates.measured_at)


async def bench_machine(config: NodeConfig) -> EngineRates | EngineProblem:
    """Measures the owner's first engine now, whatever was measured before, and keeps the result.

    Where a meter tells the machine's power, it is asked too.
    """
    if not config.fixed:
        return EngineProblem("no_engine", {})
    folder = Path(config.dir)
    engine = await start_engine(config.fixed[0], folder=folder)
    if isinstance(engine, EngineProblem):
        return engine
    try:
        async with AsyncExitStack() as stack:
            meters = await meters_for(config)
            for meter in meters:
                stack.push_async_callback(meter.close)
            await stack.enter_async_context(alone_on_this_machine())
            return await engine_rates(
                engine, cache_path=folder / RATES_NAME, anew=True, power_w=_power_w(meters)
            )
    finally:
        await engine.stop()


def _power_w(meters: tuple[Meter, ...]) -> PowerW | None:
    """What tells the power: the best meter."""
    if not meters:
        return None

    async def read() -> float | None:
        return (await meters[0].read()).power_w

    return read


@asynccontextmanager
async def alone_on_this_machine() -> AsyncIterator[None]:
    """Waits for other agents of this machine to finish measuring: side by side all would lie.

    After ``ALONE_WAIT_S`` it goes on all the same: a poor figure is better than no node.
    """
    path = Path(tempfile.gettempdir()) / f"entraide-bench-{getpass.getuser()}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ALONE_WAIT_S):
                while not _locked(descriptor):  # noqa: ASYNC110  (another process holds it)
                    await asyncio.sleep(ALONE_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def power_for(power: PowerConfig, *, gpu: bool) -> Power | EngineProblem:
    """Returns the machine's power: the owner's word, else the catalogue's. Blocks.

    Args:
        power: what the owner said.
        gpu: whether a graphics card may be at work.
    """
    found = (power.device, Basis.ESTIMATED) if power.device else detect_device(gpu=gpu)
    device, basis = found
    return power_of(device, basis=basis, idle_w=power.idle_w, active_w=power.active_w)


async def meters_for(config: NodeConfig) -> tuple[Meter, ...]:
    """Returns the meters of the machine that computes.

    Its own counters are left out where the engine may compute on another machine.
    """
    here = all(not isinstance(e, Attach) or _is_loopback(e.url) for e in config.fixed)
    return await meters_here(
        config.power.meter,
        counters=config.power.counters and here,
        gpu=_may_use_gpu(config),
        folder=Path(config.dir),
    )


def _may_use_gpu(config: NodeConfig) -> bool:
    """Whether a graphics card may be at work: with an engine whose owner, or maker, sees to it."""
    return any(not isinstance(engine, LlamaCppKind) for engine in config.fixed)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def replica_of(facts: EngineFacts, rates: Rates) -> Replica:
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
