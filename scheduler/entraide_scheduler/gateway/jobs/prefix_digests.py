"""Prefix digests: keyed digests of the beginnings of a prompt. Pure.

In: a request, and the key of who asks. Out: numbers of 63 bits, each of which is the digest of all
of the prompt up to one place. Two prompts of the same sender that begin alike share the first ones;
without the key, a number says nothing of the text. The scheduler finds by them which node has read
a beginning already.

The places are after each message (and the tools, which stand first), and inside of a longer one
after each block of ``BLOCK_BYTES``, about 64 tokens. In a prompt above ``BLOCKS_MAX`` such blocks
they are larger.
"""

import hashlib
from collections.abc import Iterable, Sequence

from msgspec import json

from entraide_scheduler.gateway.chat import ChatRequest, CompletionRequest, InferenceRequest

BLOCK_BYTES = 256
BLOCK_BYTES_MIN = 32  # a shorter part has no place of its own
BLOCKS_MAX = 1_024  # of a prompt, by its length
KEYS_MAX = 4_096  # digests of a prompt, with those of its many messages
KEY_BYTES = 8


def list_prefix_keys(request: InferenceRequest, key: bytes) -> tuple[int, ...]:
    """Returns the digests of a prompt's beginnings, shortest first; () for embeddings.

    A request for text has one at least.

    Args:
        request: what the engine gets.
        key: up to 64 bytes; see ``Partitions.make_digest_key``.
    """
    match request:
        case ChatRequest():
            tools = [request.tools] if request.tools else []
            parts = [json.encode(part) for part in (*tools, *request.messages)]
        case CompletionRequest():
            parts = [json.encode(request.prompt)[:-1]]  # so that it may go on
        case _:
            return ()
    return digest_parts(json.encode(request.model), parts, key)


def digest_parts(model: bytes, parts: Sequence[bytes], key: bytes) -> tuple[int, ...]:
    """Returns the digests of a text's beginnings, shortest first, at least one.

    Args:
        model: the model's name; it is in each digest and has no place of its own.
        parts: the text.
        key: up to 64 bytes.
    """
    block = _block_bytes(sum(map(len, parts)))
    digest = hashlib.blake2b(model, key=key, digest_size=KEY_BYTES)
    keys: list[int] = []
    pending = 0  # bytes since the last place
    for part in parts:
        for piece in _cut(part, block, block - pending):
            digest.update(piece)
            pending += len(piece)
            if pending == block:
                keys.append(_number(digest.copy().digest()))
                pending = 0
        if pending >= BLOCK_BYTES_MIN:
            keys.append(_number(digest.copy().digest()))
            pending = 0
    return tuple(keys[:KEYS_MAX]) or (_number(digest.digest()),)


def _block_bytes(size: int) -> int:
    block = BLOCK_BYTES
    while size > block * BLOCKS_MAX:
        block *= 2
    return block


def _cut(part: bytes, block: int, first: int) -> Iterable[memoryview]:
    """Yields a part in pieces: one of ``first`` bytes, then blocks, then the rest."""
    view, start, end = memoryview(part), 0, first
    while start < len(view):
        yield view[start:end]
        start, end = end, end + block


def _number(digest: bytes) -> int:
    return int.from_bytes(digest) >> 1  # 63 bits
