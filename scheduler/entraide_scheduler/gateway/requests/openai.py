"""OpenAI requests: parses and validates a request, and encodes it for the engine.

In: a path and a JSON body. Out: its sizes, features and an upper bound of its prompt tokens, and
later the body for the engine. That body is encoded from the structs of ``fields``, so that an
unknown field cannot reach an engine.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from entraide.models import DIMENSIONS, ENGINE_OPTIONS, MESSAGE_TOKENS, TEMPLATE_TOKENS
from entraide.models import EMBEDDINGS as EMBEDDINGS_FEATURE
from entraide.types import ThinkingTerms
from entraide_scheduler.gateway.chat import (
    CHAT,
    CHOICES_MAX,
    COMPLETION,
    EMBEDDINGS,
    AssistantMessage,
    ChatRequest,
    CompletionRequest,
    EmbeddingsRequest,
    ImagePart,
    InferenceRequest,
    Message,
    PoolFields,
    RequestedThinking,
    TextFormat,
    TextPart,
    TextRequest,
    ToolMessage,
    Translation,
    conversation,
    thinking,
)
from entraide_scheduler.gateway.embeddings import embeddings
from entraide_scheduler.gateway.messages import MessagesRequest, messages
from entraide_scheduler.gateway.refusals import Refused, clean_text, convert, read_object, refused
from entraide_scheduler.gateway.requests.endpoints import (
    CACHE_KEY,
    IGNORED,
    MESSAGES,
    METADATA,
    NEUTRAL,
    PATHS,
    REPLACEMENTS,
    REQUESTS,
    RESPONSES,
    SEPARATING,
    STATEFUL,
    USERS,
    TranslatedRequest,
)
from entraide_scheduler.gateway.responses import ResponsesRequest, responses

__all__ = [
    "CHAT", "COMPLETION", "EMBEDDINGS", "MESSAGES", "PATHS", "RESPONSES", "ParsedRequest",
    "encode_for_engine", "parse_request",
]  # fmt: skip

IMAGE_TOKENS_MAX = 4_096


class ParsedRequest(Struct, frozen=True):
    """A parsed request.

    Attributes:
        path: the engine's path: ``CHAT``, ``COMPLETION`` or ``EMBEDDINGS``.
        model: public name of the model.
        text_bytes: UTF-8 bytes of all text.
        input_tokens_max: upper bound of the prompt tokens, with a usual chat template: byte-level
            tokenizers make one token of a byte at most.
        output_tokens_max: the client's limit per answer, tokens, or None.
        choices: number of answers.
        features: features that the engine must support.
        stream: whether the answer is streamed.
        include_usage: whether a stream ends with a usage chunk.
        pool_fields: the pool's own fields.
        request: fields for the engine.
        inputs: number of separate inputs of a request for embeddings; 0 for a request for text.
        longest_bytes: UTF-8 bytes of the longest of them.
        original: the client's request, if it was translated to a chat.
        thinking: how long the model is to think.
        user, cache_key: values of the separating fields, as JSON; "" where the request has none.
    """

    path: str
    model: str
    text_bytes: int
    input_tokens_max: int
    output_tokens_max: int | None
    choices: int
    features: tuple[str, ...]
    stream: bool
    include_usage: bool
    pool_fields: PoolFields
    request: InferenceRequest
    inputs: int = 0
    longest_bytes: int = 0
    original: TranslatedRequest | None = None
    thinking: RequestedThinking = RequestedThinking()
    user: str = ""
    cache_key: str = ""

    @property
    def endpoint(self) -> str:
        """The client's path, one of ``PATHS``."""
        match self.original:
            case ResponsesRequest():
                return RESPONSES
            case MessagesRequest():
                return MESSAGES
            case _:
                return self.path

    @property
    def questions(self) -> Iterator[str]:
        """Texts that a person wrote, newest first: the user's messages, or the first prompt."""
        match self.request:
            case ChatRequest(messages=messages):
                return conversation.read_questions(messages)
            case CompletionRequest(prompt=str(prompt) | [str(prompt), *_]):
                return iter((prompt,))
            case _:
                return iter(())


def parse_request(path: str, body: bytes) -> ParsedRequest:
    """Parses a request.

    Args:
        path: one of ``PATHS``.
        body: JSON body.

    Raises:
        Refused: ``invalid_json`` or ``invalid_request``, with the field and the fault.
    """
    fields = read_object(body)
    user, cache_key = _read_separating(path, fields)
    return replace(_parse_fields(path, fields), user=user, cache_key=cache_key)


