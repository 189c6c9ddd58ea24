"""Token estimator: predicts the prompt tokens of a request from its size, without a tokenizer.

In: bytes of text, and the token counts that engines report. Out: expected prompt tokens. The model
is linear, tokens = template + tokens per byte × bytes, because a chat template (with a default
system prompt) dominates short prompts. Both parameters are fitted per model by Bayesian linear
regression with independent normal priors (Bishop 2006, 3.3) and exponential forgetting of old runs.
"""

from typing import NamedTuple

from msgspec import Struct

from entraide.models import MESSAGE_TOKENS, TEMPLATE_TOKENS
from entraide_scheduler.gateway.requests import (
    CHAT,
    EMBEDDINGS,
    ParsedRequest,
)


class Prior(NamedTuple):
    """Normal prior of a parameter: mean and standard deviation (``spread``)."""

    mean: float
    spread: float


# Tokens of the template: ChatML with a short default system prompt has 20 to 35, others 5. A
# completion prompt has at most a begin-of-text token.
CHAT_TEMPLATE_TOKENS = Prior(20.0, 15.0)
COMPLETION_TEMPLATE_TOKENS = Prior(1.0, 1.0)
# A sentence model marks the beginning and the end of an input.
EMBEDDING_TEMPLATE_TOKENS = Prior(2.0, 1.0)
# An input that may fit into the context is not refused by an estimate; the engine counts exactly.
LOW_ESTIMATE = 0.75
# Tokens per byte, between English (about 1/4) and French (about 1/3) for common byte-pair
# vocabularies.
TOKENS_PER_BYTE = Prior(1 / 3.5, 0.08)
RELATIVE_NOISE = 0.1  # standard deviation of a run's tokens, relative to them
FORGETTING_FACTOR = 0.9  # factor on the weight of earlier runs at each new run
TOKENS_PER_BYTE_MIN, TOKENS_PER_BYTE_MAX = 1 / 16, 1.0  # tokens
TEMPLATE_TOKENS_MAX = float(TEMPLATE_TOKENS + MESSAGE_TOKENS)
MODELS_MAX = 1_000


class TokenRegression(Struct):
    """Sufficient statistics of the regression: weighted sums over runs, with forgetting."""

    runs: float = 0.0
    size: float = 0.0
    tokens: float = 0.0
    size_size: float = 0.0
    size_tokens: float = 0.0

    def add_run(self, size: float, tokens: float) -> None:
        """Adds a run with ``size`` bytes and ``tokens`` tokens."""
        weight = 1.0 / (RELATIVE_NOISE * tokens) ** 2
        self.runs = FORGETTING_FACTOR * self.runs + weight
        self.size = FORGETTING_FACTOR * self.size + weight * size
        self.tokens = FORGETTING_FACTOR * self.tokens + weight * tokens
        self.size_size = FORGETTING_FACTOR * self.size_size + weight * size * size
        self.size_tokens = FORGETTING_FACTOR * self.size_tokens + weight * size * tokens

    def fit(self, prior: Prior) -> tuple[float, float]:
        """Returns the posterior means: tokens of the template, and tokens per byte.

        Args:
            prior: prior of the template's tokens.
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
    """The regressions, by model name and path."""

    def __init__(self) -> None:
        self._regressions: dict[tuple[str, str], TokenRegression] = {}

    def estimate_input_tokens(self, parsed: ParsedRequest) -> int:
        """Returns the expected prompt tokens, from 1 to ``input_tokens_max``."""
        regression = self._regressions.get((parsed.model, parsed.path)) or TokenRegression()
        template, per_byte = regression.fit(_template_prior(parsed.path))
        return max(1, min(parsed.input_tokens_max, round(template + per_byte * parsed.text_bytes)))

    def estimate_longest_input(self, parsed: ParsedRequest) -> int:
        """Returns a low estimate of the longest input's tokens; 0 for a request for text."""
        if not parsed.inputs:
            return 0
        regression = self._regressions.get((parsed.model, parsed.path)) or TokenRegression()
        template, per_byte = regression.fit(_template_prior(parsed.path))
        low = LOW_ESTIMATE * (template / parsed.inputs + per_byte * parsed.longest_bytes)
        return max(1, min(parsed.input_tokens_max, int(low)))

    def add_count(self, parsed: ParsedRequest, model: str, input_tokens: int) -> None:
        """Adds an engine's count, for the model that ran and for the requested name.

        Requests with images are skipped, because image tokens do not depend on text bytes.
        """
        if input_tokens <= 0 or parsed.text_bytes <= 0 or "images" in parsed.features:
            return
        for name in {parsed.model: None, model: None}:
            key = (name, parsed.path)
            regression = self._regressions.get(key)
            if regression is None:
                if len(self._regressions) >= MODELS_MAX:
                    continue
                regression = self._regressions[key] = TokenRegression()
            regression.add_run(float(parsed.text_bytes), float(input_tokens))


def _template_prior(path: str) -> Prior:
    """Returns the prior of the template's tokens for a path."""
    if path == EMBEDDINGS:
        return EMBEDDING_TEMPLATE_TOKENS
    return CHAT_TEMPLATE_TOKENS if path == CHAT else COMPLETION_TEMPLATE_TOKENS
