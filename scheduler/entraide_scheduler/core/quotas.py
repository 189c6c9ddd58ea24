"""Quotas: hard limits per co-op, project and key.

Decides whether a reservation fits and when it may be tried again. Tokens, requests and jobs in
flight are reserved at admission: what is reserved and used of them never exceeds a limit. Energy
and carbon are reserved at placement by what is predicted and counted by what was used, beyond the
promise too: physics is not bounded by one. A job counts in the period in which it was reserved.
It refuses to know the calendar: the shell says when a period begins and ends.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from entraide.types import RequestFacts
from entraide.units import UG_PER_G, UWH_PER_WH
from entraide_scheduler.core.amount_limits import TOTAL_MAX
from entraide_scheduler.core.lending import LentEnergy
from entraide_scheduler.core.policy import CoopTerms, Period, Quota, QuotaKind
from entraide_scheduler.core.records import Hold

Amounts = Mapping[QuotaKind, int]

CODES: Mapping[QuotaKind, str] = MappingProxyType(
    {
        QuotaKind.TOKENS: "quota_tokens",
        QuotaKind.REQUESTS: "quota_requests",
        QuotaKind.JOBS_IN_FLIGHT: "quota_jobs",
        QuotaKind.ENERGY_WH: "quota_energy",
        QuotaKind.CARBON_G: "quota_carbon",
    }
)

# How many of what is counted (uWh, ug) make one of what a quota is written in.
PER_UNIT: Mapping[QuotaKind, int] = MappingProxyType(
    {
        QuotaKind.TOKENS: 1,
        QuotaKind.REQUESTS: 1,
        QuotaKind.JOBS_IN_FLIGHT: 1,
        QuotaKind.ENERGY_WH: UWH_PER_WH,
        QuotaKind.CARBON_G: UG_PER_G,
    }
)
AT_PLACEMENT = (QuotaKind.ENERGY_WH, QuotaKind.CARBON_G)


class QuotaName(NamedTuple):
    """Which quota of a co-op."""

    coop: str
    project: str
    key: str
    kind: QuotaKind
    period: Period


class QuotaUsage(Struct):
    """One quota in one period, in tokens, jobs, uWh or ug."""

    serial: int
    used: int = 0
    reserved: int = 0


class QuotasState(Struct, frozen=True, array_like=True):
    """The books as a snapshot holds them."""

    books: list[tuple[QuotaName, QuotaUsage]]
    ends: dict[Period, float]
    serial: int
    lent: dict[str, int]
    lent_day: int = 1


class Shortage(Struct, frozen=True):
    """A reservation that did not fit.

    Attributes:
        quota: which limit.
        left, needed: what was left of it and what was asked for, in the unit of the quota.
        never: whether the request does not fit into the whole quota.
        ends_at: when its period ends; None when it has none or nobody has said.
    """

    quota: Quota
    left: float
    needed: float
    never: bool
    ends_at: float | None


class QuotaLimit(NamedTuple):
    """A quota in force, its name and its limit as it is counted."""

    quota: Quota
    name: QuotaName
    most: int


class Quotas:
    """The books of all quotas in their present period; each is made when it is first used.

    Attributes:
        books: those in use; there are never more than the policy has quotas.
        ends: when the present period of each kind ends.
        lent: what co-ops lend, see ``lending``.
    """

    def __init__(self) -> None:
        self.books: dict[QuotaName, QuotaUsage] = {}
        self.ends: dict[Period, float] = {}
        self.lent = LentEnergy()
        self._serial = 0
        self._limits: dict[tuple[str, str, str], tuple[QuotaLimit, ...]] = {}
        self._limited: frozenset[str] = frozenset()

    def apply_policy(self, coops: tuple[CoopTerms, ...]) -> None:
        """Takes the members' terms; books of quotas that stay go on."""
        limits: dict[tuple[str, str, str], list[QuotaLimit]] = {}
        for limit in _strictest(coops):
            limits.setdefault(limit.name[:3], []).append(limit)
        self._limits = {owner: tuple(found) for owner, found in limits.items()}
        self._limited = frozenset(coop for coop, _, _ in limits)
        agreed = {limit.name for found in limits.values() for limit in found}
        self.books = {name: book for name, book in self.books.items() if name in agreed}
        self.lent.apply_policy(coops)

    def begin_period(self, period: Period, ends_at: float) -> None:
        """Begins a period: its quotas are whole again; holds of the old one count no more."""
        self.ends[period] = ends_at
        self.books = {name: book for name, book in self.books.items() if name.period is not period}
        if period is Period.DAY:
            self.lent.begin_day()

    def of(self, coop: str) -> list[tuple[Quota, QuotaUsage]]:
        """Returns a co-op's quotas, its projects' and keys' too, with their books."""
        found = [
            limit for owner in self._limits if owner[0] == coop for limit in self._limits[owner]
        ]
        return [(limit.quota, self.books.get(limit.name) or QuotaUsage(0)) for limit in found]

    def tokens_left(self, facts: RequestFacts) -> int | None:
        """Returns how many tokens a request's owner may still reserve; None without a limit."""
        return self._left(facts, QuotaKind.TOKENS)

    def room(self, facts: RequestFacts) -> tuple[int | None, int | None]:
        """Returns what is left of a job's owner's energy, uWh, and carbon, ug.

        The strictest of its co-op's, its project's and its key's quotas; None without a limit,
        negative when more was used than there was.
        """
        return self._left(facts, QuotaKind.ENERGY_WH), self._left(facts, QuotaKind.CARBON_G)

    def is_metered(self, facts: RequestFacts) -> bool:
        """Tells whether a quota of energy or carbon counts for a request."""
        return any(limit.quota.kind in AT_PLACEMENT for limit in self._of(facts))

    def exhausted(self, facts: RequestFacts) -> Shortage | None:
        """Returns the first quota of energy or carbon of which nothing is left; None without."""
        return self._short(facts, dict.fromkeys(AT_PLACEMENT, 1))

    def shortage(self, facts: RequestFacts, amounts: Amounts) -> Shortage | None:
        """Returns the first quota that amounts do not fit into; None when they fit all.

        Kinds that are not among the amounts are not looked at.
        """
        return self._short(facts, amounts)

    def reserve(self, facts: RequestFacts, amounts: Amounts) -> tuple[Hold, ...]:
        """Reserves for a job that fits (see ``shortage``); returns what it holds."""
        assert self._short(facts, amounts) is None, "reserved beyond a quota"
        return self._hold(facts, amounts)

    def reserve_at_placement(
        self, facts: RequestFacts, energy_uwh: int, carbon_ug: int
    ) -> tuple[Hold, ...]:
        """Reserves what a placement is predicted to take; the caller has asked for the room."""
        return self._hold(facts, {QuotaKind.ENERGY_WH: energy_uwh, QuotaKind.CARBON_G: carbon_ug})

    def settle(self, coop: str, holds: tuple[Hold, ...], used: Amounts) -> None:
        """Turns a co-op's holds into what was used, and gives the rest back.

        Tokens count up to what was reserved: a node that reports more than the bound allowed must
        not push a co-op over its limit. Energy and carbon count in full.
        """
        for hold in holds:
            name = QuotaName(coop, hold.project, hold.key, hold.kind, hold.period)
            book = self.books.get(name)
            if book is None or book.serial != hold.serial:
                continue
            amount = max(0, used.get(hold.kind, 0))
            book.reserved -= hold.amount
            if hold.kind is QuotaKind.JOBS_IN_FLIGHT:
                if not book.reserved:
                    del self.books[name]
            elif hold.kind in AT_PLACEMENT:
                book.used = min(TOTAL_MAX, book.used + amount)
            else:
                book.used += min(hold.amount, amount)

    def dump(self) -> QuotasState:
        """Returns the books for a snapshot."""
        return QuotasState(
            list(self.books.items()),
            self.ends,
            self._serial,
            self.lent.lent_uwh,
            self.lent.day,
        )

    def load(self, state: QuotasState) -> None:
        """Takes the books of a snapshot; the terms come with the policy."""
        self.books = {QuotaName(*name): book for name, book in state.books}
        self.ends = state.ends
        self.lent.load(state.lent, state.lent_day)
        self._serial = state.serial

    def _of(self, facts: RequestFacts) -> tuple[QuotaLimit, ...]:
        """Returns the limits on a request: its co-op's, its project's, its key's."""
        limits, coop = self._limits, facts.coop
        if coop not in self._limited:
            return ()
        found = limits.get((coop, "", ""), ())
        if facts.project:
            found += limits.get((coop, facts.project, ""), ())
        if facts.key:
            found += limits.get((coop, "", facts.key), ())
        return found

    def _left_of(self, limit: QuotaLimit) -> int:
        book = self.books.get(limit.name)
        return limit.most if book is None else limit.most - book.used - book.reserved

    def _left(self, facts: RequestFacts, kind: QuotaKind) -> int | None:
        left = [self._left_of(limit) for limit in self._of(facts) if limit.quota.kind is kind]
        return min(left) if left else None

    def _short(self, facts: RequestFacts, amounts: Amounts) -> Shortage | None:
        for limit in self._of(facts):
            kind = limit.quota.kind
            needed, left = amounts.get(kind), self._left_of(limit)
            if needed is not None and needed > left:
                return Shortage(
                    limit.quota,
                    to_quota_unit(kind, max(0, left)),
                    to_quota_unit(kind, needed),
                    needed > limit.most,
                    self.ends.get(limit.quota.period),
                )
        return None

    def _hold(self, facts: RequestFacts, amounts: Amounts) -> tuple[Hold, ...]:
        holds: list[Hold] = []
        for limit in self._of(facts):
            amount = amounts.get(limit.quota.kind)
            if amount is None:
                continue
            name = limit.name
            book = self.books.get(name)
            if book is None:
                self._serial += 1
                book = self.books[name] = QuotaUsage(self._serial)
            book.reserved += amount
            holds.append(Hold(name.kind, name.period, book.serial, amount, name.project, name.key))
        return tuple(holds)


def to_quota_unit(kind: QuotaKind, amount: int) -> float:
    """Returns an amount as it is counted in the unit that its quota is written in."""
    unit = PER_UNIT[kind]
    return amount if unit == 1 else amount / unit


def _strictest(coops: tuple[CoopTerms, ...]) -> list[QuotaLimit]:
    """Of quotas of one owner, one kind and one period, the lowest counts."""
    kept: dict[QuotaName, QuotaLimit] = {}
    for terms in coops:
        for quota in terms.quotas:
            name = QuotaName(terms.coop, quota.project, quota.key, quota.kind, quota.period)
            if name not in kept or quota.limit < kept[name].quota.limit:
                kept[name] = QuotaLimit(quota, name, quota.limit * PER_UNIT[quota.kind])
    return list(kept.values())
