"""Requests that never reach an engine: invalid bodies, and media that would be fetched."""

from typing import Any

import msgspec
import pytest

from entraide_node.engines.base import BAD_REQUEST, CHAT, EngineFailure, EngineRequest
from entraide_node.engines.stream_run import parse_request

ENCODE = msgspec.json.encode


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'"a"', b""])
def test_bodies_that_are_no_requests(body: bytes) -> None:
    """A body that is not a JSON object is refused as the caller's fault."""
    parsed = parse_request(EngineRequest("j", CHAT, body, False, "p"))

    assert isinstance(parsed, EngineFailure)
    assert (BAD_REQUEST, False) == (parsed.code, parsed.retryable)


PARTS = {
    "an image from elsewhere": ({"type": "image_url", "image_url": {"url": "http://a/b"}}, True),
    "an image from a file": ({"type": "image_url", "image_url": "file:///etc/passwd"}, True),
    "a film from elsewhere": ({"type": "video_url", "video_url": {"url": "https://a/b"}}, True),
    "an image that came along": (
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        False,
    ),
    "text about an address": ({"type": "text", "text": "http://a/b"}, False),
}


@pytest.mark.parametrize(("part", "refused"), PARTS.values(), ids=PARTS)
def test_nothing_is_fetched_for_a_request(part: dict[str, Any], refused: bool) -> None:
    """An address in a request is refused, because the engine is in a member's network."""
    body = ENCODE({"messages": [{"role": "user", "content": [part]}]})

    parsed = parse_request(EngineRequest("j", CHAT, body, False, "p"))

    assert refused == isinstance(parsed, EngineFailure)
