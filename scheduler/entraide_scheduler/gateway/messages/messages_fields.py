"""Messages fields: the accepted fields of ``POST /v1/messages``, with their bounds.

The shape is that of Anthropic's Messages API, without what needs a tool of the server. Unknown
fields inside messages and tools, such as ``cache_control``, are dropped, as in ``fields``.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from entraide_scheduler.gateway.chat import (
    MESSAGES_MAX,
    NAME_MAX,
    PARTS_MAX,
    STOPS_MAX,
    TOOLS_MAX,
    Fraction,
    ModelName,
    OutputTokens,
    PoolFields,
    Stop,
    ToolName,
)

CallName = Annotated[str, Meta(min_length=1, max_length=NAME_MAX)]


class TextBlock(Struct, frozen=True, tag_field="type", tag="text"):
    """Text."""

    text: str


class ImageSource(Struct, frozen=True, tag_field="type", tag="base64"):
    """A picture in the request itself."""

    media_type: Literal["image/png", "image/jpeg", "image/webp", "image/gif"]
    data: str


class ImageBlock(Struct, frozen=True, tag_field="type", tag="image"):
    """A picture."""

    source: ImageSource


class ToolUseBlock(Struct, frozen=True, tag_field="type", tag="tool_use"):
    """A call of a tool in an earlier answer."""

    id: CallName
    name: CallName
    input: dict[str, Any]


class ToolResultBlock(Struct, frozen=True, tag_field="type", tag="tool_result"):
    """The result of a call; ``is_error`` has no effect: the model reads the content."""

    tool_use_id: CallName
    content: str | Annotated[list[TextBlock], Meta(max_length=PARTS_MAX)] = ""


class ThinkingBlock(Struct, frozen=True, tag_field="type", tag="thinking"):
    """Reasoning in an earlier answer; it is left out."""


class RedactedThinkingBlock(Struct, frozen=True, tag_field="type", tag="redacted_thinking"):
    """Hidden reasoning in an earlier answer; it is left out."""


UserBlocks = Annotated[list[TextBlock | ImageBlock | ToolResultBlock], Meta(max_length=PARTS_MAX)]
AssistantBlocks = Annotated[
    list[TextBlock | ToolUseBlock | ThinkingBlock | RedactedThinkingBlock],
    Meta(max_length=PARTS_MAX),
]


class UserTurn(Struct, frozen=True, tag_field="role", tag="user"):
    """What a person asks, and the results of tools."""

    content: str | UserBlocks


class AssistantTurn(Struct, frozen=True, tag_field="role", tag="assistant"):
    """An earlier answer of the model."""

    content: str | AssistantBlocks


class CustomTool(Struct, frozen=True, omit_defaults=True):
    """A tool that the model may call; ``input_schema`` is a JSON schema."""

    name: ToolName
    input_schema: dict[str, Any]
    description: str | None = None
    type: Literal["custom"] | None = None
    strict: bool | None = None


class AnyTool(Struct, frozen=True, tag_field="type", tag="any"):
    """The model must call a tool."""

    disable_parallel_tool_use: bool = False


class AutoTool(Struct, frozen=True, tag_field="type", tag="auto"):
    """The model may call tools."""

    disable_parallel_tool_use: bool = False


class NoTool(Struct, frozen=True, tag_field="type", tag="none"):
    """The model may call no tool."""


class ChosenTool(Struct, frozen=True, tag_field="type", tag="tool"):
    """The tool that the model must call."""

    name: ToolName
    disable_parallel_tool_use: bool = False


class ThinkingOn(Struct, frozen=True, tag_field="type", tag="enabled"):
    """The model thinks, and the answer contains its thought."""

    budget_tokens: OutputTokens | None = None


class ThinkingAdaptive(Struct, frozen=True, tag_field="type", tag="adaptive"):
    """The same: the model decides how long it thinks."""


class ThinkingOff(Struct, frozen=True, tag_field="type", tag="disabled"):
    """The model does not think."""


class SchemaOutput(Struct, frozen=True, tag_field="type", tag="json_schema"):
    """An answer that follows a JSON schema."""

    schema: dict[str, Any]


class OutputConfig(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The form of the answer, and how much the model reasons."""

    format: SchemaOutput | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None


class MessagesRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``POST /v1/messages``."""

    model: ModelName
    messages: Annotated[list[UserTurn | AssistantTurn], Meta(min_length=1, max_length=MESSAGES_MAX)]
    max_tokens: OutputTokens
    system: str | Annotated[list[TextBlock], Meta(max_length=PARTS_MAX)] | None = None
    stop_sequences: Annotated[list[Stop], Meta(max_length=STOPS_MAX)] | None = None
    stream: bool | None = None
    temperature: Fraction | None = None
    top_p: Fraction | None = None
    top_k: Annotated[int, Meta(ge=0, le=1_000)] | None = None
    tools: Annotated[list[CustomTool], Meta(max_length=TOOLS_MAX)] | None = None
    tool_choice: AnyTool | AutoTool | NoTool | ChosenTool | None = None
    thinking: ThinkingOn | ThinkingAdaptive | ThinkingOff | None = None
    output_config: OutputConfig | None = None
    entraide: PoolFields | None = None
