"""Admission: which jobs are refused, with which code and retry time."""

import msgspec
import pytest
from tests.cases import all_cases
from tests.core.builders import MODEL, START, Pool, card, kinds, of, replica

from entraide import i18n
from entraide.types import Control, DataClass, JobState
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.policy import Period, Quota, QuotaKind
from entraide_scheduler.core.policy.policy import Limits

REFUSALS = {
    "a co-op that is no member": ("stranger", {}, "unknown_coop", None),
    "a model that nobody serves": ("alpha", {"model": "none"}, "unknown_model", None),
    "a deadline that has passed": ("alpha", {"deadline_at": START}, "deadline_passed", None),
    "a place outside": ("alpha", {"jurisdiction": "US"}, "no_node_serves", None),
    "a prefix that is no place": ("alpha", {"jurisdiction": "CA-Q"}, "no_node_serves", None),
    "a control that the operator vouched for no node": (
        "alpha",
        {"controlled_by": Control.CANADIAN},
        "no_node_serves",
        None,
    ),
    "a feature that no engine has": (
        "alpha",
        {"features": ("images",)},
        "feature_unsupported",
        None,
    ),
    "a feature that no engine has, for a size": (
        "alpha",
        {"features": ("images",), "model": "auto"},
        "feature_unsupported",
        None,
    ),
    "restricted data and no machine of one's own": (
        "delta",
        {"data_class": DataClass.RESTRICTED},
        "no_node_serves",
        None,
    ),
    "a prompt as long as the context": (
        "alpha",
        {"input_tokens_est": 4_096},
        "context_length_exceeded",
        None,
    ),
}


@all_cases("case", REFUSALS)
def test_a_job_that_no_node_can_serve_is_refused(case: str) -> None:
    """A job that no node can ever serve is refused at once with its code, and never queued."""
    coop, changes, code, retry_after_s = REFUSALS[case]
    pool = Pool("alpha", "beta", "delta")
    pool.join(card("n1", "alpha"), card("n2", "beta", "CA-ON"))
    (refuse,) = pool.ask("j1", coop, **changes)

    assert (refuse.code, refuse.retry_after_s) == (code, retry_after_s)
    assert refuse.explanation.decision == "refused"
    assert pool.core.explain("j1", pool.now) == refuse.explanation
    assert pool.core.job("j1").state is JobState.REFUSED


def test_an_unknown_model_is_refused_with_the_known_ones(pool: Pool) -> None:
    """The refusal names the models of the pool."""
    pool.join(card("n1", replicas=(replica("b"), replica("a"))))
    (refuse,) = pool.ask("j1", model="c")

    assert refuse.values == {"model": "c", "models": "a, b", "fitting": "a, b"}


def test_only_models_that_would_admit_the_request_are_named(pool: Pool) -> None:
    """What would have been admitted is tried before it is said: an image fits no model without
    images, a long prompt none with a short context, restricted data nobody else's machine."""
    pool.join(
        card("n1", replicas=(replica("text"),)),
        card("n2", replicas=(replica("seeing", features=("images",)),)),
        card("n3", replicas=(replica("short", features=("images",), context_tokens=50),)),
        card("n4", "beta", replicas=(replica("theirs", features=("images",)),)),
    )
    (image,) = pool.ask("j1", model="absent", features=("images",))
    (plain,) = pool.ask("j2", model="absent", input_tokens_est=10, input_tokens_max=20)
    (kept,) = pool.ask("j3", model="absent", data_class=DataClass.RESTRICTED, features=("images",))
    (none,) = pool.ask("j4", model="absent", features=("schema",))

    assert image.values["models"] == "seeing, short, text, theirs"
    assert image.values["fitting"] == "seeing, theirs"
    assert plain.values["fitting"] == "seeing, short, text, theirs"
    assert kept.values["fitting"] == "seeing"
    assert "fitting" not in none.values


def test_a_model_that_a_quota_or_a_silent_node_excludes_is_not_named(pool: Pool) -> None:
    """Every other reason to refuse the request for that model counts as well."""
    pool = Pool("alpha", quotas={"alpha": (Quota(QuotaKind.TOKENS, 10, Period.DAY),)})
    pool.join(card("n1", replicas=(replica("text"),)))
    (spent,) = pool.ask("j1", model="absent")
    other = Pool("alpha")
    other.join(card("n1", replicas=(replica("text"),)))
    other.wait(60.0)
    (silent,) = other.ask("j1", model="absent")

    assert (spent.values["models"], silent.values["models"]) == ("text", "text")
    assert "fitting" not in spent.values
    assert "fitting" not in silent.values
    assert other.core.quota_left("alpha") == []


