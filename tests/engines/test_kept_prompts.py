"""llama.cpp keeps nothing of a prompt after its run."""

import psutil
import pytest
from tests.engines.resuming import post
from tests.engines.support import llamacpp

from entraide_node.engines.llamacpp_child import MODULE

pytestmark = [pytest.mark.engines, pytest.mark.long, pytest.mark.timeout(300)]

ROUNDS = 10
COMPARED = 4  # rounds at the beginning and at the end
WORDS = 150  # of a prompt, whose state has several megabytes
GROWTH_MAX_MB = 8.0


def memory_mb() -> float:
    """Memory of its own of this process's engine."""
    children = psutil.Process().children(recursive=True)
    engine = next(child for child in children if MODULE in child.cmdline())
    return float(engine.memory_full_info().uss / 1e6)


async def test_the_memory_of_an_engine_does_not_grow_with_each_prompt() -> None:
    """The states of earlier prompts, which no run may use, are not kept beside the slots."""
    async with llamacpp() as engine:
        sizes_mb = []
        for number in range(ROUNDS):
            prompt = f"{number} " + f"word{number} " * WORDS
            body = {"prompt": prompt, "n_predict": 1, "cache_prompt": False}
            await post(engine, "/completion", body)
            sizes_mb.append(memory_mb())

    # The least of some rounds: right after an answer its working memory may still be there.
    begun_mb, ended_mb = min(sizes_mb[:COMPARED]), min(sizes_mb[-COMPARED:])
    assert ended_mb - begun_mb < GROWTH_MAX_MB, sizes_mb
