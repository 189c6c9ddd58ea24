"""The accounting by itself, number by number: what no job of a whole pool happens to tell apart."""

import pytest
from tests.core.builders import START, Pool, card, facts, of, usage

from entraide.types import JobKind
from entraide.units import UWH_PER_WH
from entraide_scheduler.core import commands, settlement
from entraide_scheduler.core.accounting import STEPS, TOTAL_MAX, Ledger, Quotas, decayed
from entraide_scheduler.core.accounting.credit import HALVINGS_MOST, _table
from entraide_scheduler.core.accounting.ledger import _lines, correction
from entraide_scheduler.core.accounting.lending import LentEnergy
from entraide_scheduler.core.commands import Entry
from entraide_scheduler.core.events import LedgerCorrected
from entraide_scheduler.core.policy import CoopTerms, Lend, Period, Quota, QuotaKind

TOKENS, REQUESTS = QuotaKind.TOKENS, QuotaKind.REQUESTS
ALPHA = facts("j1", "alpha", key="k1")


def corrected(tokens: int, energy_uwh: int = 0, carbon_ug: int = 0) -> LedgerCorrected:
    return LedgerCorrected(
        1, START, "c1", "alpha", "beta", tokens, energy_uwh, carbon_ug, "a wrong meter"
    )


class TestLedger:
    """Both sides of each line, and the limits of each balance."""

    def test_lines_of_a_correction_are_whole_before_they_are_fitted(self) -> None:
        """Each unit has a line for the lender and the opposite one for the borrower."""
        assert correction(corrected(3, 5, 7)) == (
            Entry("alpha", "tokens", 3),
            Entry("beta", "tokens", -3),
            Entry("alpha", "energy_uwh", 5),
            Entry("beta", "energy_uwh", -5),
            Entry("alpha", "carbon_ug", 7),
            Entry("beta", "carbon_ug", -7),
        )

    @pytest.mark.parametrize(
        ("alpha", "beta", "asked", "fitted"),
        [
            (TOTAL_MAX - 1, 0, 5, 1),
            (0, 1 - TOTAL_MAX, 5, 1),
            (1 - TOTAL_MAX, 0, -5, -1),
            (0, TOTAL_MAX - 1, -5, -1),
            (9, 0, TOTAL_MAX, TOTAL_MAX - 9),
            (-9, 0, -TOTAL_MAX, 9 - TOTAL_MAX),
            (TOTAL_MAX, -TOTAL_MAX, 1, 0),
            (-9, 9, TOTAL_MAX, TOTAL_MAX),
        ],
    )
    def test_amount_is_cut_where_the_first_balance_is_full(
        self, alpha: int, beta: int, asked: int, fitted: int
    ) -> None:
        """The lender's balance and the borrower's bound it, each from above and from below."""
        ledger = Ledger()
        rest = {"energy_uwh": 1, "carbon_ug": 2}
        ledger.balances = {"alpha": {"tokens": alpha, **rest}, "beta": {"tokens": beta, **rest}}
        lines = (Entry("alpha", "tokens", asked), Entry("beta", "tokens", -asked))

        assert ledger.book(lines) == (
            Entry("alpha", "tokens", fitted),
            Entry("beta", "tokens", -fitted),
        )

    def test_own_work_is_not_cut_at_a_full_balance(self) -> None:
        """A co-op's work on its own machine changes no balance, so none bounds it."""
        ledger = Ledger()
        ledger.balances = {"alpha": {"tokens": TOTAL_MAX, "energy_uwh": 0, "carbon_ug": 0}}
        lines = (Entry("alpha", "tokens", 5), Entry("alpha", "tokens", -5))

        assert ledger.book(lines) == lines

    def test_lines_need_each_amount_and_its_opposite(self) -> None:
        """An odd number of lines is a broken invariant."""
        with pytest.raises(ValueError, match="zip"):
            Ledger().book((Entry("alpha", "tokens", 5),))

    def test_each_unit_needs_an_amount(self) -> None:
        """Two amounts for three units are a broken invariant, not a line that is missing."""
        with pytest.raises(ValueError, match="zip"):
            _lines("alpha", "beta", (1, 2))

    def test_an_account_without_lines_stands_at_zero(self) -> None:
        """The first amount may be as large as a balance can be."""
        lines = (Entry("alpha", "tokens", TOTAL_MAX), Entry("beta", "tokens", -TOTAL_MAX))

        assert Ledger().book(lines) == lines

    def test_name_of_a_correction_holds_nothing_else(self) -> None:
        """A snapshot encodes the names alone."""
        ledger = Ledger()
        ledger.correct(corrected(1))

        assert ledger.corrections == {"c1": None}


