"""Thinking of a request: reads every field that asks for a thought, and tells the engine. Pure.

Clients ask in several ways: ``reasoning_effort`` (OpenAI), ``chat_template_kwargs`` (vLLM,
llama.cpp), ``think`` (Ollama) and ``thinking_budget_tokens`` (llama.cpp); the Messages and
Responses interfaces are translated to these. The core decides, see ``ThinkingTerms``.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from entraide.models import THINKING_BUDGET
from entraide.thinking import TEMPLATE_ARGUMENTS, Effort, ThinkingTerms
from entraide_scheduler.gateway.chat.fields import ChatRequest, Message, SystemMessage, TextPart
from entraide_scheduler.gateway.refusals import refused

_EFFORTS = {"minimal": Effort.LOW, "xhigh": Effort.HIGH}
ON = Effort.MEDIUM  # of a request that asks for a thought and does not say how long


class RequestedThinking(Struct, frozen=True):
    """How long the model is to think, as the client asks; see ``RequestFacts``."""

    effort: Effort = Effort.UNSTATED
    budget_tokens: int = 0


def read_thinking(request: ChatRequest) -> RequestedThinking:
    """Returns what a request asks for.

    Raises:
        Refused: ``invalid_request``: two fields contradict each other.
    """
    budget_tokens = request.thinking_budget_tokens or 0
    first_name, first, is_exact = "", Effort.UNSTATED, False
    for name, effort, states_length in _statements(request):
        differs = effort.thinks != first.thinks
        if first and (differs or (is_exact and states_length and effort is not first)):
            raise refused("invalid_request", param=name, fault="differs", other=first_name)
        if not first or (states_length and not is_exact):
            first_name, first, is_exact = first_name or name, effort, states_length
    return RequestedThinking(first, budget_tokens)


def _statements(request: ChatRequest) -> Iterator[tuple[str, Effort, bool]]:
    """Returns each field that asks for a thought or for none, and whether it says how long."""
    if request.reasoning_effort is not None:
        word = request.reasoning_effort
        yield "reasoning_effort", _EFFORTS.get(word) or Effort(word), True
    arguments = request.chat_template_kwargs
    for name in TEMPLATE_ARGUMENTS:
        value = getattr(arguments, name, None)
        if value is not None:
            yield f"chat_template_kwargs.{name}", ON if value else Effort.NONE, not value
    if isinstance(request.think, bool):
        yield "think", ON if request.think else Effort.NONE, not request.think
    elif request.think is not None:
        yield "think", Effort(request.think), True
    if request.thinking_budget_tokens is not None:
        yield THINKING_BUDGET, ON, False


def without_thinking(request: ChatRequest) -> ChatRequest:
    """Returns a request without the fields of this module."""
    return replace(
        request,
        reasoning_effort=None,
        chat_template_kwargs=None,
        think=None,
        thinking_budget_tokens=None,
    )


def engine_fields(terms: ThinkingTerms | UnsetType) -> dict[str, Any]:
    """Returns the fields that tell an engine whether and how the model thinks.

    A model that always thinks is asked for the least.
    """
    terms = ThinkingTerms() if terms is UNSET else terms
    thinks = terms.effort.thinks
    fields: dict[str, Any] = {
        "chat_template_kwargs": dict.fromkeys(TEMPLATE_ARGUMENTS, thinks or terms.always)
    }
    if thinks or terms.always:
        fields["reasoning_effort"] = (terms.effort if thinks else Effort.LOW).value
    if terms.budget_tokens:
        fields[THINKING_BUDGET] = terms.budget_tokens
    return fields


def with_sign(messages: list[Message], terms: ThinkingTerms | UnsetType) -> list[Message]:
    """Returns messages whose instructions end with the sign of the terms, if they have one."""
    if terms is UNSET or not terms.sign:
        return messages
    sign, first = terms.sign, messages[0]
    if not isinstance(first, SystemMessage):
        return [SystemMessage(content=sign), *messages]
    content = first.content
    ended = f"{content}\n{sign}" if isinstance(content, str) else [*content, TextPart(sign)]
    return [replace(first, content=ended), *messages[1:]]
