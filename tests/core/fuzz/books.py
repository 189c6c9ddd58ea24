"""Books: what co-ops, projects and keys have used of their quotas, and what machines have lent.

A reservation counts in the period in which it was made, whichever policy names the quota. Where a
reader of events and commands cannot know an amount, or whether a reservation is still held, the
books count the least that it can be: they never accuse a core that keeps the quotas.
"""

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct
from tests.core.fuzz.knowledge import Job, Run, Violation

from entraide.types import RequestFacts
from entraide.units import UG_PER_G, UWH_PER_WH
from entraide_scheduler.core.policy import Lend, Period, Policy, Quota, QuotaKind

UNITS = {QuotaKind.ENERGY_WH: UWH_PER_WH, QuotaKind.CARBON_G: UG_PER_G}
Name = tuple[str, str, str, QuotaKind, Period]  # co-op, project, key, what is counted, how long
Account = tuple[Name, int]  # a quota in one of its periods


class Hold(Struct):
    """A reservation.

    Attributes:
        accounts: where it counts.
        most: what was reserved.
        amount: what counts of it now.
    """

    accounts: tuple[Account, ...]
    most: int
    amount: int


class LentHold(Struct):
    """What a run holds of the energy that a co-op lends in a day."""

    day: tuple[str, int]
    most: int
    amount: int


