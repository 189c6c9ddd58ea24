"""The fields by which a request asks for a thought or for none, and what the engine is told."""

import json
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from entraide.thinking import TEMPLATE_ARGUMENTS
from entraide.types import Effort, ThinkingTerms
from entraide_scheduler.gateway.refusals import Refused
from entraide_scheduler.gateway.requests import openai

CHAT, MESSAGES, RESPONSES = openai.CHAT, openai.MESSAGES, openai.RESPONSES
USER = {"role": "user", "content": "Bonjour"}


def chat(**fields: Any) -> bytes:
    return json.dumps({"model": "petit", "messages": [USER], **fields}).encode()


ASKED: dict[str, tuple[str, dict[str, Any], tuple[Effort, int]]] = {
    "nothing": (CHAT, {}, (Effort.UNSTATED, 0)),
    "an effort of none": (CHAT, {"reasoning_effort": "none"}, (Effort.NONE, 0)),
    "the least effort": (CHAT, {"reasoning_effort": "minimal"}, (Effort.LOW, 0)),
    "the largest effort": (CHAT, {"reasoning_effort": "xhigh"}, (Effort.HIGH, 0)),
    "an argument": (
        CHAT, {"chat_template_kwargs": {"enable_thinking": True}}, (Effort.MEDIUM, 0),
    ),
    "another argument": (CHAT, {"chat_template_kwargs": {"thinking": False}}, (Effort.NONE, 0)),
    "Ollama's switch": (CHAT, {"think": False}, (Effort.NONE, 0)),
    "Ollama's effort": (CHAT, {"think": "high"}, (Effort.HIGH, 0)),
    "a budget": (CHAT, {"thinking_budget_tokens": 64}, (Effort.MEDIUM, 64)),
    "a switch and an effort": (CHAT, {"think": True, "reasoning_effort": "low"}, (Effort.LOW, 0)),
    "all that turn it off": (
        CHAT,
        {"think": False, "reasoning_effort": "none",
         "chat_template_kwargs": {"enable_thinking": False}},
        (Effort.NONE, 0),
    ),
    "reasoning": (RESPONSES, {"reasoning": {"effort": "low"}}, (Effort.LOW, 0)),
    "no reasoning": (RESPONSES, {"reasoning": {"effort": "none"}}, (Effort.NONE, 0)),
    "thinking": (
        MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 1_024}},
        (Effort.MEDIUM, 1_024),
    ),
    "thinking with an effort": (
        MESSAGES, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
        (Effort.HIGH, 0),
    ),
    "no thinking, and the effort of the answer": (
        MESSAGES, {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
        (Effort.NONE, 0),
    ),
    "the effort of the answer alone": (
        MESSAGES, {"output_config": {"effort": "low"}}, (Effort.UNSTATED, 0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_each_way_of_asking_for_a_thought_is_one_fact(case: str) -> None:
    """Every interface's own fields become one effort and one budget."""
    path, fields, expected = ASKED[case]
    text = {"input": "?"} if path == RESPONSES else {"messages": [USER], "max_tokens": 9}
    asked = openai.parse_request(path, msgspec.json.encode({"model": "m", **text, **fields}))

    assert expected == (asked.thinking.effort, asked.thinking.budget_tokens)
    assert ("thinking_budget_tokens" in asked.features) is bool(expected[1])


DIFFERING: dict[str, tuple[dict[str, Any], str]] = {
    "think": ({"reasoning_effort": "low", "think": False}, "reasoning_effort"),
    "chat_template_kwargs.enable_thinking": (
        {"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": True}},
        "reasoning_effort",
    ),
    "chat_template_kwargs.thinking": (
        {"chat_template_kwargs": {"enable_thinking": True, "thinking": False}},
        "chat_template_kwargs.enable_thinking",
    ),
    "thinking_budget_tokens": ({"think": False, "thinking_budget_tokens": 9}, "think"),
}


@pytest.mark.parametrize("name", [*DIFFERING, "two efforts"])
def test_fields_that_contradict_each_other_are_refused(name: str) -> None:
    """Asking for a thought and for none, or for two lengths, is refused by both names."""
    efforts = ({"reasoning_effort": "low", "think": "high"}, "reasoning_effort")
    fields, other = DIFFERING.get(name, efforts)
    with pytest.raises(Refused) as problem:
        openai.parse_request(CHAT, chat(**fields))

    assert {
        "param": name if name in DIFFERING else "think",
        "fault": "differs",
        "other": other,
    } == {key: problem.value.refusal.values[key] for key in ("param", "fault", "other")}


OFF = dict.fromkeys(TEMPLATE_ARGUMENTS, False)
ON = dict.fromkeys(TEMPLATE_ARGUMENTS, True)
TOLD: dict[str, tuple[ThinkingTerms | UnsetType, dict[str, Any]]] = {
    "no thought": (UNSET, {"chat_template_kwargs": OFF}),
    "a thought": (
        ThinkingTerms(Effort.HIGH, 9),
        {"chat_template_kwargs": ON, "reasoning_effort": "high", "thinking_budget_tokens": 9},
    ),
    "a model that always thinks": (
        ThinkingTerms(always=True), {"chat_template_kwargs": ON, "reasoning_effort": "low"},
    ),
    "a sign": (
        ThinkingTerms(sign="/no_think"),
        {"chat_template_kwargs": OFF,
         "messages": [{"role": "system", "content": "/no_think"}, USER]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TOLD)
def test_an_engine_is_told_whether_the_model_thinks(case: str) -> None:
    """The core's terms decide, whatever the request's own fields were."""
    how, expected = TOLD[case]
    ask = openai.parse_request(CHAT, chat(reasoning_effort="medium"))
    body = json.loads(openai.encode_for_engine(ask, 9, model="m", stream=False, how=how))

    assert {"model": "m", "messages": [USER], "max_tokens": 9, **expected} == body


def test_a_sign_stands_at_the_end_of_the_instructions() -> None:
    """Instructions of the request stay, and the sign follows them."""
    rules = {"role": "system", "content": "Short."}
    ask = openai.parse_request(CHAT, chat(messages=[rules, USER]))
    how = ThinkingTerms(sign="/no_think")
    body = json.loads(openai.encode_for_engine(ask, 9, model="m", stream=False, how=how))

    assert "Short.\n/no_think" == body["messages"][0]["content"]