def _read_separating(path: str, fields: Mapping[str, Any]) -> tuple[str, str]:
    """Returns whom a request names as its user, and its key of kept prompts, as JSON."""
    named = {name: fields[name] for name in SEPARATING[path] if fields.get(name) is not None}
    metadata = named.get(METADATA)
    users = [named.get(name) for name in USERS]
    users.append(metadata.get("user_id") if isinstance(metadata, dict) else None)
    user = _to_json(users) if any(each is not None for each in users) else ""
    return user, _to_json(named[CACHE_KEY]) if CACHE_KEY in named else ""


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _parse_fields(path: str, fields: dict[str, Any]) -> ParsedRequest:
    if path == RESPONSES:
        fields = responses.with_item_types(fields)
    request = convert(select_known_fields(path, fields), REQUESTS[path])
    match request:
        case EmbeddingsRequest():
            return _parse_embeddings(path, request)
        case ResponsesRequest():
            return _parse_translated(responses.to_chat(request), request)
        case MessagesRequest():
            return _parse_translated(messages.to_chat(request), request)
        case _:
            return _parse_text(path, request)


def _parse_translated(translation: Translation, original: TranslatedRequest) -> ParsedRequest:
    try:
        return replace(_parse_text(CHAT, translation.chat), original=original)
    except Refused as problem:
        raise Refused(translation.rename(problem.refusal)) from None


def _parse_text(path: str, request: TextRequest) -> ParsedRequest:
    conversation.check_format(request)
    asked = RequestedThinking()
    if isinstance(request, ChatRequest):
        asked = thinking.read_thinking(request)
        request, size, tokens, features = _measure_chat(request)
        prompts, limit = 1, request.max_completion_tokens
    else:
        size, tokens, prompts = _measure_completion(request)
        features, limit = [], None
    if not isinstance(request.response_format, TextFormat | None):
        features.append("schema")
    features += [name for name in ENGINE_OPTIONS if getattr(request, name, None)]
    options = request.stream_options
    return ParsedRequest(
        path=path,
        model=request.model,
        text_bytes=size,
        input_tokens_max=tokens,
        output_tokens_max=request.max_tokens if limit is None else limit,
        choices=(1 if request.n is None else request.n) * prompts,
        features=tuple(features),
        stream=bool(request.stream),
        include_usage=options is not None and bool(options.include_usage),
        pool_fields=request.entraide or PoolFields(),
        request=_for_engine(request),
        thinking=asked,
    )


def _parse_embeddings(path: str, request: EmbeddingsRequest) -> ParsedRequest:
    sizes = embeddings.measure_inputs(request)
    shortened = request.dimensions is not None
    return ParsedRequest(
        path=path,
        model=request.model,
        text_bytes=sizes.text_bytes,
        input_tokens_max=sizes.tokens_max,
        output_tokens_max=0,
        choices=1,
        features=(EMBEDDINGS_FEATURE, DIMENSIONS) if shortened else (EMBEDDINGS_FEATURE,),
        stream=False,
        include_usage=False,
        pool_fields=request.entraide or PoolFields(),
        request=replace(request, entraide=None),
        inputs=sizes.inputs,
        longest_bytes=sizes.longest_bytes,
    )


def encode_for_engine(
    parsed: ParsedRequest,
    output_tokens_max: int,
    *,
    model: str,
    stream: bool,
    how: ThinkingTerms | UnsetType = UNSET,
) -> bytes:
    """Returns the body for the node.

    Args:
        parsed: the request.
        output_tokens_max: the granted limit.
        model: the chosen model.
        stream: whether the answer is streamed.
        how: whether and how the model thinks.
    """
    if isinstance(parsed.request, EmbeddingsRequest):
        return msgspec.json.encode(replace(parsed.request, model=model))
    stream_field = stream if stream or parsed.stream else None
    fields = replace(parsed.request, model=model, max_tokens=output_tokens_max, stream=stream_field)
    added: dict[str, Any] = {}
    if isinstance(fields, ChatRequest):
        fields = replace(fields, messages=thinking.with_sign(fields.messages, how))
        added = thinking.engine_fields(how)
    if fields.repetition_penalty is not None:
        added["repeat_penalty"] = fields.repetition_penalty  # as llama.cpp calls it
    body = msgspec.json.encode(fields)
    return body[:-1] + b"," + msgspec.json.encode(added)[1:] if added else body


