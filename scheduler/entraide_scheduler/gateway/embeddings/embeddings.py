"""Embeddings: the inputs of a request for embeddings, and the check of the answer. Pure.

In: the request, and later the body that a node answered. Out: the sizes of the inputs, and whether
the body holds one embedding of each, in their order and of one length; for gRPC, their numbers.
"""

import base64
import binascii
import struct
import unicodedata
from typing import Literal

import msgspec
from msgspec import Struct

from entraide.decoding import JsonDecoder
from entraide_scheduler.gateway.chat import INPUTS_MAX, EmbeddingsRequest
from entraide_scheduler.gateway.refusals import refused

SPECIAL_TOKENS = 8  # upper bound of the tokens that a model adds to an input
FLOAT_BYTES = 4
BYTES_PER_TOKEN = 4  # of an input that comes as tokens
INPUT_ANSWER_BYTES = 256 * 1024  # an embedding of 8,192 numbers as text has about 170 KB


class InputSizes(Struct, frozen=True):
    """Sizes of the inputs of one request.

    Attributes:
        inputs: number of texts, or of lists of tokens.
        text_bytes: UTF-8 bytes of all inputs; tokens count ``BYTES_PER_TOKEN`` each.
        longest_bytes: the same of the longest input.
        tokens_max: upper bound of the tokens of all inputs.
    """

    inputs: int
    text_bytes: int
    longest_bytes: int
    tokens_max: int


def measure_inputs(request: EmbeddingsRequest) -> InputSizes:
    """Returns the sizes of a request's inputs.

    Raises:
        Refused: ``invalid_request``: an input is empty, or tokens stand beside texts.
    """
    value = request.input
    inputs: list[str | list[int]] = []
    if isinstance(value, str):
        inputs.append(value)
    elif tokens := [item for item in value if isinstance(item, int)]:
        if len(tokens) < len(value):
            raise refused("invalid_request", param="input", fault="mixed_inputs")
        inputs.append(tokens)
    else:
        inputs += [item for item in value if not isinstance(item, int)]
    if len(inputs) > INPUTS_MAX:
        raise refused("invalid_request", param="input", fault="too_many", limit=INPUTS_MAX)
    empty = next((place for place, item in enumerate(inputs) if not item), None)
    if empty is not None:
        param = "input" if isinstance(value, str) else f"input[{empty}]"
        raise refused("invalid_request", param=param, fault="empty")
    sizes = [_byte_sizes(item) for item in inputs]
    return InputSizes(
        inputs=len(inputs),
        text_bytes=sum(size for size, _ in sizes),
        longest_bytes=max(size for size, _ in sizes),
        tokens_max=sum(most for _, most in sizes) + SPECIAL_TOKENS * len(inputs),
    )


def _byte_sizes(item: str | list[int]) -> tuple[int, int]:
    """Returns the bytes of an input, and the upper bound of its tokens.

    A tokenizer has at most one token per byte of the text that it reads. Those of sentence models
    first normalize a text (NFKC), which makes up to eighteen characters of one.
    """
    if not isinstance(item, str):
        return BYTES_PER_TOKEN * len(item), len(item)
    if item.isascii():
        return len(item), len(item)
    size = len(item.encode())
    return size, max(size, len(unicodedata.normalize("NFKC", item).encode()))


class _Embedding(Struct):
    index: int
    embedding: list[float] | str
    object: Literal["embedding"]


class _Embeddings(Struct):
    data: list[_Embedding]


_BODY = JsonDecoder[_Embeddings](_Embeddings)


def holds_embeddings(body: bytes, inputs: int) -> bool:
    """Returns whether an answer holds an embedding of each input.

    Args:
        body: the answer, as a node sent it.
        inputs: number of inputs of the request.
    """
    try:
        entries = _BODY.decode(body).data
    except (msgspec.DecodeError, RecursionError, ValueError):
        return False
    kinds = {type(entry.embedding) for entry in entries}
    lengths = {_length(entry.embedding) for entry in entries}
    in_order = [entry.index for entry in entries] == list(range(inputs))
    return in_order and len(kinds) == len(lengths) == 1 and 0 not in lengths


def _length(embedding: list[float] | str) -> int:
    """Returns how many numbers an embedding has; 0 if it is invalid."""
    if not isinstance(embedding, str):
        return len(embedding)
    try:
        size = len(base64.b64decode(embedding, validate=True))
    except (binascii.Error, ValueError):
        return 0
    return 0 if size % FLOAT_BYTES else size // FLOAT_BYTES


def read_embeddings(body: bytes) -> list[tuple[float, ...]]:
    """Returns the numbers of a valid answer's embeddings, in the order of the inputs."""
    return [_numbers(entry.embedding) for entry in _BODY.decode(body).data]


def _numbers(embedding: list[float] | str) -> tuple[float, ...]:
    if not isinstance(embedding, str):
        return tuple(embedding)
    data = base64.b64decode(embedding)
    return struct.unpack(f"<{len(data) // FLOAT_BYTES}f", data)
