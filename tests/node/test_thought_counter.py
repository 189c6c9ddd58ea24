"""The tokens of a thought, counted from the events of each engine."""

import pytest
from tests.node.test_stream_run import chat, usage

from entraide.types import Outcome
from entraide_node.engines.base import CHAT, EngineRequest
from entraide_node.engines.stream_run import StreamRun


def timed(predicted: int, **delta: str) -> bytes:
    """An event of llama.cpp with its count of output tokens."""
    return chat(delta, timings={"prompt_n": 9, "predicted_n": predicted})


def of_vllm(completion: int, **delta: str) -> bytes:
    """An event of vLLM with its count of output tokens."""
    return chat(delta, usage={"prompt_tokens": 9, "completion_tokens": completion})


# The events of a run, whether the engine counts on each, and the tokens of thought and output.
THOUGHTS: dict[str, tuple[list[bytes], bool, tuple[int, int]]] = {
    "llama.cpp": (
        [timed(1, reasoning_content="Hm"), timed(3, reasoning_content="m."),
         timed(6, content="Oui"), timed(7, content=".")], False, (5, 7),
    ),
    "llama.cpp, cut off in its thought": (
        [timed(1, reasoning_content="Hm"), timed(4, content="")], False, (4, 4),
    ),
    "llama.cpp, without a thought": ([timed(1, content="Oui"), timed(2)], False, (0, 2)),
    "vLLM": (
        [of_vllm(2, reasoning="Hm."), of_vllm(5, content="Oui"), of_vllm(6)], True, (4, 6),
    ),
    "mlx-lm, which counts at the end": (
        [chat({"reasoning": "Hm"}), chat({"reasoning": "m."}), chat({"content": "Oui"}),
         usage(9, 3)], False, (2, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", THOUGHTS)
def test_a_thought_is_counted(case: str) -> None:
    """Each engine's tokens before the first of the answer are the thought's, its end included."""
    payloads, counts_each, expected = THOUGHTS[case]
    request = EngineRequest("j", CHAT, b"{}", True, "p")
    run = StreamRun(request, {}, started=0.0, counted_each_event=counts_each)
    for payload in payloads:
        run.add_events([payload], now=1.0)
    counted_usage = run.abort(Outcome.CANCELLED, now=2.0).usage

    assert expected == (counted_usage.reasoning_tokens, counted_usage.completion_tokens)
