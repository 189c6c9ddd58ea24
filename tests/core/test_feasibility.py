"""Feasibility: what can never run is refused at once, with the limit that forbids it."""

import pytest
from tests.cases import all_cases
from tests.core import invariants
from tests.core.builders import (
    START,
    Pool,
    card,
    catalogue,
    entry,
    loadable,
    of,
    placed,
    policy,
    replica,
    surplus,
)

from entraide import i18n
from entraide.types import DataClass, JobClass, JobKind
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Lend, Period, Quota, QuotaKind
from entraide_scheduler.core.policy.policy import Limits

LENT_NOTHING = {"no slot": Lend(part=0.0), "no energy": Lend(energy_wh_per_day=0)}
# Of the usual job (100 tokens each way) on the usual machine: alone, and in a full batch.
ALONE_UWH, FULL_UWH = 63_889, 22_222
ON_G_PER_KWH = 38.0
ONE_WH = 1_000_000


def refusal(pool: Pool, job: str = "j1", coop: str = "alpha", **changes) -> commands.Refuse:
    """Requests a job and returns its refusal, which must be the only command."""
    (refuse,) = pool.ask(job, coop, **changes)
    assert isinstance(refuse, commands.Refuse)
    return refuse


def sentences(refuse: commands.Refuse) -> tuple[str, str]:
    french, english = (i18n.error(refuse.code, lang, refuse.values) for lang in ("fr", "en"))
    return french, english


class TestLending:
    """A co-op that lends nothing runs nobody else's jobs, and nobody waits for it."""

    @all_cases("kind", JobKind)
    @all_cases("lend", LENT_NOTHING)
    def test_a_job_for_which_nothing_is_lent_is_refused(self, lend: str, kind: JobKind) -> None:
        """Live or kept, it is refused with the reason; the lender's own job runs."""
        pool = Pool(CoopTerms("alpha", lend=LENT_NOTHING[lend]), "beta")
        pool.join(card("n1"), card("n2", zone="CA-ON"))
        refuse = refusal(pool, coop="beta", kind=kind)

        assert ("no_node_serves", None) == (refuse.code, refuse.retry_after_s)
        assert ("lends_nothing", 2, "alpha") == tuple(
            refuse.values[name] for name in ("rule", "nodes", "coop")
        )
        assert not refuse.explanation.waiting_helps
        assert "n1" == placed(pool, "own").node

    def test_a_part_of_a_single_slot_is_that_slot(self) -> None:
        """Half of one slot lends the slot, and half of five lends two."""
        pool = Pool(CoopTerms("alpha", lend=Lend(part=0.5)), "beta")
        pool.join(card("one", replicas=(replica(slots=1),)))
        first = of(pool.ask("j1", "beta"), commands.Place)
        pool.join(card("five", zone="CA-ON", replicas=(replica(slots=5),)))
        more = [of(pool.ask(f"m{number}", "beta"), commands.Place) for number in range(3)]

        assert ["one"] == [place.node for place in first]
        assert [["five"], ["five"], []] == [[place.node for place in each] for each in more]

    def test_a_policy_that_ends_the_lending_ends_the_wait(self) -> None:
        """A live job that waited for a lent slot ends at once with the reason; a kept one waits."""
        pool = Pool("alpha", "beta")
        pool.join(card("n1", replicas=(replica(slots=1),)))
        pool.accept(placed(pool, "running"))
        pool.ask("live", "beta")
        pool.ask("kept", "beta", kind=JobKind.KEPT)
        terms = CoopTerms("alpha", lend=Lend(part=0.0)), CoopTerms("beta")
        asked = pool.tell(events.PolicyChanged, policy(*terms, version="v2"))
        (end,) = of(asked, commands.EndJob)
        invariants.check(pool)

        assert ("live", "no_node_serves") == (end.job, end.code)
        assert "lends_nothing" == end.values["rule"]
        assert {"alpha": 0, "beta": 1} == {"alpha": 0} | pool.core.queue_lengths()

    def test_a_size_means_a_model_that_is_lent(self) -> None:
        """A smaller model of a co-op that lends nothing is passed over, and given up later."""
        pool = Pool("alpha", CoopTerms("beta", lend=Lend(part=0.0)), "gamma")
        small, large = entry("tiny", parameters=1, active_parameters=1), entry("petit-2")
        pool.tell(events.CatalogueChanged, catalogue(small, large))
        pool.join(
            card("theirs", "beta", replicas=(replica("tiny"),)),
            card("ours", replicas=(replica("petit-2", slots=1),)),
        )
        place = placed(pool, "j1", "gamma", model="small")
        own = placed(pool, "j2", "beta", model="small")

        assert ("ours", "theirs") == (place.node, own.node)

    def test_a_machine_that_could_load_the_model_must_be_lent_too(self) -> None:
        """Nothing is loaded for a job that the machine would then refuse."""
        pool = Pool(CoopTerms("alpha", lend=Lend(part=0.0)), "beta")
        pool.join(card("n1", replicas=(), loadable=(loadable(),), models_bytes=1 << 40))

        assert "lends_nothing" == refusal(pool, coop="beta").values["rule"]
        assert "LoadModel" in [type(command).__name__ for command in pool.ask("own")]

    def test_more_than_a_whole_day_of_lent_energy_is_refused(self) -> None:
        """A job that takes more than its lender lends in a day never finds a day."""
        pool = Pool(CoopTerms("alpha", lend=Lend(energy_wh_per_day=1)), "beta")
        pool.join(card("n1"))
        refuse = refusal(pool, coop="beta", choices=60)

        assert "no_node_serves" == refuse.code
        assert ("lend_energy_spent", 1) == (refuse.values["rule"], refuse.values["limit_wh"])
        assert of(pool.ask("short", "beta"), commands.Place)