class TestLent:
    """What a co-op lends in a day."""

    def lent(self, *limits: tuple[str, int | None]) -> LentEnergy:
        made = LentEnergy()
        made.apply_policy(
            tuple(CoopTerms(coop, lend=Lend(energy_wh_per_day=most)) for coop, most in limits)
        )
        return made

    def test_days_are_counted_one_by_one_from_the_first(self) -> None:
        """A snapshot keeps the day's number, and 0 stands for no promise."""
        lent = LentEnergy()
        first = lent.reserve("alpha", 1)
        lent.begin_day()

        assert (first, lent.reserve("alpha", 1)) == (1, 2)

    def test_nothing_is_left_of_limits_that_nobody_has_agreed(self) -> None:
        """Without terms there is no limit, and asking for one finds none."""
        lent = LentEnergy()

        assert (lent.left_uwh, lent.limit_uwh, lent.lent_uwh) == ({}, {}, {})
        assert not lent.another_has_limit("alpha")

    def test_own_limit_is_not_another_co_ops(self) -> None:
        """A borrower that limits what it lends itself meets no limit by that."""
        lent = self.lent(("alpha", 1), ("beta", None))

        assert not lent.another_has_limit("alpha")
        assert lent.another_has_limit("beta")

    @pytest.mark.parametrize(("used_uwh", "lends_more"), [(9, True), (10, False), (11, False)])
    def test_settling_tells_whether_more_is_lent(self, used_uwh: int, lends_more: bool) -> None:
        """Only a co-op with a limit lends more, and only if its run used less than promised."""
        lent = self.lent(("alpha", 1), ("beta", None))
        lends = []
        for coop in ("alpha", "beta"):
            day = lent.reserve(coop, 10)
            lends.append(lent.settle(coop, day, reserved_uwh=10, used_uwh=used_uwh))

        assert lends == [lends_more, False]
        assert lent.lent_uwh == {"alpha": used_uwh, "beta": used_uwh}

    def test_run_of_another_day_changes_nothing(self) -> None:
        """The first day is over on the second, and settling for it frees nothing."""
        lent = self.lent(("alpha", 1))
        first = lent.reserve("alpha", 10)
        lent.begin_day()
        lent.reserve("alpha", 4)

        assert not lent.settle("alpha", first, reserved_uwh=10, used_uwh=1)
        assert lent.lent_uwh == {"alpha": 4}

    def test_run_without_a_promise_counts_by_what_it_used(self) -> None:
        """A lease of an older snapshot promised nothing: all of its use counts today."""
        lent = self.lent(("alpha", 1))

        assert not lent.settle("alpha", 0, reserved_uwh=10, used_uwh=7)
        assert lent.left_uwh == {"alpha": UWH_PER_WH - 7}

    def test_restored_limits_count_what_was_lent(self) -> None:
        """Terms that are known before the snapshot is read are held against it."""
        lent = self.lent(("alpha", 1))
        lent.load({"alpha": 300}, 4)

        assert lent.left_uwh == {"alpha": UWH_PER_WH - 300}
        assert lent.reserve("alpha", 1) == 4

    def test_co_op_that_lent_nothing_is_not_remembered(self) -> None:
        """A promise that was taken back leaves no row, with a limit or without."""
        lent = self.lent(("alpha", 1))
        for coop in ("alpha", "beta"):
            lent.settle(coop, lent.reserve(coop, 10), reserved_uwh=10, used_uwh=0)

        assert lent.lent_uwh == {}
        assert lent.left_uwh == {"alpha": UWH_PER_WH}


class TestCredit:
    """How a gift fades."""

    def test_table_is_made_of_square_roots(self) -> None:
        """2^(-k/256) for each k, and 256 of them."""
        assert [pytest.approx(2 ** (-k / 256), rel=1e-14) for k in range(STEPS)] == list(_table())

    def test_nothing_is_left_after_the_last_halving(self) -> None:
        """64 halvings leave 2^-64; one more leaves nothing."""
        steps = HALVINGS_MOST * STEPS

        assert decayed(2.0**70, steps) == 2.0**6
        assert decayed(2.0**70, steps + STEPS) == 0.0


