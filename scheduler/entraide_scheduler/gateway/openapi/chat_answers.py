"""Chat answers: what an engine answers to a chat, a text or inputs, as the document shows it.

The gateway forwards these answers and adds ``entraide``; an engine may add further fields.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from entraide.types import Receipt
from entraide_scheduler.gateway.answers import ExplanationView


class AnswerReceipt(Receipt, frozen=True, kw_only=True):
    """The receipt of an answer, not settled yet, with the explanation if it was asked for."""

    explanation: ExplanationView | UnsetType = UNSET


class CachedTokens(Struct):
    """Prompt tokens that the engine had already read."""

    cached_tokens: int


class ReasoningTokens(Struct):
    """Output tokens of the model's thought."""

    reasoning_tokens: int


class TextUsage(Struct):
    """Tokens of an answer, as the engine counted them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens | UnsetType = UNSET
    completion_tokens_details: ReasoningTokens | UnsetType = UNSET


class AnswerFunction(Struct):
    """The function that the model calls; ``arguments`` is JSON as text."""

    name: str
    arguments: str


class AnswerCall(Struct):
    """A call of a tool in an answer."""

    id: str
    type: Literal["function"]
    function: AnswerFunction


class AnswerMessage(Struct):
    """The model's message."""

    role: Literal["assistant"]
    content: str | None = None
    refusal: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType | None = UNSET
    tool_calls: list[AnswerCall] | UnsetType | None = UNSET


class ChatChoice(Struct):
    """One of the answers to a chat."""

    index: int
    message: AnswerMessage
    finish_reason: str | None
    logprobs: dict[str, Any] | UnsetType | None = UNSET


class ChatCompletion(Struct):
    """The answer to a chat."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: TextUsage
    entraide: AnswerReceipt | UnsetType = UNSET


class FunctionFragment(Struct):
    """A piece of a call's function."""

    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET


class CallFragment(Struct):
    """A piece of a call of a tool."""

    index: int
    id: str | UnsetType = UNSET
    type: Literal["function"] | UnsetType = UNSET
    function: FunctionFragment | UnsetType = UNSET


class MessageFragment(Struct):
    """A piece of the model's message."""

    role: Literal["assistant"] | UnsetType | None = UNSET
    content: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType | None = UNSET
    tool_calls: list[CallFragment] | UnsetType | None = UNSET


class ChunkChoice(Struct):
    """A piece of one of the answers."""

    index: int
    delta: MessageFragment
    finish_reason: str | None = None
    logprobs: dict[str, Any] | UnsetType | None = UNSET


class ChatCompletionChunk(Struct):
    """An event of a streamed chat; the last ones have the usage (if asked for) and the receipt."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: TextUsage | UnsetType | None = UNSET
    entraide: AnswerReceipt | UnsetType = UNSET


class TextChoice(Struct):
    """One of the texts, or a piece of it in an event."""

    index: int
    text: str
    finish_reason: str | None = None
    logprobs: dict[str, Any] | UnsetType | None = UNSET


class Completion(Struct):
    """The answer to a text; each event of a stream has the same shape."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: TextUsage | UnsetType | None = UNSET
    entraide: AnswerReceipt | UnsetType = UNSET


class Embedding(Struct):
    """An embedding: numbers, or the base64 of their 32-bit floats."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(Struct):
    """Tokens of all inputs, as the engine counted them."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Struct):
    """The embeddings, in the order of the inputs, with the job's receipt."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
    entraide: AnswerReceipt | UnsetType = UNSET
