"""Runs of partitions on a real engine, for the measurements of what a prompt found again gives.

Input: an engine with the tests' model. Output: what each run found, how long its first word took,
and its text.
"""

import random
import string
from typing import Any

from msgspec import Struct, json
from msgspec.structs import replace
from tests.engines.support import ran, request

from entraide.types import Outcome
from entraide_node.engines.base import COMPLETIONS
from entraide_node.engines.supervised_engine import SupervisedEngine

KEEP_S = 3_600.0
NOBODY = b""


class Answer(Struct, frozen=True):
    """One run.

    Attributes:
        text: of its answer.
        prompt_tokens: of its prompt.
        cached_tokens: that it found again.
        ttft_s: from the request to the first token, as who asks sees it.
        run_s: from the request to the end.
    """

    text: str
    prompt_tokens: int
    cached_tokens: int
    ttft_s: float
    run_s: float


def partition_of(owner: int, part: int = 0) -> bytes:
    """Returns the partition of a person's conversation."""
    return owner.to_bytes(16, "big") + part.to_bytes(16, "big")


def random_text(source: random.Random, words: int) -> str:
    """Returns words that nobody has sent before."""
    return " ".join("".join(source.choices(string.ascii_lowercase, k=5)) for _ in range(words))


async def ask(
    engine: SupervisedEngine, job: str, prompt: str, partition: bytes, **fields: Any
) -> Answer:
    """Asks an engine to go on with a text, at temperature 0; returns its answer."""
    plain = request(job, stream=False, path=COMPLETIONS, prompt=prompt, temperature=0, **fields)
    asked = replace(plain, partition=partition, prefix_keep_s=KEEP_S)
    _, end = await ran(engine, asked)
    assert Outcome.COMPLETED is end.outcome, end
    return Answer(
        text=str(json.decode(end.body)["choices"][0]["text"]),
        prompt_tokens=end.usage.prompt_tokens,
        cached_tokens=end.usage.cached_tokens,
        ttft_s=end.timings.ttft_s,
        run_s=end.timings.run_s,
    )
