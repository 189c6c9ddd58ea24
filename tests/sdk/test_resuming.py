"""Which options of a request an engine loses when it resumes an answer."""

import pytest

from entraide.resuming import ENGINE, lost_options


@pytest.mark.parametrize("engine", ["llama.cpp/1", "vllm/0.33.0", "mlx-lm", "openai/unknown", ""])
@pytest.mark.parametrize("option", ["n", "tools", "response_format"])
def test_no_engine_resumes_half_a_call(engine: str, option: str) -> None:
    """Several answers, calls of tools and structured output are lost with every engine."""
    assert lost_options(engine, {option, "stop"}) in ((option,), (ENGINE,))


def test_an_unknown_engine_resumes_nothing() -> None:
    """What an attached server of an unknown program continues is unknown."""
    assert (ENGINE,) == lost_options("openai/1", ())


def test_plain_options_are_kept() -> None:
    """Sampling, stop strings and limits are of no state."""
    assert () == lost_options("vllm/1", {"temperature", "top_p", "stop", "max_tokens", "seed"})
