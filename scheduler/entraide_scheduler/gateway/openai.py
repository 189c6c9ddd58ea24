"""OpenAI's requests: the few fields that the pool must understand, and nothing else.

It decides whether a request is well formed, what it needs, and how many tokens it can come to at
most. It keeps every field, known or not, as the bytes that came: only the limit on output tokens
and, where a size was asked for, the model are written anew before a request is forwarded.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from entraide_scheduler.gateway.refusals import refused

CHAT = "/v1/chat/completions"
COMPLETION = "/v1/completions"
PATHS = (CHAT, COMPLETION)

MESSAGES_MAX = 10_000
CHOICES_MAX = 128
OUTPUT_TOKENS_ASKED_MAX = 1 << 24
NAME_MAX = 256

# A bound that always holds for tokenizers that work on bytes: one token per byte of text, and what
# a chat template adds.
TEMPLATE_TOKENS = 64
MESSAGE_TOKENS = 16
IMAGE_TOKENS_MAX = 4_096

_MISMATCH = re.compile(r"Expected (.+?), got (.+?)(?: - at `(.+)`)?$")
_MISSING = re.compile(r"missing required field `(.+?)`(?: - at `(.+)`)?$")


class _Part(Struct):
    type: str
    text: str = ""


class _Message(Struct):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: Raw = Raw(b"")


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Format(Struct):
    type: str = "text"


class _Common(Struct, kw_only=True):
    model: str
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    response_format: _Format | None = None


class _Chat(_Common, kw_only=True):
    messages: list[_Message]
    tools: list[Raw] | None = None
    functions: list[Raw] | None = None


class _Completion(_Common, kw_only=True):
    prompt: str | list[str | int | list[int]]


_CHAT = msgspec.json.Decoder(_Chat)
_COMPLETION = msgspec.json.Decoder(_Completion)
_FIELDS: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])


class Ask(Struct, frozen=True):
    """A request as the pool understands it.

    Attributes:
        path: which of ``PATHS``.
        model: the public model name.
        text_bytes: UTF-8 bytes of all its text.
        input_tokens_max: a bound that always holds.
        output_tokens_max: the client's limit for one answer; None when it set none.
        choices: answers asked for.
        features: what the engine must be able to do.
        stream: whether the answer is streamed.
        include_usage: whether a stream ends with a usage chunk.
        fields: every field as it came.
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
    fields: Mapping[str, Raw]


def parse(path: str, body: bytes) -> Ask:
    """Reads a request.

    Raises:
        Refused: ``invalid_json`` or ``invalid_request``, with what is wrong.
    """
    decoder: msgspec.json.Decoder[Any] = _CHAT if path == CHAT else _COMPLETION
    try:
        request = decoder.decode(body)
        fields = _FIELDS.decode(body)
    except msgspec.ValidationError as problem:
        raise refused("invalid_request", detail=formula(str(problem))) from problem
    except msgspec.DecodeError as problem:
        raise refused("invalid_json", detail=place(str(problem))) from problem
    except RecursionError as problem:
        raise refused("invalid_json") from problem
    _check(request)
    if isinstance(request, _Chat):
        size, tokens, features = _chat_size(request)
        prompts = 1
    else:
        size, tokens, prompts = _completion_size(request)
        features = []
    if request.response_format is not None and request.response_format.type in (
        "json_schema",
        "json_object",
    ):
        features.append("schema")
    limit = request.max_completion_tokens
    options = request.stream_options
    return Ask(
        path=path,
        model=request.model,
        text_bytes=size,
        input_tokens_max=tokens,
        output_tokens_max=request.max_tokens if limit is None else limit,
        choices=(1 if request.n is None else request.n) * prompts,
        features=tuple(features),
        stream=bool(request.stream),
        include_usage=options is not None and bool(options.include_usage),
        fields=fields,
    )


def forwarded(ask: Ask, output_tokens_max: int, *, model: str, stream: bool) -> bytes:
    """Returns the request for the node: as it came, with the limit and the model decided on."""
    limit = Raw(b"%d" % output_tokens_max)
    fields = dict(ask.fields)
    fields["max_tokens"] = limit
    if "max_completion_tokens" in fields:
        fields["max_completion_tokens"] = limit
    if model != ask.model:
        fields["model"] = Raw(msgspec.json.encode(model))
    if stream != ask.stream:
        fields["stream"] = Raw(b"true" if stream else b"false")
        fields.pop("stream_options", None)
    return msgspec.json.encode(fields)


def _check(request: _Common) -> None:
    if not 0 < len(request.model) <= NAME_MAX:
        raise refused("invalid_request", param="model", detail=f"1 ≤ |model| ≤ {NAME_MAX}")
    for name in ("max_tokens", "max_completion_tokens"):
        limit = getattr(request, name)
        if limit is not None and not 1 <= limit <= OUTPUT_TOKENS_ASKED_MAX:
            raise refused("invalid_request", param=name, detail=f"{name} ≥ 1")
    if request.n is not None and not 1 <= request.n <= CHOICES_MAX:
        raise refused("invalid_request", param="n", detail=f"1 ≤ n ≤ {CHOICES_MAX}")


def _chat_size(request: _Chat) -> tuple[int, int, list[str]]:
    if not 1 <= len(request.messages) <= MESSAGES_MAX:
        detail = f"1 ≤ |messages| ≤ {MESSAGES_MAX}"
        raise refused("invalid_request", param="messages", detail=detail)
    size = images = 0
    for message in request.messages:
        size += len(message.tool_calls) + len(message.role)
        if isinstance(message.content, str):
            size += _utf8_bytes(message.content)
        elif message.content is not None:
            size += sum(_utf8_bytes(part.text) for part in message.content)
            images += sum(part.type in ("image_url", "input_image") for part in message.content)
    tools = [*(request.tools or ()), *(request.functions or ())]
    size += sum(len(tool) for tool in tools)
    features = ["tools"] if tools else []
    if images:
        features.append("images")
    tokens = size + MESSAGE_TOKENS * len(request.messages) + TEMPLATE_TOKENS
    return size, tokens + IMAGE_TOKENS_MAX * images, features


def _completion_size(request: _Completion) -> tuple[int, int, int]:
    prompt = request.prompt
    parts = [prompt] if isinstance(prompt, str) else prompt
    if not parts:
        raise refused("invalid_request", param="prompt", detail="|prompt| ≥ 1")
    size = tokens = 0
    for part in parts:
        if isinstance(part, str):
            size += _utf8_bytes(part)
        else:  # tokens already
            tokens += 1 if isinstance(part, int) else len(part)
    lists = sum(not isinstance(part, int) for part in parts)
    prompts = max(1, lists)
    if prompts > CHOICES_MAX:
        raise refused("invalid_request", param="prompt", detail=f"|prompt| ≤ {CHOICES_MAX}")
    bound = size + tokens + (MESSAGE_TOKENS + TEMPLATE_TOKENS) * prompts
    return size + 4 * tokens, bound, prompts


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def formula(problem: str) -> str:
    """Returns msgspec's English as what needs no language: ``$.max_tokens: str ≠ int``."""
    if found := _MISMATCH.search(problem):
        expected, got, place = (part.replace("`", "") if part else "" for part in found.groups())
        return f"{place or '$'}: {got} ≠ {expected.replace(' | ', '|')}"
    if found := _MISSING.search(problem):
        return f"{found[2] or '$'}.{found[1]} = ∅"
    return "$"


def place(problem: str) -> str:
    """Returns where a JSON document is broken: ``@17`` for byte 17."""
    found = re.search(r"byte (\d+)", problem)
    return f"@{found[1]}" if found else "…"
