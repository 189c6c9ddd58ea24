"""Lending: the energy that each co-op's nodes use for others in a day, against what it lends.

Decides how much of it is left. It refuses to know when a day begins, and which node a job takes.
"""

from entraide.units import UWH_PER_WH
from entraide_scheduler.core.policy import CoopTerms


class Lent:
    """What each co-op's nodes have used for others since the day began, against what it lends.

    Attributes:
        lent_uwh: by co-op, uWh.
    """

    def __init__(self) -> None:
        self.lent_uwh: dict[str, int] = {}
        self._most_uwh: dict[str, int] = {}

    def agree(self, coops: tuple[CoopTerms, ...]) -> None:
        """Takes the members' terms; what was lent today still counts."""
        self._most_uwh = {
            terms.coop: terms.lend.energy_wh_per_day * UWH_PER_WH
            for terms in coops
            if terms.lend.energy_wh_per_day is not None
        }
        self.lent_uwh = {
            coop: lent for coop, lent in self.lent_uwh.items() if coop in self._most_uwh
        }

    def left(self, coop: str) -> int | None:
        """Returns what a co-op still lends today, uWh, never negative; None without a limit."""
        most = self._most_uwh.get(coop)
        return None if most is None else max(0, most - self.lent_uwh.get(coop, 0))

    def add(self, coop: str, energy_uwh: int) -> None:
        """Counts what others used on a co-op's nodes; a negative amount takes a promise back.

        A promise of the day before may be taken back today: the count never falls below zero.
        """
        if coop in self._most_uwh:
            self.lent_uwh[coop] = max(0, self.lent_uwh.get(coop, 0) + energy_uwh)

    def clear(self) -> None:
        """A day begins."""
        self.lent_uwh = {}
