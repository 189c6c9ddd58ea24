"""Placement request: the requirements and limits of one job, as numbers at one time.

``evaluation.make_request`` computes it from the job's facts, its class's objectives and the
predicted length of its answer; ``placement`` and ``vectorized`` compare replicas by it.
"""

from collections.abc import Mapping
from math import inf

from msgspec import Struct

from entraide_scheduler.core.policy import ClassTerms
from entraide_scheduler.core.records import Shape

NO_TOKENS: Mapping[str, int] = {}


class PlacementRequest(Struct, frozen=True, gc=False):
    """Requirements and limits of one job.

    Attributes:
        at: now, seconds since the epoch.
        shape: properties that decide which nodes are eligible.
        objective: terms of its class.
        input_tokens: expected prompt tokens.
        output_tokens: expected length of one answer.
        output_upper: upper bound of that length at the class's confidence; without a completion
            objective, the expected length.
        produced_tokens: expected tokens of all answers.
        scale: factor from the p90's margin to the margin at the class's confidence.
        ttft_left_s: rest of the promised time to the first token; infinite without one, negative
            infinite for an answer that has begun.
        tpot_s: promised time per token; infinite without one.
        completion_left_s: time until it must have ended; infinite without a limit.
        limited: whether one of the next four limits applies.
        carbon_cap_ug, carbon_left_ug, energy_left_uwh: its own cap, and the rest of its quotas.
        lent_left_uwh, lent_limit_uwh: by co-op with a lending limit, the energy it still lends
            others today, and in all.
        max_g_per_kwh: by zone, the highest intensity at which it may start now; None for no limit.
        cached: by node, prompt tokens expected in the node's cache.
        begins: whether it is the first job of a conversation, whose later jobs its node's cache may
            draw to the node.
        avoid: nodes that declined or lost the job; picked only if no other node fits.
        barred: nodes excluded for a job that must run alone: an engine of theirs, or of their
            co-op, exited during the job.
        latest_start_hour: absolute hour before which it must start, if it may wait for greener
            hours; else 0.
    """

    at: float
    shape: Shape
    objective: ClassTerms
    input_tokens: int
    output_tokens: float
    output_upper: float
    produced_tokens: float
    scale: float
    ttft_left_s: float
    tpot_s: float
    completion_left_s: float
    limited: bool = False
    carbon_cap_ug: float = inf
    carbon_left_ug: float = inf
    energy_left_uwh: float = inf
    lent_left_uwh: Mapping[str, int] = NO_TOKENS
    max_g_per_kwh: Mapping[str, float] | None = None
    cached: Mapping[str, int] = NO_TOKENS
    avoid: tuple[str, ...] = ()
    barred: frozenset[str] = frozenset()
    lent_limit_uwh: Mapping[str, int] = NO_TOKENS
    latest_start_hour: int = 0
    begins: bool = False
