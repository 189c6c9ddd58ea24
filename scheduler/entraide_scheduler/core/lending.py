"""Lending: the energy that each co-op's nodes use for others in a day, against what it lends.

What a run is predicted to take is promised when it is placed, and replaced by what it used when it
settles; a promise counts against the day in which it was made, whatever day it settles in. So what
is promised and used of a limit never exceeds it by predictions, and by what was used only as far as
predictions were wrong. It refuses to know when a day begins, and which node a job takes.
"""

from entraide.units import UWH_PER_WH
from entraide_scheduler.core.amount_limits import TOTAL_MAX
from entraide_scheduler.core.policy import CoopTerms


class LentEnergy:
    """What each co-op's nodes use for others on the present day, promised or used.

    Attributes:
        day: serial of the present day, from 1 on; 0 stands for no promise.
        lent_uwh: by co-op, uWh; also of those without a limit, which may get one today.
        most_uwh: by co-op that has a limit, uWh a day.
        left_uwh: by co-op that has a limit, what it still lends today, never negative.
    """

    def __init__(self) -> None:
        self.day = 1
        self.lent_uwh: dict[str, int] = {}
        self.most_uwh: dict[str, int] = {}
        self.left_uwh: dict[str, int] = {}

    def apply_policy(self, coops: tuple[CoopTerms, ...]) -> None:
        """Takes the members' terms; what was lent today still counts."""
        self.most_uwh = {
            terms.coop: terms.lend.energy_wh_per_day * UWH_PER_WH
            for terms in coops
            if terms.lend.energy_wh_per_day is not None
        }
        self._reckon()

    def limits_others(self, borrower: str) -> bool:
        """Tells whether any other co-op than this one limits what it lends."""
        return len(self.most_uwh) > (borrower in self.most_uwh)

    def reserve(self, coop: str, energy_uwh: int) -> int:
        """Counts what a run is predicted to take on a co-op's node; returns the day of it."""
        self._add(coop, energy_uwh)
        return self.day

    def settle(self, coop: str, day: int, *, promised_uwh: int, used_uwh: int) -> bool:
        """Replaces a promise by what was used; a day that is over changes no more.

        Returns:
            Whether the co-op lends more now than before.
        """
        if day not in (0, self.day):
            return False
        more_uwh = used_uwh - (promised_uwh if day else 0)
        self._add(coop, more_uwh)
        return more_uwh < 0 and coop in self.most_uwh

    def begin_day(self) -> None:
        """A day begins."""
        self.day += 1
        self.lent_uwh = {}
        self._reckon()

    def load(self, lent_uwh: dict[str, int], day: int) -> None:
        """Takes what a snapshot holds; the terms come with the policy."""
        self.lent_uwh, self.day = lent_uwh, day
        self._reckon()

    def _reckon(self) -> None:
        self.left_uwh = {}
        for coop in self.most_uwh:
            self._add(coop, 0)

    def _add(self, coop: str, energy_uwh: int) -> None:
        lent_uwh = min(TOTAL_MAX, self.lent_uwh.get(coop, 0) + energy_uwh)
        if lent_uwh:
            self.lent_uwh[coop] = lent_uwh
        else:
            self.lent_uwh.pop(coop, None)
        if coop in self.most_uwh:
            self.left_uwh[coop] = max(0, self.most_uwh[coop] - lent_uwh)
