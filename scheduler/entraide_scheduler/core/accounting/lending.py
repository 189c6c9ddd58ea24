"""Lending: the energy that each co-op's nodes use for others in a day, against the co-op's limit.

A run's predicted energy is reserved when the run is placed and replaced by the energy used when the
run is settled. A reservation counts against the day in which it was made, not that of settlement.
Reservations never exceed a limit; used energy exceeds it at most by the error of the predictions.
The shell's calendar says when a day begins.
"""

from entraide.units import UWH_PER_WH
from entraide_scheduler.core.accounting.amount_limits import TOTAL_MAX
from entraide_scheduler.core.policy import CoopTerms


class LentEnergy:
    """Energy that each co-op's nodes use for others on the present day, reserved or used.

    Attributes:
        day: serial number of the present day, from 1; a run without a reservation has day 0.
        lent_uwh: lent energy by co-op, uWh; also without a limit, since a policy may set one today.
        limit_uwh: limit by co-op, uWh a day; co-ops without a limit are absent.
        left_uwh: remaining energy of the day by co-op with a limit, uWh, at least 0.
    """

    def __init__(self) -> None:
        self.day = 1
        self.lent_uwh: dict[str, int] = {}
        self.limit_uwh: dict[str, int] = {}
        self.left_uwh: dict[str, int] = {}

    def apply_policy(self, coops: tuple[CoopTerms, ...]) -> None:
        """Sets the co-ops' limits; energy already lent today still counts."""
        self.limit_uwh = {
            terms.coop: terms.lend.energy_wh_per_day * UWH_PER_WH
            for terms in coops
            if terms.lend.energy_wh_per_day is not None
        }
        self._update_left()

    def another_has_limit(self, borrower: str) -> bool:
        """Tells whether any co-op other than the borrower has a limit."""
        return len(self.limit_uwh) > (borrower in self.limit_uwh)

    def reserve(self, coop: str, energy_uwh: int) -> int:
        """Reserves a run's predicted energy on a lender's node; returns the day's serial number."""
        self._add(coop, energy_uwh)
        return self.day

    def settle(self, coop: str, day: int, *, reserved_uwh: int, used_uwh: int) -> bool:
        """Replaces a reservation by the energy used; past days do not change.

        Returns:
            Whether the lender has more energy left than before.
        """
        if day not in (0, self.day):
            return False
        change_uwh = used_uwh - (reserved_uwh if day else 0)
        self._add(coop, change_uwh)
        return change_uwh < 0 and coop in self.limit_uwh

    def begin_day(self) -> None:
        """Begins a day with nothing lent."""
        self.day += 1
        self.lent_uwh = {}
        self._update_left()

    def load(self, lent_uwh: dict[str, int], day: int) -> None:
        """Loads the amounts of a snapshot; the limits come with the policy."""
        self.lent_uwh, self.day = lent_uwh, day
        self._update_left()

    def _update_left(self) -> None:
        self.left_uwh = {}
        for coop in self.limit_uwh:
            self._add(coop, 0)

    def _add(self, coop: str, energy_uwh: int) -> None:
        lent_uwh = min(TOTAL_MAX, self.lent_uwh.get(coop, 0) + energy_uwh)
        if lent_uwh:
            self.lent_uwh[coop] = lent_uwh
        else:
            self.lent_uwh.pop(coop, None)
        if coop in self.limit_uwh:
            self.left_uwh[coop] = max(0, self.limit_uwh[coop] - lent_uwh)
