"""Quotas of projects and keys, of energy and carbon, and what co-ops lend.

What holds of tokens, requests and jobs in flight at admission stands in ``test_admission``.
"""

import msgspec
import pytest
from tests.cases import all_cases
from tests.core import invariants
from tests.core.builders import START, Pool, card, facts, kinds, of, placed, policy, replica

from entraide.types import JobKind
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.accounting import Quotas, QuotasState
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Lend, Period, Quota, QuotaKind

WH, G = 1_000_000, 1_000_000
ALPHA = facts("j1", "alpha", project="chat", key="k1")


def energy(limit: int, **whose: str) -> Quota:
    return Quota(QuotaKind.ENERGY_WH, limit, Period.DAY, **whose)


def carbon(limit: int, **whose: str) -> Quota:
    return Quota(QuotaKind.CARBON_G, limit, Period.DAY, **whose)


def agreed(*quotas: Quota, lend: Lend | None = None) -> Quotas:
    made = Quotas()
    made.apply_policy((CoopTerms("alpha", quotas=quotas, lend=lend or Lend()), CoopTerms("beta")))
    made.begin_period(Period.DAY, START + 3_600.0)
    return made


class TestWhose:
    """A request counts against its co-op, its project and its key."""

    @pytest.mark.parametrize(
        ("project", "key", "left"),
        [("chat", "k1", 30), ("chat", "k2", 50), ("other", "k1", 30), ("other", "k2", 100)],
    )
    def test_the_strictest_that_applies_counts(self, project: str, key: str, left: int) -> None:
        """Of the co-op's, the project's and the key's quota the least is left."""
        tokens = [
            Quota(QuotaKind.TOKENS, limit, Period.DAY, **whose)
            for limit, whose in ((100, {}), (50, {"project": "chat"}), (30, {"key": "k1"}))
        ]
        quotas = agreed(*tokens)

        assert quotas.tokens_left(facts("j1", "alpha", project=project, key=key)) == left

    def test_a_project_has_its_own_book(self) -> None:
        """What one project used is not taken from another; the co-op's book counts both."""
        total, own = Quota(QuotaKind.REQUESTS, 3, Period.DAY), {"project": "chat"}
        pool = Pool(
            "alpha", quotas={"alpha": (total, Quota(QuotaKind.REQUESTS, 1, Period.DAY, **own))}
        )
        pool.join(card("n1"))
        pool.ask("j1", project="chat")
        (refuse,) = of(pool.ask("j2", project="chat"), commands.Refuse)
        pool.ask("j3", project="other")
        left = {view.project: view.left for view in pool.core.quota_left("alpha")}

        assert (refuse.code, refuse.values["project"]) == ("quota_requests", "chat")
        assert left == {"": 1, "chat": 0}

    def test_a_key_has_its_own_book(self) -> None:
        """A key that spent its quota is refused, a person's in any start of that person, and its
        co-op's other keys are not."""
        quota = Quota(QuotaKind.JOBS_IN_FLIGHT, 1, key="k1")
        pool = Pool("alpha", quotas={"alpha": (quota,)})
        pool.join(card("n1"))
        pool.ask("j1", key="k1")
        (refuse,) = of(pool.ask("j2", key="k1"), commands.Refuse)
        (again,) = of(pool.ask("j4", key="k1.9f3a1c2b"), commands.Refuse)

        assert (refuse.code, refuse.values["key"]) == ("quota_jobs", "k1")
        assert (again.code, again.values["key"]) == ("quota_jobs", "k1")
        assert kinds(pool.ask("j3", key="k2")) == ["Place"]


