"""The engines' own output: why they did not start, their load, and their features."""

import pytest
from tests.cases import all_cases

from entraide.language import LANGUAGES, Lang
from entraide.models import THINKING_BUDGET
from entraide_node.engines.base import EngineMetrics, EngineProblem
from entraide_node.engines.commands import problem_sentence
from entraide_node.engines.engine_metrics import parse_metrics
from entraide_node.engines.llamacpp_props import parse_features, parse_slot_context
from entraide_node.engines.start_failures import diagnose_start, is_loggable, may_pass

FILE = "/models/m.gguf"

# The lines are what xllamacpp 2026.10 wrote, path and numbers aside.
STARTS = {
    "not GGUF": (
        ["0.00.003.790 E gguf_init_from_reader: invalid magic characters: 'hell', expected 'GGUF'",
         "0.00.003.956 E cmn  common_init_: failed to load model 'm.gguf'"],
        1, "model_damaged",
    ),
    "cut off": (
        [("0.00.026.289 E llama_model_load: error loading model: tensor 'token_embd.weight' data is"
         " not within the file bounds, model is corrupted or incomplete")],
        1, "model_damaged",
    ),
    "not there": (
        ["0.00.003.100 E gguf_init_from_file: failed to open GGUF file 'm.gguf' (No such file)"],
        1, "model_missing",
    ),
    "the address is taken": (
        ["0.00.001.880 E srv start: couldn't bind HTTP server socket, hostname: 127.0.0.1",
         "0.00.001.981 E srv init: exiting due to HTTP server error"],
        1, "engine_address_taken",
    ),
    "no memory": (
        ["0.35.450.623 E ggml_aligned_malloc: insufficient memory (attempted to allocate 9 MB)",
         "0.35.713.175 E srv init: exiting due to model loading error"],
        1, "engine_no_memory",
    ),
    "an architecture of tomorrow": (
        ["E llama_model_load: error loading model: unknown model architecture: 'llama9'"],
        1, "model_unsupported",
    ),
    "not installed": (["ModuleNotFoundError: No module named 'xllamacpp'"], 1,
                      "engine_not_installed"),
    "killed": ([], -9, "engine_exited"),
    "something else": (["Segmentation fault"], -11, "engine_exited"),
    "too slow": ([], None, "engine_start_too_slow"),
}  # fmt: skip


@all_cases(("lines", "exit_code", "code"), STARTS.values(), ids=STARTS)
def test_failed_starts(lines: list[str], exit_code: int | None, code: str) -> None:
    """Each way to fail at the start has its code."""
    assert code == diagnose_start(lines, file=FILE, exit_code=exit_code).code


PASSING = {
    "killed while it loads": (("engine_exited", {"status": -9}), True),
    "its server killed, not the wrapper": (("engine_exited", {"status": 137}), True),
    "killed in the benchmark": (("engine_bench_failed", {"reason_code": "engine_exited"}), True),
    "cut off in the benchmark": (("engine_bench_failed", {"reason_code": "engine_crashed"}), True),
    "too slow for the benchmark": (("engine_bench_failed", {"reason_code": "too_slow"}), False),
    "ended by itself": (("engine_exited", {"status": 1}), False),
    "crashed": (("engine_exited", {"status": -11}), False),
    "asked to end": (("engine_exited", {"status": -15}), False),
    "a wrong file": (("model_damaged", {"file": FILE, "detail": "invalid magic"}), False),
    "too slow": (("engine_start_too_slow", {"file": FILE}), False),
}


@all_cases(("problem", "passes"), PASSING.values(), ids=PASSING)
def test_starts_that_are_tried_again(
    problem: tuple[str, dict[str, str | int]], passes: bool
) -> None:
    """Only an engine that something else ended is started again."""
    code, values = problem

    assert passes is may_pass(EngineProblem(code, {**values}))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_missing_engine_comes_from_the_pool(lang: Lang) -> None:
    """Without llama.cpp the remedy is the pool's own line, or the page that has it; no index."""
    line = "curl -fsS https://pool.example.coop/install.sh | sh"
    known = problem_sentence(EngineProblem("engine_not_installed", {"command": line}), lang)
    unknown = problem_sentence(EngineProblem("engine_not_installed", {}), lang)

    assert known.endswith(line)
    assert "/install" in unknown
    assert "pip install" not in known + unknown


