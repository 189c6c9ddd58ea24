"""Ledger: double-entry accounts of what the co-ops gave and received; the sum is always zero.

Computes the lines of one settled job or of one correction, and keeps the balances. A correction is
a new entry, never a change of an old one, and is posted once.
"""

from collections.abc import Mapping
from types import MappingProxyType

from entraide.types import Settlement, Terms, Usage
from entraide_scheduler.core.accounting.amount_limits import TOTAL_MAX
from entraide_scheduler.core.commands import Entry
from entraide_scheduler.core.events import LedgerCorrected

UNITS = ("tokens", "energy_uwh", "carbon_ug")
NOTHING: Mapping[str, int] = MappingProxyType(dict.fromkeys(UNITS, 0))
CORRECTIONS_KEPT = 10_000  # identifiers kept here; the shell's store has all of them


def entries(terms: Terms, usage: Usage, settlement: Settlement) -> tuple[Entry, ...]:
    """Returns the lines of one job: the lender gave (+) what the borrower received (-).

    A co-op that used its own machine is both lender and borrower, so its statement shows the job.
    """
    amounts = (
        terms.count_tokens(usage),
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

    def book(self, lines: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """Adds lines to the balances: of a lender, each followed by the borrower's opposite one.

        An amount that would take a balance beyond ``TOTAL_MAX`` is reduced on both sides alike.

        Returns:
            The lines as they were added.
        """
        booked: list[Entry] = []
        for given, received in zip(lines[::2], lines[1::2], strict=True):
            unit, amount = given.unit, given.amount
            assert (unit, -amount) == (received.unit, received.amount), f"no balance: {lines}"
            if given.account != received.account:
                lender = self.balances.get(given.account, NOTHING)[unit]
                borrower = self.balances.get(received.account, NOTHING)[unit]
                amount = min(amount, TOTAL_MAX - lender, borrower + TOTAL_MAX)
                amount = max(amount, -TOTAL_MAX - lender, borrower - TOTAL_MAX)
            if amount == given.amount:
                booked += given, received
            else:
                booked += Entry(given.account, unit, amount), Entry(received.account, unit, -amount)
        for line in booked:
            account = self.balances.get(line.account)
            if account is None:
                account = self.balances[line.account] = dict(NOTHING)
            account[line.unit] += line.amount
        return tuple(booked)

    def correct(self, event: LedgerCorrected) -> tuple[Entry, ...] | None:
        """Posts a correction and returns its lines; None if it was posted before."""
        if event.correction in self.corrections:
            return None
        lines = self.book(correction(event))
        self.corrections[event.correction] = None
        if len(self.corrections) > CORRECTIONS_KEPT:
            del self.corrections[next(iter(self.corrections))]
        return lines
