"""A real pool of two models: an alias means the one for the language of the question.

Both are the small model's weights, under two names: the smaller one of the catalogue knows English
only, the larger one French, too.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace
from openai import AsyncOpenAI
from tests.engines.support import demo_model
from tests.engines.test_models_by_word import entry
from tests.integration.nats_support import running_pool
from tests.scheduler.pool_support import RunningScheduler, running_scheduler
from tests.waiting import ENGINES_S

from entraide import catalogue as documents
from entraide.models import ArtefactFile, Catalogue, ModelEntry, TaskQuality
from entraide.types import Task
from entraide.v1 import admin_pb2
from entraide_node.agent import Agent
from entraide_node.config import LlamaCpp
from entraide_node.core.phases import PhaseEvent
from entraide_node.join import JoinOptions, join_pool
from entraide_node.machine_setup import MachineSetup, start_machine
from entraide_node.model_manager.catalogue_source import CatalogueSource

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]

ENGLISH_ONLY, BOTH = "english-only", "both-languages"
LANGUAGES = {ENGLISH_ONLY: ("en",), BOTH: ("fr", "en")}
FRENCH_QUESTION = "Comment renouveler notre contrat d’assurance avant la fin du mois ?"
ENGLISH_QUESTION = "How do we renew our insurance policy before the end of the month?"
OTHER_WEIGHTS = f"sha256:{'0' * 64}"


def models(**quality: tuple[TaskQuality, ...]) -> tuple[ModelEntry, ...]:
    """Both models, with measured quality by name (``_`` in place of ``-``)."""
    path = demo_model().path
    known = documents.find(documents.shipped(), "smollm2-135m-instruct")
    assert known is not None
    (weights,) = known.artefacts[0].files
    file = ArtefactFile(path.name, path.stat().st_size, weights.sha256)
    return tuple(
        replace(
            entry(name, file),
            languages=languages,
            parameters=number * 100_000_000,
            active_parameters=number * 100_000_000,
            quality=quality.get(name.replace("-", "_"), ()),
        )
        for number, (name, languages) in enumerate(LANGUAGES.items(), 1)
    )


def measured(rate: float, weights: str) -> tuple[TaskQuality, ...]:
    """Cells of every task in French."""
    return tuple(
        TaskQuality(task, "fr", rate, rate - 0.05, rate + 0.05, 60, "1", "ab" * 32, weights)
        for task in Task
    )


class Pool:
    """The pool, and a client of it."""

    def __init__(self, scheduler: RunningScheduler, key: str) -> None:
        self.scheduler = scheduler
        self._client = AsyncOpenAI(
            base_url=f"{scheduler.gateway.url}/v1", api_key=key, max_retries=0, timeout=ENGINES_S
        )
        self.close = self._client.close

    async def ask(self, model: str, question: str) -> tuple[str, dict[str, Any], str]:
        """Asks a question; returns the model that answered, and why: values and sentences."""
        answer = await self._client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": question}],
            max_tokens=2,
            extra_body={"entraide": {"explain": True}},
        )
        explained = answer.entraide["explanation"]
        return answer.model, explained["values"], explained["text"]["fr"]

    async def set_catalogue(self, *entries: ModelEntry) -> None:
        """Replaces the catalogue, as ``models evaluate`` does."""
        before = await self.scheduler.operator.ask("GetCatalogue", admin_pb2.GetCatalogueRequest())
        version = documents.read(before.document).version
        document = documents.write(Catalogue(version, 1e9, entries))
        request = admin_pb2.SetCatalogueRequest(document=document, base_version=version)
        await self.scheduler.operator.ask("SetCatalogue", request)

    def revision_of(self, model: str) -> str:
        """The weights of the only replica of a model; "" until it is served."""
        views = {view.model: view for view in self.scheduler.driver.core.models()}
        return views[model].revisions[0] if model in views else ""


@contextlib.asynccontextmanager
async def node(scheduler: RunningScheduler, model: str, folder: Path) -> AsyncIterator[None]:
    """A machine that has joined, and serves a model."""
    token = await scheduler.operator.token("beta", valid_s=600.0)
    options = JoinOptions(name=model)
    joined = await asyncio.to_thread(
        join_pool, scheduler.gateway.url, token, folder=folder, options=options
    )
    engine = LlamaCpp(model="demo", alias=model, threads=1, slots=2, context_tokens=1_024)
    config = replace(joined.config, engine=engine)
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pool]:
    """A pool that serves both models and has found the language of a question once."""
    folder = tmp_path_factory.mktemp("pool")
    (folder / "models.json").write_bytes(documents.write(Catalogue(1, 1e9, models())))
    async with contextlib.AsyncExitStack() as stack:
        bus = await stack.enter_async_context(running_pool(folder))
        scheduler = await stack.enter_async_context(running_scheduler(folder, bus))
        for model in LANGUAGES:
            await stack.enter_async_context(node(scheduler, model, folder / model))
        started = Pool(scheduler, await scheduler.operator.key("alpha"))
        stack.push_async_callback(started.close)
        async with asyncio.timeout(ENGINES_S):
            while not all(map(started.revision_of, LANGUAGES)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            basis = "default"  # until the table of languages is loaded
            while basis == "default":
                _, values, _ = await started.ask("auto", ENGLISH_QUESTION)
                basis = values["language_basis"]
        yield started


@pytest.mark.parametrize("alias", ["auto", "petit"])
async def test_an_alias_means_a_model_that_knows_the_language(pool: Pool, alias: str) -> None:
    """A French question does not meet the model that knows English only, and the pool says why."""
    await pool.set_catalogue(*models())
    french, why, sentences = await pool.ask(alias, FRENCH_QUESTION)
    english, *_ = await pool.ask(alias, ENGLISH_QUESTION)

    assert (BOTH, ENGLISH_ONLY) == (french, english)
    assert ("fr", "estimated", "unmeasured") == (
        why["asked_language"], why["language_basis"], why["quality"],
    )  # fmt: skip
    assert "D’après son texte, la question est en français." in sentences
    assert "La qualité de ses réponses n’est pas mesurée ici." in sentences


async def test_a_model_by_name_is_never_replaced(pool: Pool) -> None:
    """Nobody reads the language of the question; the model answers that was asked for."""
    await pool.set_catalogue(*models())
    model, why, _ = await pool.ask(ENGLISH_ONLY, FRENCH_QUESTION)

    assert ENGLISH_ONLY == model
    assert not {"alias", "asked_language", "quality"} & why.keys()


async def test_what_is_measured_decides_over_what_is_declared(pool: Pool) -> None:
    """A card counts before the languages that the authors list, if it is of the served weights."""
    revision = pool.revision_of(ENGLISH_ONLY)
    answers = []
    for weights in (revision, OTHER_WEIGHTS):
        good, bad = measured(0.9, weights), measured(0.4, weights)
        await pool.set_catalogue(*models(english_only=good, both_languages=bad))
        model, why, _ = await pool.ask("auto", FRENCH_QUESTION)
        answers.append((model, why["quality"]))

    assert revision == pool.revision_of(BOTH)
    assert [(ENGLISH_ONLY, "passes"), (BOTH, "unmeasured")] == answers
