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

RUNS, SLOTS, ROUNDS = 16, 6, 3
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
        prompt = prompt_of(marker, 4 + 3 * (number % 5)) + "The password is"
        fields: dict[str, Any] = {"prompt": prompt, "max_tokens": ANSWER_TOKENS, "temperature": 0}
        asked = request(f"{name}-{number}", stream=False, path=COMPLETIONS, **fields)
        _, end = await ran(engine, asked)
        assert Outcome.COMPLETED is end.outcome, end
        return str(msgspec.json.decode(end.body)["choices"][0]["text"])

    return await asyncio.gather(*(ask(n, marker) for n, marker in enumerate(markers)))


async def test_no_answer_holds_a_word_of_another_prompt() -> None:
    """Sixteen prompts at a time on six slots, three times: each repeats its own word, no other's.

    Seen red with llama.cpp's cache in memory and its states shared by all slots.
    """
    source = random.Random(27_148)
    held: list[tuple[str, str]] = []
    own = 0
    earlier: list[str] = []
    async with llamacpp(slots=SLOTS, context_tokens=512) as engine:
        for turn in range(ROUNDS):
            markers = make_markers(source)
            texts = await answers(engine, markers, f"round-{turn}")
            everybody = {*earlier, *markers}
            for marker, text in zip(markers, texts, strict=True):
                own += marker in text
                held += [(other, text) for other in everybody - {marker} if other in text]
            earlier += markers

    assert [] == held
    assert own > RUNS * ROUNDS / 2, "the model repeats too little for the test to see anything"
