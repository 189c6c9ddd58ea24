"""Token estimator: expected prompt tokens, before and after counts of engines."""

import random

import pytest
from msgspec.structs import replace

from entraide_scheduler.gateway.chat import ChatRequest, PoolFields
from entraide_scheduler.gateway.jobs import TokenEstimator
from entraide_scheduler.gateway.requests import CHAT, ParsedRequest
from entraide_scheduler.gateway.requests.openai import COMPLETION


def ask(size: int, path: str = CHAT, *, features: tuple[str, ...] = ()) -> ParsedRequest:
    """A request with so many bytes of text."""
    most = size + 80
    body = ChatRequest(model="petit", messages=[])
    return ParsedRequest(
        path, "petit", size, most, None, 1, features, False, False, PoolFields(), body
    )


def test_a_short_question_is_mostly_template() -> None:
    """Before any run a chat is its text and a template; a bare prompt is its text."""
    assert 32 == TokenEstimator().estimate_input_tokens(ask(42))
    assert 13 == TokenEstimator().estimate_input_tokens(ask(42, COMPLETION))
    assert 20 == TokenEstimator().estimate_input_tokens(ask(0))


def test_few_runs_teach_the_template_and_leave_long_prompts() -> None:
    """What short questions come to is known after three of them; a long one stays what it was."""
    sizes = TokenEstimator()
    before = sizes.estimate_input_tokens(ask(35_000))
    for _ in range(3):
        sizes.add_count(ask(43), "smollm2", 45)

    assert 45 == pytest.approx(sizes.estimate_input_tokens(ask(43)), abs=4)
    assert 45 == pytest.approx(
        sizes.estimate_input_tokens(replace(ask(43), model="smollm2")), abs=4
    )
    assert before == pytest.approx(sizes.estimate_input_tokens(ask(35_000)), rel=0.1)


@pytest.mark.parametrize(("per_byte", "template"), [(1 / 3.0, 31), (1 / 4.4, 6), (1 / 2.2, 60)])
def test_both_numbers_are_learned(per_byte: float, template: int) -> None:
    """From prompts of all sizes, each a little off, so that others are foreseen within a tenth."""
    draw, sizes = random.Random(1), TokenEstimator()
    for _ in range(60):
        size = int(10 ** draw.uniform(1.3, 4.5))
        tokens = (template + per_byte * size) * draw.uniform(0.95, 1.05)
        sizes.add_count(ask(size), "petit", int(tokens))

    for size in (30, 300, 3_000, 30_000):
        runs = template + per_byte * size
        assert runs == pytest.approx(sizes.estimate_input_tokens(ask(size)), rel=0.1)


def test_another_model_of_the_same_name_is_followed() -> None:
    """Old runs fade."""
    sizes = TokenEstimator()
    for tokens in (45, 70):
        for _ in range(40):
            sizes.add_count(ask(60), "petit", tokens)

    assert 70 == pytest.approx(sizes.estimate_input_tokens(ask(60)), abs=5)


def test_what_teaches_nothing() -> None:
    """Images, empty texts and counts that cannot be; a bare prompt says nothing of a template."""
    sizes = TokenEstimator()
    for request, tokens in (
        (ask(42, features=("images",)), 900),
        (ask(0), 30),
        (ask(42), 0),
        (ask(42), -5),
        (ask(42, COMPLETION), 11),
    ):
        sizes.add_count(request, "petit", tokens)

    assert 32 == sizes.estimate_input_tokens(ask(42))


def test_never_beyond_the_bound() -> None:
    """Whatever engines say, an estimate is a token at least and the bound at most."""
    sizes = TokenEstimator()
    for tokens in (10**9, 1):
        for _ in range(100):
            sizes.add_count(ask(1_000), "petit", tokens)
        assert 1 <= sizes.estimate_input_tokens(ask(1_000)) <= ask(1_000).input_tokens_max
        assert 1 <= sizes.estimate_input_tokens(ask(1)) <= ask(1).input_tokens_max
