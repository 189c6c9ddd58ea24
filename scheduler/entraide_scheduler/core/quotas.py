"""Quotas: hard limits per co-op, reserved at admission and settled at the end.

Decides whether a reservation fits and when it may be tried again. What is reserved and used
together never exceeds a limit. It refuses to know the calendar: the shell says when a period
begins and ends.
"""

from msgspec import Struct

from entraide_scheduler.core.policy import CoopTerms, Period, Quota, QuotaKind
from entraide_scheduler.core.records import Hold

Name = tuple[str, QuotaKind, Period]

CODES = {
    QuotaKind.TOKENS: "quota_tokens",
    QuotaKind.REQUESTS: "quota_requests",
    QuotaKind.JOBS_IN_FLIGHT: "quota_jobs",
}


class Book(Struct):
    """One quota in one period: ``used + reserved`` never exceeds its limit."""

    serial: int
    used: int = 0
    reserved: int = 0


class Shortage(Struct, frozen=True):
    """A reservation that did not fit.

    Attributes:
        quota: which limit.
        left: what was left of it.
        needed: what was asked for.
        ends_at: when its period ends; None when it has none or nobody has said.
    """

    quota: Quota
    left: int
    needed: int
    ends_at: float | None

    @property
    def never(self) -> bool:
        """Whether the request does not fit into the whole quota."""
        return self.needed > self.quota.limit


class Quotas:
    """The books of all quotas in their present period."""

    def __init__(self) -> None:
        self.books: dict[Name, Book] = {}
        self.ends: dict[Period, float] = {}
        self.serial = 0
        self._limits: dict[str, tuple[Quota, ...]] = {}

    def agree(self, coops: tuple[CoopTerms, ...]) -> None:
        """Takes the members' terms; books of quotas that stay go on."""
        self._limits = {terms.coop: _strictest(terms.quotas) for terms in coops}
        wanted: dict[Name, Book] = {}
        for coop, quotas in self._limits.items():
            for quota in quotas:
                name = (coop, quota.kind, quota.period)
                wanted[name] = self.books.get(name) or self._new_book()
        self.books = wanted

    def begin(self, period: Period, ends_at: float) -> None:
        """Begins a period: its quotas are whole again; holds of the old one count no more."""
        self.ends[period] = ends_at
        for name in self.books:
            if name[2] is period:
                self.books[name] = self._new_book()

    def of(self, coop: str) -> list[tuple[Quota, Book]]:
        """Returns a co-op's quotas with their books."""
        quotas = self._limits.get(coop, ())
        return [(quota, self.books[(coop, quota.kind, quota.period)]) for quota in quotas]

    def tokens_left(self, coop: str) -> int | None:
        """Returns how many tokens a co-op may still reserve; None when nothing limits it."""
        left = [
            quota.limit - book.used - book.reserved
            for quota, book in self.of(coop)
            if quota.kind is QuotaKind.TOKENS
        ]
        return min(left) if left else None

    def shortage(self, coop: str, amounts: dict[QuotaKind, int]) -> Shortage | None:
        """Returns the first quota that a job does not fit into; None when it fits all."""
        for quota, book in self.of(coop):
            left = quota.limit - book.used - book.reserved
            needed = amounts[quota.kind]
            if needed > left:
                return Shortage(quota, max(0, left), needed, self.ends.get(quota.period))
        return None

    def reserve(self, coop: str, amounts: dict[QuotaKind, int]) -> tuple[Hold, ...]:
        """Reserves for a job that fits (see ``shortage``); returns what it holds."""
        holds = []
        for quota, book in self.of(coop):
            amount = amounts[quota.kind]
            assert book.used + book.reserved + amount <= quota.limit, "reserved beyond a quota"
            book.reserved += amount
            holds.append(Hold(quota.kind, quota.period, book.serial, amount))
        return tuple(holds)

    def settle(self, coop: str, holds: tuple[Hold, ...], used: dict[QuotaKind, int]) -> None:
        """Turns holds into what was used, and gives the rest back.

        What was used counts up to what was reserved: a node that reports more than the bound
        allowed must not push a co-op over its limit.
        """
        for hold in holds:
            book = self.books.get((coop, hold.kind, hold.period))
            if book is not None and book.serial == hold.serial:
                book.reserved -= hold.amount
                book.used += min(hold.amount, max(0, used.get(hold.kind, 0)))

    def _new_book(self) -> Book:
        self.serial += 1
        return Book(self.serial)


def _strictest(quotas: tuple[Quota, ...]) -> tuple[Quota, ...]:
    """Of quotas of one kind and one period, the lowest counts."""
    kept: dict[tuple[QuotaKind, Period], Quota] = {}
    for quota in quotas:
        name = (quota.kind, quota.period)
        if name not in kept or quota.limit < kept[name].limit:
            kept[name] = quota
    return tuple(kept.values())
