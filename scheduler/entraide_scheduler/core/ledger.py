"""Ledger: what one member gave, another received; the sum is zero at every step.

Decides the lines of one settled job and keeps the balances. A correction is a new entry, never a
change of an old one. It refuses to know when a job settles.
"""

from entraide.types import Settlement, Terms, Usage
from entraide_scheduler.core.commands import Entry

UNITS = ("tokens", "energy_uwh", "carbon_ug")


def entries(terms: Terms, usage: Usage, settlement: Settlement) -> tuple[Entry, ...]:
    """Returns the lines of one job: the lender gave (+) what the borrower received (-).

    A co-op that used its own machine stands on both sides, so that its statement shows it.
    """
    amounts = (
        usage.input_tokens + usage.output_tokens,
        settlement.energy_uwh,
        settlement.carbon_direct_ug,
    )
    lines = []
    for unit, amount in zip(UNITS, amounts, strict=True):
        lines.append(Entry(terms.lender, unit, amount))
        lines.append(Entry(terms.borrower, unit, -amount))
    return tuple(lines)


class Ledger:
    """Balances by account and unit: positive for what the account gave on balance."""

    def __init__(self) -> None:
        self.balances: dict[str, dict[str, int]] = {}

    def post(self, lines: tuple[Entry, ...]) -> None:
        """Adds lines to the balances; they must sum to zero in each unit."""
        for unit in UNITS:
            total = sum(line.amount for line in lines if line.unit == unit)
            assert total == 0, f"{unit} does not balance: {total}"
        for line in lines:
            account = self.balances.setdefault(line.account, dict.fromkeys(UNITS, 0))
            account[line.unit] += line.amount