class TestMemory:
    """Books are made when they are used, and go when their period is over."""

    def test_books_of_a_period_that_is_over_go(self) -> None:
        """A thousand keys that were used yesterday take no memory today."""
        keys = [f"k{number}" for number in range(1_000)]
        quotas = agreed(*(Quota(QuotaKind.REQUESTS, 5, Period.DAY, key=key) for key in keys))
        unused = len(quotas.usages)
        for key in keys:
            quotas.reserve(facts("j", "alpha", key=key), {QuotaKind.REQUESTS: 1})
        used = len(quotas.usages)
        quotas.begin_period(Period.DAY, START + 7_200.0)

        assert (unused, used, len(quotas.usages)) == (0, 1_000, 0)

    def test_books_of_jobs_in_flight_go_with_the_last_job(self) -> None:
        """They have no period, so they go when nothing is held any more."""
        quotas = agreed(Quota(QuotaKind.JOBS_IN_FLIGHT, 2))
        holds = [quotas.reserve(ALPHA, {QuotaKind.JOBS_IN_FLIGHT: 1}) for _ in range(2)]
        quotas.settle("alpha", holds[0], {})
        between = [usage.reserved for usage in quotas.usages.values()]
        quotas.settle("alpha", holds[1], {})

        assert (between, quotas.usages) == ([1], {})

    def test_a_snapshot_goes_on(self) -> None:
        """Books, periods and what was lent come back; a hold of before still settles."""
        quotas = agreed(energy(5, project="chat"), lend=Lend(energy_wh_per_day=2))
        holds = quotas.reserve_at_placement(ALPHA, 3 * WH, 0)
        quotas.lent.reserve("alpha", WH)
        data = msgspec.msgpack.encode(quotas.dump())
        restored = Quotas()
        restored.load(msgspec.msgpack.decode(data, type=QuotasState))
        restored.apply_policy((CoopTerms("alpha", quotas=(energy(5, project="chat"),),
                                  lend=Lend(energy_wh_per_day=2)),))  # fmt: skip
        restored.settle("alpha", holds, {QuotaKind.ENERGY_WH: WH})

        assert msgspec.msgpack.encode(restored.dump()) != data
        assert restored.energy_and_carbon_left(ALPHA) == (4 * WH, None)
        assert restored.lent.left_uwh["alpha"] == WH