def test_the_reason_is_said_in_the_engines_words() -> None:
    """The line with the reason is in the problem, without its log prefix."""
    problem = diagnose_start(STARTS["not GGUF"][0], file=FILE, exit_code=1)

    assert problem == EngineProblem(
        "model_damaged",
        {
            "file": FILE,
            "detail": "gguf_init_from_reader: invalid magic characters: 'hell', expected 'GGUF'",
        },
    )


LINES = {
    "0.01.0 E ggml_aligned_malloc: insufficient memory": True,
    "CUDA error: out of memory": True,
    "/src/ggml.c:12: GGML_ASSERT(n > 0) failed": True,
    "terminate called after throwing an instance of 'std::bad_alloc'": True,
    "parse: error parsing grammar: expecting ::= at root ::= (": False,
    "my secret root ::= (": False,
    "0.02.485.421 E srv    send_error: task id = 0, error: my secret": False,
    "": False,
}


@pytest.mark.parametrize(("line", "kept"), LINES.items(), ids=LINES)
def test_what_may_be_kept(line: str, kept: bool) -> None:
    """Of a serving engine only the words of its arithmetic are kept: others may quote requests."""
    assert kept == is_loggable(line)


LLAMACPP = b"""# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 43
llamacpp:prompt_tokens_cached_total 105
llamacpp:tokens_predicted_total 28
llamacpp:requests_processing 1
llamacpp:requests_deferred 2
"""
VLLM = b"""vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 1.0
vllm:num_requests_waiting{engine="0",model_name="m"} 5.0
vllm:prompt_tokens_total{engine="0",model_name="m"} 1.2e+03
vllm:generation_tokens_total{engine="0",model_name="m"} 70.0
"""
LOADS = {
    "llama.cpp": (LLAMACPP, EngineMetrics(1, 2, 148, 28)),
    "vLLM, two engines": (VLLM, EngineMetrics(4, 5, 1200, 70)),
    "numbers that are none": (b"llamacpp:requests_processing NaN\n", EngineMetrics(0, 0, 0, 0)),
    "another program": (b"go_goroutines 7\n", None),
    "nothing": (b"", None),
    "not text": (b"\xff\xfe", None),
}


@pytest.mark.parametrize(("text", "expected"), LOADS.values(), ids=LOADS)
def test_loads(text: bytes, expected: EngineMetrics | None) -> None:
    """The load of each engine is read from its own metrics."""
    assert expected == parse_metrics(text)


PROPS = {
    "text only": (
        (
            b'{"chat_template_caps":{"supports_tools":false},"modalities":{"vision":false},'
            b'"default_generation_settings":{"n_ctx":2048}}'
        ),
        (("logprobs", "repetition_penalty", "schema", THINKING_BUDGET), 2048),
    ),
    "tools and images": (
        (
            b'{"chat_template_caps":{"supports_tools":true,"supports_tool_calls":true},'
            b'"modalities":{"vision":true},"default_generation_settings":{"n_ctx":8192}}'
        ),
        (("images", "logprobs", "repetition_penalty", "schema", THINKING_BUDGET, "tools"), 8192),
    ),
    "nothing told": (b"{}", (("logprobs", "repetition_penalty", "schema", THINKING_BUDGET), 0)),
    "not JSON": (b"<html>", (("logprobs", "repetition_penalty", "schema", THINKING_BUDGET), 0)),
}


@pytest.mark.parametrize(("props", "expected"), PROPS.values(), ids=PROPS)
def test_features(props: bytes, expected: tuple[tuple[str, ...], int]) -> None:
    """Features and context come from what llama.cpp tells of the model."""
    assert expected == (parse_features(props), parse_slot_context(props))
