"""Embeddings in the core: jobs without output, on replicas that may do nothing else."""

import msgspec
import pytest
from tests.core.builders import (
    GB,
    MODEL,
    Pool,
    card,
    excluded,
    facts,
    loadable,
    of,
    placed,
    replica,
)
from tests.core.loading import loads

from entraide.types import JobClass, Promise
from entraide_scheduler.core import commands
from entraide_scheduler.core.model_loading.model_planner import will_miss_promise
from entraide_scheduler.core.policy import Period, Quota, QuotaKind
from entraide_scheduler.core.records import context_input_est

SENTENCES = "phrases"
ONLY = ("embeddings", "embeddings_only")
EMBEDS = {
    "model": SENTENCES, "features": ("embeddings",), "output_tokens_max": 0,
    "longest_input_est": 75,
}  # fmt: skip


def sentence_card(node: str = "n1", **changes: object):
    return card(
        node,
        replicas=(
            replica(),
            replica(SENTENCES, **{"context_tokens": 512, "features": ONLY, **changes}),
        ),
    )


@pytest.fixture
def pool(pool: Pool) -> Pool:
    pool.join(sentence_card())
    return pool


def test_an_embedding_has_no_output(pool: Pool) -> None:
    """No output is granted, expected or charged; the books hold the prompt alone."""
    place = placed(pool, **EMBEDS)
    lease = pool.core._state.leases["j1"]
    asked = pool.report(place, output_tokens=0, energy_decode_uwh=0, ttft_s=0.4, run_s=0.4)
    (settled,) = of(asked, commands.Settle)

    assert 0 == place.output_tokens_max == lease.output_tokens_max == lease.bill.expected_tokens
    assert (90, 0) == (settled.usage.input_tokens, settled.usage.output_tokens)
    assert lease.bill.charged() == 90.0
    assert Promise.KEPT is settled.settlement.promise
    assert 2_000 == settled.settlement.energy_uwh


def test_output_that_a_node_invents_is_not_booked(pool: Pool) -> None:
    """A report of output tokens is a violation, and settled without them."""
    place = placed(pool, **EMBEDS)
    (settled,) = of(pool.report(place, output_tokens=50), commands.Settle)

    assert 0 == settled.usage.output_tokens
    assert 1 == pool.core._state.fleet.nodes["n1"].marks["report_output_tokens"]


def test_a_chat_never_goes_to_a_sentence_model(pool: Pool) -> None:
    """The reason names what the replica lacks, and the request's own field."""
    (refused,) = of(pool.ask("j1", model=SENTENCES), commands.Refuse)

    assert "feature_unsupported" == refused.code
    assert ("chat", "model") == (refused.values["features"], refused.values["param"])
    (exclusion,) = refused.explanation.excluded
    assert ("feature_missing", "chat") == (exclusion.rule, exclusion.values["features"])


def test_a_replica_that_does_both_takes_both(pool: Pool) -> None:
    """The same model on two nodes: a chat passes by the one that only embeds."""
    pool.join(sentence_card("n2", features=("embeddings",)))
    chat = placed(pool, "j1", model=SENTENCES)
    embedding = placed(pool, "j2", **EMBEDS)

    assert "n2" == chat.node
    assert {"n1": "feature_missing"} == excluded(chat)
    assert {} == excluded(embedding)


def test_an_alias_means_a_model_of_the_kind(pool: Pool) -> None:
    """``auto`` is the text model for a chat and the sentence model for embeddings."""
    chat = placed(pool, "j1", model="auto")
    embedding = placed(pool, "j2", **{**EMBEDS, "model": "auto"})

    assert (MODEL, SENTENCES) == (chat.terms.model, embedding.terms.model)


def test_the_longest_input_must_fit_not_their_sum(pool: Pool) -> None:
    """A batch of inputs is admitted by its longest."""
    batch = {"input_tokens_est": 20_000, "input_tokens_max": 30_000}
    place = placed(pool, "j1", **{**EMBEDS, **batch})
    (refused,) = of(pool.ask("j2", **{**EMBEDS, "longest_input_est": 512}), commands.Refuse)

    assert 0 == place.output_tokens_max
    assert "context_length_exceeded" == refused.code
    assert 512 == refused.values["input_tokens"]


