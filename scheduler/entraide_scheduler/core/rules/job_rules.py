"""Rules on a job's history, its limits, and what is predicted for it.

``JOB_RULES`` has them in the order in which they are checked, after all filters on nodes and
replicas. A limit is evaluated for one replica or for the columns of many, by the same condition.
The other conditions compare nodes or hours, and are those of ``placement`` and ``evaluation``.
"""

from collections.abc import Iterator
from math import inf
from typing import Any

from entraide.types import Basis, Power
from entraide.units import g_from_ug, round_half_up, wh_from_uwh
from entraide_scheduler.core.policy import Period, Quota, QuotaKind
from entraide_scheduler.core.prediction import NO_TOKENS, PlacementRequest
from entraide_scheduler.core.records import ExclusiveReplica
from entraide_scheduler.core.rules.rule import (
    EXAMPLE_MODEL,
    Change,
    Example,
    LimitFilter,
    Predicted,
    Rule,
    SearchFilter,
    Values,
    WaitReason,
)

# A machine whose runs emit too much for the examples' limits.
_LARGER = {"zone": "CA-AB", "power": Power("bench", 10.0, 2_010.0, Basis.DECLARED)}

ALONE_LIMIT = Rule(
    code="alone_limit",
    excluded_if="the limit on jobs with a replica to themselves is reached",
    waiting_helps=True,
    filter=SearchFilter(),
    lifted=None,  # if the engine had not exited, the job would have ended where it first ran
    wait=WaitReason("must_run_alone", 5),
    example=Example(
        job={"alone": True},
        pool={"exclusive_replicas": {"another": ExclusiveReplica("able", EXAMPLE_MODEL, "alpha")}},
    ),
)

GREENER_LATER = Rule(
    code="greener_later",
    excluded_if="the job may wait, and a [greener hour](green-hours.md) comes early enough",
    waiting_helps=True,
    filter=SearchFilter(),
    lifted=lambda _node, _shape: Change(request={"max_g_per_kwh": None}),
    values=lambda node, _: {"zone": node.card.zone},
    example=Example(card={"zone": "CA-AB"}, request={"max_g_per_kwh": {"CA-QC": 9.0}}),
)

SAME_ENGINE = Rule(
    code="same_engine",
    excluded_if="the job must run alone on another engine, and this one counts as the same",
    waiting_helps=False,
    filter=SearchFilter(),
    lifted=None,
    wait=WaitReason("must_run_alone", 6),
    example=Example(job={"alone": True}, request={"barred": frozenset({"other"})}),
)


def _exceeds_lent_energy(_: PlacementRequest, predicted: Predicted) -> Any:
    left_uwh = predicted.lent_left_uwh()
    return (left_uwh <= 0.0) | (predicted.energy_uwh() > left_uwh)


def _lent_energy_shortage(
    request: PlacementRequest, _carbon_ug: float, energy_uwh: float, coop: str
) -> Values:
    return {
        "needed_wh": _wh(energy_uwh),
        "limit_wh": wh_from_uwh(request.lent_limit_uwh[coop]),
        "left_wh": _wh(request.lent_left_uwh[coop]),
    }


def _wh(energy_uwh: float) -> float:
    return wh_from_uwh(round_half_up(max(0.0, energy_uwh)))


def _g(carbon_ug: float) -> float:
    return g_from_ug(round_half_up(max(0.0, carbon_ug)))


def _emissions(carbon_ug: float, _energy_uwh: float) -> float:
    return carbon_ug


LEND_ENERGY_SPENT = Rule(
    code="lend_energy_spent",
    excluded_if="the job would need more energy than its co-op still lends today (policy: "
    "`lend.energy_wh_per_day`)",
    waiting_helps=True,
    filter=LimitFilter(
        applies=lambda request: bool(request.lent_left_uwh),
        is_exceeded=_exceeds_lent_energy,
        shortage=_lent_energy_shortage,
    ),
    lifted=lambda _node, _shape: Change(request={"lent_left_uwh": NO_TOKENS}),
    values=lambda node, _: {"coop": node.card.coop},
    wait=WaitReason("lend_energy", 3),
    example=Example(
        request={
            "limited": True, "lent_left_uwh": {"beta": 1}, "lent_limit_uwh": {"beta": 1_000_000}
        },
    ),
)  # fmt: skip

