"""Which options of a request an engine loses when it resumes an answer."""

import pytest
from tests.cases import all_cases

from entraide.resuming import ENGINE, lost_options


@all_cases("engine", ["llama.cpp/1", "vllm/0.33.0", "mlx-lm", "openai/unknown", ""])
@all_cases("option", ["n", "tools", "response_format"])
def test_no_engine_resumes_half_a_call(engine: str, option: str) -> None:
    """Several answers, calls of tools and structured output are lost with every engine."""
    assert lost_options(engine, {option, "stop"}) in ((option,), (ENGINE,))


@pytest.mark.parametrize("engine", ["openai/1", "mlx-lm/0.32.2", "", "llama.cppp"])
def test_other_engines_resume_nothing(engine: str) -> None:
    """What an attached server of an unknown program continues is unknown; mlx-lm loses a space."""
    assert (ENGINE,) == lost_options(engine, ())


@pytest.mark.parametrize("option", ["frequency_penalty", "presence_penalty"])
def test_penalties(option: str) -> None:
    """llama.cpp's penalties count the earlier text; vLLM's count only what it writes itself."""
    assert () == lost_options("llama.cpp/2026.10.11549", {option})
    assert (option,) == lost_options("vllm/0.32.0", {option, "stop"})


def test_plain_options_are_kept() -> None:
    """Sampling, stop strings and limits are of no state."""
    assert () == lost_options("vllm/1", {"temperature", "top_p", "stop", "max_tokens", "seed"})