FEATURES = {
    "one that no node has": (("images", "tools"), "images"),
    "two that no node has together": (("schema", "tools"), "schema, tools"),
}


@pytest.mark.parametrize("case", FEATURES)
def test_features_that_are_missing_are_named(pool: Pool, case: str) -> None:
    """The refusal names what no node can do; nodes that are lost count, they may come back."""
    features, missing = FEATURES[case]
    tools, schema = (replica(features=(name,)) for name in ("tools", "schema"))
    pool.join(card("n1", replicas=(tools,)), card("n2", replicas=(schema,)))
    (refuse,) = pool.ask("j1", features=features)
    pool.wait(11.0)
    (later,) = pool.ask("j2", features=("tools",))

    assert ("feature_unsupported", None) == (refuse.code, refuse.retry_after_s)
    assert missing == refuse.values["features"]
    assert ("no_node_live", 10.0) == (later.code, later.retry_after_s)


def test_a_rule_that_excludes_all_is_named(three: Pool) -> None:
    """The refusal says which rule excluded how many nodes, and which each."""
    (refuse,) = three.ask("j1", jurisdiction="CA-BC")

    assert refuse.values["rule"] == "wrong_jurisdiction"
    assert refuse.values["nodes"] == 3
    assert [exclusion.node for exclusion in refuse.explanation.excluded] == ["ab-1", "on-1", "qc-1"]


@pytest.mark.parametrize(
    ("default", "asked", "runs_on"),
    [
        ("", "", "other"),
        ("", "canadian", "canadian"),
        ("", "member", "member"),
        ("member", "", "member"),
        ("canadian", "", "canadian"),
        ("canadian", "member", "member"),
        ("member", "canadian", "canadian"),
        ("member", "other", "other"),
    ],
)
def test_control_is_the_requests_word_else_the_policys(
    default: str, asked: str, runs_on: str
) -> None:
    """The greener the node, the less is vouched: the job runs on the first that it may use."""
    pool = Pool(controlled_by=Control(default))
    for name, grams in (("other", 1.0), ("canadian", 2.0), ("member", 3.0)):
        zone = f"CA-{name.upper()}"
        pool.join(card(name, zone=zone, controlled_by=Control(name)))
        pool.tell(events.IntensityChanged, zone, grams, grams, "measured", START + 1e6)
    (place,) = of(pool.ask("j1", controlled_by=Control(asked)), commands.Place)

    assert runs_on == place.node
    assert runs_on == place.terms.controlled_by
    assert runs_on == place.explanation.values["controlled_by"]


def test_unstated_control_is_neither_member_nor_canadian(pool: Pool) -> None:
    """A node that joined before anything was vouched runs no job that asks for control."""
    pool.join(card("n1"))
    (refuse,) = pool.ask("j1", controlled_by=Control.CANADIAN)
    (exclusion,) = refuse.explanation.excluded
    (place,) = of(pool.ask("j2"), commands.Place)

    assert ("no_node_serves", "wrong_control") == (refuse.code, exclusion.rule)
    assert {"controlled_by": "other", "asked_control": "canadian"} == exclusion.values
    assert "controlled_by" not in msgspec.to_builtins(place.terms)
    assert "controlled_by" not in place.explanation.values


def test_new_word_of_the_operator_counts_for_waiting_jobs(pool: Pool) -> None:
    """A job that waits for a member's node runs on a second one as soon as it is vouched for."""
    pool.join(
        card("n1", replicas=(replica(slots=1),), controlled_by=Control.MEMBER), card("n2", "beta")
    )
    pool.ask("j1", controlled_by=Control.MEMBER)
    waits = of(pool.ask("j2", controlled_by=Control.MEMBER), commands.Place)
    pool.join(card("n2", "beta", controlled_by=Control.MEMBER))

    assert [] == waits
    assert [("j1", "n1"), ("j2", "n2")] == [(place.job, place.node) for place in pool.places()]


