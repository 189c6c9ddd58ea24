"""Sizes: how many prompt tokens a request comes to, learned from what engines count.

A prompt is its text and what the model's template puts around it, a system prompt of its own among
it; of a short question the template is most. So two numbers are learned for each model, tokens of
the template and tokens a byte: a straight line through the runs, fitted with what is believed
before any (Bayesian linear regression with normal priors, Bishop 2006, 3.3), in which old runs
fade. It refuses to know tokenizers and texts.
"""

from typing import NamedTuple

from msgspec import Struct

from entraide_scheduler.gateway.openai import CHAT, MESSAGE_TOKENS, TEMPLATE_TOKENS, Ask


class Belief(NamedTuple):
    """What is believed of a number before any run: its mean, and how far it may lie from it."""

    mean: float
    spread: float


# Tokens of the template: ChatML with a short system prompt of its own has 20 to 35, others 5. A
# bare prompt has a token for its beginning at most.
CHAT_TEMPLATE = Belief(20.0, 15.0)
NO_TEMPLATE = Belief(1.0, 1.0)
# Tokens a byte, between English (about 1/4) and French (about 1/3) for common byte-pair
# vocabularies.
PER_BYTE = Belief(1 / 3.5, 0.08)
STRAYS = 0.1  # how far a run's tokens lie from the line, as a part of them
FADE = 0.9  # what a run still counts for after the next one
PER_BYTE_LEAST, PER_BYTE_MOST = 1 / 16, 1.0  # tokens
TEMPLATE_MOST = float(TEMPLATE_TOKENS + MESSAGE_TOKENS)
MODELS_MAX = 1_000


class Line(Struct):
    """Tokens over bytes: the weighted sums that a fit needs, of runs that fade."""

    runs: float = 0.0
    size: float = 0.0
    tokens: float = 0.0
    size_size: float = 0.0
    size_tokens: float = 0.0

    def add(self, size: float, tokens: float) -> None:
        """Takes in a run of so many bytes."""
        weight = 1.0 / (STRAYS * tokens) ** 2
        self.runs = FADE * self.runs + weight
        self.size = FADE * self.size + weight * size
        self.tokens = FADE * self.tokens + weight * tokens
        self.size_size = FADE * self.size_size + weight * size * size
        self.size_tokens = FADE * self.size_tokens + weight * size * tokens

    def fit(self, template: Belief) -> tuple[float, float]:
        """Returns tokens of the template and tokens a byte.

        Args:
            template: what is believed of the template before any run.
        """
        firm, firm_per_byte = template.spread**-2, PER_BYTE.spread**-2
        runs, size_size = self.runs + firm, self.size_size + firm_per_byte
        tokens = self.tokens + firm * template.mean
        size_tokens = self.size_tokens + firm_per_byte * PER_BYTE.mean
        determinant = runs * size_size - self.size * self.size
        per_byte = (runs * size_tokens - self.size * tokens) / determinant
        per_byte = min(PER_BYTE_MOST, max(PER_BYTE_LEAST, per_byte))
        around = (tokens - per_byte * self.size) / runs
        return min(TEMPLATE_MOST, max(0.0, around)), per_byte


class Sizes:
    """What is known of each model, by the name asked for and the kind of request."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], Line] = {}

    def input_tokens_est(self, ask: Ask) -> int:
        """Returns how many prompt tokens are to be expected."""
        line = self._lines.get((ask.model, ask.path)) or Line()
        template, per_byte = line.fit(_template(ask.path))
        return max(1, min(ask.input_tokens_max, round(template + per_byte * ask.text_bytes)))

    def learn(self, ask: Ask, model: str, input_tokens: int) -> None:
        """Takes in what an engine counted, for the model that ran and for the name asked for.

        Tokens of images say nothing of texts.
        """
        if input_tokens <= 0 or ask.text_bytes <= 0 or "images" in ask.features:
            return
        for name in {ask.model: None, model: None}:
            key = (name, ask.path)
            line = self._lines.get(key)
            if line is None:
                if len(self._lines) >= MODELS_MAX:
                    continue
                line = self._lines[key] = Line()
            line.add(float(ask.text_bytes), float(input_tokens))


def _template(path: str) -> Belief:
    """Returns what is believed of what a model puts around a text of that kind."""
    return CHAT_TEMPLATE if path == CHAT else NO_TEMPLATE
