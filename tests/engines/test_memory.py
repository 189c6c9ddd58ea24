"""What a model takes in memory: the fit's reckoning against a real engine."""

import psutil
import pytest
from tests.engines.support import llamacpp, ran, request

from entraide import model_memory
from entraide.catalogue import find, shipped
from entraide.types import Outcome

pytestmark = pytest.mark.engines

SLOTS = 4
SHORT, LONG = 1_024, 8_192


async def taken_bytes(context_tokens: int) -> int:
    """Resident memory of the engine's process after it has answered."""
    async with llamacpp(slots=SLOTS, context_tokens=context_tokens) as engine:
        _, end = await ran(engine, request(stream=False, max_tokens=4))
        assert end.outcome is Outcome.COMPLETED
        children = psutil.Process().children(recursive=True)
        return max(child.memory_info().rss for child in children)


async def test_the_fit_is_on_the_safe_side() -> None:
    """llama.cpp takes no more than was reckoned, and its context what the catalogue says."""
    entry = find(shipped(), "smollm2-135m-instruct")
    assert entry is not None
    reckoned = {
        context_tokens: model_memory.required_memory_bytes(
            entry, entry.artefacts[0], engine="llama.cpp", slots=SLOTS,
            context_tokens=context_tokens,
        )
        for context_tokens in (SHORT, LONG)
    }  # fmt: skip
    taken = {context_tokens: await taken_bytes(context_tokens) for context_tokens in reckoned}
    context_bytes = taken[LONG] - taken[SHORT]

    assert all(taken[tokens] <= reckoned[tokens] for tokens in reckoned)
    assert abs(context_bytes / (reckoned[LONG] - reckoned[SHORT]) - 1.0) < 0.15
