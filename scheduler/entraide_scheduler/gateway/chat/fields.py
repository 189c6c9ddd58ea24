"""Fields: the fields of requests that engines answer, with their bounds.

They are checked, bounded, and encoded again for the engine. Inside messages and tools, unknown
fields are dropped. ``endpoints`` has the table of all endpoints.
"""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from entraide.models import OUTPUT_TOKENS_ASKED_MAX
from entraide.types import Task

NAME_MAX = 256
MESSAGES_MAX = 10_000
PARTS_MAX = 1_000
CHOICES_MAX = 128
TOP_LOGPROBS_MAX = 20
STOPS_MAX = 16
STOP_MAX_CHARS = 256
TOOLS_MAX = 128
BIASES_MAX = 300
PROMPT_PARTS_MAX = 1 << 20
TOKEN_MAX = 2**31 - 1
SEED_MAX = 2**63 - 1
CARBON_G_MAX = 1e9
RECONNECT_S_MAX = 120.0
MAX_WAIT_S_MIN, MAX_WAIT_S_MAX = 1.0, 86_400.0
DEADLINE_MAX_CHARS = 64
INPUTS_MAX = 2_048
INPUT_TOKENS_MAX = 1 << 20
DIMENSIONS_MAX = 1 << 16

CHAT: Final = "/v1/chat/completions"
COMPLETION: Final = "/v1/completions"
EMBEDDINGS: Final = "/v1/embeddings"

ModelName = Annotated[str, Meta(min_length=1, max_length=NAME_MAX, pattern=r"^[^\x00-\x1f\x7f]+$")]
Name = Annotated[str, Meta(max_length=NAME_MAX)]
ToolName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
OutputTokens = Annotated[int, Meta(ge=1, le=OUTPUT_TOKENS_ASKED_MAX)]
Penalty = Annotated[float, Meta(ge=-2.0, le=2.0)]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Stop = Annotated[str, Meta(min_length=1, max_length=STOP_MAX_CHARS)]
Token = Annotated[int, Meta(ge=0, le=TOKEN_MAX)]
Tokens = Annotated[list[Token], Meta(max_length=PROMPT_PARTS_MAX)]
JURISDICTION = r"^[A-Z]{2}(-[A-Z0-9]{1,3}){0,2}$"
TokenName = Annotated[str, Meta(pattern=r"^[0-9]{1,7}$")]
Bias = Annotated[float, Meta(ge=-100.0, le=100.0)]


class TextPart(Struct, frozen=True, tag_field="type", tag="text"):
    """A part of a message that is text."""

    text: str


class ImageUrl(Struct, frozen=True):
    """Where a picture is: in the request itself, as a ``data:`` URL."""

    url: str


class ImagePart(Struct, frozen=True, tag_field="type", tag="image_url"):
    """A part of a message that is a picture."""

    image_url: ImageUrl


class RefusalPart(Struct, frozen=True, tag_field="type", tag="refusal"):
    """A part of an earlier answer in which the model refused; it is left out."""

    refusal: str


Texts = Annotated[list[TextPart], Meta(max_length=PARTS_MAX)]
UserParts = Annotated[list[TextPart | ImagePart], Meta(max_length=PARTS_MAX)]
AnswerParts = Annotated[list[TextPart | RefusalPart], Meta(max_length=PARTS_MAX)]


class CalledFunction(Struct, frozen=True):
    """The function that a model called; ``arguments`` is a JSON object as text."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_MAX)]
    arguments: str


class ToolCall(Struct, frozen=True, tag_field="type", tag="function"):
    """A call of a tool in an earlier answer."""

    id: Annotated[str, Meta(min_length=1, max_length=NAME_MAX)]
    function: CalledFunction


class SystemMessage(Struct, frozen=True, tag_field="role", tag="system", omit_defaults=True):
    """Instructions to the model."""

    content: str | Texts
    name: Name | None = None


class DeveloperMessage(Struct, frozen=True, tag_field="role", tag="developer", omit_defaults=True):
    """Instructions to the model; engines are given them as ``system``."""

    content: str | Texts
    name: Name | None = None


class UserMessage(Struct, frozen=True, tag_field="role", tag="user", omit_defaults=True):
    """What a person asks."""

    content: str | UserParts
    name: Name | None = None


class AssistantMessage(Struct, frozen=True, tag_field="role", tag="assistant", omit_defaults=True):
    """An earlier answer of the model."""

    content: str | AnswerParts | None = None
    name: Name | None = None
    tool_calls: Annotated[list[ToolCall], Meta(max_length=TOOLS_MAX)] | None = None


class ToolMessage(Struct, frozen=True, tag_field="role", tag="tool", omit_defaults=True):
    """The result of a tool; ``tool_call_id`` is the ``id`` of the call that it answers."""

    content: str | Texts
    tool_call_id: Annotated[str, Meta(min_length=1, max_length=NAME_MAX)]
    name: Name | None = None


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


class Function(Struct, frozen=True, omit_defaults=True):
    """A function that the model may call; ``parameters`` is a JSON schema."""

    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Struct, frozen=True, tag_field="type", tag="function"):
    """A tool that the model may call."""

    function: Function


class NamedFunction(Struct, frozen=True):
    """The name of one of the request's tools."""

    name: ToolName


