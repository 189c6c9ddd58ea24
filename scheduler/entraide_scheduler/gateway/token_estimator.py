"""Sizes: how many prompt tokens a request comes to, learned from what engines count.

A prompt is its text and what the model's template puts around it, a system prompt of its own among
it; of a short question the template is most. So two numbers are learned for each model, tokens of
the template and tokens a byte: a straight line through the runs, fitted with what is believed
before any (Bayesian linear regression with normal priors, Bishop 2006, 3.3), in which old runs
fade. It refuses to know tokenizers and texts.
"""

from typing import NamedTuple

from msgspec import Struct

from entraide_scheduler.gateway.openai import CHAT, MESSAGE_TOKENS, TEMPLATE_TOKENS, ParsedRequest


class Prior(NamedTuple):
    """What is believed of a number before any run: its mean, and how far it may lie from it."""

    mean: float
    spread: float


# Tokens of the template: ChatML with a short system prompt of its own has 20 to 35, others 5. A
# bare prompt has a token for its beginning at most.
CHAT_TEMPLATE_TOKENS = Prior(20.0, 15.0)
COMPLETION_TEMPLATE_TOKENS = Prior(1.0, 1.0)
# Tokens a byte, between English (about 1/4) and French (about 1/3) for common byte-pair
# vocabularies.
TOKENS_PER_BYTE = Prior(1 / 3.5, 0.08)
RELATIVE_NOISE = 0.1  # how far a run's tokens lie from the line, as a part of them
FORGETTING_FACTOR = 0.9  # what a run still counts for after the next one
TOKENS_PER_BYTE_MIN, TOKENS_PER_BYTE_MAX = 1 / 16, 1.0  # tokens
TEMPLATE_TOKENS_MAX = float(TEMPLATE_TOKENS + MESSAGE_TOKENS)
MODELS_MAX = 1_000


class TokenRegression(Struct):
    """Tokens over bytes: the weighted sums that a fit needs, of runs that fade."""

    runs: float = 0.0
    size: float = 0.0
    tokens: float = 0.0
    size_size: float = 0.0
    size_tokens: float = 0.0

    def add_run(self, size: float, tokens: float) -> None:
        """Takes in a run of so many bytes."""
        weight = 1.0 / (RELATIVE_NOISE * tokens) ** 2
        self.runs = FORGETTING_FACTOR * self.runs + weight
        self.size = FORGETTING_FACTOR * self.size + weight * size
        self.tokens = FORGETTING_FACTOR * self.tokens + weight * tokens
        self.size_size = FORGETTING_FACTOR * self.size_size + weight * size * size
        self.size_tokens = FORGETTING_FACTOR * self.size_tokens + weight * size * tokens

    def fit(self, prior: Prior) -> tuple[float, float]:
        """Returns tokens of the template and tokens a byte.

        Args:
            prior: of the template's tokens.
        """
        prior_weight, prior_weight_per_byte = prior.spread**-2, TOKENS_PER_BYTE.spread**-2
        runs, size_size = self.runs + prior_weight, self.size_size + prior_weight_per_byte
        tokens = self.tokens + prior_weight * prior.mean
        size_tokens = self.size_tokens + prior_weight_per_byte * TOKENS_PER_BYTE.mean
        determinant = runs * size_size - self.size * self.size
        per_byte = (runs * size_tokens - self.size * tokens) / determinant
        per_byte = min(TOKENS_PER_BYTE_MAX, max(TOKENS_PER_BYTE_MIN, per_byte))
        template_tokens = (tokens - per_byte * self.size) / runs
        return min(TEMPLATE_TOKENS_MAX, max(0.0, template_tokens)), per_byte


class TokenEstimator:
    """What is known of each model, by the name asked for and the kind of request."""

    def __init__(self) -> None:
        self._regressions: dict[tuple[str, str], TokenRegression] = {}

    def estimate_input_tokens(self, ask: ParsedRequest) -> int:
        """Returns how many prompt tokens are to be expected."""
        regression = self._regressions.get((ask.model, ask.path)) or TokenRegression()
        template, per_byte = regression.fit(_template_prior(ask.path))
        return max(1, min(ask.input_tokens_max, round(template + per_byte * ask.text_bytes)))

    def add_count(self, ask: ParsedRequest, model: str, input_tokens: int) -> None:
        """Takes in what an engine counted, for the model that ran and for the name asked for.

        Tokens of images say nothing of texts.
        """
        if input_tokens <= 0 or ask.text_bytes <= 0 or "images" in ask.features:
            return
        for name in {ask.model: None, model: None}:
            key = (name, ask.path)
            regression = self._regressions.get(key)
            if regression is None:
                if len(self._regressions) >= MODELS_MAX:
                    continue
                regression = self._regressions[key] = TokenRegression()
            regression.add_run(float(ask.text_bytes), float(input_tokens))


def _template_prior(path: str) -> Prior:
    """Returns what is believed of what a model puts around a text of that kind."""
    return CHAT_TEMPLATE_TOKENS if path == CHAT else COMPLETION_TEMPLATE_TOKENS
