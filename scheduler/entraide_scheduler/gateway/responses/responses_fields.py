"""Responses fields: the accepted fields of ``POST /v1/responses``, with their bounds.

The shape is that of OpenAI's Responses API, without what needs a state or a tool of the server.
Unknown fields inside items and tools are dropped, as in ``fields``.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from entraide_scheduler.gateway.chat import (
    MESSAGES_MAX,
    NAME_MAX,
    PARTS_MAX,
    TOOLS_MAX,
    Fraction,
    JsonFormat,
    ModelName,
    OutputTokens,
    PoolFields,
    TextFormat,
    ToolName,
)

METADATA_MAX = 16
METADATA_VALUE_MAX_CHARS = 512

CallName = Annotated[str, Meta(min_length=1, max_length=NAME_MAX)]
Metadata = Annotated[
    dict[str, Annotated[str, Meta(max_length=METADATA_VALUE_MAX_CHARS)]],
    Meta(max_length=METADATA_MAX),
]


class InputText(Struct, frozen=True, tag_field="type", tag="input_text"):
    """Text of a person, or of a tool."""

    text: str


class InputImage(Struct, frozen=True, tag_field="type", tag="input_image"):
    """A picture in the request itself, as a ``data:`` URL."""

    image_url: str


class OutputText(Struct, frozen=True, tag_field="type", tag="output_text"):
    """Text of an earlier answer."""

    text: str


class OutputRefusal(Struct, frozen=True, tag_field="type", tag="refusal"):
    """A refusal in an earlier answer; it is left out."""

    refusal: str


Parts = Annotated[
    list[InputText | InputImage | OutputText | OutputRefusal], Meta(max_length=PARTS_MAX)
]


class MessageItem(Struct, frozen=True, tag_field="type", tag="message"):
    """A message; ``type`` may be missing."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | Parts


class CallItem(Struct, frozen=True, tag_field="type", tag="function_call"):
    """A call of a function in an earlier answer."""

    call_id: CallName
    name: CallName
    arguments: str


class CallOutputItem(Struct, frozen=True, tag_field="type", tag="function_call_output"):
    """The result of a call."""

    call_id: CallName
    output: str | Annotated[list[InputText], Meta(max_length=PARTS_MAX)]


class ReasoningItem(Struct, frozen=True, tag_field="type", tag="reasoning"):
    """Reasoning in an earlier answer; it is left out."""


Item = MessageItem | CallItem | CallOutputItem | ReasoningItem


class FunctionTool(Struct, frozen=True, tag_field="type", tag="function", omit_defaults=True):
    """A function that the model may call; ``parameters`` is a JSON schema."""

    name: ToolName
    parameters: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class ChosenFunction(Struct, frozen=True, tag_field="type", tag="function"):
    """The function that the model must call."""

    name: ToolName


class SchemaTextFormat(
    Struct, frozen=True, tag_field="type", tag="json_schema", forbid_unknown_fields=True,
    omit_defaults=True,
):  # fmt: skip
    """An answer that follows a JSON schema."""

    schema: dict[str, Any]
    name: ToolName = "answer"
    description: str | None = None
    strict: bool | None = None


class TextOptions(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The form of the answer's text; ``verbosity`` has no effect."""

    format: TextFormat | JsonFormat | SchemaTextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningOptions(Struct, frozen=True, omit_defaults=True):
    """How long the model thinks; any other field has no effect."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None


class ResponsesRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``POST /v1/responses``."""

    model: ModelName
    input: str | Annotated[list[Item], Meta(min_length=1, max_length=MESSAGES_MAX)]
    instructions: str | None = None
    max_output_tokens: OutputTokens | None = None
    stream: bool | None = None
    temperature: Annotated[float, Meta(ge=0.0, le=2.0)] | None = None
    top_p: Fraction | None = None
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None
    tools: Annotated[list[FunctionTool], Meta(max_length=TOOLS_MAX)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ChosenFunction | None = None
    parallel_tool_calls: bool | None = None
    metadata: Metadata | None = None
    include: list[Literal["reasoning.encrypted_content"]] | None = None
    entraide: PoolFields | None = None