class NamedTool(Struct, frozen=True, tag_field="type", tag="function"):
    """The tool that the model must call."""

    function: NamedFunction


class TextFormat(Struct, frozen=True, tag_field="type", tag="text", forbid_unknown_fields=True):
    """An answer in any form."""


class JsonFormat(
    Struct, frozen=True, tag_field="type", tag="json_object", forbid_unknown_fields=True
):
    """An answer that is a JSON object."""


class NamedSchema(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A JSON schema with a name."""

    name: ToolName = "answer"
    schema: dict[str, Any] = {}
    description: str | None = None
    strict: bool | None = None


class SchemaFormat(
    Struct, frozen=True, tag_field="type", tag="json_schema", forbid_unknown_fields=True
):
    """An answer that follows a JSON schema."""

    json_schema: NamedSchema


class StreamOptions(Struct, frozen=True):
    """How a streamed answer ends."""

    include_usage: bool | None = None


class PoolFields(Struct, frozen=True, forbid_unknown_fields=True):
    """The pool's own options of a request, in its body; ``options.OPTIONS`` has their names."""

    job_class: Literal["interactive", "standard", "batch"] | None = None
    data_class: Literal["public", "internal", "restricted"] | None = None
    jurisdiction: Annotated[str, Meta(pattern=JURISDICTION)] | None = None
    controlled_by: Literal["member", "canadian", "other"] | None = None
    deadline: float | Annotated[str, Meta(max_length=DEADLINE_MAX_CHARS)] | None = None
    max_gco2e: Annotated[float, Meta(ge=0.0, le=CARBON_G_MAX)] | None = None
    session: Name | None = None
    explain: bool | None = None
    resume_events: bool | None = None
    reconnect_s: Annotated[float, Meta(ge=0.0, le=RECONNECT_S_MAX)] | None = None
    waiting_events: bool | None = None
    max_wait_s: Annotated[float, Meta(ge=MAX_WAIT_S_MIN, le=MAX_WAIT_S_MAX)] | None = None
    task: Task | None = None
    language: Literal["fr", "en"] | None = None
    openness: Literal["open-model", "open-tooling", "open-science"] | None = None
    prefix: Literal["off"] | None = None


class Sampling(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields that both endpoints for text honour."""

    model: ModelName
    max_tokens: OutputTokens | None = None
    n: Annotated[int, Meta(ge=1, le=CHOICES_MAX)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0.0, le=2.0)] | None = None
    top_p: Fraction | None = None
    top_k: Annotated[int, Meta(ge=-1, le=1_000)] | None = None
    min_p: Fraction | None = None
    seed: Annotated[int, Meta(ge=-SEED_MAX, le=SEED_MAX)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Meta(gt=0.0, le=2.0)] | None = None
    logit_bias: Annotated[dict[TokenName, Bias], Meta(max_length=BIASES_MAX)] | None = None
    stop: Stop | Annotated[list[Stop], Meta(max_length=STOPS_MAX)] | None = None
    stop_token_ids: Annotated[list[Token], Meta(max_length=STOPS_MAX)] | None = None
    response_format: TextFormat | JsonFormat | SchemaFormat | None = None
    entraide: PoolFields | None = None


class TemplateArguments(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Variables of the model's chat template; either tells it whether the model thinks."""

    enable_thinking: bool | None = None
    thinking: bool | None = None


class ChatRequest(Sampling, frozen=True, kw_only=True, omit_defaults=True):
    """``POST /v1/chat/completions``."""

    messages: Annotated[list[Message], Meta(min_length=1, max_length=MESSAGES_MAX)]
    max_completion_tokens: OutputTokens | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=TOP_LOGPROBS_MAX)] | None = None
    tools: Annotated[list[Tool], Meta(max_length=TOOLS_MAX)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    chat_template_kwargs: TemplateArguments | None = None
    think: bool | Literal["none", "low", "medium", "high"] | None = None
    thinking_budget_tokens: OutputTokens | None = None


class CompletionRequest(Sampling, frozen=True, kw_only=True, omit_defaults=True):
    """``POST /v1/completions``."""

    prompt: (
        str | Annotated[list[str | Token | Tokens], Meta(min_length=1, max_length=PROMPT_PARTS_MAX)]
    )
    logprobs: Annotated[int, Meta(ge=0, le=TOP_LOGPROBS_MAX)] | None = None


class EmbeddingsRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``POST /v1/embeddings``."""

    model: ModelName
    input: (
        str
        | Annotated[
            list[str | Token | Annotated[list[Token], Meta(max_length=INPUT_TOKENS_MAX)]],
            Meta(min_length=1, max_length=INPUT_TOKENS_MAX),
        ]
    )
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=DIMENSIONS_MAX)] | None = None
    entraide: PoolFields | None = None


TextRequest = ChatRequest | CompletionRequest
InferenceRequest = TextRequest | EmbeddingsRequest
