"""Thought counter: the output tokens of one run that belong to the model's thought.

Input: the choices of each event, with the engine's count of output tokens so far. Output: the
tokens of the thought. Tokens without text, such as the sign that ends the thought, belong to it
until the answer begins.
"""

from typing import Any

THOUGHT_FIELDS = ("reasoning_content", "reasoning")  # llama.cpp's; vLLM's and mlx-lm's
CHOICES_MAX = 128


class ThoughtCounter:
    """Counts the thought's tokens from a run's events, in their order.

    Attributes:
        count: tokens of the thought so far, where the engine counts on each event; else events.
    """

    def __init__(self) -> None:
        """Has counted nothing yet."""
        self.count = 0
        self._thinking: set[int] = set()  # choices whose last text is of a thought
        self._before = 0

    def add(self, choices: list[dict[str, Any]], n_output_tokens: int) -> None:
        """Adds an event: its choices, and the output tokens of the run so far."""
        for choice in choices:
            index = choice.get("index")
            kind = _kind_of(choice)
            if not kind or not isinstance(index, int):
                continue
            new = max(0, n_output_tokens - self._before)
            self._before += new
            if kind in THOUGHT_FIELDS and len(self._thinking) < CHOICES_MAX:
                self._thinking.add(index)
                self.count += new
            elif index in self._thinking:
                self._thinking.discard(index)
                self.count += max(0, new - 1)  # all but the first of the answer

    def finish(self, n_output_tokens: int) -> int:
        """Returns the thought's tokens at the end of a run with so many output tokens.

        A run that was cut off in its thought has no other tokens.
        """
        rest = max(0, n_output_tokens - self._before) if self._thinking else 0
        return min(n_output_tokens, self.count + rest)


def _kind_of(choice: dict[str, Any]) -> str:
    """Returns the field with the text of an event's choice; "" without text."""
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return ""
    filled = [name for name, value in delta.items() if value and name != "role"]
    return next((name for name in filled if name in THOUGHT_FIELDS), "".join(filled[:1]))
