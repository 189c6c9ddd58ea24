"""A real vLLM with a model that thinks first: the thought is a choice, bounded and counted.

vLLM bounds a thought only where it has a parser of thoughts. That parser takes the continuation of
an answer for a new thought, so such an engine resumes nothing.
"""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from msgspec import UNSET, UnsetType
from tests.engines.own_environments import running
from tests.engines.resuming import Cut, asked, streamed
from tests.engines.support import events, ran, request
from tests.engines.thinking_model import CLOSING_TOKENS, QUESTION, TEMPLATE, thinking_folder

from entraide.models import THINKING_BUDGET
from entraide.resuming import RESUME
from entraide.types import Effort, ThinkingTerms
from entraide_node.engines.base import BAD_REQUEST, CHAT
from entraide_node.engines.seam import EARLIER_TEXT, extended_template
from entraide_node.engines.supervised_engine import SupervisedEngine
from entraide_scheduler.gateway.chat.thinking import engine_fields

pytestmark = [
    pytest.mark.engines,
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
]

LENGTH = 60
BUDGET = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["vllm"])
async def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SupervisedEngine]:
    """One engine for all tests, without the sandbox, in which its start takes twice as long."""
    arguments = ("--reasoning-parser", "qwen3")
    chosen = {"weights": thinking_folder(), "arguments": arguments, "sandbox": False}
    async with running(request.param, tmp_path_factory.mktemp("vllm"), **chosen) as started:
        yield started


def kinds_of(parts: list[dict[str, Any]]) -> list[str]:
    """The kinds of text in an answer's events: of a thought or of the answer, in their order."""
    deltas = [choice["delta"] for part in parts for choice in part["choices"]]
    names = ("reasoning", "reasoning_content", "content")
    kinds = [name for delta in deltas for name in names if delta.get(name)]
    return [name.removesuffix("_content") for name, _ in itertools.groupby(kinds)]


async def test_a_thought_is_a_choice_and_is_counted(engine: SupervisedEngine) -> None:
    """Without one asked for there is no token of a thought; a budget holds; the rest is counted."""
    kinds, counts, outputs = [], [], []
    terms: list[ThinkingTerms | UnsetType] = [
        UNSET, ThinkingTerms(Effort.LOW), ThinkingTerms(Effort.LOW, BUDGET),
    ]  # fmt: skip
    for how in terms:
        body = {"messages": QUESTION, "max_tokens": LENGTH, "temperature": 0}
        chunks, end = await ran(engine, request(**body, **engine_fields(how)))
        kinds.append(kinds_of(events(chunks)))
        counts.append(end.usage.reasoning_tokens)
        outputs.append(end.usage.completion_tokens)
    none, free, bounded = counts

    assert THINKING_BUDGET in engine.facts.features
    assert [["content"], ["reasoning", "content"], ["reasoning", "content"]] == kinds
    assert 0 == none
    assert BUDGET + CLOSING_TOKENS < free < outputs[1]
    assert BUDGET <= bounded <= BUDGET + CLOSING_TOKENS < outputs[2]


async def test_nothing_is_resumed(engine: SupervisedEngine) -> None:
    """vLLM's parser takes the continuation of an answer for a new thought."""
    body = {"messages": QUESTION, "max_tokens": 24, "temperature": 0, "stream": True}
    seam = {
        "chat_template": extended_template(TEMPLATE),
        "chat_template_kwargs": {EARLIER_TEXT: "Bears live there.\n</think>\n\nA be"},
    }
    whole = await streamed(engine, CHAT, body)
    continued = await streamed(engine, CHAT, body | seam)
    chunks, end = await ran(engine, asked(CHAT, "Compte.", max_tokens=4, earlier=Cut(2, "Un, ")))

    assert ["reasoning", "content"] == kinds_of(whole)
    assert "reasoning" == kinds_of(continued)[0]
    assert RESUME not in engine.facts.features
    assert end.failure is not None
    assert ([], BAD_REQUEST) == (chunks, end.failure.code)
