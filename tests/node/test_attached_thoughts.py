"""Whether an attached server thinks: how each program is told, and a model that does all the same.

The servers are scripted; no Ollama and no LM Studio runs here. Their fields are those that their
documentation names.
"""

from typing import Any

import pytest
from msgspec import UNSET, UnsetType
from tests.engines.support import ran, request
from tests.node.test_retention import Server, attached

from entraide.models import ALWAYS_THINKS, THINKING_BUDGET
from entraide.types import Effort, ThinkingTerms
from entraide_scheduler.gateway.chat.thinking import engine_fields

ARGUMENTS = "chat_template_kwargs"
THOUGHT = {"reasoning": "17 and 26 are"}
TOLD: dict[str, tuple[str, ThinkingTerms | UnsetType, dict[str, Any]]] = {
    "Ollama, off": ("library", UNSET, {"reasoning_effort": "none"}),
    "Ollama, on": ("library", ThinkingTerms(Effort.LOW), {"reasoning_effort": "low"}),
    "LM Studio, off": ("organization_owner", UNSET, {"reasoning_effort": "none"}),
    "llama-server, off": ("llamacpp", UNSET, {}),
    "llama-server, bounded": (
        "llamacpp",
        ThinkingTerms(Effort.LOW, 9),
        {"reasoning_effort": "low", "thinking_budget_tokens": 9},
    ),
    "vLLM, bounded": (
        "vllm",
        ThinkingTerms(Effort.LOW, 9),
        {"reasoning_effort": "low", "thinking_token_budget": 9},
    ),
    "a program that nobody knows, off": ("x", UNSET, {}),
}
FIELDS = ("reasoning_effort", "thinking_budget_tokens", "thinking_token_budget")


@pytest.mark.parametrize("case", TOLD)
async def test_each_program_is_told_in_its_way(case: str) -> None:
    """Beside the arguments of templates, the field that the program documents."""
    owner, how, expected = TOLD[case]
    server = Server(owner)
    async with attached(server) as engine:
        assert await engine.start() is None
        await ran(engine, request(**engine_fields(how)))
    chat = server.chats[-1]

    assert expected == {name: chat[name] for name in FIELDS if name in chat}
    assert {how is not UNSET} == set(chat[ARGUMENTS].values())


def obeys_arguments(body: dict[str, Any]) -> dict[str, str]:
    """A server that follows the arguments of templates."""
    return THOUGHT if body.get(ARGUMENTS, {}).get("enable_thinking", True) else {"content": "43"}


def obeys_effort(body: dict[str, Any]) -> dict[str, str]:
    """A server that follows ``reasoning_effort`` alone."""
    return {"content": "43"} if body.get("reasoning_effort") == "none" else THOUGHT


THINKS: dict[str, tuple[str, Any, bool]] = {
    "Ollama that is told": ("library", obeys_effort, False),
    "a program that follows arguments": ("x", obeys_arguments, False),
    "a program that follows another field": ("x", obeys_effort, True),
    "a thought in its own field": ("library", lambda _: THOUGHT, True),
    "a thought in the text": ("organization_owner", lambda _: {"content": "<think>\n17"}, True),
    "a model without a thought": ("library", lambda _: {"content": "43"}, False),
    "a model that says nothing": ("library", lambda _: {}, False),
}


@pytest.mark.parametrize("case", THINKS)
async def test_a_model_that_thinks_all_the_same_is_marked(case: str) -> None:
    """An answer that was asked for without a thought, and has one, marks the replica."""
    owner, delta, thinks = THINKS[case]
    server = Server(owner)
    server.delta = delta
    async with attached(server) as engine:
        assert await engine.start() is None

        assert thinks == (ALWAYS_THINKS in engine.facts.features)


@pytest.mark.parametrize(("owner", "keeps"), [("library", False), ("llamacpp", True)])
async def test_budgets_that_are_declared_must_be_kept(owner: str, *, keeps: bool) -> None:
    """A server of a program without budgets is refused by name where its owner declared them."""
    async with attached(Server(owner), features=(THINKING_BUDGET,)) as engine:
        problem = await engine.start()

        assert keeps == (THINKING_BUDGET in engine.facts.features and problem is None)
        assert keeps or (problem and problem.code == "engine_no_thinking_budget")
