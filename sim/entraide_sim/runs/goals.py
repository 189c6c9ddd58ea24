"""Goals: conditions on a run's summary, typed as ``ttft_s.p95<=2``.

Parses a goal and computes how far a summary is from it. A value that a summary lacks (``null``:
nothing completed) misses every goal.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from entraide.errors import RequestError

_GOAL_PATTERN = re.compile(r"^\s*([a-z0-9_.]+)\s*(<=|>=|<|>)\s*(-?[0-9.]+(?:e-?[0-9]+)?)\s*$")

KEYS: tuple[str, ...] = (
    "jobs", "completed", "rejected", "failed",
    *(f"{name}.{part}" for name in ("ttft_s", "tpot_s", "e2e_s") for part in ("p50", "p95", "p99")),
    "slo_attainment", "deadline_misses", "energy_wh", "carbon_g", "carbon_g_per_1k_output_tokens",
    "cost_cad.energy", "cost_cad.hardware", "cost_cad.per_1m_output_tokens",
    "fairness.jain", "fairness.max_gap", "fairness.violations", "utilisation",
)  # fmt: skip

# Keys that a run of the busiest hours can test.
PEAK_KEYS = ("ttft_s", "tpot_s", "e2e_s", "slo_attainment", "rejected", "failed")


class Goal(Struct, frozen=True):
    """One condition.

    Attributes:
        key: path in a summary (``ttft_s.p95``).
        sign: ``<=``, ``<``, ``>=`` or ``>``.
        bound: in the key's own unit.
    """

    key: str
    sign: str
    bound: float

    def __str__(self) -> str:
        return f"{self.key}{self.sign}{self.bound:g}"

    def is_met(self, summary: Mapping[str, Any]) -> bool:
        """Returns whether a summary meets the goal."""
        value = summary_value(summary, self.key)
        if value is None:
            return False
        match self.sign:
            case "<=":
                return value <= self.bound
            case "<":
                return value < self.bound
            case ">=":
                return value >= self.bound
            case _:
                return value > self.bound

    def missed_by(self, summary: Mapping[str, Any]) -> float:
        """Returns by how much a summary misses the goal, relative to the bound; 0 if met."""
        if self.is_met(summary):
            return 0.0
        value = summary_value(summary, self.key)
        if value is None:
            return float("inf")
        return abs(value - self.bound) / max(abs(self.bound), 1e-9) + 1e-9


def summary_value(summary: Mapping[str, Any], key: str) -> float | None:
    """Returns the number at a path of a summary; None if there is none."""
    value: Any = summary
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def parse_goal(text: str) -> Goal:
    """Parses a goal.

    Raises:
        RequestError: ``plan_refused``.
    """
    typed = _GOAL_PATTERN.match(text)
    if typed is None:
        raise RequestError("plan_refused", values={"fault": "no_goal", "value": text})
    key, sign, bound = typed.groups()
    try:
        number = float(bound)
    except ValueError:
        raise RequestError("plan_refused", values={"fault": "no_goal", "value": text}) from None
    if key not in KEYS:
        known = ", ".join(KEYS)
        raise RequestError(
            "plan_refused", values={"fault": "unknown_key", "value": key, "known": known}
        )
    return Goal(key, sign, number)
