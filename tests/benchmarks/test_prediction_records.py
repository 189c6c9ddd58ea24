"""What the prediction benchmark follows: what was said of a placement, and what came of it."""

import pytest
from benchmarks.support.prediction_records import PredictionRecorder

from entraide.types import Basis, DataClass, NodeCard, Power, Rates, Replica
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_sim import (
    Arrival,
    Grid,
    NodeSpec,
    RequestTemplate,
    World,
    constant_series,
    make_requests,
)

START_AT = 1_700_000_000.0
RATES = Rates(1_000.0, 0.02, 0.005, Basis.MEASURED)


def followed(arrivals: list[Arrival]) -> PredictionRecorder:
    """What is told of a few requests on one node that is what its card says."""
    replica = Replica("petit", "sha256:x", "engine/1", 8_192, 4, (), RATES)
    card = NodeCard(
        node="node-0",
        coop="alpha",
        site="site",
        zone="CA-QC",
        power=Power("even", 20.0, 120.0, Basis.DECLARED),
        replicas=(replica,),
        data_classes=tuple(DataClass),
        energy=None,
        rtt_s=0.04,
        agent="test",
    )
    foresight = PredictionRecorder({"node-0": card})
    policy = Policy("test", (CoopTerms("alpha"),))
    world = World(
        Core(),
        start_at=START_AT,
        watch=foresight.observe,
        policy=policy,
        nodes=[NodeSpec(card=card)],
        grid=Grid([constant_series("CA-QC", 1.0, start_at=START_AT, hours=2)]),
        recorder=foresight.record_job,
    )
    world.run(
        make_requests(arrivals, RequestTemplate("petit"), start_at=START_AT, coops=("alpha",))
    )
    return foresight


def test_an_idle_node_is_what_its_card_says() -> None:
    """Of a request alone the card tells the first token and the pace to the microsecond."""
    (record,) = followed([Arrival(1.0, "", 500, 11)]).records

    assert "even" == record.device
    assert (0.04 + 0.5, 0.025, 0.04) == pytest.approx(
        (record.card_ttft_s, record.card_tpot_s, record.rtt_s)
    )
    assert (record.card_ttft_s, record.card_tpot_s) == pytest.approx((record.ttft_s, record.tpot_s))


def test_what_waits_on_a_node_counts() -> None:
    """The card's figure counts the prompts whose first token is still to come, and the batch."""
    first, second = followed([Arrival(1.0, "", 500, 50), Arrival(1.01, "", 300, 50)]).records

    assert 0.54 == pytest.approx(first.card_ttft_s)
    assert (0.04 + 0.5 + 0.3, 0.03) == pytest.approx((second.card_ttft_s, second.card_tpot_s))


def test_an_answer_of_one_token_has_no_pace() -> None:
    """A pace needs two tokens."""
    (record,) = followed([Arrival(1.0, "", 100, 1)]).records

    assert 0.0 == record.tpot_s
    assert 0.14 == pytest.approx(record.ttft_s)
