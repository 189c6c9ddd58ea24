"""Embeddings by real engines: a sentence model beside a model for text, on one node of one pool.

Asked over HTTP by the official client, unmodified. The sentence model finds what the toy model for
text does not: what an engine answers is not noise.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from openai import AsyncOpenAI, BadRequestError
from tests.engines.own_environments import ENVIRONMENT, cache_folder, installed
from tests.engines.resuming import post
from tests.engines.sentence_model import NAME, WIDTH, model_folder, sentence_gguf
from tests.engines.sentence_node import TEXT_MODEL, sentence_node
from tests.engines.support import DEADLINE_S, llamacpp, metrics_when, ran
from tests.integration.nats_support import running_pool
from tests.scheduler.pool_support import running_scheduler

from entraide.types import Outcome
from entraide_node.engines.base import (
    BAD_REQUEST,
    CONTEXT_LENGTH_EXCEEDED,
    EMBEDDINGS_PATH,
    EngineChunk,
    EngineRequest,
)
from entraide_node.engines.factory import make_engine
from entraide_node.engines.supervised_engine import SupervisedEngine
from entraide_node.models.model_files import ModelFile, find_model

PASSAGES = [
    "Le boulanger cuit le pain avant l’aube.",
    "La neige couvre les montagnes en hiver.",
    "Le conseil a voté le budget de la coopérative.",
    "Les abeilles fabriquent du miel.",
    "Le train pour Québec part à huit heures.",
]
QUESTIONS = [
    "Qui fait du pain ?",
    "Quel temps fait-il en hiver ?",
    "Que décide le conseil ?",
    "D’où vient le miel ?",
    "Quand part le train ?",
]

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]


def sentence_file(folder: Path) -> ModelFile:
    """The sentence model's GGUF file."""
    model = find_model(str(sentence_gguf(folder / f"{NAME}.gguf")))
    assert isinstance(model, ModelFile), model
    return model


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SupervisedEngine]:
    """llama.cpp with the sentence model."""
    model = sentence_file(tmp_path_factory.mktemp("model"))
    async with llamacpp(model=model) as started:
        yield started


def embedding_request(**fields: Any) -> EngineRequest:
    """A request for embeddings."""
    return EngineRequest(
        "job-1", EMBEDDINGS_PATH, msgspec.json.encode(fields), stream=False, model="public"
    )


async def test_the_engine_says_what_it_can(engine: SupervisedEngine) -> None:
    """A model whose file names a pooling computes embeddings only, within its own context."""
    assert ("embeddings", "embeddings_only") == engine.facts.features
    assert 512 == engine.facts.context_tokens


@pytest.mark.parametrize("inputs", [1, 5, 70])
async def test_equal_to_the_engines_own(engine: SupervisedEngine, inputs: int) -> None:
    """Embeddings and token counts are the engine's own, whatever the number of parts."""
    texts = [f"{PASSAGES[n % 5]} {n}" for n in range(inputs)]
    own = await post(engine, EMBEDDINGS_PATH, {"input": texts})

    _, end = await ran(engine, embedding_request(input=texts))

    answer = msgspec.json.decode(end.body)
    assert [e["embedding"] for e in own["data"]] == [e["embedding"] for e in answer["data"]]
    assert own["usage"] == answer["usage"]
    assert own["usage"]["prompt_tokens"] == end.usage.prompt_tokens


async def test_tokens_give_what_their_text_gives(engine: SupervisedEngine) -> None:
    """An input may come as tokens, alone or several."""
    _, text = await ran(engine, embedding_request(input="hello"))
    _, tokens = await ran(engine, embedding_request(input=[101, 7592, 102]))
    _, several = await ran(engine, embedding_request(input=[[101, 7592, 102], [101, 102]]))

    expected = vectors(text.body)
    assert np.allclose(expected[0], vectors(tokens.body)[0], atol=1e-6)
    assert np.allclose(expected[0], vectors(several.body)[0], atol=1e-3)
    assert (3, 5) == (tokens.usage.prompt_tokens, several.usage.prompt_tokens)


async def test_an_input_beyond_the_context_is_refused(engine: SupervisedEngine) -> None:
    """One input that is too long refuses the batch, with its length and the model's."""
    _, end = await ran(engine, embedding_request(input=["ok", "le chat " * 300]))

    assert end.failure is not None
    assert (CONTEXT_LENGTH_EXCEEDED, False) == (end.failure.code, end.failure.retryable)
    assert end.failure.n_prompt_tokens > end.failure.n_ctx == 512


async def test_unknown_tokens_are_the_callers_fault(engine: SupervisedEngine) -> None:
    """A token outside the vocabulary is refused by name."""
    _, end = await ran(engine, embedding_request(input=[99_999_999]))

    assert end.failure is not None
    assert (BAD_REQUEST, "tokens") == (end.failure.code, end.failure.cause)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["vllm"])
@pytest.mark.timeout(300)
async def test_vllm_pools_the_same_model(kind: str, tmp_path: Path) -> None:
    """vLLM computes the same sentence model from its folder, and counts as it counts itself."""
    installed(ENVIRONMENT[kind])
    built = make_engine(
        kind, model_folder(), alias=NAME, revision="unknown", slots=2, context_tokens=512,
        folder=tmp_path, root=cache_folder(), threads=1,
    )  # fmt: skip
    assert isinstance(built, SupervisedEngine), built
    try:
        assert await built.start() is None
        own = await post(built, EMBEDDINGS_PATH, {"input": PASSAGES})
        _, end = await ran(built, embedding_request(input=PASSAGES))
        _, questions = await ran(built, embedding_request(input=QUESTIONS))
        _, long = await ran(built, embedding_request(input="le chat " * 300))
    finally:
        await built.stop()

    assert ("embeddings", "embeddings_only") == built.facts.features
    assert [e["embedding"] for e in own["data"]] == vectors(end.body).tolist()
    assert own["usage"]["prompt_tokens"] == end.usage.prompt_tokens
    assert 5 == matches(vectors(questions.body), vectors(end.body))
    assert long.failure is not None
    assert (CONTEXT_LENGTH_EXCEEDED, 256) == (long.failure.code, long.failure.n_ctx)


