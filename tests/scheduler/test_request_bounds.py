"""Request bounds: what a gateway says of a request is refused where the core cannot hold it."""

import json
from collections import Counter
from typing import Any

import pytest
from msgspec import structs
from tests.core.builders import facts

from entraide import i18n
from entraide.types import JobKind
from entraide.wire import messages as m
from entraide_scheduler.desks import LocalDesk
from entraide_scheduler.gateway import openai, options, refusals
from entraide_scheduler.gateway.options import Caller, FactsMaker
from entraide_scheduler.gateway.refusals import Refusal
from entraide_scheduler.gateway.sizes import Sizes
from entraide_scheduler.request_bounds import TOKENS_MAX, facts_fault


class Told:
    """A core's driver that notes what it is told, and what gateways are answered."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.answers: list[m.JobRefused] = []
        self.fed: list[Any] = []

    def now(self) -> float:
        return 0.0

    def answer(self, gateway: str, message: m.JobRefused) -> None:
        self.answers.append(message)

    def feed(self, kind: type, **values: Any) -> None:
        self.fed.append(values["facts"])


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
    asked = facts("j1", input_tokens_est=estimate, input_tokens_max=bound)

    assert fault == facts_fault(asked, now=0.0)


def test_a_request_whose_estimate_is_above_its_bound_is_refused() -> None:
    """The gateway is told which field is at fault and what it may be; the core hears nothing."""
    live = Told()
    sound = facts("j1", input_tokens_est=100, input_tokens_max=100)
    desk = LocalDesk(live, None, "gw")
    desk.submit(sound)
    desk.submit(structs.replace(sound, job="j2", input_tokens_est=101))
    (refused,) = live.answers
    sentence = refusals.sentence(Refusal(refused.code, refused.values), "en")

    assert [sound] == live.fed
    assert ("j2", "invalid_request") == (refused.job, refused.code)
    assert "input_tokens_est" in sentence
    assert "at most 100" in sentence
    assert i18n.HOLE not in sentence
    assert 1 == live.counts["gateway.unsound"]


@pytest.mark.parametrize("prompt", ["", "a", [0], ["", ""], "é" * 5_000])
def test_our_gateway_never_estimates_more_than_its_bound(prompt: Any) -> None:
    """Also for an empty prompt, of which a token at least is expected."""
    maker = FactsMaker(
        gateway="main", kept_gateway="main", jurisdiction="CA", secret=bytes(32), sizes=Sizes()
    )
    body = json.dumps({"model": "m", "prompt": prompt}).encode()
    ask = openai.parse(openai.COMPLETION, body)
    asked = maker.facts(ask, Caller("key-1", "alpha", "main"), options.Options(), JobKind.LIVE)

    assert 1 <= asked.input_tokens_est <= asked.input_tokens_max
