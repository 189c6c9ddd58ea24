"""Heat: how fast a machine is that may not draw its full power, or has become too warm to.

Decides what a limit on power leaves of speed, and when a machine that is poorly cooled reaches its
own limit. A machine warms up to what it draws with one time constant (a first-order lag): its heat
is told as the power that would keep it as warm for ever. At ``sustained_w`` it slows down until its
draw is no more than that, and is quick again once it has cooled by a twentieth. It refuses to know
batches (``engine``) and owners (``presence``).

What a limit costs was measured on RTX 3090s between 100 and 350 W under llama.cpp (llmgarage.ai,
"power limit tokens per second", prompts of 198,000 tokens and answers behind 4,000; single cards
elsewhere agree: under 1 % of decoding lost at 80 %, a collapse below 57 %): prompts are bound by
computing and lose much, answers by memory and lose little. Taken for all machines.
"""

from math import exp, inf, log

from msgspec import Struct

# (part of the power that running adds at full load, part of the speed that is left)
PREFILL_SPEED = ((0.0, 0.0), (0.286, 0.141), (0.429, 0.258), (0.571, 0.601), (0.714, 0.853),
           (0.857, 0.943), (1.0, 1.0))  # fmt: skip
DECODE_SPEED = ((0.0, 0.0), (0.286, 0.167), (0.429, 0.862), (0.571, 0.941), (0.714, 0.974),
           (0.857, 0.993), (1.0, 1.0))  # fmt: skip
SOURCE = "llmgarage.ai, power limit and tokens per second, six RTX 3090 under llama.cpp"
RECOVERY_PART = 0.95  # of its limit: where a machine that slowed down is quick again
POWER_PART_MIN = 0.05  # a limit below counts as this: a machine that works draws something


class ThermalModel(Struct, frozen=True):
    """How a machine gets rid of its heat.

    Attributes:
        time_s: time constant.
        sustained_w: what it can add to its power for ever.
    """

    time_s: float
    sustained_w: float

    def heat_after(self, heat_w: float, draw_w: float, passed_s: float) -> float:
        """Returns its heat after a while at one draw."""
        return draw_w + (heat_w - draw_w) * exp(-passed_s / self.time_s)

    def time_left_s(self, heat_w: float, draw_w: float) -> float:
        """Returns how long it can go on at this draw; infinite where it always can."""
        if draw_w <= self.sustained_w:
            return inf
        if heat_w >= self.sustained_w:
            return 0.0
        return self.time_s * log((draw_w - heat_w) / (draw_w - self.sustained_w))


def fit_thermal_model(extra_w: float, *, after_s: float, factor: float) -> ThermalModel:
    """Returns the cooling of a machine by what was seen of it.

    Args:
        extra_w: what running adds to its power at full load.
        after_s: how long it does so, beginning cold, until it slows down.
        factor: part of its speed with prompts that is left then, for ever.
    """
    part = _interpolate_inverse(PREFILL_SPEED, factor)
    return ThermalModel(-after_s / log(1.0 - part), extra_w * part)


def allowed_power_part(cap_w: float, *, idle_w: float, extra_w: float) -> float:
    """Returns the part of its added power that a limit on the whole machine leaves, up to 1."""
    if extra_w <= 0.0:
        return 1.0
    return max(POWER_PART_MIN, min(1.0, (cap_w - idle_w) / extra_w))


def speed_parts(part: float) -> tuple[float, float]:
    """Returns the parts of its speed with prompts and with answers that a limit leaves."""
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