class TestCap:
    """A cap on grams that no machine will keep is refused; one that may be kept is waited for."""

    def capped_pool(self) -> Pool:
        pool = Pool("alpha")
        pool.join(card("ab", zone="CA-AB"), card("on", zone="CA-ON"))
        return pool

    @all_cases("kind", JobKind)
    def test_a_cap_below_each_machine_is_refused_with_the_least(self, kind: JobKind) -> None:
        """The refusal gives the cap, and what the best machine would emit under its best load."""
        refuse = refusal(self.capped_pool(), max_carbon_ug=800, kind=kind)

        assert ("no_node_serves", None) == (refuse.code, refuse.retry_after_s)
        assert ("over_carbon_cap", 2, 800) == tuple(
            refuse.values[name] for name in ("rule", "nodes", "max_carbon_ug")
        )
        assert pytest.approx(FULL_UWH * ON_G_PER_KWH / 1e9, rel=1e-3) == refuse.values["carbon_g"]
        assert {"over_carbon_cap"} == {each.rule for each in refuse.explanation.excluded}
        assert not any(each.waiting_helps for each in refuse.explanation.excluded)

    def test_a_cap_that_a_full_batch_keeps_is_waited_for(self) -> None:
        """Alone the job would emit too much; beside others it starts."""
        pool = self.capped_pool()
        waits = pool.ask("capped", max_carbon_ug=1_500)
        beside = [pool.ask(f"j{number}", jurisdiction="CA-ON") for number in range(3)]

        assert [] == waits
        assert "capped" in [place.job for asked in beside for place in of(asked, commands.Place)]

    @pytest.mark.parametrize(("within_h", "code"), [(1.0, "no_node_serves"), (6.0, "")])
    def test_an_hour_that_is_green_enough_counts_before_the_deadline(
        self, within_h: float, code: str
    ) -> None:
        """A forecast gives hope to a job whose deadline is later."""
        pool = self.capped_pool()
        pool.tell(events.ForecastIssued, "CA-ON", START, START, (38.0, 38.0, 38.0, 30.0, 30.0))
        asked = pool.ask(
            "j1", max_carbon_ug=800, kind=JobKind.KEPT, deadline_at=START + within_h * 3_600.0
        )

        assert code == "".join(refuse.code for refuse in of(asked, commands.Refuse))

    def test_a_site_with_power_of_its_own_gives_hope(self) -> None:
        """Its surplus may cover all: the job waits, and starts when it does."""
        pool = self.capped_pool()
        pool.join(card("sun", zone="CA-AB", energy=surplus(0.0)))
        waits = pool.ask("capped", max_carbon_ug=1)
        shines = pool.tell(events.NodeChanged, "sun", True, "", surplus(500.0))

        assert [] == waits
        assert ["capped"] == [place.job for place in of(shines, commands.Place)]

    def test_a_zone_without_any_intensity_gives_hope(self) -> None:
        """Nobody knows what such a machine will emit."""
        pool = Pool("alpha")
        pool.join(card("far", zone="CA-YT"))

        assert [] == pool.ask("capped", max_carbon_ug=1)

    def test_a_machine_that_could_load_the_model_gives_hope(self) -> None:
        """What it would take there is unknown."""
        pool = self.capped_pool()
        pool.join(card("could", replicas=(), loadable=(loadable(),), models_bytes=1 << 40))

        assert [] == of(pool.ask("capped", max_carbon_ug=1), commands.Refuse)

    def test_the_same_in_a_large_fleet(self) -> None:
        """Fleets that are evaluated by columns refuse the same jobs."""
        pool = Pool("alpha", limits=Limits(explained_nodes=1))
        pool.join(card("ab", zone="CA-AB"), card("on", zone="CA-ON"))

        assert "over_carbon_cap" == refusal(pool, max_carbon_ug=800).values["rule"]
        assert [] == pool.ask("capped", max_carbon_ug=1_500)

    def test_only_models_whose_cap_can_be_kept_are_proposed(self) -> None:
        """A model that would refuse the same request is not named as fitting."""
        pool = self.capped_pool()
        refuse = refusal(pool, model="none", max_carbon_ug=800)
        other = refusal(pool, "j2", model="none", max_carbon_ug=1_500)

        assert "fitting" not in refuse.values
        assert "petit" == other.values["fitting"]


