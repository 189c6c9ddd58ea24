"""Answers in OpenAI's format, made from an engine's stream.

Input: the engine's events. Output: for a streamed job each event with our job id and the public
model name; for other jobs one complete answer, merged from all events. Unknown fields are passed
on, in events and in answers. ``token_counter`` counts the tokens.
"""

from typing import Any

import msgspec

from entraide_node.engines.base import CHAT, EngineUsage
from entraide_node.engines.token_counter import CHOICES_MAX
from entraide_node.engines.untrusted_json import list_objects

# Fields of an event that are removed: the usage is sent at the end, and
# the fingerprint of some engines names the machine's kernel.
_BOOKKEEPING = ("usage", "timings", "prompt_progress", "metrics", "system_fingerprint")

# Strings that are complete in each event; all other strings are fragments to be joined.
_WHOLE = frozenset({"role", "id", "type", "name", "object", "model", "finish_reason"})

_encode = msgspec.json.Encoder().encode


def rewrite_chunk(chunk: dict[str, Any], *, job: str, model: str) -> bytes:
    """Returns an event's JSON for the client."""
    for field in _BOOKKEEPING:
        chunk.pop(field, None)
    chunk["id"] = job
    chunk["model"] = model
    return _encode(chunk)


def format_event(payload: bytes) -> bytes:
    """Returns a payload as a server-sent event."""
    return b"data: %b\n\n" % payload


def closing_chunk(*, chat: bool, created: int) -> dict[str, Any]:
    """Returns a last event for an engine that completed without one."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "logprobs": None}
    choice["delta" if chat else "text"] = {} if chat else ""
    return {
        "object": "chat.completion.chunk" if chat else "text_completion",
        "created": created,
        "choices": [choice],
    }


class AnswerBuilder:
    """Merges the events of a stream into one answer."""

    def __init__(self, *, path: str) -> None:
        self._chat = path == CHAT
        self._top: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}

    def add_chunk(self, chunk: dict[str, Any]) -> None:
        """Adds one event."""
        for key, value in chunk.items():
            if key not in _BOOKKEEPING and key != "choices":
                self._top.setdefault(key, value)
        for choice in list_objects(chunk.get("choices")):
            index = choice.get("index")
            number = index if isinstance(index, int) else 0
            if number in self._choices or len(self._choices) < CHOICES_MAX:
                self._add_choice(self._choice(number), choice)

    def build(self, *, job: str, model: str, created: int, usage: EngineUsage) -> bytes:
        """Returns the JSON of the answer; ``created`` is used if the engine sent none."""
        choices = [self._choices[index] for index in sorted(self._choices)]
        answer = {
            "id": job,
            "object": "chat.completion" if self._chat else "text_completion",
            "created": self._top.get("created") or created,
            "model": model,
            "choices": choices or [self._choice(0)],
            "usage": usage_object(usage),
        }
        return _encode(self._top | answer)

    def _choice(self, index: int) -> dict[str, Any]:
        if index not in self._choices:
            self._choices[index] = (
                {"index": index}
                | (
                    {"message": {"role": "assistant", "content": None, "refusal": None}}
                    if self._chat
                    else {"text": ""}
                )
                | {"logprobs": None, "finish_reason": None}
            )
        return self._choices[index]

    def _add_choice(self, merged: dict[str, Any], choice: dict[str, Any]) -> None:
        for key, value in choice.items():
            if key == "delta" and self._chat and isinstance(value, dict):
                _merge_fragment(merged["message"], value)
            elif key not in ("index", "delta", "message"):
                _merge_fragment(merged, {key: value})


def usage_object(usage: EngineUsage) -> dict[str, Any]:
    """Returns a usage in OpenAI's format."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _merge_fragment(merged: dict[str, Any], fragment: dict[str, Any]) -> None:
    """Merges a fragment into the preceding ones."""
    for key, value in fragment.items():
        before = merged.get(key)
        match before, value:
            case _, None:
                merged.setdefault(key, None)
            case _, list() if key == "tool_calls":
                merged[key] = _merge_tool_calls(list_objects(before), value)
            case str(), str() if key == "finish_reason":
                merged[key] = value
            case str(), str() if key in _WHOLE:
                merged[key] = before or value
            case (str(), str()) | (list(), list()):
                merged[key] = before + value
            case dict(), dict():
                _merge_fragment(before, value)
            case _:
                merged[key] = value


def _merge_tool_calls(calls: list[dict[str, Any]], parts: list[Any]) -> list[dict[str, Any]]:
    """Merges tool calls by their index; one without an index is a new call."""
    for part in list_objects(parts):
        index = part.get("index")
        at = index if isinstance(index, int) and 0 <= index <= len(calls) else len(calls)
        if at == len(calls):
            calls.append({"id": "", "type": "function"})
        _merge_fragment(calls[at], {key: value for key, value in part.items() if key != "index"})
    return calls
