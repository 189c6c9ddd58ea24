"""Shown tokens: the output tokens whose text has been sent, where an engine holds text back.

vLLM counts a token at once, and holds the last characters of the text back while they may belong to
a stop string: one less than the longest one has. The count says how far another run that continues
the answer begins, and what is left of its limit.
"""

from collections import deque
from typing import Any

STEPS_MAX = 1_024  # tokens of which the text may be held back; a stop string has 256 characters


class ShownTokens:
    """Counts the shown tokens of a run from its events, in their order."""

    def __init__(self, *, held_chars: int) -> None:
        """Has shown nothing yet.

        Args:
            held_chars: characters that the engine holds back; 0 if it sends all text at once.
        """
        self._held_chars = held_chars
        self._chars = 0
        self._steps: deque[tuple[int, int]] = deque(maxlen=STEPS_MAX)  # tokens, their characters
        self.count = 0

    def add(self, choices: list[dict[str, Any]], n_output_tokens: int) -> None:
        """Adds an event: its choices, and the engine's count with it."""
        if not self._held_chars:
            self.count = n_output_tokens
            return
        for choice in choices:
            delta = choice.get("delta")
            text = delta.get("content") if isinstance(delta, dict) else choice.get("text")
            self._chars += len(text) if isinstance(text, str) else 0
        # Before the first text, that of the tokens is shorter than what is held back.
        produced = self._chars + self._held_chars if self._chars else 0
        self._steps.append((n_output_tokens, produced))
        while self._steps and self._steps[0][1] <= self._chars and self._chars:
            self.count = self._steps.popleft()[0]


def held_chars_of(stop: Any) -> int:
    """Returns the characters that vLLM holds back for the stop strings of a request."""
    stops = stop if isinstance(stop, list) else [stop]
    lengths = [len(text) for text in stops if isinstance(text, str)]
    return max(0, max(lengths, default=0) - 1)