async def test_a_cancelled_batch_ends_between_its_parts(engine: SupervisedEngine) -> None:
    """What was read until then is the run's usage, and the engine has nothing left to do."""
    texts = [f"{PASSAGES[n % 5]} {n}" for n in range(500)]
    async with asyncio.timeout(DEADLINE_S):

        def cancel(_chunk: EngineChunk) -> None:
            engine.cancel("job-1")

        end = await engine.run(embedding_request(input=texts), cancel)
    await metrics_when(engine, lambda m: m.processing == m.waiting == 0)

    assert Outcome.CANCELLED is end.outcome
    assert 0 < end.usage.prompt_tokens < 500 * 5


def matches(questions: NDArray[np.float64], passages: NDArray[np.float64]) -> int:
    """How many questions are closest to their own passage."""
    return int(((questions @ passages.T).argmax(1) == range(5)).sum())


def vectors(body: bytes) -> NDArray[np.float64]:
    """The embeddings of an answer."""
    return np.array([entry["embedding"] for entry in msgspec.json.decode(body)["data"]])


# The pool.


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncOpenAI]:
    """The official client of a pool with this node."""
    folder = tmp_path_factory.mktemp("pool")
    async with contextlib.AsyncExitStack() as stack:
        bus = await stack.enter_async_context(running_pool(folder))
        scheduler = await stack.enter_async_context(running_scheduler(folder, bus))
        await stack.enter_async_context(sentence_node(scheduler, folder / "node"))
        key = await scheduler.operator.key("alpha")
        asking = AsyncOpenAI(
            base_url=f"{scheduler.gateway.url}/v1", api_key=key, max_retries=0, timeout=DEADLINE_S
        )
        stack.push_async_callback(asking.close)
        async with asyncio.timeout(DEADLINE_S):
            while {TEXT_MODEL, NAME} > {  # noqa: ASYNC110
                model.id async for model in asking.models.list()
            }:
                await asyncio.sleep(0.05)
        yield asking


async def found(client: AsyncOpenAI, model: str) -> int:
    """How many of the questions a model finds the right passage for."""
    passages = await client.embeddings.create(model=model, input=PASSAGES)
    questions = await client.embeddings.create(model=model, input=QUESTIONS)
    by_passage = np.array([entry.embedding for entry in passages.data])
    by_question = np.array([entry.embedding for entry in questions.data])
    return matches(by_question, by_passage)


async def test_a_sentence_model_finds_french_passages(client: AsyncOpenAI) -> None:
    """It finds all five; the model for text, asked for embeddings too, does not."""
    by_sentences, by_text = await found(client, NAME), await found(client, TEXT_MODEL)

    assert 5 == by_sentences
    assert by_text < 4


async def test_the_receipt_of_embeddings(client: AsyncOpenAI) -> None:
    """Tokens as the engine counts them, no output, and the energy of reading."""
    answer = await client.embeddings.create(model=NAME, input=PASSAGES)

    receipt = answer.model_extra["entraide"]  # type: ignore[index]
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == receipt["input_tokens"] > 0
    assert (0, "measured") == (receipt["output_tokens"], receipt["tokens_basis"])
    assert receipt["energy_wh"] > 0.0
    assert receipt["ttft_ms"] > 0.0
    assert "kept" == receipt["promise"]
    assert (NAME, "CA-QC") == (receipt["model"], receipt["province"])


async def test_both_forms_hold_the_same(client: AsyncOpenAI) -> None:
    """The client's default, base64, and numbers are the same embeddings."""
    decoded = await client.embeddings.create(model=NAME, input=PASSAGES[0])
    numbers = await client.embeddings.create(model=NAME, input=PASSAGES[0], encoding_format="float")

    assert WIDTH == len(decoded.data[0].embedding)
    assert decoded.data[0].embedding == numbers.data[0].embedding


async def test_what_the_models_cannot_is_refused_by_name(client: AsyncOpenAI) -> None:
    """llama.cpp would ignore ``dimensions``; a sentence model writes no text."""
    with pytest.raises(BadRequestError) as dimensions:
        await client.embeddings.create(model=NAME, input="a", dimensions=64)
    with pytest.raises(BadRequestError) as chat:
        await client.chat.completions.create(
            model=NAME, messages=[{"role": "user", "content": "Bonjour"}]
        )

    assert ("feature_unsupported", "dimensions") == (dimensions.value.code, dimensions.value.param)
    assert ("feature_unsupported", "model") == (chat.value.code, chat.value.param)


async def test_text_and_embeddings_side_by_side(client: AsyncOpenAI) -> None:
    """One node answers a chat and a batch of inputs at the same time, each by its own engine."""
    chat, batch = await asyncio.gather(
        client.chat.completions.create(
            model=TEXT_MODEL, messages=[{"role": "user", "content": "Bonjour"}], max_tokens=4
        ),
        client.embeddings.create(model=NAME, input=[f"phrase {n}" for n in range(100)]),
    )

    assert chat.choices[0].message.content
    assert list(range(100)) == [entry.index for entry in batch.data]