def test_job_ends_when_the_operator_vouches_for_no_node_any_more(pool: Pool) -> None:
    """A live job that waits for a member's node ends when the only one is not that any more."""
    serving = {"replicas": (replica(slots=1),)}
    pool.join(card("n1", **serving, controlled_by=Control.MEMBER))
    pool.ask("j1")
    pool.ask("j2", controlled_by=Control.MEMBER)
    asked = pool.tell(events.NodeJoined, card("n1", **serving), True, "")

    assert [("j2", "no_node_live")] == [(end.job, end.code) for end in of(asked, commands.EndJob)]


def test_when_all_eligible_nodes_are_lost_a_retry_time_is_given(pool: Pool) -> None:
    """If the only eligible node is lost the refusal says so, with a retry time of 10 s."""
    pool.join(card("n1"))
    pool.wait(11.0)
    (refuse,) = pool.ask("j1")

    assert (refuse.code, refuse.retry_after_s) == ("no_node_live", 10.0)


def test_a_node_that_left_serves_nothing(pool: Pool) -> None:
    """Models of nodes that left are unknown."""
    pool.join(card("n1"))
    pool.tell(events.NodeLeft, "n1", "goodbye")
    (refuse,) = pool.ask("j1")

    assert refuse.code == "unknown_model"


def test_the_same_job_twice_changes_nothing(three: Pool) -> None:
    """A job that is known is dropped when it comes again, running or over."""
    (place,) = of(three.ask("j1"), commands.Place)
    again = three.ask("j1")
    three.report(place)
    after = three.ask("j1")

    assert [drop.what for drop in again + after] == ["duplicate", "duplicate"]


def test_a_full_queue_is_refused() -> None:
    """A co-op that queues more than the policy allows is refused; another is not."""
    pool = Pool("alpha", "beta", limits=Limits(queued_per_coop=2))
    pool.join(card("n1", replicas=(replica(slots=1),)))
    for job in ("running", "first", "second"):
        pool.ask(job)
    (refuse,) = pool.ask("third")

    assert refuse.code == "queue_full"
    assert refuse.values == {"limit": 2}
    assert 1.0 <= refuse.retry_after_s <= 30.0
    assert pool.ask("other", "beta") == []


class TestOutputLimit:
    """The limit on the answer that is written into the forwarded request."""

    @pytest.mark.parametrize(
        ("case", "changes", "quota", "limit"),
        [
            ("the client's own", {"output_tokens_max": 77}, None, 77),
            ("the policy's default", {"output_tokens_max": None}, None, 512),
            (
                "what the context leaves",
                {"output_tokens_max": None, "input_tokens_est": 4_000, "input_tokens_max": 4_050},
                None,
                96,
            ),
            ("what the quota leaves", {"output_tokens_max": None}, 250, 100),
            (
                "what the quota leaves for each answer",
                {"output_tokens_max": None, "choices": 3},
                250,
                33,
            ),
        ],
    )
    def test_it_is_the_least_of_what_binds(self, case, changes, quota, limit) -> None:
        """Without a limit of the client's, the least of default, context and quota holds."""
        quotas = {} if quota is None else {"alpha": (tokens(quota),)}
        pool = Pool("alpha", quotas=quotas)
        pool.join(card("n1"))
        (place,) = pool.ask("j1", **changes)

        assert place.output_tokens_max == limit

    def test_the_longest_context_of_an_able_node_counts(self, pool: Pool) -> None:
        """A node that may not serve the job does not stretch its context."""
        pool.join(
            card("small", replicas=(replica(context_tokens=200),)),
            card("large", zone="US-NY", replicas=(replica(context_tokens=9_000),)),
        )
        (place,) = pool.ask("j1", output_tokens_max=None)

        assert (place.node, place.output_tokens_max) == ("small", 100)

    def test_a_job_goes_where_its_whole_answer_fits(self, pool: Pool) -> None:
        """The prompt and the longest answer must fit, where any node offers that."""
        pool.join(
            card("green", zone="CA-QC", replicas=(replica(context_tokens=512),)),
            card("large", zone="CA-AB", replicas=(replica(context_tokens=2_048),)),
        )
        (place,) = pool.ask("j1", output_tokens_max=800)

        assert place.node == "large"

    def test_a_limit_beyond_every_context_does_not_refuse(self, pool: Pool) -> None:
        """A client's limit beyond every context is cut to the largest context."""
        pool.join(card("n1", replicas=(replica(context_tokens=512),)))
        (place,) = pool.ask("j1", output_tokens_max=100_000)

        assert (place.node, place.output_tokens_max) == ("n1", 100_000)