def test_the_larger_context_is_found(pool: Pool) -> None:
    """An input beyond the smaller context goes where it fits."""
    pool.join(sentence_card("n2", context_tokens=8_192))
    place = placed(pool, **{**EMBEDS, "longest_input_est": 600})

    assert "n2" == place.node
    assert {"n1": "context_too_small"} == excluded(place)


@pytest.mark.parametrize(("limit", "admitted"), [(150, True), (149, False)])
def test_a_quota_reserves_the_prompt_alone(*, limit: int, admitted: bool) -> None:
    """The tokens that are reserved are the upper bound of the prompt."""
    pool = Pool(quotas={"alpha": (Quota(QuotaKind.TOKENS, limit, Period.DAY),)})
    pool.join(sentence_card())
    asked = pool.ask("j1", **EMBEDS)

    assert admitted == bool(of(asked, commands.Place))


def test_the_time_of_a_token_is_no_objective(pool: Pool) -> None:
    """A slow step of the engine breaks no promise about tokens that are never written."""
    slow = replica(SENTENCES, features=ONLY)
    slow = msgspec.structs.replace(slow, rates=msgspec.structs.replace(slow.rates, tpot_base_s=1.0))
    pool.join(card("n1", replicas=(slow,)))
    place = placed(pool, **EMBEDS)

    assert not place.terms.at_risk


def test_the_reading_rate_is_learned(pool: Pool) -> None:
    """The time to the embeddings teaches the rate, and lengths of answers stay as they were."""
    pace = pool.core._state.fleet.nodes["n1"].loads[SENTENCES].pace
    before = pace.prefill_s_per_token
    for number in range(40):
        place = placed(pool, f"j{number}", **EMBEDS)
        pool.report(
            place, input_tokens=100, output_tokens=0, energy_decode_uwh=0, ttft_s=2.0, run_s=2.0
        )

    assert pace.prefill_s_per_token > 3 * before


@pytest.mark.parametrize(("features", "learned"), [(ONLY, True), (("embeddings",), False)])
def test_lengths_are_not_learned_from_a_model_that_chats(
    pool: Pool, *, features: tuple[str, ...], learned: bool
) -> None:
    """Embeddings say nothing about the length of a chat's answers."""
    pool.join(sentence_card(features=features))
    pool.report(placed(pool, **EMBEDS), output_tokens=0, ttft_s=0.4)

    assert learned == (SENTENCES in pool.core._state.length_predictor._models)


def test_a_sentence_model_is_loaded_on_request() -> None:
    """A node that can load it does so for embeddings, and not for a chat."""
    pool = Pool()
    offer = loadable(SENTENCES, features=ONLY, context_tokens=512)
    pool.join(card("n1", replicas=(), loadable=(offer,), models_bytes=8 * GB))
    chat = of(pool.ask("j1", model=SENTENCES), commands.Refuse)
    pool.ask("j2", **EMBEDS)

    assert ["feature_unsupported"] == [refused.code for refused in chat]
    assert [("n1", SENTENCES)] == loads(pool.asked)
    assert pool.core._state.demand.tokens_per_s(SENTENCES, pool.now, 600.0) > 0.0


def test_waiting_inputs_count_for_another_replica(pool: Pool) -> None:
    """Jobs that wait are expected to miss their promise by what they have to read."""
    state = pool.core._state
    pool.ask("j1", **EMBEDS)
    job = state.jobs["j1"]
    large = msgspec.structs.replace(job.facts, input_tokens_est=1_000_000)

    assert not will_miss_promise(state, SENTENCES, [(job, 1)])
    job.facts = large
    assert will_miss_promise(state, SENTENCES, [(job, 1)])


def test_batch_work_is_deferred_as_any_other(pool: Pool) -> None:
    """Embeddings of the class ``batch`` wait for greener hours within their deadline."""
    deferred = facts("x", job_class=JobClass.BATCH, **EMBEDS)
    pool.ask("j1", job_class=JobClass.BATCH, deadline_at=pool.now + 86_400.0, **EMBEDS)

    assert deferred.embeds
    assert pool.core._state.jobs["j1"].wait is not None


def test_old_facts_decode(pool: Pool) -> None:
    """Facts of a journal that was written before embeddings have no longest input."""
    old = msgspec.to_builtins(facts("j1"))
    del old["longest_input_est"]

    assert facts("j1") == msgspec.convert(old, type(facts("j1")))
    assert 100 == context_input_est(facts("j1"))
