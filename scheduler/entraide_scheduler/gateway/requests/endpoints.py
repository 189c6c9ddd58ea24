"""Endpoints: the accepted fields of a request, by endpoint.

There are four groups. *Honoured* fields are those of the structs. *Separating* fields only keep
apart the prompts that an engine keeps. *Ignored* fields have no effect. *Neutral* fields are
accepted with the one value that has no effect. Any other field at the top of a request is refused,
unless it is null. ``/openapi.json`` and ``docs/reference/http.md`` are
generated from this module.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from entraide_scheduler.gateway.chat import (
    CHAT,
    COMPLETION,
    EMBEDDINGS,
    ChatRequest,
    CompletionRequest,
    EmbeddingsRequest,
    InferenceRequest,
)
from entraide_scheduler.gateway.messages import MessagesRequest, messages
from entraide_scheduler.gateway.responses import ResponsesRequest, responses

RESPONSES: Final = "/v1/responses"
MESSAGES: Final = "/v1/messages"
PATHS = (CHAT, COMPLETION, EMBEDDINGS, RESPONSES, MESSAGES)
KEEP_MAX_S = 7 * 86_400.0

TranslatedRequest = ResponsesRequest | MessagesRequest

REQUESTS: Mapping[str, type[InferenceRequest | TranslatedRequest]] = MappingProxyType(
    {
        CHAT: ChatRequest,
        COMPLETION: CompletionRequest,
        EMBEDDINGS: EmbeddingsRequest,
        RESPONSES: ResponsesRequest,
        MESSAGES: MessagesRequest,
    }
)


Endpoint = Literal[
    "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages",
]  # fmt: skip


class JobRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/jobs``: a request that the pool keeps until its answer is fetched."""

    request: dict[str, Any]
    path: Endpoint = CHAT
    keep_s: Annotated[float, Meta(ge=0.0, le=KEEP_MAX_S)] = 0.0


# An endpoint's own names of the fields that the core's errors concern.
NAMES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        CHAT: MappingProxyType({}),
        COMPLETION: MappingProxyType({"messages": "prompt"}),
        EMBEDDINGS: MappingProxyType({"messages": "input"}),
        RESPONSES: responses.NAMES,
        MESSAGES: messages.NAMES,
    }
)

USERS = ("user", "safety_identifier")
CACHE_KEY = "prompt_cache_key"
METADATA = "metadata"
_SEPARATING_BY_OPENAI = frozenset({*USERS, CACHE_KEY})

# Fields of which each value has prompts of its own: what an engine has kept for one is never used
# for another. Of Anthropic's metadata it is the user.
SEPARATING: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        CHAT: _SEPARATING_BY_OPENAI,
        COMPLETION: _SEPARATING_BY_OPENAI,
        EMBEDDINGS: frozenset(),
        RESPONSES: _SEPARATING_BY_OPENAI,
        MESSAGES: frozenset({METADATA}),
    }
)

_IGNORED_BY_OPENAI = frozenset({METADATA, "prompt_cache_retention", "service_tier", "store"})

# Fields without effect.
IGNORED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        CHAT: _IGNORED_BY_OPENAI | {"prediction", "verbosity"},
        COMPLETION: _IGNORED_BY_OPENAI,
        EMBEDDINGS: _IGNORED_BY_OPENAI | _SEPARATING_BY_OPENAI,
        RESPONSES: _IGNORED_BY_OPENAI - {METADATA, "store"} | {"stream_options"},
        MESSAGES: frozenset({"cache_control", "service_tier"}),
    }
)

# Fields that are accepted with one value, which has no effect.
NEUTRAL: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        CHAT: MappingProxyType({"modalities": ["text"]}),
        COMPLETION: MappingProxyType({"best_of": 1, "echo": False, "suffix": ""}),
        EMBEDDINGS: MappingProxyType({}),
        RESPONSES: MappingProxyType(
            {"background": False, "store": False, "top_logprobs": 0, "truncation": "disabled"}
        ),
        MESSAGES: MappingProxyType({}),
    }
)

# Fields that refer to what an earlier request left at the server; the pool keeps nothing.
STATEFUL = frozenset({"conversation", "previous_response_id"})

# Accepted fields that replace refused ones.
REPLACEMENTS: Mapping[str, str] = MappingProxyType(
    {
        "best_of": "n",
        "function_call": "tool_choice",
        "functions": "tools",
        "grammar": "response_format",
        "guided_json": "response_format",
        "input": "messages",
        "json_schema": "response_format",
        "max_completion_tokens": "max_output_tokens",
        "max_output_tokens": "max_tokens",
        "max_tokens": "max_output_tokens",
        "messages": "input",
        "n_cmpl": "n",
        "n_predict": "max_tokens",
        "n_probs": "top_logprobs",
        "reasoning_budget_tokens": "thinking_budget_tokens",
        "reasoning_effort": "reasoning",
        "thinking": "think",
        "thinking_token_budget": "thinking_budget_tokens",
        "repeat_penalty": "repetition_penalty",
        "response_format": "text",
        "stop": "stop_sequences",
        "structured_outputs": "response_format",
    }
)
