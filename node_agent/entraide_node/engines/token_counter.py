"""Token counter: the tokens of one run, and whether they are measured or estimated.

Input: the events of the engine's stream. Output: ``EngineUsage``. Counts come in three ways, best
first: ``usage``, once for the request (OpenAI, mlx-lm) or once for each choice (llama.cpp); counts
on every event (``timings`` of llama.cpp, ``usage`` of vLLM), which are exact also for a run that
was cut short; and, without any count, one token per event.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from entraide.types import Basis
from entraide_node.engines.base import EngineUsage
from entraide_node.engines.thought_counter import ThoughtCounter
from entraide_node.engines.untrusted_json import parse_count, parse_milliseconds

CHOICES_MAX = 128

# Estimates without any count: bytes per token of Latin text, and tokens that a chat template
# adds to a message. Results are marked as estimated.
BYTES_PER_TOKEN = 4
TEMPLATE_TOKENS_PER_MESSAGE = 4


class _Counts(Struct, frozen=True):
    prompt: int
    cached: int
    output: int


class TokenCounter:
    """Counts a run's tokens from its events, in their order.

    Attributes:
        n_output_tokens: output tokens so far; never decreases.
        n_prompt_processed: prompt tokens that the engine has read, if it tells.
        prefill_s, decode_s: the engine's own durations; 0 where it has told none.
        has_timings: whether it has.
    """

    def __init__(self, *, choices_asked: int = 1, counted_each_event: bool = False) -> None:
        """Has counted nothing yet.

        Args:
            choices_asked: number of choices that the request asks for.
            counted_each_event: whether the engine reports its usage on every event: with a choice,
                the usage is that choice's so far; alone, it is the whole run's.
        """
        self._choices_asked = max(1, choices_asked)
        self._counted_each_event = counted_each_event
        self._events: dict[int, int] = {}  # events with output, by choice
        self._running: dict[int, _Counts] = {}  # from timings, by choice
        self._usages: dict[int, _Counts] = {}  # from usage, in the order of arrival
        self._finished = 0
        self._prompts: dict[int, int] = {}  # length of the prompt in prefill, by choice
        self.n_output_tokens = 0
        self.n_prompt_processed = 0
        self.prefill_s = 0.0
        self.decode_s = 0.0
        self.has_timings = False
        self._n_reported = 0  # sum over the choices in _running
        self._n_unreported = 0  # events of the other choices
        self._thought = ThoughtCounter()

    def add_event(self, chunk: dict[str, Any], choices: list[dict[str, Any]]) -> None:
        """Adds the counts of one event with its choices; ignores what is of an unexpected type."""
        index: int | None = None
        for choice in choices:
            own = choice.get("index")
            if isinstance(own, int):
                index = own if index is None else index
            self._note_choice(choice, own if isinstance(own, int) else 0)
        if isinstance(progress := chunk.get("prompt_progress"), dict):
            if index is not None and len(self._prompts) < CHOICES_MAX:
                self._prompts[index] = parse_count(progress.get("total"))
            processed = parse_count(progress.get("processed"))
            self.n_prompt_processed = max(self.n_prompt_processed, processed)
        if isinstance(timings := chunk.get("timings"), dict):
            self._note_timings(timings, index)
        if isinstance(usage := chunk.get("usage"), dict):
            self._note_usage(usage, index)
        if isinstance(metrics := chunk.get("metrics"), dict):
            self._note_metrics(metrics)
        self.n_output_tokens = max(self.n_output_tokens, self._n_reported + self._n_unreported)
        if choices:
            self._thought.add(choices, self.n_output_tokens)

    def usage(self, *, body: dict[str, Any]) -> EngineUsage:
        """The run's usage from the best available counts; ``body`` is the request."""
        usage = self._usage(body)
        return replace(usage, reasoning_tokens=self._thought.finish(usage.completion_tokens))

    def _usage(self, body: dict[str, Any]) -> EngineUsage:
        is_whole = self._counted_each_event or len(self._usages) >= len(self._running)
        if self._usages and is_whole:
            parts = list(self._usages.values())
            several = len(parts) > 1 and len(parts) == max(len(self._events), self._finished)
            return self._settle(parts if several else parts[-1:])
        if self._running:
            return self._settle(list(self._running.values()))
        return EngineUsage(
            prompt_tokens=estimate_prompt_tokens(body),
            completion_tokens=sum(self._events.values()),
            cached_tokens=0,
            counted=Basis.ESTIMATED,
        )

    def _note_choice(self, choice: dict[str, Any], index: int) -> None:
        if choice.get("finish_reason"):
            self._finished += 1
        if carries_output(choice) and (index in self._events or len(self._events) < CHOICES_MAX):
            self._events[index] = self._events.get(index, 0) + 1
            if index not in self._running:
                self._n_unreported += 1

    def _note_running(self, index: int, counts: _Counts) -> None:
        before = self._running.get(index)
        if before is None:
            self._n_unreported -= self._events.get(index, 0)
        self._n_reported += counts.output - (before.output if before is not None else 0)
        self._running[index] = counts

    def _note_timings(self, timings: dict[str, Any], index: int | None) -> None:
        self.has_timings = True
        self.prefill_s = max(self.prefill_s, parse_milliseconds(timings.get("prompt_ms")) / 1_000)
        self.decode_s = max(self.decode_s, parse_milliseconds(timings.get("predicted_ms")) / 1_000)
        if index is not None and (index in self._running or len(self._running) < CHOICES_MAX):
            cached = parse_count(timings.get("cache_n"))
            prompt = max(cached + parse_count(timings.get("prompt_n")), self._prompts.get(index, 0))
            output = parse_count(timings.get("predicted_n"))
            self._note_running(index, _Counts(prompt, cached, output))
            self.n_prompt_processed = max(self.n_prompt_processed, prompt if output else 0)

    def _note_metrics(self, metrics: dict[str, Any]) -> None:
        """Adds vLLM's own durations of a complete run; neither includes waiting."""
        prefill_ms, decode_ms = (
            metrics.get("time_to_first_token_ms"),
            metrics.get("generation_time_ms"),
        )
        if isinstance(prefill_ms, int | float) and isinstance(decode_ms, int | float):
            self.has_timings = True
            self.prefill_s = parse_milliseconds(prefill_ms) / 1_000
            self.decode_s = parse_milliseconds(decode_ms) / 1_000

    def _note_usage(self, usage: dict[str, Any], index: int | None) -> None:
        details = usage.get("prompt_tokens_details")
        cached = parse_count(details.get("cached_tokens")) if isinstance(details, dict) else 0
        counts = _Counts(
            prompt=parse_count(usage.get("prompt_tokens")),
            cached=cached,
            output=parse_count(usage.get("completion_tokens")),
        )
        if self._counted_each_event and index is None:
            self._usages = {0: counts}
        elif self._counted_each_event and index is not None:
            if index in self._running or len(self._running) < CHOICES_MAX:
                self._note_running(index, counts)
                processed = counts.prompt if counts.output else 0
                self.n_prompt_processed = max(self.n_prompt_processed, processed)
        else:
            # One per finished choice, so that a repeated usage replaces the first.
            self._usages[min(self._finished, CHOICES_MAX)] = counts

    def _settle(self, parts: list[_Counts]) -> EngineUsage:
        """Adds up the choices.

        The prompt of several choices is counted once. Its computed tokens are those that any choice
        computed, at most the whole prompt; the rest was cached.
        """
        asked = self._choices_asked
        shared = asked if len(parts) % asked == 0 else 1
        prompt = sum(part.prompt for part in parts) // shared
        computed = sum(max(0, part.prompt - part.cached) for part in parts)
        return EngineUsage(
            prompt_tokens=prompt,
            completion_tokens=sum(part.output for part in parts),
            cached_tokens=max(0, prompt - computed),
            counted=Basis.MEASURED,
        )


