"""Quotas: hard limits per co-op, project and key.

``Quotas`` tells whether a reservation fits, and when to try again. Tokens, requests and jobs in
flight are reserved at admission; the sum of reserved and used amounts never exceeds a limit. Energy
and carbon are reserved at placement by prediction and counted in full by measurement, so measured
amounts can exceed a limit by the prediction's error. A reservation counts in the period in which it
was made. The shell's calendar says when a period begins and ends.

Usage belongs to an owner, a kind and a period, not to a policy: it is kept, and counted on, until
the period ends, also while the policy in force has no such quota.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from entraide.types import RequestFacts
from entraide.units import UG_PER_G, UWH_PER_WH
from entraide_scheduler.core.accounting.amount_limits import TOTAL_MAX
from entraide_scheduler.core.accounting.lending import LentEnergy
from entraide_scheduler.core.policy import CoopTerms, Period, Quota, QuotaKind
from entraide_scheduler.core.records import Hold

RETRY_LEAST_S = 1.0  # until a refused request may be sent again
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

# Counted units (uWh, ug) per unit in which a quota is written (Wh, g).
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
LEAST_AT_PLACEMENT: Amounts = MappingProxyType(dict.fromkeys(AT_PLACEMENT, 1))


class QuotaName(NamedTuple):
    """Identity of a quota: its owner within a co-op, what it counts, and its period."""

    coop: str
    project: str
    key: str
    kind: QuotaKind
    period: Period


class QuotaUsage(Struct):
    """Used and reserved amounts of one quota in one period: tokens, jobs, uWh or ug.

    Attributes:
        serial: number of this entry; holds of an entry that was removed have another number.
    """

    serial: int
    used: int = 0
    reserved: int = 0


class QuotasState(Struct, frozen=True, array_like=True):
    """Quota usage as a snapshot stores it."""

    books: list[tuple[QuotaName, QuotaUsage]]
    ends: dict[Period, float]
    serial: int
    lent: dict[str, int]
    lent_day: int = 1


class Shortage(Struct, frozen=True):
    """A quota that a reservation exceeds.

    Attributes:
        quota: the limit.
        left, needed: remaining and requested amount, in the quota's unit.
        never: whether the request exceeds even the unused quota.
        ends_at: end of its period, seconds since the epoch; None without a period or if unknown.
    """

    quota: Quota
    left: float
    needed: float
    never: bool
    ends_at: float | None

    @property
    def code(self) -> str:
        """The error code of a request that is refused for it."""
        if self.quota.period is Period.MINUTE and not self.never:
            return "rate_limit_exceeded"
        return CODES[self.quota.kind]

    @property
    def values(self) -> dict[str, str | int | float]:
        """The values of that error's sentence."""
        quota = self.quota
        values: dict[str, str | int | float] = {
            "limit": quota.limit,
            "left": self.left,
            "needed": self.needed,
            "period": quota.period.value,
        }
        if self.never:
            values["never"] = 1  # no period of this quota is enough
        if quota.project:
            values["project"] = quota.project
        if quota.key:
            values["key"] = quota.key
        if self.code == "rate_limit_exceeded":
            values["quota"] = quota.kind.value
        return values

    def retry_after_s(self, at: float) -> float | None:
        """Returns the time until the quota begins anew, seconds; None if that does not help."""
        if self.never or self.ends_at is None:
            return None
        return max(RETRY_LEAST_S, self.ends_at - at)


class QuotaLimit(NamedTuple):
    """A quota in force, its identity, and its limit in counted units."""

    quota: Quota
    name: QuotaName
    most: int