class TestBooks:
    """What the end of a run means for the jobs that wait, for the node and for memory."""

    @pytest.mark.parametrize(("left_uwh", "due"), [(1, True), (0, False), (-1, False)])
    def test_energy_left_over_is_offered_to_every_co_op(self, left_uwh: int, *, due: bool) -> None:
        """A run of beta's that used less than promised makes gamma's blocked job due."""
        pool = Pool(CoopTerms("alpha", lend=Lend(energy_wh_per_day=1)), "beta", "gamma")
        pool.join(*(card(f"n{number}") for number in range(30)))
        while of(pool.ask(f"b{len(pool.asked)}", "beta", kind=JobKind.KEPT), commands.Place):
            pass
        pool.ask("g1", "gamma", kind=JobKind.KEPT)
        state = pool.core._state
        job, blocked = state.jobs["g1"], state.blocked_jobs
        before = job in blocked, blocked.is_due(job)
        lease = next(iter(state.leases.values()))
        settlement.settle_lent(state, lease, lease.expected.energy_uwh - left_uwh)

        assert before == (True, False)
        assert blocked.is_due(job) is due

    def test_report_that_cannot_be_true_is_not_within_its_lease(self, three: Pool) -> None:
        """The estimate in its place is no measurement to learn from; a sound report is one."""
        three.ask("j1")
        state = three.core._state
        lease = state.leases["j1"]
        state.now += 2.0

        assert settlement.bounded_usage(state, lease, usage(run_s=float("nan")))[1] is False
        assert settlement.bounded_usage(state, lease, usage())[1] is True

    def test_forgotten_job_leaves_no_explanation(self) -> None:
        """Once a job was kept long enough nothing of it is held, and a younger one stays."""
        pool = Pool("alpha")
        pool.join(card("n1"))
        state = pool.core._state
        for job in ("j1", "j2"):
            (place,) = of(pool.ask(job), commands.Place)
            pool.report(place)
            pool.now += 1.0
        kept = list(state.explained)
        state.now = START + state.policy.timing.job_kept_s
        settlement.forget_old_jobs(state)

        assert kept == ["j1", "j2"]
        assert (list(state.ended), list(state.explained)) == (["j2"], ["j2"])


class TestHolds:
    """What a reservation holds, of which book."""

    def agreed(self, *quotas: Quota) -> Quotas:
        made = Quotas()
        made.apply_policy((CoopTerms("alpha", quotas=quotas),))
        return made

    def test_reservation_beyond_a_quota_is_a_broken_invariant(self) -> None:
        """Nothing is held of any quota when one of them is too small."""
        quotas = self.agreed(Quota(REQUESTS, 9, Period.DAY), Quota(TOKENS, 9, Period.DAY))
        with pytest.raises(AssertionError, match=r"^reserved beyond a quota$"):
            quotas.reserve(ALPHA, {REQUESTS: 1, TOKENS: 10})

        assert quotas.usages == {}

    def test_quota_of_another_kind_hides_none_behind_it(self) -> None:
        """Requests are not asked for: the tokens after them in the terms are held."""
        quotas = self.agreed(Quota(REQUESTS, 9, Period.DAY), Quota(TOKENS, 9, Period.DAY))
        holds = quotas.reserve(ALPHA, {TOKENS: 4})

        assert [(hold.kind, hold.amount) for hold in holds] == [(TOKENS, 4)]

    def test_hold_of_an_old_book_frees_nothing_of_the_next(self) -> None:
        """Each book has a serial of its own, also when it has the name of the one before."""
        quotas = self.agreed(Quota(TOKENS, 9, Period.DAY))
        old = quotas.reserve(ALPHA, {TOKENS: 4})
        quotas.begin_period(Period.DAY, START + 86_400.0)
        quotas.reserve(ALPHA, {TOKENS: 6})
        quotas.settle("alpha", old, {TOKENS: 1})

        assert quotas.tokens_left(ALPHA) == 3

    def test_hold_of_a_key_is_settled_in_the_keys_book(self) -> None:
        """What a run did not use of a key's quota is there again."""
        quotas = self.agreed(Quota(TOKENS, 9, Period.DAY, key="k1"))
        quotas.settle("alpha", quotas.reserve(ALPHA, {TOKENS: 6}), {TOKENS: 1})

        assert quotas.tokens_left(ALPHA) == 8


def test_quotas_before_any_policy_limit_nothing() -> None:
    """Asked before a policy came into force, they know no quota and no limit of a request."""
    quotas = Quotas()

    assert [] == quotas.of("alpha")
    assert quotas.tokens_left(facts("j1", coop="alpha")) is None