class TestEnergyAndCarbon:
    """Reserved at placement by what is predicted, settled by what was used."""

    def test_the_room_is_the_strictest_of_all(self) -> None:
        """Energy and carbon have each their own strictest; without a quota there is none."""
        quotas = agreed(energy(5), energy(2, project="chat"), carbon(3, key="k1"))

        assert quotas.energy_and_carbon_left(ALPHA) == (2 * WH, 3 * G)
        others = facts("j", "alpha", project="other", key="k2")
        assert quotas.energy_and_carbon_left(others) == (5 * WH, None)
        assert quotas.energy_and_carbon_left(facts("j", "beta")) == (None, None)

    def test_what_a_placement_holds_is_not_there_for_others(self) -> None:
        """A hold counts until it is settled, then what was used does."""
        quotas = agreed(energy(5), carbon(3))
        holds = quotas.reserve_at_placement(ALPHA, 2 * WH, G)
        held = quotas.energy_and_carbon_left(ALPHA)
        quotas.settle("alpha", holds, {QuotaKind.ENERGY_WH: WH // 2, QuotaKind.CARBON_G: G // 4})

        assert held == (3 * WH, 2 * G)
        assert quotas.energy_and_carbon_left(ALPHA) == (4_500_000, 2_750_000)

    def test_a_placement_that_was_lost_gives_all_back(self) -> None:
        """A run that is not billed has used nothing of a quota."""
        quotas = agreed(energy(5))
        quotas.settle("alpha", quotas.reserve_at_placement(ALPHA, 2 * WH, G), {})

        assert quotas.energy_and_carbon_left(ALPHA) == (5 * WH, None)

    def test_a_placement_that_does_not_fit_is_told_in_its_unit(self) -> None:
        """What is left and what would be needed, in Wh or g, and when the period ends."""
        quotas = agreed(carbon(3, project="chat"), energy(5))
        quotas.reserve_at_placement(ALPHA, WH, 2_500_000)
        amounts = {QuotaKind.ENERGY_WH: WH, QuotaKind.CARBON_G: 750_000}
        shortage = quotas.shortage(ALPHA, amounts)

        assert shortage is not None
        assert (shortage.quota.project, shortage.left, shortage.needed) == ("chat", 0.5, 0.75)
        assert (shortage.never, shortage.ends_at) == (False, START + 3_600.0)

    def test_more_than_promised_counts_in_full(self) -> None:
        """Energy is what it was: a run may leave less than nothing, and nothing more fits."""
        quotas = agreed(energy(5))
        quotas.settle(
            "alpha", quotas.reserve_at_placement(ALPHA, WH, 0), {QuotaKind.ENERGY_WH: 7 * WH}
        )
        shortage = quotas.exhausted(ALPHA)

        assert quotas.energy_and_carbon_left(ALPHA) == (-2 * WH, None)
        assert shortage is not None
        assert (shortage.left, shortage.never, shortage.ends_at) == (0, False, START + 3_600.0)

    def test_a_run_counts_in_the_period_of_its_placement(self) -> None:
        """A run that ends after midnight takes nothing from the new day, once or twice."""
        quotas = agreed(energy(5))
        holds = quotas.reserve_at_placement(ALPHA, WH, 0)
        quotas.begin_period(Period.DAY, START + 90_000.0)
        for _ in range(2):
            quotas.settle("alpha", holds, {QuotaKind.ENERGY_WH: 3 * WH})

        assert quotas.energy_and_carbon_left(ALPHA) == (5 * WH, None)


class TestSpent:
    """A co-op that has nothing left of energy or carbon is told when it may come back."""

    def pool(self, quota: Quota) -> Pool:
        pool = Pool("alpha", quotas={"alpha": (quota,)})
        pool.join(card("n1"))
        pool.tell(events.PeriodBegan, Period.DAY, START + 3_600.0)
        spent = pool.core._state.quotas
        holds = spent.reserve_at_placement(ALPHA, 0, 0)
        spent.settle("alpha", holds, {quota.kind: 12_000_000})
        return pool

    @pytest.mark.parametrize(
        ("quota", "code"), [(energy(10), "quota_energy"), (carbon(10), "quota_carbon")]
    )
    def test_a_live_job_is_refused_until_the_period_ends(self, quota: Quota, code: str) -> None:
        """429's code, the limit in the unit it was written in, and the end of the period."""
        (refuse,) = self.pool(quota).ask("j1")

        assert (refuse.code, refuse.retry_after_s) == (code, 3_600.0)
        assert (refuse.values["limit"], refuse.values["left"]) == (10, 0)

    def test_a_kept_job_waits_for_the_next_period(self) -> None:
        """It is admitted, for it may wait; nothing tells its owner to come back."""
        pool = self.pool(energy(10))

        assert of(pool.ask("j1", kind=JobKind.KEPT), commands.Refuse) == []

    def test_the_next_period_admits_again(self) -> None:
        """What was used yesterday does not count today."""
        pool = self.pool(energy(10))
        pool.tell(events.PeriodBegan, Period.DAY, START + 90_000.0)

        assert of(pool.ask("j1"), commands.Refuse) == []

    def test_a_quota_of_nothing_need_not_be_asked_again(self) -> None:
        """A limit of zero is no matter of waiting."""
        pool = Pool("alpha", quotas={"alpha": (energy(0),)})
        pool.join(card("n1"))
        (refuse,) = pool.ask("j1")

        assert (refuse.code, refuse.retry_after_s) == ("quota_energy", None)


class TestLent:
    """What a co-op's nodes do for others in a day is bounded by what it lends."""

    def test_what_was_lent_is_not_left(self) -> None:
        """The limit less what others used; never below zero; none where none was set."""
        lent = agreed(lend=Lend(energy_wh_per_day=3)).lent
        before = lent.left_uwh["alpha"], lent.left_uwh.get("beta")
        lent.reserve("alpha", 2 * WH)
        between = lent.left_uwh["alpha"]
        lent.reserve("alpha", 2 * WH)

        assert before == (3 * WH, None)
        assert (between, lent.left_uwh["alpha"]) == (WH, 0)

    def test_a_day_begins_afresh(self) -> None:
        """A minute or a month that begins changes nothing; a day does."""
        quotas = agreed(lend=Lend(energy_wh_per_day=3))
        quotas.lent.reserve("alpha", 2 * WH)
        quotas.begin_period(Period.MONTH, START + 9e6)
        month = quotas.lent.left_uwh["alpha"]
        quotas.begin_period(Period.DAY, START + 90_000.0)

        assert (month, quotas.lent.left_uwh["alpha"]) == (WH, 3 * WH)

    def test_a_promise_of_yesterday_taken_back_gives_nothing_today(self) -> None:
        """A promise is taken back after midnight: the new day's count stays what it is."""
        quotas = agreed(lend=Lend(energy_wh_per_day=3))
        day = quotas.lent.reserve("alpha", 2 * WH)
        quotas.begin_period(Period.DAY, START + 90_000.0)
        quotas.lent.reserve("alpha", WH)
        quotas.lent.settle("alpha", day, reserved_uwh=2 * WH, used_uwh=0)

        assert quotas.lent.left_uwh["alpha"] == 2 * WH

    def test_a_changed_policy_keeps_what_was_lent(self) -> None:
        """A new limit counts what was lent under the old one."""
        quotas = agreed(lend=Lend(energy_wh_per_day=3))
        quotas.lent.reserve("alpha", 2 * WH)
        quotas.apply_policy((CoopTerms("alpha", lend=Lend(energy_wh_per_day=5)),))

        assert quotas.lent.left_uwh["alpha"] == 3 * WH


def requests(limit: int, **whose: str) -> Quota:
    return Quota(QuotaKind.REQUESTS, limit, Period.DAY, **whose)


def agree(pool: Pool, *quotas: Quota, version: str = "v2") -> list[commands.Command]:
    """Puts a policy with other quotas of alpha in force."""
    terms = CoopTerms("alpha", quotas=quotas), CoopTerms("beta")
    return pool.tell(events.PolicyChanged, policy(*terms, version=version))


def left(pool: Pool) -> list[float]:
    """What is left of alpha's quotas."""
    return [view.left for view in pool.core.quota_left("alpha")]


class TestPolicies:
    """Usage belongs to an owner, a kind and a period, and outlasts the policy that limited it."""

    def pool(self, *quotas: Quota) -> Pool:
        pool = Pool("alpha", "beta", quotas={"alpha": quotas})
        pool.tell(events.PeriodBegan, Period.DAY, START + 3_600.0)
        pool.join(card("n1", replicas=(replica(slots=2),)), card("n2", replicas=(replica(),)))
        return pool

    def test_usage_is_kept_while_no_policy_names_the_quota(self) -> None:
        """What was used before a vote, and between two, counts after the next: per owner."""
        pool = self.pool(requests(5), requests(3, project="chat"), requests(9, key="k1"))
        pool.ask("j1", project="chat", key="k1")
        agree(pool)
        pool.ask("j2", project="chat", key="k1")
        agree(pool, requests(5), requests(3, project="chat"), requests(9, key="k1"), version="v3")

        assert [3, 1, 7] == left(pool)

    def test_usage_of_a_former_policy_goes_with_its_period(self) -> None:
        """The next day knows nothing of it, and keeps no entry of it."""
        pool = self.pool(requests(2))
        pool.ask("j1")
        agree(pool)
        pool.tell(events.PeriodBegan, Period.DAY, START + 90_000.0)
        pool.ask("j2")
        kept = pool.core._state.quotas.usages
        agree(pool, requests(2), version="v3")

        assert ({}, [2]) == (kept, left(pool))

    @pytest.mark.parametrize("quota", [energy(10), carbon(10)])
    def test_energy_and_emissions_count_on_as_well(self, quota: Quota) -> None:
        """A run that is placed between two policies counts in full."""
        pool = self.pool(quota)
        first = placed(pool, "j1")
        agree(pool)
        second = placed(pool, "j2")
        for place in (first, second):
            pool.report(place, energy_prefill_uwh=0, energy_decode_uwh=2 * WH)
        agree(pool, quota, version="v3")
        used = 4 * WH if quota.kind is QuotaKind.ENERGY_WH else 4 * WH * 1.3 / 1e3

        assert left(pool) == pytest.approx([10 - used / 1e6])

    @pytest.mark.parametrize("whose", [{}, {"project": "main"}, {"key": "key-alpha"}])
    def test_open_jobs_count_when_a_limit_on_them_appears(self, whose: dict[str, str]) -> None:
        """Those that run and those that wait hold the new limit, until they end."""
        pool = self.pool()
        pool.join(card("n2", replicas=(replica("other"),)))
        places = [placed(pool, f"j{number}") for number in range(2)]
        pool.ask("waits")
        agree(pool, Quota(QuotaKind.JOBS_IN_FLIGHT, 2, **whose))
        invariants_of_holds(pool)
        (refuse,) = pool.ask("more")
        for place in places:
            pool.report(place)
        invariants_of_holds(pool)

        assert "quota_jobs" == refuse.code
        assert [] == of(pool.ask("again"), commands.Refuse)
        assert [0] == left(pool)

    def test_open_jobs_count_once(self) -> None:
        """A second policy with the limit takes nothing more, nor does one without it give back."""
        pool = self.pool(Quota(QuotaKind.JOBS_IN_FLIGHT, 3))
        place = placed(pool, "j1")
        agree(pool)
        pool.ask("j2")
        for version in ("v3", "v4"):
            agree(pool, Quota(QuotaKind.JOBS_IN_FLIGHT, 3), version=version)
        between = left(pool)
        pool.report(place)

        assert ([1], [2]) == (between, left(pool))

    def test_a_restored_core_counts_on(self) -> None:
        """Former quotas are found again in a snapshot, and give the same state."""
        pool = self.pool(requests(3), Quota(QuotaKind.JOBS_IN_FLIGHT, 2))
        pool.ask("j1")
        agree(pool)
        pool.core = Core.restore(pool.core.snapshot())
        pool.ask("j2")
        restored = Core.restore(pool.core.snapshot())
        agree(pool, requests(3), version="v3")

        assert [1] == left(pool)
        assert restored.snapshot() == Core.restore(restored.snapshot()).snapshot()

    @pytest.mark.parametrize("limits", [(1, 3), (3, 1)])
    def test_of_two_like_quotas_in_an_old_policy_the_smaller_counts(self, limits) -> None:
        """No new policy may have them; one in a journal is applied, whatever their order."""
        pool = self.pool(*(requests(limit) for limit in limits))
        pool.ask("j1")
        (refuse,) = pool.ask("j2")

        assert ("quota_requests", 1) == (refuse.code, refuse.values["limit"])
        assert [0] == left(pool)


def invariants_of_holds(pool: Pool) -> None:
    """Checks that reservations are those of the open jobs; a new limit may be below them."""
    state = pool.core._state
    held = [hold for job in state.jobs.values() for hold in job.holds]
    reserved = [usage.reserved for usage in state.quotas.usages.values()]

    assert [sum(hold.amount for hold in held)] == reserved or not held
    invariants.snapshots_restore_the_state(pool.core)


@pytest.mark.parametrize(("part", "starts"), [(1.01, True), (0.99, False), (0.7, False)])
@all_cases("kind", (QuotaKind.ENERGY_WH, QuotaKind.CARBON_G))
def test_a_run_must_fit_into_the_rest_of_the_quota(
    kind: QuotaKind, part: float, starts: bool
) -> None:
    """A kept job starts if its predicted amount is left, and waits if a little is missing."""
    pool = Pool(quotas={"alpha": (Quota(kind, 10, Period.DAY),)})
    pool.tell(events.PeriodBegan, Period.DAY, START + 3_600.0)
    pool.join(card("ab", zone="CA-AB"))
    probe = placed(pool, "probe")
    expected = pool.core._state.leases["probe"].expected
    needed = {QuotaKind.ENERGY_WH: expected.energy_uwh, QuotaKind.CARBON_G: expected.carbon_ug}
    pool.decline(probe, "engine_refused")
    used = 10_000_000 - round(part * needed[kind])
    quotas = pool.core._state.quotas
    quotas.settle("alpha", quotas.reserve_at_placement(ALPHA, 0, 0), {kind: used})
    asked = pool.ask("j1", kind=JobKind.KEPT)

    assert starts == bool(of(asked, commands.Place))