class TestWholeQuota:
    """A request above the whole of a quota is refused, whatever is left of it."""

    @all_cases("kind", JobKind)
    @pytest.mark.parametrize(
        ("quota", "code"),
        [(QuotaKind.ENERGY_WH, "quota_energy"), (QuotaKind.CARBON_G, "quota_carbon")],
    )
    def test_energy_and_emissions(self, quota: QuotaKind, code: str, kind: JobKind) -> None:
        """Live or kept, it is refused for good with what it would take at least."""
        pool = Pool(quotas={"alpha": (Quota(quota, 1, Period.DAY, project="main"),)})
        pool.tell(events.PeriodBegan, Period.DAY, START + 3_600.0)
        pool.join(card("ab", zone="CA-AB"))
        refuse = refusal(pool, choices=200, kind=kind)
        french, english = sentences(refuse)

        assert (code, None) == (refuse.code, refuse.retry_after_s)
        assert (1, "main") == (refuse.values["never"], refuse.values["project"])
        assert refuse.values["needed"] > refuse.values["limit"] == refuse.values["left"]
        assert "Aucune période ne suffirait" in french
        assert "No period has enough" in english
        assert of(pool.ask("short", kind=kind), commands.Place)

    def test_a_quota_that_is_only_used_up_is_waited_for(self) -> None:
        """A kept job that fits into the whole quota waits for the next period."""
        pool = Pool(quotas={"alpha": (Quota(QuotaKind.ENERGY_WH, 1, Period.DAY),)})
        pool.tell(events.PeriodBegan, Period.DAY, START + 3_600.0)
        pool.join(card("ab"))
        (place,) = of(pool.ask("first"), commands.Place)
        pool.report(place, energy_decode_uwh=2 * ONE_WH)

        assert [] == pool.ask("kept", kind=JobKind.KEPT)

    def test_a_quota_of_nothing_refuses_kept_jobs_too(self) -> None:
        """No period of a quota of 0 Wh is enough for anybody."""
        pool = Pool(quotas={"alpha": (Quota(QuotaKind.ENERGY_WH, 0, Period.DAY),)})
        pool.join(card("n1"))

        assert "quota_energy" == refusal(pool, kind=JobKind.KEPT).code


def test_a_restored_core_refuses_the_same() -> None:
    """What a co-op lends follows from the policy of a snapshot."""
    pool = Pool(CoopTerms("alpha", lend=Lend(part=0.0)), "beta")
    pool.join(card("n1"))
    pool.core = Core.restore(pool.core.snapshot())

    assert "lends_nothing" == refusal(pool, coop="beta").values["rule"]


def test_a_restricted_job_waits_behind_those_only_that_may_take_its_machines() -> None:
    """Other co-ops that wait for other machines are not before it, in what it is told either."""
    pool = Pool(CoopTerms("alpha", lend=Lend(part=0.0)), "beta")
    slot = (replica(slots=1),)
    pool.join(card("own", replicas=slot), card("theirs", "beta", zone="CA-ON", replicas=slot))
    pool.accept(placed(pool, "running", input_tokens_est=900, input_tokens_max=950))
    pool.accept(placed(pool, "busy", "beta"))
    for number in range(3):
        pool.ask(f"b{number}", "beta", jurisdiction="CA-ON")
    pool.ask("mine", data_class=DataClass.RESTRICTED)
    (views, _) = pool.core.live_waits(pool.now, 0)
    (view,) = [view for view in views if view.job == "mine"]
    explanation = pool.core.explain("mine", pool.now)

    assert explanation is not None
    assert ("no_free_slot", 0) == (explanation.reason, explanation.values["coops_ahead"])
    assert ("no_free_slot", 1) == (view.reason, view.position)


def test_batch_work_is_refused_as_well() -> None:
    """A job that may wait for greener hours is refused if the greenest is not green enough."""
    pool = Pool("alpha")
    pool.join(card("on", zone="CA-ON"))
    wish = {"job_class": JobClass.BATCH, "kind": JobKind.KEPT, "max_carbon_ug": 800}

    assert "over_carbon_cap" == refusal(pool, **wish).values["rule"]