def select_known_fields(path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the honoured fields that are not null.

    Raises:
        Refused: ``invalid_request``, for a field that the endpoint does not accept.
    """
    honoured = REQUESTS[path].__struct_fields__
    honoured_fields: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None or name in IGNORED[path] or name in SEPARATING[path]:
            continue
        if name in honoured:
            honoured_fields[name] = value
        elif name in STATEFUL and path == RESPONSES:
            raise refused("invalid_request", param=name, fault="stateless")
        elif name not in NEUTRAL[path]:
            instead = REPLACEMENTS.get(name, "")
            suggestion = {"instead": instead} if instead in honoured else {}
            raise refused(
                "invalid_request",
                param=clean_text(name),
                fault="unknown_field",
                path=path,
                **suggestion,
            )
        elif not _is_neutral(value, NEUTRAL[path][name]):
            raise refused(
                "invalid_request", param=name, fault="only_neutral",
                expected_value=msgspec.json.encode(NEUTRAL[path][name]).decode(),
            )  # fmt: skip
    return honoured_fields


def _is_neutral(value: Any, neutral: Any) -> bool:
    return type(value) is type(neutral) and value == neutral


def _for_engine(request: TextRequest) -> TextRequest:
    """Returns a request without fields that the gateway handles or that have no effect."""
    top_k = None if request.top_k is not None and request.top_k < 1 else request.top_k
    request = replace(
        request,
        top_k=top_k,
        stop=request.stop or None,
        stop_token_ids=request.stop_token_ids or None,
        stream_options=None,
        entraide=None,
    )
    if not isinstance(request, ChatRequest):
        return request
    return replace(
        thinking.without_thinking(request),
        max_completion_tokens=None,
        tools=request.tools or None,
        tool_choice=request.tool_choice if request.tools else None,
        parallel_tool_calls=request.parallel_tool_calls if request.tools else None,
    )


def _measure_chat(request: ChatRequest) -> tuple[ChatRequest, int, int, list[str]]:
    """Checks a chat; returns it with its text bytes, its token bound and its features."""
    if request.top_logprobs and not request.logprobs:
        raise refused("invalid_request", param="top_logprobs", fault="needs", needed="logprobs")
    conversation.check_tools(request)
    conversation.check_history(request.messages)
    images = conversation.check_images(request.messages)
    messages = conversation.normalize_messages(request.messages)
    size = sum(map(_message_bytes, messages))
    size += len(msgspec.json.encode(request.tools)) if request.tools else 0
    features = ["tools"] if request.tools or any(map(_uses_tools, messages)) else []
    if images:
        features.append("images")
    tokens = size + MESSAGE_TOKENS * len(messages) + TEMPLATE_TOKENS + IMAGE_TOKENS_MAX * images
    return replace(request, messages=messages), size, tokens, features


def _uses_tools(message: Message) -> bool:
    calls = isinstance(message, AssistantMessage) and bool(message.tool_calls)
    return calls or isinstance(message, ToolMessage)


def _message_bytes(message: Message) -> int:
    size = len(str(type(message).__struct_config__.tag)) + _utf8_bytes(message.name or "")
    if isinstance(message, AssistantMessage) and message.tool_calls:
        size += len(msgspec.json.encode(message.tool_calls))
    content = message.content
    if isinstance(content, str):
        return size + _utf8_bytes(content)
    parts = (part for part in content or () if not isinstance(part, ImagePart))
    return size + sum(_utf8_bytes(part.text) for part in parts if isinstance(part, TextPart))


def _measure_completion(request: CompletionRequest) -> tuple[int, int, int]:
    prompt = request.prompt
    parts = [prompt] if isinstance(prompt, str) else prompt
    size = tokens = 0
    for part in parts:
        if isinstance(part, str):
            size += _utf8_bytes(part)
        else:  # tokens already
            tokens += 1 if isinstance(part, int) else len(part)
    lists = sum(not isinstance(part, int) for part in parts)
    prompts = max(1, lists)
    if prompts > CHOICES_MAX:
        raise refused("invalid_request", param="prompt", fault="too_many", limit=CHOICES_MAX)
    bound = size + tokens + (MESSAGE_TOKENS + TEMPLATE_TOKENS) * prompts
    return size + 4 * tokens, bound, prompts


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8"))
