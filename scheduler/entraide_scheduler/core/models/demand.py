"""Demand: the recent demand for each model, and since when its latency objective is missed.

Input: admitted jobs and jobs whose latency objective is expected to be missed. Output, for
``model_planner``: tokens per second of each model, and for how long its objective has been missed.
Demand is an exponentially decayed sum with the policy's half-life H: a steady rate of r tokens per
second converges to r * H / ln 2 tokens. The decay factor comes from the table of ``credit``.
"""

from msgspec import Struct
from msgspec.structs import astuple

from entraide_scheduler.core.accounting import STEPS, decayed
from entraide_scheduler.core.records import Shape

MODELS_KEPT = 512  # above it, the model with the oldest last request is dropped
MISS_EXPIRY_S = 20.0  # the objective counts as met again so long after the last miss
LN2 = 0.6931471805599453


class ModelDemand(Struct):
    """Decayed demand for one model.

    Attributes:
        tokens: expected output tokens of the admitted jobs, decayed to ``at``; of a request for
            embeddings the prompt tokens that are charged as much as these.
        at: time of the last decay step, seconds since the epoch.
        asked_at: time of the last request for the model.
        missing_since, missed_at: first and last time at which a job was expected to miss its
            latency objective; 0 if none.
        shape: shape of the last job that was expected to miss it.
    """

    tokens: float = 0.0
    at: float = 0.0
    asked_at: float = 0.0
    missing_since: float = 0.0
    missed_at: float = 0.0
    shape: Shape | None = None


class DemandState(Struct, frozen=True, array_like=True):
    """Demand as a snapshot stores it, the model with the oldest last request first."""

    models: list[tuple[str, ModelDemand]]
    considered: list[Shape]


class Demand:
    """The demand for every model, recorded while some node can load a model.

    Attributes:
        by_model: demand by model, the model with the oldest last request first.
        considered: unserved shapes that the last plan considered; a job of another unserved shape
            makes a new plan due at once.
    """

    def __init__(self) -> None:
        self.by_model: dict[str, ModelDemand] = {}
        self.considered: dict[Shape, None] = {}

    def record_request(self, model: str, tokens: float, at: float, half_life_s: float) -> None:
        """Adds an admitted job's expected output tokens."""
        demand = self.by_model.pop(model, None) or ModelDemand(at=at)
        self.by_model[model] = demand
        _decay(demand, at, half_life_s)
        demand.tokens += tokens
        demand.asked_at = at
        if len(self.by_model) > MODELS_KEPT:
            del self.by_model[next(iter(self.by_model))]

    def record_missed(self, shape: Shape, at: float) -> None:
        """Records that a job is expected to miss its latency objective for lack of replicas."""
        demand = self.by_model.get(shape.model)
        if demand is None:
            return
        if at - demand.missed_at > MISS_EXPIRY_S:
            demand.missing_since = at
        demand.missed_at, demand.shape = at, shape

    def clear_missed(self, model: str) -> None:
        """Counts a model's objective as met, since a load of the model has begun."""
        demand = self.by_model.get(model)
        if demand is not None:
            demand.missing_since = demand.missed_at = 0.0

    def missed_for_s(self, model: str, at: float) -> float:
        """Returns for how long a model's objective has been missed, seconds; 0 if it is met."""
        demand = self.by_model.get(model)
        if demand is None or not demand.missed_at or at - demand.missed_at > MISS_EXPIRY_S:
            return 0.0
        return at - demand.missing_since

    def last_request_at(self, model: str) -> float:
        """Returns the time of the last request for a model; 0 if it was dropped."""
        demand = self.by_model.get(model)
        return 0.0 if demand is None else demand.asked_at

    def tokens_per_s(self, model: str, at: float, half_life_s: float) -> float:
        """Returns the recent demand for a model, output tokens per second."""
        demand = self.by_model.get(model)
        if demand is None:
            return 0.0
        return decayed(demand.tokens, _decay_steps(demand, at, half_life_s)) * LN2 / half_life_s

    def dump(self) -> DemandState:
        """Returns the state for a snapshot."""
        return DemandState(list(self.by_model.items()), sorted(self.considered, key=astuple))

    def load(self, saved: DemandState) -> None:
        """Replaces the state by that of a snapshot."""
        self.by_model = dict(saved.models)
        self.considered = dict.fromkeys(saved.considered)


def _decay_steps(demand: ModelDemand, at: float, half_life_s: float) -> int:
    return max(0, int((at - demand.at) / (half_life_s / STEPS)))


def _decay(demand: ModelDemand, at: float, half_life_s: float) -> None:
    steps = _decay_steps(demand, at, half_life_s)
    demand.tokens = decayed(demand.tokens, steps)
    demand.at += steps * (half_life_s / STEPS)
