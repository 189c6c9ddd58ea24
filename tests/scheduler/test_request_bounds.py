"""Request bounds: facts beyond the core's bounds are refused before the core."""

import json
from collections import Counter
from typing import Any

import pytest
from msgspec import structs
from tests.core.builders import facts

from entraide import i18n
from entraide.types import UNKNOWN_PLACE, JobKind, ServerPlace
from entraide.wire import messages as m
from entraide_scheduler.gateway.jobs import (
    Caller,
    FactsBuilder,
    Partitions,
    TokenEstimator,
    options,
)
from entraide_scheduler.gateway.refusals import ErrorReply, refusals
from entraide_scheduler.gateway.requests import openai
from entraide_scheduler.gateways import LocalSchedulerAdapter
from entraide_scheduler.gateways.request_bounds import TOKENS_MAX, find_facts_fault


class RecordingDriver:
    """A driver that records the events fed to it and the messages sent to gateways."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.answers: list[m.JobRefused] = []
        self.fed: list[Any] = []
        self.core = self  # which knows every model

    def knows_model(self, _model: str) -> bool:
        return True

    def now(self) -> float:
        return 0.0

    def send_to_gateway(self, gateway: str, message: m.JobRefused) -> None:
        self.answers.append(message)

    def feed(self, event: Any) -> None:
        self.fed.append(event.facts)


@pytest.mark.parametrize(
    ("estimate", "bound", "fault"),
    [
        (100, 100, ""),
        (0, 0, ""),
        (101, 100, "input_tokens_est"),
        (TOKENS_MAX, TOKENS_MAX, ""),
        (TOKENS_MAX + 1, TOKENS_MAX + 1, "input_tokens_est"),
        (0, TOKENS_MAX + 1, "input_tokens_max"),
    ],
)
def test_an_estimate_lies_within_the_bound_of_the_prompt(
    estimate: int, bound: int, fault: str
) -> None:
    """What is expected of a prompt is never more than what it can be at most."""
    request_facts = facts("j1", input_tokens_est=estimate, input_tokens_max=bound)

    assert fault == find_facts_fault(request_facts, now=0.0)


def test_a_request_whose_estimate_is_above_its_bound_is_refused() -> None:
    """The gateway is told which field is at fault and what it may be; the core hears nothing."""
    driver = RecordingDriver()
    sound = facts("j1", input_tokens_est=100, input_tokens_max=100)
    adapter = LocalSchedulerAdapter(driver, None, driver, None, "gw")
    adapter.submit(sound)
    adapter.submit(structs.replace(sound, job="j2", input_tokens_est=101))
    (refused,) = driver.answers
    sentence = refusals.error_sentence(ErrorReply(refused.code, refused.values), "en")

    assert [structs.replace(sound, places=(UNKNOWN_PLACE,))] == driver.fed
    assert ("j2", "invalid_request") == (refused.job, refused.code)
    assert "input_tokens_est" in sentence
    assert "at most 100" in sentence
    assert i18n.HOLE not in sentence
    assert 1 == driver.counts["gateway.unsound"]


QUEBEC, ABROAD = ServerPlace("CA-QC", "member"), ServerPlace("US-NY", "other")


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ((), (QUEBEC,)),
        ((QUEBEC,), (QUEBEC,)),
        ((ABROAD,), (QUEBEC, ABROAD)),
        ((ABROAD, QUEBEC), (QUEBEC, ABROAD)),
        ((UNKNOWN_PLACE,), (QUEBEC, UNKNOWN_PLACE)),
    ],
)
def test_the_scheduler_says_itself_where_the_pool_stands(
    places: tuple[ServerPlace, ...], expected: tuple[ServerPlace, ...]
) -> None:
    """No gateway can leave the pool's server out: it comes first, then each other place once."""
    driver = RecordingDriver()
    adapter = LocalSchedulerAdapter(driver, None, driver, None, "gw", place=QUEBEC)
    adapter.submit(facts("j1", places=places))

    assert [expected] == [fed.places for fed in driver.fed]


@pytest.mark.parametrize(
    "places",
    [
        (ServerPlace("", "member"),),
        (ServerPlace("CA-QC\n", "member"),),
        (ServerPlace("Q" * 257, "member"),),
        (ServerPlace("CA-QC", "us"),),
        (QUEBEC,) * 5,
    ],
)
def test_places_are_bounded(places: tuple[ServerPlace, ...]) -> None:
    """A gateway of another version cannot bring a place that the core does not understand."""
    assert "places" == find_facts_fault(facts("j1", places=places), now=0.0)


@pytest.mark.parametrize("prompt", ["", "a", [0], ["", ""], "é" * 5_000])
def test_our_gateway_never_estimates_more_than_its_bound(prompt: Any) -> None:
    """Also for an empty prompt, of which a token at least is expected."""
    maker = FactsBuilder(
        gateway="main",
        kept_gateway="main",
        place=UNKNOWN_PLACE,
        secret=bytes(32),
        token_estimator=TokenEstimator(),
        partitions=Partitions(bytes(32)),
    )
    body = json.dumps({"model": "m", "prompt": prompt}).encode()
    ask = openai.parse_request(openai.COMPLETION, body)
    request_facts = maker.build_facts(
        ask, Caller("key-1", "alpha", "main"), options.Options(), JobKind.LIVE
    )

    assert 1 <= request_facts.input_tokens_est <= request_facts.input_tokens_max
