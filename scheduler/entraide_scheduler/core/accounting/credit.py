"""Credit: raises a co-op's fair-share weight for the work that its nodes did for others.

A gift decays exponentially: half of it counts after one half-life, a quarter after two. Time passes
in steps of 1/256 half-life. The factors 2^(-k/256) come from a table that is computed by square
roots and products alone, because these give the same bits on every processor (IEEE 754).
"""

from math import sqrt

from msgspec import Struct

from entraide_scheduler.core.policy import Credit

STEPS = 256
HALVINGS_MOST = 64  # after more half-lives a gift counts as 0


def _table() -> tuple[float, ...]:
    """Returns 2^(-k/256) for k in 0..255, each the product of the roots for the bits of k."""
    roots, root = [], 0.5
    for _ in range(8):
        root = sqrt(root)
        roots.append(root)
    factors = []
    for step in range(STEPS):
        value = 1.0
        for bit, factor in enumerate(roots):
            if step & (128 >> bit):
                value *= factor
        factors.append(value)
    return tuple(factors)


TABLE = _table()


def decayed(amount: float, steps: int) -> float:
    """Returns an amount after a number of steps of 1/256 half-life."""
    halvings = steps // STEPS
    if halvings > HALVINGS_MOST:
        return 0.0
    left = amount * TABLE[steps % STEPS]
    for _ in range(halvings):
        left *= 0.5
    return left


class Gift(Struct, frozen=True, array_like=True):
    """A co-op's decayed gifts in virtual tokens, as of a moment in seconds since the epoch."""

    at: float
    virtual_tokens: float


class Credits:
    """The decayed gifts of every co-op.

    Attributes:
        gifts: by co-op.
    """

    def __init__(self) -> None:
        self.gifts: dict[str, Gift] = {}

    def add_gift(self, coop: str, virtual_tokens: float, at: float, terms: Credit) -> None:
        """Adds virtual tokens that other co-ops were charged on a co-op's nodes."""
        gift = _aged(self.gifts.get(coop, Gift(at, 0.0)), at, terms)
        self.gifts[coop] = Gift(gift.at, gift.virtual_tokens + virtual_tokens)

    def factor(self, coop: str, at: float, terms: Credit) -> float:
        """Returns the relative increase of a co-op's weight, from 0 to ``terms.most``."""
        return terms.most * min(1.0, self.left(coop, at, terms) / terms.full_tokens)

    def left(self, coop: str, at: float, terms: Credit) -> float:
        """Returns the virtual tokens of a co-op's gifts that still count."""
        gift = self.gifts.get(coop)
        return 0.0 if gift is None else _aged(gift, at, terms).virtual_tokens


def _aged(gift: Gift, at: float, terms: Credit) -> Gift:
    step_s = terms.half_life_s / STEPS
    steps = max(0, int((at - gift.at) / step_s))
    return Gift(gift.at + steps * step_s, decayed(gift.virtual_tokens, steps))
