"""Seam: the point at which a run continues an answer that an earlier run began.

Input: the request, with the text that the client already has at its end, and the engine's events.
Output: the request as the engine continues it without a character added or removed, and the events
as a continuation: without a second role, with the answer's ``created``, and ended where a stop
string is complete that begins in the earlier text. (A stop string that begins in the new text is
found by the engine.) What was continued is text, so a thought or a call after it is no
continuation.
"""

from typing import Any

from msgspec import Struct

from entraide.wire.messages import Resume
from entraide_node.engines.base import BAD_REQUEST, CHAT, EngineFailure
from entraide_node.engines.untrusted_json import list_objects

EARLIER_TEXT = "entraide_earlier_text"  # variable of the extended chat template
STOPS_MAX = 16
STOP_CHARS_MAX = 256


class ChatContinuation(Struct, frozen=True):
    """How an engine is asked to continue the last message of a chat.

    Attributes:
        template: the model's chat template, which is extended by the earlier text: transformers'
            own way of continuing a message removes white space where the template does. "" for an
            engine that appends the last message to its prompt as it is (llama.cpp).
    """

    template: str = ""


def make_seam(
    resume: Resume, *, body: dict[str, Any], path: str, how: ChatContinuation
) -> "Seam | EngineFailure":
    """Returns the seam of a resumed run, or why the request cannot be continued.

    Args:
        resume: of the run.
        body: the request.
        path: its path.
        how: the engine's way to continue a chat; a completion needs none.
    """
    text = _last_text(body, chat=path == CHAT)
    if text is None or len(text) < resume.characters:
        return EngineFailure(BAD_REQUEST, "the earlier text is not in the request", retryable=True)
    cut = len(text) - resume.characters
    fields = (
        _continued_fields(body, own=text[:cut], earlier=text[cut:], how=how)
        if path == CHAT and how.template
        else {}
    )
    return Seam(resume, stop=body.get("stop"), path=path, earlier=text[cut:], fields=fields)


def _continued_fields(
    body: dict[str, Any], *, own: str, earlier: str, how: ChatContinuation
) -> dict[str, Any]:
    """The fields that replace those of a chat, so that the engine continues its answer."""
    messages = body["messages"][:-1]
    if own:  # the client's own message, which the engine closes before it answers
        messages.append(body["messages"][-1] | {"content": own})
    arguments = body.get("chat_template_kwargs")
    arguments = arguments if isinstance(arguments, dict) else {}
    return {
        "messages": messages,
        "chat_template": extended_template(how.template),
        "chat_template_kwargs": arguments | {EARLIER_TEXT: earlier},
    }


def extended_template(template: str) -> str:
    """Returns a chat template that writes the earlier text after all else.

    Jinja removes one line end at the end of a template; it would no longer be the end.
    """
    for line_end in ("\r\n", "\n", "\r"):
        if template.endswith(line_end):
            template = template.removesuffix(line_end)
            break
    return template + "{{ " + EARLIER_TEXT + " }}"


class Seam:
    """The events of one resumed run.

    Attributes:
        fields: fields that replace those of the request.
        created: of the answer's events.
        is_stopped: whether a stop string that begins in the earlier text is complete.
    """

    def __init__(
        self, resume: Resume, *, stop: Any, path: str, earlier: str,
        fields: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Has no event yet.

        Args:
            resume: of the run.
            stop: the request's stop strings.
            path: the request's path.
            earlier: the text that the client already has.
            fields: see above.
        """
        self.fields = fields or {}
        self.created = resume.created
        self.is_stopped = False
        self._chat = path == CHAT
        self._offset = len(earlier)
        self._stops = _stops_of(stop)
        longest = max(map(len, self._stops), default=0)
        self._tail = earlier[-(longest - 1) :] if longest > 1 else ""
        self._new = ""  # new text, while it may complete a stop string
        self._held: list[dict[str, Any]] = []
        self._holds = bool(self._tail)

    def pass_on(self, chunk: dict[str, Any], *, finished: bool) -> list[dict[str, Any]]:
        """Takes an event; returns the events to send now.

        Args:
            chunk: the engine's event, which is changed.
            finished: whether it is the last with a choice.
        """
        text = self._rewrite(chunk)
        is_empty = not finished and not text and not _carries(chunk)
        if not self._holds:
            return [] if is_empty else [chunk]
        self._new += text
        if self._completes_stop():
            self.is_stopped, self._held = True, []
            return []
        if not is_empty:
            self._held.append(chunk)
        return self.release() if finished or not self._may_complete_stop() else []

    def release(self) -> list[dict[str, Any]]:
        """Returns the events that were held back: no stop string begins before the seam."""
        held, self._held, self._holds = self._held, [], False
        return held

    def _rewrite(self, chunk: dict[str, Any]) -> str:
        """Makes an event one of a continuation; returns its text."""
        chunk["created"] = self.created
        text = ""
        for choice in list_objects(chunk.get("choices")):
            delta = choice.get("delta")
            if self._chat and isinstance(delta, dict):
                delta.pop("role", None)
                if delta.get("content") is None:
                    delta.pop("content", None)
            part = delta.get("content") if isinstance(delta, dict) else choice.get("text")
            text += part if isinstance(part, str) else ""
            logprobs = choice.get("logprobs")
            offsets = logprobs.get("text_offset") if isinstance(logprobs, dict) else None
            if isinstance(logprobs, dict) and isinstance(offsets, list):
                logprobs["text_offset"] = [
                    offset + self._offset if isinstance(offset, int) else offset
                    for offset in offsets
                ]
        return text

    def _completes_stop(self) -> bool:
        around = self._tail + self._new
        seam = len(self._tail)
        # One that begins later is the engine's to find.
        return any(
            -1 < around.find(stop, max(0, seam - len(stop) + 1)) < seam for stop in self._stops
        )

    def _may_complete_stop(self) -> bool:
        around = self._tail + self._new
        return any(
            stop.startswith(around[begin:])
            for begin in range(len(self._tail))
            for stop in self._stops
        )


def is_text(choices: list[dict[str, Any]]) -> bool:
    """Whether choices carry nothing but text: no thought and no call."""
    deltas = [choice.get("delta") for choice in choices]
    return not any(
        value
        for delta in deltas
        if isinstance(delta, dict)
        for name, value in delta.items()
        if name not in ("role", "content")
    )


def _last_text(body: dict[str, Any], *, chat: bool) -> str | None:
    """The text at whose end the earlier text is."""
    if not chat:
        prompt = body.get("prompt")
        alone = prompt[0] if isinstance(prompt, list) and len(prompt) == 1 else prompt
        return alone if isinstance(alone, str) else None
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(last, dict) or last.get("role") != "assistant":
        return None
    content = last.get("content")
    return content if isinstance(content, str) else None


def _stops_of(stop: Any) -> tuple[str, ...]:
    stops = stop if isinstance(stop, list) else [stop]
    return tuple(
        text
        for text in stops[:STOPS_MAX]
        if isinstance(text, str) and 0 < len(text) <= STOP_CHARS_MAX
    )


def _carries(chunk: dict[str, Any]) -> bool:
    """Whether an event without text carries anything else that a client reads."""
    for choice in list_objects(chunk.get("choices")):
        delta = choice.get("delta")
        if choice.get("finish_reason") or choice.get("logprobs"):
            return True
        if isinstance(delta, dict) and any(delta.values()):
            return True
    return False
