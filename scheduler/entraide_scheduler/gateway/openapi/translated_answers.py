"""Translated answers: the shapes of the Responses and Messages interfaces, for the document.

``responses_answer`` and ``messages_answer`` write them; tests hold both together.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from entraide_scheduler.gateway.openapi.chat_answers import AnswerReceipt
from entraide_scheduler.gateway.responses import (
    ChosenFunction,
    FunctionTool,
    ReasoningOptions,
    TextOptions,
)

ItemStatus = Literal["in_progress", "completed"]


class ResponseText(Struct, tag_field="type", tag="output_text"):
    """Text of the answer."""

    text: str
    annotations: list[dict[str, Any]]
    logprobs: list[dict[str, Any]]


class ReasoningText(Struct, tag_field="type", tag="reasoning_text"):
    """Text of the model's reasoning."""

    text: str


class ResponseMessage(Struct, tag_field="type", tag="message"):
    """The model's message."""

    id: str
    status: ItemStatus
    role: Literal["assistant"]
    content: list[ResponseText]


class ResponseReasoning(Struct, tag_field="type", tag="reasoning"):
    """The model's reasoning."""

    id: str
    status: ItemStatus
    summary: list[dict[str, Any]]
    content: list[ReasoningText]


class ResponseCall(Struct, tag_field="type", tag="function_call"):
    """A call of a function; ``arguments`` is JSON as text."""

    id: str
    status: ItemStatus
    call_id: str
    name: str
    arguments: str


class InputDetails(Struct):
    """Prompt tokens from a cache."""

    cached_tokens: int
    cache_write_tokens: int


class OutputDetails(Struct):
    """Output tokens of the model's thought."""

    reasoning_tokens: int


class ResponseUsage(Struct):
    """Tokens of a response."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class ErrorFields(Struct):
    """An error; ``message`` is in the language of ``Accept-Language``, else in English."""

    message: str
    type: str
    param: str | None
    code: str
    job: str | UnsetType = UNSET
    message_fr: str | UnsetType = UNSET
    explanation: str | UnsetType = UNSET


class ResponseFailure(Struct):
    """Why a streamed response failed."""

    code: str
    message: str
    message_fr: str | UnsetType = UNSET


class IncompleteDetails(Struct):
    """Why a response is incomplete."""

    reason: Literal["max_output_tokens"]


class Response(Struct):
    """The answer of ``/v1/responses``; the settings are those of the request."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    background: Literal[False]
    error: ResponseFailure | None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    model: str
    output: list[ResponseMessage | ResponseReasoning | ResponseCall]
    parallel_tool_calls: bool
    previous_response_id: None
    reasoning: ReasoningOptions
    store: Literal[False]
    temperature: float | None
    text: TextOptions
    tool_choice: Literal["none", "auto", "required"] | ChosenFunction
    tools: list[FunctionTool]
    top_p: float | None
    truncation: Literal["disabled"]
    usage: ResponseUsage | None
    entraide: AnswerReceipt | UnsetType = UNSET


class ResponseEvent(Struct):
    """An event of a streamed response; which fields it has depends on its ``type``."""

    type: str
    sequence_number: int
    response: Response | UnsetType = UNSET
    output_index: int | UnsetType = UNSET
    item: ResponseMessage | ResponseReasoning | ResponseCall | UnsetType = UNSET
    item_id: str | UnsetType = UNSET
    content_index: int | UnsetType = UNSET
    part: ResponseText | ReasoningText | UnsetType = UNSET
    delta: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET
    logprobs: list[dict[str, Any]] | UnsetType = UNSET
    code: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    param: str | UnsetType | None = UNSET
    error: ErrorFields | UnsetType = UNSET


class TextAnswer(Struct, tag_field="type", tag="text"):
    """Text of the answer."""

    text: str


class ThinkingAnswer(Struct, tag_field="type", tag="thinking"):
    """The model's reasoning; it has no signature."""

    thinking: str
    signature: str


class ToolUseAnswer(Struct, tag_field="type", tag="tool_use"):
    """A call of a tool."""

    id: str
    name: str
    input: dict[str, Any]


class MessageUsage(Struct):
    """Tokens of a message; ``input_tokens`` are those that were not cached."""

    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int | UnsetType = UNSET
    cache_read_input_tokens: int | UnsetType = UNSET


class MessageAnswer(Struct):
    """The answer of ``/v1/messages``."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[TextAnswer | ThinkingAnswer | ToolUseAnswer]
    stop_reason: Literal["end_turn", "max_tokens", "tool_use"] | None
    stop_sequence: None
    usage: MessageUsage
    entraide: AnswerReceipt | UnsetType = UNSET


class MessageDelta(Struct):
    """What an event adds: a piece of a block, or the end of the message."""

    type: Literal["text_delta", "thinking_delta", "input_json_delta"] | UnsetType = UNSET
    text: str | UnsetType = UNSET
    thinking: str | UnsetType = UNSET
    partial_json: str | UnsetType = UNSET
    stop_reason: Literal["end_turn", "max_tokens", "tool_use"] | UnsetType = UNSET
    stop_sequence: UnsetType | None = UNSET


class MessageErrorFields(Struct):
    """An error in Anthropic's form, with the pool's code and the parameter."""

    type: str
    message: str
    code: str
    param: str | None
    message_fr: str | UnsetType = UNSET
    explanation: str | UnsetType = UNSET
    details: dict[str, str] | UnsetType = UNSET


class MessageError(Struct):
    """An error of ``/v1/messages``, in Anthropic's form."""

    type: Literal["error"]
    error: MessageErrorFields
    request_id: str | None


class MessageEvent(Struct):
    """An event of a streamed message; which fields it has depends on its ``type``."""

    type: Literal[
        "message_start", "ping", "content_block_start", "content_block_delta",
        "content_block_stop", "message_delta", "message_stop", "error",
    ]  # fmt: skip
    message: MessageAnswer | UnsetType = UNSET
    index: int | UnsetType = UNSET
    content_block: TextAnswer | ThinkingAnswer | ToolUseAnswer | UnsetType = UNSET
    delta: MessageDelta | UnsetType = UNSET
    usage: MessageUsage | UnsetType = UNSET
    entraide: AnswerReceipt | UnsetType = UNSET
    error: MessageErrorFields | UnsetType = UNSET
    request_id: str | UnsetType | None = UNSET


class Error(Struct):
    """An error in OpenAI's format; ``docs/reference/errors.md`` lists the codes."""

    error: ErrorFields


class LineRequest(Struct):
    """A line of a batch's file."""

    custom_id: str
    url: str
    body: dict[str, Any]
    method: Literal["POST"] = "POST"