class Books:
    """The accounts of quotas and of lent energy.

    Attributes:
        policy: in force. version: number of policies so far.
    """

    def __init__(self) -> None:
        self.policy = Policy("none")
        self.version = 0
        self._periods: Counter[Period] = Counter()
        self._spent: Counter[Account] = Counter()  # reserved and used
        self._holds: dict[tuple[object, ...], Hold] = {}
        self._lent: Counter[tuple[str, int]] = Counter()
        self._lent_holds: dict[tuple[str, int], LentHold] = {}
        self._quotas: dict[str, tuple[Quota, ...]] = {}
        self._lends: dict[str, Lend] = {}

    def apply(self, policy: Policy) -> None:
        """Puts a policy in force."""
        self.policy, self.version = policy, self.version + 1
        self._quotas = {terms.coop: terms.quotas for terms in policy.coops}
        self._lends = {terms.coop: terms.lend for terms in policy.coops}

    def begin(self, period: Period) -> None:
        """Begins a period: earlier reservations count no more."""
        self._periods[period] += 1

    def lend_of(self, coop: str) -> Lend:
        """What a co-op lends; one that has left the policy lends as by default."""
        return self._lends.get(coop, Lend())

    def is_metered(self, facts: RequestFacts) -> bool:
        """Whether a quota of energy or carbon applies to a job."""
        return any(quota.kind in UNITS for quota, _ in self._applying(facts))

    def _applying(self, facts: RequestFacts) -> Iterator[tuple[Quota, Account]]:
        owners = owners_of(facts)
        for quota in self._quotas.get(facts.coop, ()):
            name = name_of(facts.coop, quota)
            if name[:3] in owners:
                yield quota, (name, self._periods[quota.period])

    def _accounts_of(self, facts: RequestFacts, kind: QuotaKind) -> tuple[Account, ...]:
        """Returns where a reservation counts: also in a former quota that was used this period.

        Open jobs count as soon as a limit on jobs in flight appears.
        """
        accounts = [account for quota, account in self._applying(facts) if quota.kind is kind]
        for owner in owners_of(facts):
            if kind is QuotaKind.JOBS_IN_FLIGHT:
                accounts.append(((*owner, kind, Period.NONE), 0))
                continue
            for period in Period:
                account = (*owner, kind, period), self._periods[period]
                if account in self._spent:
                    accounts.append(account)
        return tuple(dict.fromkeys(accounts))

    def _reserve(
        self, key: tuple[object, ...], facts: RequestFacts, kind: QuotaKind, amount: int
    ) -> None:
        """Reserves an amount, by which no quota may then be exceeded."""
        accounts = self._accounts_of(facts, kind)
        for account in accounts:
            self._spent[account] += amount
        self._holds[*key, kind] = Hold(accounts, amount, amount)
        self._check(facts, kind)

    def _check(self, facts: RequestFacts, kind: QuotaKind) -> None:
        for quota, account in self._applying(facts):
            most = quota.limit * UNITS.get(kind, 1)
            if quota.kind is kind and self._spent[account] > most:
                text = f"{facts.job}: {self._spent[account]} of {most} in {quota}"
                raise Violation(f"quota_{kind.value}", text)

    def _change(self, key: tuple[object, ...], kind: QuotaKind, amount: int) -> None:
        """Changes what counts of a reservation."""
        hold = self._holds.get((*key, kind))
        if hold is not None:
            for account in hold.accounts:
                self._spent[account] += amount - hold.amount
            hold.amount = amount

    # Jobs.

    def admit(self, job: Job) -> None:
        """Reserves what an admitted job needs at least."""
        facts = job.facts
        answer = 0 if facts.embeds else facts.output_tokens_max or 1
        tokens = facts.input_tokens_max + answer * max(1, facts.choices)
        self._reserve((facts.job,), facts, QuotaKind.TOKENS, tokens)
        self._reserve((facts.job,), facts, QuotaKind.REQUESTS, 1)
        self._reserve((facts.job,), facts, QuotaKind.JOBS_IN_FLIGHT, 1)
        job.admitted_under = self.version

    def learn_answer(self, job: Job, output_tokens_max: int) -> None:
        """Corrects a reservation of tokens when the first placement tells the longest answer."""
        facts = job.facts
        hold = self._holds[facts.job, QuotaKind.TOKENS]
        hold.most = facts.input_tokens_max + output_tokens_max * max(1, facts.choices)
        self._change((facts.job,), QuotaKind.TOKENS, hold.most)
        if job.admitted_under == self.version:
            self._check(facts, QuotaKind.TOKENS)

    def end_job(self, job: Job) -> None:
        """Releases an ended job's reservations; its settlement may come later."""
        self._change((job.facts.job,), QuotaKind.TOKENS, 0)
        self._change((job.facts.job,), QuotaKind.JOBS_IN_FLIGHT, 0)

    def settle_tokens(self, job: Job, tokens: int) -> None:
        """Counts what a job used, which is never more than it had reserved."""
        hold = self._holds[job.facts.job, QuotaKind.TOKENS]
        self._change((job.facts.job,), QuotaKind.TOKENS, min(hold.most, tokens))

    # Runs.

    def place(self, job: Job, run: Run) -> None:
        """Reserves what is predicted of a run."""
        key = (job.facts.job, run.place.epoch)
        self._reserve(key, job.facts, QuotaKind.ENERGY_WH, run.energy_uwh)
        self._reserve(key, job.facts, QuotaKind.CARBON_G, run.carbon_ug)
        if run.foreign:
            lender = run.place.terms.lender
            day = (lender, self._periods[Period.DAY])
            self._lent[day] += run.energy_uwh
            self._lent_holds[key] = LentHold(day, run.energy_uwh, run.energy_uwh)
            most_wh = self.lend_of(lender).energy_wh_per_day
            if most_wh is not None and self._lent[day] > most_wh * UWH_PER_WH:
                raise Violation("lent_energy", f"{lender} lends {self._lent[day]} of {most_wh} Wh")

    def end_run(self, job: Job, epoch: int, *, energy_uwh: int = 0, carbon_ug: int = 0) -> None:
        """Replaces what was predicted of a run by what it used."""
        key = (job.facts.job, epoch)
        self._change(key, QuotaKind.ENERGY_WH, energy_uwh)
        self._change(key, QuotaKind.CARBON_G, carbon_ug)
        lent = self._lent_holds.get(key)
        if lent is not None:
            self._lent[lent.day] += energy_uwh - lent.amount
            lent.amount = energy_uwh

    def hold_again(self, job: Job, epoch: int) -> None:
        """Reserves again what a run had reserved, since its machine may use it yet."""
        key = (job.facts.job, epoch)
        for kind in UNITS:
            self._change(key, kind, self._holds[*key, kind].most)
        lent = self._lent_holds.get(key)
        if lent is not None:
            self._lent[lent.day] += lent.most - lent.amount
            lent.amount = lent.most


def owners_of(facts: RequestFacts) -> tuple[tuple[str, str, str], ...]:
    """Returns the owners of the quotas that may apply to a job: co-op, project and key."""
    coop = facts.coop
    return (coop, "", ""), (coop, facts.project, ""), (coop, "", facts.account)


def name_of(coop: str, quota: Quota) -> Name:
    """Returns what a quota limits."""
    return coop, quota.project, quota.key, quota.kind, quota.period
