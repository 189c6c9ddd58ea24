"""The machine: builds the engine that a configuration names, and measures it before it is offered.

It decides which engine, which public name, which power and which speed the node advertises. A
problem is a value with a stable code, so that whoever runs the agent can say it in a sentence.
"""

import asyncio
import contextlib
import fcntl
import getpass
import ipaddress
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from entraide.types import Basis, Power, Rates, Replica
from entraide_node.bench import EngineRates, engine_rates
from entraide_node.config import Attach, NodeConfig, PowerConfig
from entraide_node.energy.catalogue import power_of
from entraide_node.energy.detect import detect_device
from entraide_node.energy.meters import Meter, meters_here
from entraide_node.engines.attach import AttachConfig, Attached
from entraide_node.engines.base import Engine, EngineFacts, EngineProblem
from entraide_node.engines.llamacpp import LlamaCpp, LlamaCppConfig
from entraide_node.models.files import DEMO, ModelFile, find_model

ENGINE_LOG = "engine.log"
RATES_NAME = "rates.json"
ALONE_WAIT_S = 20.0
ALONE_POLL_S = 0.05


class Machine(Struct, frozen=True):
    """An engine that serves, and what the node says of it.

    Attributes:
        engine: started; whoever holds the machine stops it.
        replica: what it serves, and how fast.
        power: of the machine, where no meter says otherwise.
        meters: of its power, best first; whoever holds the machine closes them.
    """

    engine: Engine
    replica: Replica
    power: Power
    meters: tuple[Meter, ...] = ()


async def open_machine(
    config: NodeConfig, *, tell: Callable[[str], None]
) -> Machine | EngineProblem:
    """Starts the engine, measures it if that was not done before, and returns both.

    Args:
        config: all that the node is told.
        tell: called with the stable code of what goes on (``starting``, ``benchmarking``).
    """
    tell("starting")
    power = await asyncio.to_thread(power_for, config.power, gpu=isinstance(config.engine, Attach))
    if isinstance(power, EngineProblem):
        return power
    engine = await start_engine(config)
    if isinstance(engine, EngineProblem):
        return engine
    try:
        tell("benchmarking")
        async with alone_on_this_machine():
            rates = await engine_rates(engine, cache_path=Path(config.dir) / RATES_NAME)
    except BaseException:
        await engine.stop()
        raise
    if isinstance(rates, EngineProblem):
        await engine.stop()
        return rates
    replica = replica_of(engine.facts, rates.as_rates())
    return Machine(engine=engine, replica=replica, power=power, meters=await meters_for(config))


async def bench_machine(config: NodeConfig) -> EngineRates | EngineProblem:
    """Measures the configured engine now, whatever was measured before, and keeps the result."""
    engine = await start_engine(config)
    if isinstance(engine, EngineProblem):
        return engine
    try:
        path = Path(config.dir) / RATES_NAME
        await asyncio.to_thread(path.unlink, missing_ok=True)
        async with alone_on_this_machine():
            return await engine_rates(engine, cache_path=path)
    finally:
        await engine.stop()


async def start_engine(config: NodeConfig) -> Engine | EngineProblem:
    """Returns the engine that the configuration names, started, or why there is none."""
    engine = await _made(config)
    if isinstance(engine, EngineProblem):
        return engine
    try:
        problem = await engine.start()
    except BaseException:
        await engine.stop()
        raise
    return problem if problem is not None else engine


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
        gpu: whether a graphics card may be at work: with an engine that its owner runs.
    """
    found = (power.device, Basis.ESTIMATED) if power.device else detect_device(gpu=gpu)
    device, basis = found
    return power_of(device, basis=basis, idle_w=power.idle_w, active_w=power.active_w)


async def meters_for(config: NodeConfig) -> tuple[Meter, ...]:
    """Returns the meters of the machine that computes.

    Its own counters are left out where the engine may compute on another machine.
    """
    engine = config.engine
    attached = isinstance(engine, Attach)
    here = not isinstance(engine, Attach) or _is_loopback(engine.url)
    return await meters_here(
        config.power.meter,
        counters=config.power.counters and here,
        gpu=attached,
        folder=Path(config.dir),
    )


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


async def _made(config: NodeConfig) -> Engine | EngineProblem:
    asked = config.engine
    if isinstance(asked, Attach):
        return Attached(
            AttachConfig(
                url=asked.url,
                model=asked.model,
                key=asked.key,
                alias=asked.alias,
                slots=asked.slots,
                context_tokens=asked.context_tokens,
                features=asked.features,
            )
        )
    model = await asyncio.to_thread(_model, asked.model, asked.alias, Path(config.dir))
    if isinstance(model, EngineProblem):
        return model
    return LlamaCpp(
        LlamaCppConfig(
            model=model,
            slots=asked.slots,
            context_tokens=asked.context_tokens,
            threads=asked.threads,
            log_path=Path(config.dir) / ENGINE_LOG,
        )
    )


def _model(name: str, alias: str, folder: Path) -> ModelFile | EngineProblem:
    path = name if name == DEMO else str(folder / Path(name).expanduser())
    return find_model(path, alias=alias, cache_dir=folder)
