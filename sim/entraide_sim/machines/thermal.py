"""Thermal model: speed under a power cap, and throttling of poorly cooled machines.

Heat is a first-order lag of the power drawn, with one time constant, expressed as the constant
power that would keep the machine as warm. At ``sustained_w`` the machine throttles until it draws
no more than that; it recovers once its heat is 5 % below.

Speed against power was measured on RTX 3090 cards between 100 and 350 W under llama.cpp
(llmgarage.ai, "power limit tokens per second": prompts of 198,000 tokens, answers after 4,000;
other single cards agree: less than 1 % of decode speed lost at 80 % of the power, a collapse below
57 %). Prefill is compute-bound and loses much, decode is memory-bound and loses little. The curves
are used for all machines.
"""

from math import exp, inf, log

from msgspec import Struct

# (part of the added power at full load, remaining part of the speed)
PREFILL_SPEED = ((0.0, 0.0), (0.286, 0.141), (0.429, 0.258), (0.571, 0.601), (0.714, 0.853),
           (0.857, 0.943), (1.0, 1.0))  # fmt: skip
DECODE_SPEED = ((0.0, 0.0), (0.286, 0.167), (0.429, 0.862), (0.571, 0.941), (0.714, 0.974),
           (0.857, 0.993), (1.0, 1.0))  # fmt: skip
SOURCE = "llmgarage.ai, power limit and tokens per second, six RTX 3090 under llama.cpp"
RECOVERY_PART = 0.95  # of the thermal limit, at which throttling ends
POWER_PART_MIN = 0.05  # smallest part of the added power that a cap can leave


class ThermalModel(Struct, frozen=True):
    """First-order thermal model of a machine.

    Attributes:
        time_s: time constant.
        sustained_w: added power that it can sustain.
    """

    time_s: float
    sustained_w: float

    def heat_after(self, heat_w: float, draw_w: float, passed_s: float) -> float:
        """Returns its heat after ``passed_s`` at constant power."""
        return draw_w + (heat_w - draw_w) * exp(-passed_s / self.time_s)

    def time_left_s(self, heat_w: float, draw_w: float) -> float:
        """Returns the time until throttling at constant power; infinite if it never throttles."""
        if draw_w <= self.sustained_w:
            return inf
        if heat_w >= self.sustained_w:
            return 0.0
        return self.time_s * log((draw_w - heat_w) / (draw_w - self.sustained_w))


def fit_thermal_model(extra_w: float, *, after_s: float, factor: float) -> ThermalModel:
    """Returns the thermal model that matches an observed throttling.

    Args:
        extra_w: added power at full load.
        after_s: time at full load until throttling, starting cold.
        factor: part of the prefill speed that remains.
    """
    part = _interpolate_inverse(PREFILL_SPEED, factor)
    return ThermalModel(-after_s / log(1.0 - part), extra_w * part)


def allowed_power_part(cap_w: float, *, idle_w: float, extra_w: float) -> float:
    """Returns the part of the added power that a cap on the whole machine allows, at most 1."""
    if extra_w <= 0.0:
        return 1.0
    return max(POWER_PART_MIN, min(1.0, (cap_w - idle_w) / extra_w))


def speed_parts(part: float) -> tuple[float, float]:
    """Returns the parts of the prefill and decode speed that remain at a part of the power."""
    return _interpolate(PREFILL_SPEED, part), _interpolate(DECODE_SPEED, part)


def _interpolate(curve: tuple[tuple[float, float], ...], at: float) -> float:
    before = curve[0]
    for point in curve:
        if at <= point[0]:
            long = point[0] - before[0]
            return before[1] + (point[1] - before[1]) * ((at - before[0]) / long if long else 1.0)
        before = point
    return before[1]


def _interpolate_inverse(curve: tuple[tuple[float, float], ...], value: float) -> float:
    return _interpolate(tuple((speed, part) for part, speed in curve), value)
