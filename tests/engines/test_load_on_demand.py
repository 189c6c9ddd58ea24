"""A real pool in which nobody serves a model until somebody asks for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from openai import AsyncOpenAI
from tests.engines.test_models_by_word import MACHINE, catalogue
from tests.integration.nats_support import running_pool
from tests.node.support import POWER
from tests.scheduler.pool_support import RunningScheduler, running_scheduler

from entraide import catalogue as documents
from entraide.models import Catalogue
from entraide.types import JobState
from entraide_node.agent import Agent
from entraide_node.config import ModelsConfig, NoEngine
from entraide_node.core.phases import PhaseEvent
from entraide_node.join import JoinOptions, join_pool
from entraide_node.machine_setup import MachineSetup
from entraide_node.model_manager.catalogue_source import CatalogueSource

pytestmark = pytest.mark.engines

IDLE_S = 6.0  # the owner has what nobody uses unloaded after so long
WAIT_S = 90.0


async def when(condition: Callable[[], object]) -> None:
    """Waits until something holds."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def node(scheduler: RunningScheduler, folder: Path, mirror: Path) -> AsyncIterator[None]:
    """A machine that has joined, serves nothing, and lets the pool load what fits."""
    token = await scheduler.operator.token("beta", valid_s=600.0)
    options = JoinOptions(name="seul")
    joined = await asyncio.to_thread(
        join_pool, scheduler.gateway.url, token, folder=folder, options=options
    )
    models = ModelsConfig(
        mirror=str(mirror), hub=False, memory_gb=3.0, threads=1, unload_idle_s=IDLE_S
    )
    config = replace(joined.config, engine=NoEngine(), models=models)
    supply = CatalogueSource(config, hardware=lambda: MACHINE, root=folder)
    await supply.open()
    agent = Agent(config, machine=MachineSetup((), POWER), model_source=supply)
    work = asyncio.create_task(agent.run())
    try:
        yield
    finally:
        agent.apply_event(PhaseEvent.ORPHANED)
        await work


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[RunningScheduler]:
    """A scheduler with a catalogue of its own, and a node that serves nothing yet."""
    home, mirror = tmp_path / "pool", tmp_path / "mirror"
    home.mkdir()
    known = {entry.name: entry for entry in catalogue(mirror).models}
    broken = replace(known["broken"], active_parameters=known["one"].active_parameters // 2)
    models = (broken, known["one"])
    (home / "models.json").write_bytes(documents.write(Catalogue(1, 1e9, models)))
    async with contextlib.AsyncExitStack() as stack:
        bus = await stack.enter_async_context(running_pool(home))
        scheduler = await stack.enter_async_context(running_scheduler(home, bus))
        await stack.enter_async_context(node(scheduler, tmp_path / "node", mirror))
        await when(lambda: len(scheduler.driver.core.loadable_models()) == 2)
        yield scheduler


@contextlib.asynccontextmanager
async def asking(pool: RunningScheduler) -> AsyncIterator[AsyncOpenAI]:
    """A client of the pool as any program is one."""
    key = await pool.operator.key("alpha")
    url = f"{pool.gateway.url}/v1"
    async with AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=WAIT_S) as client:
        yield client


async def ask(client: AsyncOpenAI, model: str) -> Any:
    """Asks for a short answer."""
    return await client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Bonjour"}], max_tokens=6
    )


def loaded(pool: RunningScheduler) -> list[str]:
    """The models that are served now."""
    return [view.model for view in pool.driver.core.models()]


def why_waiting(pool: RunningScheduler) -> str:
    """Why the only job that waits does; "" when none does."""
    core = pool.driver.core
    for job in core.jobs():
        if job.state is JobState.QUEUED:
            explanation = core.explain(job.job, pool.driver.now())
            return "" if explanation is None else explanation.reason
    return ""


@pytest.mark.timeout(240)
async def test_a_model_comes_when_it_is_asked_for_and_goes_when_idle(
    pool: RunningScheduler, engines: Callable[[], list[int]]
) -> None:
    """A client names a size; the model is fetched, loaded, measured, answers under its own name,
    and is gone with its engine once nobody has used it for as long as its owner says."""
    before, running = loaded(pool), engines()
    async with asking(pool) as client:
        asked = asyncio.create_task(ask(client, "one"))
        await when(lambda: why_waiting(pool) == "model_loading")
        answer = await asked
        served, working = loaded(pool), engines()
        by_size = await ask(client, "petit")
        await when(lambda: not loaded(pool))
        await when(lambda: not engines())
        again = await ask(client, "one")
    orders = [order.state for order in pool.driver.core.model_loads()]

    assert ([], []) == (before, running)
    assert (["one"], 1) == (served, len(working))
    assert answer.usage.completion_tokens > 0
    assert ["one"] * 3 == [reply.model for reply in (answer, by_size, again)]
    assert ["one"] * 3 == [reply.entraide["model"] for reply in (answer, by_size, again)]
    assert ["loaded"] == orders
    assert 0 == pool.driver.counts["model.load_failed"]


@pytest.mark.timeout(240)
async def test_a_size_means_another_model_when_the_first_cannot_be_loaded(
    pool: RunningScheduler,
) -> None:
    """The smallest model's weights are damaged: whoever named no model is served by the next."""
    async with asking(pool) as client:
        answer = await ask(client, "auto")
    rests = pool.driver.core._state.fleet.nodes["seul"].rests

    assert "one" == answer.model == answer.entraide["model"]
    assert 1 == pool.driver.counts["model.load_failed"]
    assert {"broken": "model_damaged"} == {model: rest.code for model, rest in rests.items()}
