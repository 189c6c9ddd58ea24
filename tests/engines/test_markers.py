"""No answer of llama.cpp holds a word of another prompt, however the runs share its slots."""

import asyncio
import random
from typing import Any

import msgspec
import pytest
from tests.engines.support import llamacpp, ran, request

from entraide.types import Outcome
from entraide_node.engines.base import COMPLETIONS
from entraide_node.engines.supervised_engine import SupervisedEngine

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]

RUNS, SLOTS, ROUNDS = 16, 6, 2
ANSWER_TOKENS = 12
SIGNS = "BCDFGHJKLMNPQRSTVWXZ"


def make_markers(source: random.Random) -> list[str]:
    """A word for each run that no language has."""
    return ["".join(source.choices(SIGNS, k=6)) for _ in range(RUNS)]


def prompt_of(marker: str, repeats: int) -> str:
    """A text that the model goes on with by repeating its word.

    All begin alike, as prompts with the same instructions do, and differ in length, so that the
    runs end and begin at different times and each slot is taken over again and again.
    """
    return "The password of this conversation is secret. " + f"The password is {marker}. " * repeats


async def answers(engine: SupervisedEngine, markers: list[str], name: str) -> list[str]:
    """The texts of sixteen runs at a time."""

    async def ask(number: int, marker: str) -> str:
        prompt = prompt_of(marker, 3 + 2 * (number % 4)) + "The password is"
        fields: dict[str, Any] = {"prompt": prompt, "max_tokens": ANSWER_TOKENS, "temperature": 0}
        asked = request(f"{name}-{number}", stream=False, path=COMPLETIONS, **fields)
        _, end = await ran(engine, asked)
        assert Outcome.COMPLETED is end.outcome, end
        return str(msgspec.json.decode(end.body)["choices"][0]["text"])

    return await asyncio.gather(*(ask(n, marker) for n, marker in enumerate(markers)))


def words_of_others(
    markers: list[str], texts: list[str], earlier: list[str]
) -> list[tuple[str, str]]:
    """The words of other prompts, of now or before, that answers hold, with the answer."""
    return [
        (other, text)
        for marker, text in zip(markers, texts, strict=True)
        for other in {*earlier, *markers} - {marker}
        if other in text
    ]


async def test_no_answer_holds_a_word_of_another_prompt() -> None:
    """Sixteen prompts at a time on six slots, twice: each repeats its own word, no other's.

    With this model it holds with llama.cpp's cache in memory and with shared states, too.
    """
    source = random.Random(27_148)
    held: list[tuple[str, str]] = []
    earlier: list[str] = []
    own = 0
    async with llamacpp(slots=SLOTS, context_tokens=512) as engine:
        for turn in range(ROUNDS):
            markers = make_markers(source)
            texts = await answers(engine, markers, f"round-{turn}")
            own += sum(marker in text for marker, text in zip(markers, texts, strict=True))
            held += words_of_others(markers, texts, earlier)
            earlier += markers

    assert [] == held
    assert own > RUNS * ROUNDS / 2, "the model repeats too little for the test to see anything"


def test_a_word_of_another_prompt_is_noticed() -> None:
    """Also one of an earlier round."""
    texts = ["BBB BBB", "CCC BBB", "ZZZ"]
    held = words_of_others(["BBB", "CCC", "DDD"], texts, ["ZZZ"])

    assert [("BBB", "CCC BBB"), ("ZZZ", "ZZZ")] == held