def carries_output(choice: dict[str, Any]) -> bool:
    """Whether a streamed choice carries output: text, reasoning, a refusal or a tool call."""
    if choice.get("text"):
        return True
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return False
    if delta.get("content"):  # nearly every event of a stream
        return True
    return any(value for key, value in delta.items() if key != "role")


def estimate_prompt_tokens(body: dict[str, Any]) -> int:
    """Estimates a prompt's tokens from the bytes of its text, at least 1."""
    messages = body.get("messages")
    if isinstance(messages, list):
        wrapping = TEMPLATE_TOKENS_PER_MESSAGE * len(messages)
        return max(1, _text_bytes(messages, depth=6) // BYTES_PER_TOKEN + wrapping)
    return max(1, _text_bytes(body.get("prompt"), depth=3) // BYTES_PER_TOKEN)


def _text_bytes(value: Any, *, depth: int) -> int:
    """Bytes of the text in a nested value; a number in a list is already a token."""
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value.encode())
    if depth == 0:
        return 0
    if isinstance(value, list):
        return sum(
            BYTES_PER_TOKEN if isinstance(item, int) else _text_bytes(item, depth=depth - 1)
            for item in value
        )
    if isinstance(value, dict):
        return sum(_text_bytes(item, depth=depth - 1) for item in value.values())
    return 0