OVER_CARBON_CAP = Rule(
    code="over_carbon_cap",
    excluded_if="the job's own cap on grams would be exceeded",
    waiting_helps=True,
    filter=LimitFilter(
        applies=lambda request: request.carbon_cap_ug < inf,
        is_exceeded=lambda request, predicted: predicted.carbon_ug > request.carbon_cap_ug,
        shortage=lambda request, carbon_ug, _energy_uwh, _coop: {
            "carbon_g": _g(carbon_ug),
            "max_carbon_ug": round_half_up(request.carbon_cap_ug),
        },
        amount=_emissions,
    ),
    lifted=lambda _node, _shape: Change(request={"carbon_cap_ug": inf}),
    wait=WaitReason("carbon_cap", 0),
    example=Example(card=_LARGER, request={"limited": True, "carbon_cap_ug": 4_000.0}),
)


OVER_CARBON_QUOTA = Rule(
    code="over_carbon_quota",
    excluded_if="the remainder of the co-op's, project's or key's quota would be exceeded",
    waiting_helps=True,
    filter=LimitFilter(
        applies=lambda request: request.carbon_left_ug < inf,
        is_exceeded=lambda request, predicted: predicted.carbon_ug > request.carbon_left_ug,
        shortage=lambda request, carbon_ug, _energy_uwh, _coop: {
            "left_g": _g(request.carbon_left_ug),
            "needed_g": _g(carbon_ug),
        },
        amount=_emissions,
        quota=QuotaKind.CARBON_G,
    ),
    lifted=lambda _node, _shape: Change(request={"carbon_left_ug": inf}),
    wait=WaitReason("quota_carbon", 2),
    example=Example(
        card=_LARGER,
        borrower={"quotas": (Quota(QuotaKind.CARBON_G, 0, Period.DAY),)},
        request={"limited": True, "carbon_left_ug": 4_000.0},
    ),
)

OVER_ENERGY_QUOTA = Rule(
    code="over_energy_quota",
    excluded_if="the remainder of the co-op's, project's or key's quota would be exceeded",
    waiting_helps=True,
    filter=LimitFilter(
        applies=lambda request: request.energy_left_uwh < inf,
        is_exceeded=lambda request, predicted: predicted.energy_uwh() > request.energy_left_uwh,
        shortage=lambda request, _carbon_ug, energy_uwh, _coop: {
            "needed_wh": _wh(energy_uwh),
            "left_wh": _wh(request.energy_left_uwh),
        },
        amount=lambda _carbon_ug, energy_uwh: energy_uwh,
        quota=QuotaKind.ENERGY_WH,
    ),
    lifted=lambda _node, _shape: Change(request={"energy_left_uwh": inf}),
    wait=WaitReason("quota_energy", 1),
    example=Example(
        card=_LARGER,
        borrower={"quotas": (Quota(QuotaKind.ENERGY_WH, 0, Period.DAY),)},
        request={"limited": True, "energy_left_uwh": 1e4},
    ),
)

TRIED_BEFORE = Rule(
    code="tried_before",
    excluded_if="it declined or lost this same job, and another node can take it",
    waiting_helps=False,
    filter=SearchFilter(),
    lifted=lambda _node, _shape: Change(request={"avoid": ()}),
    example=Example(request={"avoid": ("other",)}),
)

LIMIT_RULES = (LEND_ENERGY_SPENT, OVER_CARBON_CAP, OVER_CARBON_QUOTA, OVER_ENERGY_QUOTA)
JOB_RULES = (ALONE_LIMIT, GREENER_LATER, SAME_ENGINE, *LIMIT_RULES, TRIED_BEFORE)

_LIMITS = tuple(
    (rule, rule.filter.applies, rule.filter.is_exceeded)
    for rule in LIMIT_RULES
    if isinstance(rule.filter, LimitFilter)
)


def limits_exceeded(request: PlacementRequest, predicted: Predicted) -> Iterator[tuple[Rule, Any]]:
    """Yields each limit of lender, job and quota that applies, and whether it is exceeded.

    Args:
        request: the limits.
        predicted: of one replica or by row.
    """
    for rule, applies, is_exceeded in _LIMITS:
        if applies(request):
            yield rule, is_exceeded(request, predicted)
