"""A node with a model for text and a sentence model beside it, in the test's own process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec.structs import replace
from tests.engines.sentence_model import NAME, sentence_gguf
from tests.scheduler.pool_support import RunningScheduler

from entraide_node.agent import Agent
from entraide_node.config import LlamaCpp
from entraide_node.core.phases import PhaseEvent
from entraide_node.join import JoinOptions, join_pool
from entraide_node.machine_setup import MachineSetup, start_machine
from entraide_node.model_manager.catalogue_source import CatalogueSource

TEXT_MODEL = "smollm2"


@contextlib.asynccontextmanager
async def sentence_node(
    scheduler: RunningScheduler,
    folder: Path,
    *,
    name: str = "n1",
    coop: str = "beta",
    zone: str = "CA-QC",
) -> AsyncIterator[None]:
    """A node that works until the end: its model for text embeds, too."""
    token = await scheduler.operator.token(coop, valid_s=600.0, zone=zone)
    joined = await asyncio.to_thread(
        join_pool,
        scheduler.gateway.url,
        token,
        folder=folder,
        options=JoinOptions(name=name),
    )
    file = sentence_gguf(folder / f"{NAME}.gguf")
    config = replace(
        joined.config,
        engine=LlamaCpp(alias=TEXT_MODEL, threads=1, slots=1, embeddings=True),
        engines=(LlamaCpp(model=str(file), threads=1, slots=2),),
    )
    machine = await start_machine(config, tell=lambda state: None)
    assert isinstance(machine, MachineSetup), machine
    agent = Agent(config, machine=machine, model_source=CatalogueSource(config))
    work = asyncio.create_task(agent.run())
    try:
        yield
    finally:
        agent.apply_event(PhaseEvent.ORPHANED)
        await work
        await machine.stop()
