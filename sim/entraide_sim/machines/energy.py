"""Energy: power that a batch adds to a machine, and energy per token.

Only the power above idle counts: the machine is on anyway for its owner. During prefill a machine
draws its full active power; the decode part of a step draws ``(active - idle) * curve(b / slots)``,
shared equally by the ``b`` sequences. Under a power cap (``thermal``) it draws no more than the
cap.
"""

from msgspec import Struct

from entraide.types import Rates

J_PER_KWH = 3_600_000.0


class PowerCurve(Struct, frozen=True):
    """Power that decoding adds, by batch fill.

    Attributes:
        points: (batch fill, part of active minus idle power), ascending, from 0 to 1; linear
            between them.
        linear: every token uses the energy of a token in a full batch, for checks against a
            linear optimum; ``points`` are ignored.
    """

    points: tuple[tuple[float, float], ...] = ()
    linear: bool = False

    def power_part(self, part: float) -> float:
        """Returns the part of the added power at a batch fill from 0 to 1."""
        before = self.points[0]
        for point in self.points:
            if part <= point[0]:
                if point[0] == before[0]:
                    return point[1]
                along = (part - before[0]) / (point[0] - before[0])
                return before[1] + along * (point[1] - before[1])
            before = point
        return before[1]


# A desktop or laptop: busy or idle, as the node agent estimates without a meter.
FLAT = PowerCurve(((0.0, 1.0), (1.0, 1.0)))
# Llama-3.1-8B bf16 on one H100, 486 W at 8 sequences, 560 W at 32, 691 W at 256 (ML.ENERGY
# leaderboard, vLLM), above 120 W idle, as parts of the added power of a full batch.
SERVER = PowerCurve(((0.0, 0.59), (0.031, 0.64), (0.125, 0.77), (1.0, 1.0)))
LINEAR = PowerCurve(linear=True)


def prefill_energy_j(rates: Rates, extra_w: float, *, part: float = 1.0) -> float:
    """Returns the energy per prompt token, joules, at ``part`` of the added power."""
    return extra_w * part / rates.prefill_tokens_per_s


def decode_energy_j(
    rates: Rates, extra_w: float, *, slots: int, curve: PowerCurve, part: float = 1.0
) -> tuple[float, ...]:
    """Returns the energy per output token by batch size, from 0 to ``slots``, joules.

    ``E(b) = extra_w * min(part, curve(b / slots)) * (t0 + t1 * b) / b``; index 0 is never used.
    """
    base_s, more_s = rates.tpot_base_s, rates.tpot_per_sequence_s
    sizes = range(1, slots + 1)
    if curve.linear:
        full_j = extra_w * part * (base_s + more_s * slots) / slots
        return (0.0, *(full_j for _ in sizes))
    return (
        0.0,
        *(
            extra_w * min(part, curve.power_part(b / slots)) * (base_s + more_s * b) / b
            for b in sizes
        ),
    )