class Quotas:
    """Usage of all quotas in their present period; an entry is made at its first reservation.

    Attributes:
        usages: usage by quota, at most one entry for each quota of the policies of its period.
        ends: end of the present period of each kind, seconds since the epoch.
        lent: energy that co-ops lend, see ``lending``.
    """

    def __init__(self) -> None:
        self.usages: dict[QuotaName, QuotaUsage] = {}
        self.ends: dict[Period, float] = {}
        self.lent = LentEnergy()
        self._serial = 0
        self._limits: dict[tuple[str, str, str], tuple[QuotaLimit, ...]] = {}
        self._limited_coops: frozenset[str] = frozenset()
        # By owner, the quotas that have usage in their present period and are not in force.
        self._former: dict[tuple[str, str, str], dict[QuotaName, None]] = {}

    def apply_policy(self, coops: tuple[CoopTerms, ...]) -> None:
        """Sets the limits; all usage is kept until its period ends."""
        limits: dict[tuple[str, str, str], list[QuotaLimit]] = {}
        for limit in _strictest(coops):
            limits.setdefault(limit.name[:3], []).append(limit)
        self._limits = {owner: tuple(owned) for owner, owned in limits.items()}
        self._limited_coops = frozenset(coop for coop, _, _ in limits)
        self._find_former()
        self.lent.apply_policy(coops)

    def _find_former(self) -> None:
        self._former = {}
        in_force = {limit.name for owned in self._limits.values() for limit in owned}
        for name in self.usages:
            if name not in in_force:
                self._former.setdefault(name[:3], {})[name] = None

    def begin_period(self, period: Period, ends_at: float) -> None:
        """Begins a period: resets its quotas and drops the reservations of the old period."""
        self.ends[period] = ends_at
        self.usages = {
            name: usage for name, usage in self.usages.items() if name.period is not period
        }
        self._find_former()
        if period is Period.DAY:
            self.lent.begin_day()

    def of(self, coop: str) -> list[tuple[Quota, QuotaUsage]]:
        """Returns a co-op's quotas, those of its projects and keys included, with their usage."""
        limits = [
            limit for owner in self._limits if owner[0] == coop for limit in self._limits[owner]
        ]
        return [(limit.quota, self.usages.get(limit.name) or QuotaUsage(0)) for limit in limits]

    def tokens_left(self, facts: RequestFacts) -> int | None:
        """Returns the tokens that a request's owner can still reserve; None without a limit."""
        return self._least_left(facts, QuotaKind.TOKENS)

    def energy_and_carbon_left(self, facts: RequestFacts) -> tuple[int | None, int | None]:
        """Returns the remaining energy, uWh, and carbon, ug, of a job's owner.

        Each is the least over the quotas of its co-op, project and key; None without a limit,
        negative if the limit was exceeded.
        """
        energy_uwh = self._least_left(facts, QuotaKind.ENERGY_WH)
        return energy_uwh, self._least_left(facts, QuotaKind.CARBON_G)

    def is_metered(self, facts: RequestFacts) -> bool:
        """Tells whether a quota of energy or carbon applies to a request."""
        limits = self._limits_of(facts)
        return bool(limits) and any(limit.quota.kind in AT_PLACEMENT for limit in limits)

    def exhausted(self, facts: RequestFacts) -> Shortage | None:
        """Returns the first used-up quota of energy or carbon; None if there is none."""
        return self.shortage(facts, LEAST_AT_PLACEMENT)

    def shortage(self, facts: RequestFacts, amounts: Amounts) -> Shortage | None:
        """Returns the first quota that the amounts exceed; None if they fit all.

        Kinds that are absent from the amounts are not checked.
        """
        for limit in self._limits_of(facts):
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

    def beyond_whole(self, facts: RequestFacts, amounts: Amounts) -> Shortage | None:
        """Returns the first quota that the amounts exceed even when nothing of it is used."""
        for limit in self._limits_of(facts):
            needed = amounts.get(limit.quota.kind, 0)
            if needed > limit.most:
                kind, left = limit.quota.kind, max(0, self._left_of(limit))
                units = to_quota_unit(kind, left), to_quota_unit(kind, needed)
                return Shortage(limit.quota, *units, never=True, ends_at=None)
        return None

    def whole(self, facts: RequestFacts, kind: QuotaKind) -> int | None:
        """Returns the least quota of a kind that applies to a request, unused; None without one."""
        limits = [limit.most for limit in self._limits_of(facts) if limit.quota.kind is kind]
        return min(limits, default=None)

    def reserve(self, facts: RequestFacts, amounts: Amounts) -> tuple[Hold, ...]:
        """Reserves amounts that fit (see ``shortage``); returns the reservations."""
        assert self.shortage(facts, amounts) is None, "reserved beyond a quota"
        return self._reserve(facts, amounts)

    def reserve_at_placement(
        self, facts: RequestFacts, energy_uwh: int, carbon_ug: int
    ) -> tuple[Hold, ...]:
        """Reserves the predicted energy and carbon of a placement, which the caller has checked."""
        return self._reserve(
            facts, {QuotaKind.ENERGY_WH: energy_uwh, QuotaKind.CARBON_G: carbon_ug}
        )

    def reserve_missing(self, facts: RequestFacts, holds: tuple[Hold, ...]) -> tuple[Hold, ...]:
        """Reserves what an open job lacks of the limits on jobs in flight, beyond them if need be.

        Args:
            facts: of the job.
            holds: its reservations.
        """
        held = {(hold.project, hold.key) for hold in holds if hold.kind is QuotaKind.JOBS_IN_FLIGHT}
        return tuple(
            self._reserve_one(limit.name, 1)
            for limit in self._limits_of(facts)
            if limit.quota.kind is QuotaKind.JOBS_IN_FLIGHT and limit.name[1:3] not in held
        )

    def settle(self, coop: str, holds: tuple[Hold, ...], used: Amounts) -> None:
        """Replaces a co-op's reservations by the used amounts and releases the rest.

        Tokens count up to the reserved amount, so that a node that reports more cannot push a
        co-op over its limit. Energy and carbon count in full.
        """
        for hold in holds:
            name = QuotaName(coop, hold.project, hold.key, hold.kind, hold.period)
            usage = self.usages.get(name)
            if usage is None or usage.serial != hold.serial:
                continue
            amount = max(0, used.get(hold.kind, 0))
            usage.reserved -= hold.amount
            if hold.kind is QuotaKind.JOBS_IN_FLIGHT:
                if not usage.reserved:
                    del self.usages[name]
                    self._former.get(name[:3], {}).pop(name, None)
            elif hold.kind in AT_PLACEMENT:
                usage.used = min(TOTAL_MAX, usage.used + amount)
            else:
                usage.used += min(hold.amount, amount)

    def dump(self) -> QuotasState:
        """Returns the usage for a snapshot."""
        return QuotasState(
            list(self.usages.items()),
            self.ends,
            self._serial,
            self.lent.lent_uwh,
            self.lent.day,
        )

    def load(self, state: QuotasState) -> None:
        """Loads the usage of a snapshot; the limits come with the policy."""
        self.usages = {QuotaName(*name): usage for name, usage in state.books}
        self.ends = state.ends
        self.lent.load(state.lent, state.lent_day)
        self._serial = state.serial

    def _limits_of(self, facts: RequestFacts) -> tuple[QuotaLimit, ...]:
        """Returns the limits of a request: of its co-op, its project and its key."""
        if facts.coop not in self._limited_coops:
            return ()
        limits: tuple[QuotaLimit, ...] = ()
        for owner in _owners_of(facts):
            limits += self._limits.get(owner, ())
        return limits

    def _names_of(self, facts: RequestFacts) -> list[QuotaName]:
        """Returns the quotas in which a request counts: those in force, and former ones."""
        names = [limit.name for limit in self._limits_of(facts)]
        if self._former:
            for owner in _owners_of(facts):
                names += self._former.get(owner, ())
        return names

    def _left_of(self, limit: QuotaLimit) -> int:
        usage = self.usages.get(limit.name)
        return limit.most if usage is None else limit.most - usage.used - usage.reserved

    def _least_left(self, facts: RequestFacts, kind: QuotaKind) -> int | None:
        limits = [limit for limit in self._limits_of(facts) if limit.quota.kind is kind]
        return min(map(self._left_of, limits), default=None)

    def _reserve(self, facts: RequestFacts, amounts: Amounts) -> tuple[Hold, ...]:
        names = self._names_of(facts)
        return tuple(
            [self._reserve_one(name, amounts[name.kind]) for name in names if name.kind in amounts]
        )

    def _reserve_one(self, name: QuotaName, amount: int) -> Hold:
        usage = self.usages.get(name)
        if usage is None:
            self._serial += 1
            usage = self.usages[name] = QuotaUsage(self._serial)
        usage.reserved += amount
        return Hold(name.kind, name.period, usage.serial, amount, name.project, name.key)


def _owners_of(facts: RequestFacts) -> Iterator[tuple[str, str, str]]:
    """Yields the owners of the quotas in which a request counts, as ``QuotaName`` has them."""
    coop = facts.coop
    yield coop, "", ""
    if facts.project:
        yield coop, facts.project, ""
    if facts.key:
        yield coop, "", facts.account


def to_quota_unit(kind: QuotaKind, amount: int) -> float:
    """Converts a counted amount to the unit in which its quota is written."""
    unit = PER_UNIT[kind]
    return amount if unit == 1 else amount / unit


def _strictest(coops: tuple[CoopTerms, ...]) -> list[QuotaLimit]:
    """Returns the lowest quota of each owner, kind and period."""
    kept: dict[QuotaName, QuotaLimit] = {}
    for terms in coops:
        for quota in terms.quotas:
            name = QuotaName(terms.coop, quota.project, quota.key, quota.kind, quota.period)
            if name not in kept or quota.limit < kept[name].quota.limit:
                kept[name] = QuotaLimit(quota, name, quota.limit * PER_UNIT[quota.kind])
    return list(kept.values())