def tokens(limit: int, period: Period = Period.DAY) -> Quota:
    return Quota(QuotaKind.TOKENS, limit, period)


def limited(*quotas: Quota) -> Pool:
    pool = Pool("alpha", "beta", quotas={"alpha": quotas})
    pool.join(card("n1"))
    pool.tell(events.PeriodBegan, Period.DAY, START + 3_600.0)
    return pool


class TestQuotas:
    """Quotas are hard, reserved at admission and settled at the end."""

    def test_tokens_are_reserved_before_they_are_used(self) -> None:
        """Requests at the same time cannot overspend: the bound is reserved at once."""
        pool = limited(tokens(400))
        first, second = pool.ask("j1"), pool.ask("j2")

        assert kinds(first) == ["Place"]
        assert (second[0].code, second[0].retry_after_s) == ("quota_tokens", 3_600.0)
        assert second[0].values == {"limit": 400, "left": 150, "needed": 250, "period": "day"}

    def test_what_was_not_used_comes_back(self) -> None:
        """After the report the quota has lost what was used, and no more."""
        pool = limited(tokens(400))
        (place,) = pool.ask("j1")
        pool.report(place, input_tokens=90, output_tokens=50)
        (left,) = pool.core.quota_left("alpha")

        assert (left.used, left.reserved, left.left) == (140, 0, 260)
        assert kinds(pool.ask("j2")) == ["Place"]

    def test_a_report_beyond_the_bound_does_not_exceed_the_quota(self) -> None:
        """A report beyond what was granted counts by the pool's own estimate of the prompt, and
        by what was granted of the answer."""
        pool = limited(tokens(400))
        (place,) = pool.ask("j1")
        pool.report(place, input_tokens=5_000, output_tokens=5_000)
        (left,) = pool.core.quota_left("alpha")

        assert (left.used, left.left) == (200, 200)

    def test_a_request_beyond_the_whole_quota_need_not_come_back(self) -> None:
        """No retry time is given when the request would never fit, and the quota is not called
        spent: nobody is told to wait for another period."""
        (refuse,) = limited(tokens(200)).ask("j1")
        sentences = [i18n.error(refuse.code, lang, refuse.values) for lang in ("en", "fr")]

        assert (refuse.code, refuse.retry_after_s) == ("quota_tokens", None)
        assert [True, True] == [
            all(part in sentence for part in parts)
            for sentence, parts in zip(sentences, (
                ("does not suffice: 200 of 200", "No period"),
                ("ne suffit pas", "Aucune période"),
            ), strict=True)
        ]  # fmt: skip

    def test_a_spent_quota_refuses_a_request_without_a_limit(self) -> None:
        """When less is left than the prompt and one token, the request is refused."""
        (refuse,) = limited(tokens(150)).ask("j1", output_tokens_max=None)

        assert refuse.code == "quota_tokens"

    def test_a_new_period_is_whole_again(self) -> None:
        """What an old period's job reserved or uses does not count in the new one."""
        pool = limited(tokens(400))
        (place,) = pool.ask("j1")
        pool.tell(events.PeriodBegan, Period.DAY, START + 7_200.0)
        (fresh,) = pool.core.quota_left("alpha")
        pool.report(place)
        (after,) = pool.core.quota_left("alpha")

        assert (fresh.used, fresh.reserved) == (0, 0)
        assert (after.used, after.reserved, after.ends_at) == (0, 0, START + 7_200.0)

    def test_another_period_changes_nothing(self) -> None:
        """A month that begins leaves the day's quota as it is."""
        pool = limited(tokens(400))
        pool.ask("j1")
        pool.tell(events.PeriodBegan, Period.MONTH, START + 9e6)
        (left,) = pool.core.quota_left("alpha")

        assert left.reserved == 250

    def test_requests_count_once_admitted(self) -> None:
        """A quota of two requests admits two, whatever becomes of them."""
        pool = limited(Quota(QuotaKind.REQUESTS, 2, Period.DAY))
        pool.ask("j1")
        pool.tell(events.JobCancelled, "j1", "cancelled")
        pool.ask("j2")
        (refuse,) = of(pool.ask("j3"), commands.Refuse)

        assert (refuse.code, refuse.retry_after_s) == ("quota_requests", 3_600.0)

    def test_jobs_in_flight_free_their_place_when_they_end(self) -> None:
        """A quota of one job in flight admits the next once the first has ended."""
        pool = limited(Quota(QuotaKind.JOBS_IN_FLIGHT, 1))
        (place,) = pool.ask("j1")
        (refuse,) = pool.ask("j2")
        pool.report(place)

        assert refuse.code == "quota_jobs"
        assert 1.0 <= refuse.retry_after_s <= 30.0
        assert kinds(pool.ask("j3")) == ["Place"]

    def test_a_cancelled_job_frees_its_place_before_its_report(self) -> None:
        """The place in flight is free at once; the tokens wait for the node's report."""
        pool = limited(Quota(QuotaKind.JOBS_IN_FLIGHT, 1), tokens(1_000))
        (place,) = pool.ask("j1")
        pool.accept(place)
        pool.tell(events.JobCancelled, "j1", "cancelled")
        before = {view.kind: view.reserved for view in pool.core.quota_left("alpha")}
        pool.report(place, input_tokens=90, output_tokens=10)
        after = {view.kind: (view.used, view.reserved) for view in pool.core.quota_left("alpha")}

        assert before == {QuotaKind.JOBS_IN_FLIGHT: 0, QuotaKind.TOKENS: 250}
        assert after == {QuotaKind.JOBS_IN_FLIGHT: (0, 0), QuotaKind.TOKENS: (100, 0)}

    def test_a_run_that_is_not_billed_gives_its_tokens_back(self) -> None:
        """A job cancelled before its node began, and never reported, has used no quota."""
        pool = limited(tokens(400))
        pool.ask("j1")
        pool.tell(events.JobCancelled, "j1", "cancelled")
        pool.wait(12.0, seen=("n1",))
        (left,) = pool.core.quota_left("alpha")

        assert (left.used, left.reserved) == (0, 0)

    def test_another_coop_has_its_own(self) -> None:
        """A spent quota is its co-op's alone."""
        pool = limited(tokens(100))

        assert kinds(pool.ask("j1", "beta")) == ["Place"]

    def test_of_two_quotas_of_one_kind_both_hold(self) -> None:
        """A minute's and a day's quota of tokens are both kept."""
        pool = limited(tokens(10_000), tokens(300, Period.MINUTE))
        pool.ask("j1")
        (refuse,) = pool.ask("j2")

        assert ("rate_limit_exceeded", "tokens") == (refuse.code, refuse.values["quota"])

    def test_a_request_above_a_whole_minute_is_no_matter_of_pace(self) -> None:
        """What exceeds a minute's whole quota would not pass in any other minute either."""
        pool = limited(tokens(30, Period.MINUTE))
        (refuse,) = pool.ask("j1")

        assert ("quota_tokens", None) == (refuse.code, refuse.retry_after_s)

    def test_a_changed_policy_keeps_what_was_used(self) -> None:
        """A new version of the policy does not make a quota whole again."""
        pool = limited(tokens(400))
        (place,) = pool.ask("j1")
        pool.report(place)
        pool.tell(events.PolicyChanged, pool.core._state.policy)

        assert pool.core.quota_left("alpha")[0].used == 140


def test_an_invalid_policy_is_not_applied(three: Pool) -> None:
    """A policy with faults is dropped, and the one in force stays."""
    before = three.core._state.policy
    asked = three.tell(events.PolicyChanged, type(before)(version=""))

    assert [drop.what for drop in asked] == ["unsound_policy"]
    assert three.core._state.policy == before


def test_models_are_listed_with_their_replicas(three: Pool) -> None:
    """The list of models tells contexts, features and how many live replicas there are."""
    three.join(card("qc-2", replicas=(replica(context_tokens=8_192, features=("tools",)),)))
    three.wait(5.0, seen=("qc-1", "qc-2"))
    (model,) = three.core.models()

    assert (model.model, model.context_tokens, model.features) == (MODEL, 8_192, ("tools",))
    assert (model.replicas, model.live_replicas, model.slots_free) == (4, 2, 8)
