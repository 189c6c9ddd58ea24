"""Demand: how much each model was asked for lately, and since when its promise is missed.

Decides how old demand fades (half of it in ``half_life_s``, by the table of ``credit``) and what
counts as missing the promise for a while. It refuses to know nodes, and what follows from demand.
"""

from msgspec import Struct

from entraide_scheduler.core.credit import STEPS, decayed
from entraide_scheduler.core.records import Shape

MODELS_KEPT = 512  # beyond, the one asked for longest ago is forgotten
LULL_S = 20.0  # after so long without a miss the promise counts as kept again
LN2 = 0.6931471805599453


class ModelDemand(Struct):
    """What was asked of one model.

    Attributes:
        tokens: expected output tokens of the jobs admitted, faded to ``at``.
        at: a moment on the grid of fading, seconds since the epoch.
        asked_at: when a job for it last came.
        missing_since, missed_at: from when and until when its promise was expected to be missed;
            0 while it is not.
        shape: of a job that was expected to miss it.
    """

    tokens: float = 0.0
    at: float = 0.0
    asked_at: float = 0.0
    missing_since: float = 0.0
    missed_at: float = 0.0
    shape: Shape | None = None


class DemandState(Struct, frozen=True, array_like=True):
    """Demand as it is written down, what was asked for longest ago first."""

    models: list[tuple[str, ModelDemand]]
    considered: list[Shape]


class Demand:
    """The demand for every model, while any node could load one.

    Attributes:
        of: by model, the one asked for longest ago first.
        considered: shapes that no node serves and that the plan has looked at; another one that
            comes is looked at once.
        due: whether the plan must be looked at again before the event at hand is over.
    """

    def __init__(self) -> None:
        self.of: dict[str, ModelDemand] = {}
        self.considered: dict[Shape, None] = {}
        self.due = False

    def record_request(self, model: str, tokens: float, at: float, half_life_s: float) -> None:
        """Counts a job that was admitted."""
        wanted = self.of.pop(model, None) or ModelDemand(at=at)
        self.of[model] = wanted
        _fade(wanted, at, half_life_s)
        wanted.tokens += tokens
        wanted.asked_at = at
        if len(self.of) > MODELS_KEPT:
            del self.of[next(iter(self.of))]

    def record_missed(self, shape: Shape, at: float) -> None:
        """Notes that a job is expected to miss its promise for want of replicas of its model."""
        wanted = self.of.get(shape.model)
        if wanted is None:
            return
        if at - wanted.missed_at > LULL_S:
            wanted.missing_since = at
        wanted.missed_at, wanted.shape = at, shape

    def record_help(self, model: str) -> None:
        """Notes that help is on its way for a model whose promise was missed."""
        wanted = self.of.get(model)
        if wanted is not None:
            wanted.missing_since = wanted.missed_at = 0.0

    def missing_s(self, model: str, at: float) -> float:
        """Returns for how long a model's promise has been missed, up to now; 0 when it is kept."""
        wanted = self.of.get(model)
        if wanted is None or not wanted.missed_at or at - wanted.missed_at > LULL_S:
            return 0.0
        return at - wanted.missing_since

    def asked_at(self, model: str) -> float:
        """Returns when a job for a model last came; 0 when that was forgotten."""
        wanted = self.of.get(model)
        return 0.0 if wanted is None else wanted.asked_at

    def tokens_per_s(self, model: str, at: float, half_life_s: float) -> float:
        """Returns the recent demand for a model, output tokens per second.

        A steady rate r comes to r * half life / ln 2 tokens.
        """
        wanted = self.of.get(model)
        if wanted is None:
            return 0.0
        return decayed(wanted.tokens, _steps(wanted, at, half_life_s)) * LN2 / half_life_s

    def dump(self) -> DemandState:
        """Returns what is known, to be written down."""
        return DemandState(list(self.of.items()), list(self.considered))

    def load(self, kept: DemandState) -> None:
        """Takes over what was written down."""
        self.of = dict(kept.models)
        self.considered = dict.fromkeys(kept.considered)


def _steps(wanted: ModelDemand, at: float, half_life_s: float) -> int:
    return max(0, int((at - wanted.at) / (half_life_s / STEPS)))


def _fade(wanted: ModelDemand, at: float, half_life_s: float) -> None:
    steps = _steps(wanted, at, half_life_s)
    wanted.tokens = decayed(wanted.tokens, steps)
    wanted.at += steps * (half_life_s / STEPS)
