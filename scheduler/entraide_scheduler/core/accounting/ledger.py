"""Ledger: double-entry accounts of what the co-ops gave and received; the sum is always zero.

Computes the lines of one settled job or of one correction, and keeps the balances. A correction is
a new entry, never a change of an old one, and is posted once.
"""

from entraide.types import Settlement, Terms, Usage
from entraide_scheduler.core.accounting.amount_limits import TOTAL_MAX
from entraide_scheduler.core.commands import Entry
from entraide_scheduler.core.events import LedgerCorrected

UNITS = ("tokens", "energy_uwh", "carbon_ug")
CORRECTIONS_KEPT = 10_000  # identifiers kept here; the shell's store has all of them


def entries(terms: Terms, usage: Usage, settlement: Settlement) -> tuple[Entry, ...]:
    """Returns the lines of one job: the lender gave (+) what the borrower received (-).

    A co-op that used its own machine is both lender and borrower, so its statement shows the job.
    """
    amounts = (
        usage.input_tokens + usage.output_tokens,
        settlement.energy_uwh,
        settlement.carbon_direct_ug,
    )
    return _lines(terms.lender, terms.borrower, amounts)


def correction(event: LedgerCorrected) -> tuple[Entry, ...]:
    """Returns the lines of one correction: more given by the lender, or (negative) taken back."""
    amounts = (event.tokens, event.energy_uwh, event.carbon_ug)
    return _lines(event.lender, event.borrower, amounts)


def _lines(lender: str, borrower: str, amounts: tuple[int, ...]) -> tuple[Entry, ...]:
    lines = []
    for unit, amount in zip(UNITS, amounts, strict=True):
        lines.append(Entry(lender, unit, amount))
        lines.append(Entry(borrower, unit, -amount))
    return tuple(lines)


class Ledger:
    """Balances by account and unit; positive if the account gave more than it received.

    Attributes:
        balances: the amounts.
        corrections: identifiers of the posted corrections, oldest first.
    """

    def __init__(self) -> None:
        self.balances: dict[str, dict[str, int]] = {}
        self.corrections: dict[str, None] = {}

    def clamp_to_limits(self, lines: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """Returns lines of a lender and a borrower that leave every balance within its limit.

        An amount that would take a balance beyond ``TOTAL_MAX`` is reduced on both sides alike.
        """
        clamped = []
        for given, received in zip(lines[::2], lines[1::2], strict=True):
            amount = given.amount
            if given.account != received.account:
                lender, borrower = self._balance(given), self._balance(received)
                amount = min(amount, TOTAL_MAX - lender, borrower + TOTAL_MAX)
                amount = max(amount, -TOTAL_MAX - lender, borrower - TOTAL_MAX)
            clamped.append(Entry(given.account, given.unit, amount))
            clamped.append(Entry(received.account, received.unit, -amount))
        return tuple(clamped)

    def _balance(self, line: Entry) -> int:
        return self.balances.get(line.account, {}).get(line.unit, 0)

    def post(self, lines: tuple[Entry, ...]) -> None:
        """Adds lines to the balances; they must sum to zero in each unit."""
        totals = dict.fromkeys(UNITS, 0)
        for line in lines:
            totals[line.unit] += line.amount
        assert not any(totals.values()), f"the lines do not balance: {totals}"
        for line in lines:
            account = self.balances.get(line.account)
            if account is None:
                account = self.balances[line.account] = dict.fromkeys(UNITS, 0)
            account[line.unit] += line.amount

    def correct(self, event: LedgerCorrected) -> tuple[Entry, ...] | None:
        """Posts a correction and returns its lines; None if it was posted before."""
        if event.correction in self.corrections:
            return None
        lines = self.clamp_to_limits(correction(event))
        self.post(lines)
        self.corrections[event.correction] = None
        if len(self.corrections) > CORRECTIONS_KEPT:
            del self.corrections[next(iter(self.corrections))]
        return lines
