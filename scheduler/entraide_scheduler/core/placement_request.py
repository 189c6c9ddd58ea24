"""Want: a job as placement looks at it, at one moment.

Decides how a job's facts, its class's promise and what is expected of its answer become the
numbers that replicas are compared by. It refuses to know nodes.
"""

from collections.abc import Mapping
from math import inf

from msgspec import Struct

from entraide_scheduler.core.policy import ClassTerms
from entraide_scheduler.core.records import Shape

NO_TOKENS: Mapping[str, int] = {}


class PlacementRequest(Struct, frozen=True, gc=False):
    """What one job wants.

    Attributes:
        at: the moment, seconds since the epoch.
        shape: what decides which nodes may run it.
        objective: its class's promise.
        input_tokens: expected prompt tokens.
        output_tokens: expected length of one answer.
        output_upper: length that it is expected not to exceed, with the asked confidence; where no
            end is promised, the expected length.
        produced_tokens: expected tokens of all answers.
        scale: factor on the excess of nine in ten for the asked confidence.
        ttft_left_s: what is left of the promised time to the first token; infinite without one.
        tpot_s: promised time per token; infinite without one.
        completion_left_s: what is left until it must have ended; infinite without a limit.
        limited: whether anything below limits it.
        carbon_cap_ug, carbon_left_ug, energy_left_uwh: its own cap, and what its quotas leave.
        lent_left_uwh: what the co-ops that limit it still lend others today.
        max_g_per_kwh: by zone, the highest intensity at which it may start now; None for any.
        cached: by node, prompt tokens that its cache is expected to hold.
        avoid: nodes that declined or lost it; others go first.
        barred: nodes whose engines are not another one, for a job that must run alone.
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
