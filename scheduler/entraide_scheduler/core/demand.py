"""Demand: how much each model was asked for lately, and since when its promise is missed.

Decides how old demand fades (half of it in ``half_life_s``, by the table of ``credit``) and what
counts as missing the promise for a while. It refuses to know nodes, and what follows from demand.
"""

from msgspec import Struct

from entraide_scheduler.core.credit import STEPS, decayed
from entraide_scheduler.core.records import Shape

MODELS_KEPT = 512  # beyond, the one asked for longest ago is forgotten
MISS_EXPIRY_S = 20.0  # after so long without a miss the promise counts as kept again
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
        by_model: demand, the one asked for longest ago first.
        considered: shapes that no node serves and that the plan has looked at; another one that
            comes is looked at once.
        plan_due: whether the plan must be looked at again before the event at hand is over.
    """

    def __init__(self) -> None:
        self.by_model: dict[str, ModelDemand] = {}
        self.considered: dict[Shape, None] = {}
        self.plan_due = False

    def record_request(self, model: str, tokens: float, at: float, half_life_s: float) -> None:
        """Counts a job that was admitted."""
        demand = self.by_model.pop(model, None) or ModelDemand(at=at)
        self.by_model[model] = demand
        _decay(demand, at, half_life_s)
        demand.tokens += tokens
        demand.asked_at = at
        if len(self.by_model) > MODELS_KEPT:
            del self.by_model[next(iter(self.by_model))]

    def record_missed(self, shape: Shape, at: float) -> None:
        """Notes that a job is expected to miss its promise for want of replicas of its model."""
        demand = self.by_model.get(shape.model)
        if demand is None:
            return
        if at - demand.missed_at > MISS_EXPIRY_S:
            demand.missing_since = at
        demand.missed_at, demand.shape = at, shape

    def clear_missed(self, model: str) -> None:
        """Notes that help is on its way for a model whose promise was missed."""
        demand = self.by_model.get(model)
        if demand is not None:
            demand.missing_since = demand.missed_at = 0.0

    def missed_for_s(self, model: str, at: float) -> float:
        """Returns for how long a model's promise has been missed, up to now; 0 when it is kept."""
        demand = self.by_model.get(model)
        if demand is None or not demand.missed_at or at - demand.missed_at > MISS_EXPIRY_S:
            return 0.0
        return at - demand.missing_since

    def last_request_at(self, model: str) -> float:
        """Returns when a job for a model last came; 0 when that was forgotten."""
        demand = self.by_model.get(model)
        return 0.0 if demand is None else demand.asked_at

    def tokens_per_s(self, model: str, at: float, half_life_s: float) -> float:
        """Returns the recent demand for a model, output tokens per second.

        A steady rate r comes to r * half life / ln 2 tokens.
        """
        demand = self.by_model.get(model)
        if demand is None:
            return 0.0
        return decayed(demand.tokens, _decay_steps(demand, at, half_life_s)) * LN2 / half_life_s

    def dump(self) -> DemandState:
        """Returns what is known, to be written down."""
        return DemandState(list(self.by_model.items()), list(self.considered))

    def load(self, saved: DemandState) -> None:
        """Takes over what was written down."""
        self.by_model = dict(saved.models)
        self.considered = dict.fromkeys(saved.considered)


def _decay_steps(demand: ModelDemand, at: float, half_life_s: float) -> int:
    return max(0, int((at - demand.at) / (half_life_s / STEPS)))


def _decay(demand: ModelDemand, at: float, half_life_s: float) -> None:
    steps = _decay_steps(demand, at, half_life_s)
    demand.tokens = decayed(demand.tokens, steps)
    demand.at += steps * (half_life_s / STEPS)
