"""Credit: what a co-op's gifts to the pool add to its weight, for a while.

Decides how a gift ages: half of it counts after one half-life, a quarter after two. Time passes in
steps of a 256th of a half-life, by a table of 2^(-k/256) made of square roots and products alone,
which are the same on every processor. It refuses to know what a weight is used for.
"""

from math import sqrt

from msgspec import Struct

from entraide.units import UWH_PER_WH
from entraide_scheduler.core.policy import Credit

STEPS = 256
HALVINGS_MOST = 64  # after so many nothing is left


def _table() -> tuple[float, ...]:
    """Returns 2^(-k/256) for k in 0..255: a product of the roots for the bits of k."""
    roots, root = [], 0.5
    for _ in range(8):
        root = sqrt(root)
        roots.append(root)
    found = []
    for step in range(STEPS):
        value = 1.0
        for place, factor in enumerate(roots):
            if step & (128 >> place):
                value *= factor
        found.append(value)
    return tuple(found)


TABLE = _table()


def decayed(amount: float, steps: int) -> float:
    """Returns what is left of an amount after so many steps of a half-life's 256."""
    halvings = steps // STEPS
    if halvings > HALVINGS_MOST:
        return 0.0
    left = amount * TABLE[steps % STEPS]
    for _ in range(halvings):
        left *= 0.5
    return left


class Gift(Struct, frozen=True, array_like=True):
    """What a co-op gave, as it counted at a moment: seconds since the epoch, virtual tokens."""

    at: float
    virtual_tokens: float


class Credits:
    """What each co-op gave the others, older gifts counting less.

    Attributes:
        gifts: by co-op.
    """

    def __init__(self) -> None:
        self.gifts: dict[str, Gift] = {}

    def add_gift(self, coop: str, virtual_tokens: float, at: float, terms: Credit) -> None:
        """Counts the virtual tokens that other co-ops were billed for on a co-op's nodes."""
        gift = _aged(self.gifts.get(coop, Gift(at, 0.0)), at, terms)
        self.gifts[coop] = Gift(gift.at, gift.virtual_tokens + virtual_tokens)

    def factor(self, coop: str, at: float, terms: Credit) -> float:
        """Returns what a co-op's gifts add to its weight, in 0 to ``terms.most``."""
        gift = self.gifts.get(coop)
        if gift is None:
            return 0.0
        left = _aged(gift, at, terms).virtual_tokens
        return terms.most * min(1.0, left / terms.full_tokens)


def from_energy(gifts: dict[str, Gift], terms: Credit) -> dict[str, Gift]:
    """Returns the gifts of an older snapshot, which counted microwatt-hours, in virtual tokens.

    What earned a part of the largest credit then earns the same part of it now.
    """
    tokens_per_uwh = terms.full_tokens / (terms.full_wh * UWH_PER_WH)
    return {
        coop: Gift(gift.at, gift.virtual_tokens * tokens_per_uwh) for coop, gift in gifts.items()
    }


def _aged(gift: Gift, at: float, terms: Credit) -> Gift:
    step_s = terms.half_life_s / STEPS
    steps = max(0, int((at - gift.at) / step_s))
    return Gift(gift.at + steps * step_s, decayed(gift.virtual_tokens, steps))
