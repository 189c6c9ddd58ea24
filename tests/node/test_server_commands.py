"""The command lines of engines that are servers, for the options of their owner."""

import json
from pathlib import Path
from typing import Any

import pytest

from entraide.event_loop import run_event_loop
from entraide_node.engines import factory, mlx_front
from entraide_node.engines.base import EngineProblem
from entraide_node.engines.commands import problem_sentence
from entraide_node.engines.mlx import MlxConfig, make_mlx_lm
from entraide_node.engines.seam import ChatContinuation
from entraide_node.engines.server_program import ServerProgram
from entraide_node.engines.supervised_engine import SupervisedEngine
from entraide_node.engines.vllm import VllmConfig, make_vllm


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model of a family whose tools vLLM can read."""
    config = {
        "architectures": ["Qwen3ForCausalLM"], "max_position_embeddings": 2048,
        "hidden_size": 1024, "num_hidden_layers": 28, "num_attention_heads": 16,
        "num_key_value_heads": 8, "head_dim": 128,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "chat_template.jinja").write_text("{{ tools }}")
    return tmp_path


def program_of(engine: SupervisedEngine) -> ServerProgram:
    """What an engine would run."""
    program: ServerProgram = engine._connection.child._program  # type: ignore[attr-defined]
    return program


def vllm_of(folder: Path, **options: Any) -> ServerProgram:
    """What vLLM would run."""
    plain = {"alias": "m", "revision": "unknown", "python": Path("/p"), "version": "1"}
    return program_of(make_vllm(VllmConfig(weights=folder, **{**plain, **options})))


def value(program: ServerProgram, option: str) -> str | None:
    """The word after an option; None when it is not there."""
    words = program.arguments
    return words[words.index(option) + 1] if option in words else None


VLLM: dict[str, tuple[dict[str, Any], dict[str, str | None]]] = {
    "one card": ({}, {
        "--gpu-memory-utilization": "0.9", "--tensor-parallel-size": None,
        "--distributed-executor-backend": None, "--max-num-seqs": "8",
    }),
    "two cards": ({"tensor_parallel": 2}, {
        "--tensor-parallel-size": "2", "--distributed-executor-backend": None,
    }),
    "two machines of a site": ({"tensor_parallel": 2, "pipeline_parallel": 2, "ray": True}, {
        "--tensor-parallel-size": "2", "--pipeline-parallel-size": "2",
        "--distributed-executor-backend": "ray",
    }),
    "processors": ({"cpu": True, "tensor_parallel": 2}, {
        "--distributed-executor-backend": "uni", "--tensor-parallel-size": None,
        "--gpu-memory-utilization": None,
    }),
    "a context beyond the model's": ({"context_tokens": 9000}, {"--max-model-len": "2048"}),
    "the family's parser": ({}, {"--tool-call-parser": "hermes"}),
    "another parser": ({"tool_parser": "mistral"}, {"--tool-call-parser": "mistral"}),
    "no parser": ({"tool_parser": "none"}, {"--tool-call-parser": None}),
    "words of the owner's": ({"arguments": ("--dtype", "float16")}, {"--dtype": "float16"}),
}  # fmt: skip


@pytest.mark.parametrize(("options", "expected"), VLLM.values(), ids=VLLM)
def test_vllm(options: dict[str, Any], expected: dict[str, str | None], folder: Path) -> None:
    """Each of the owner's settings is an option of vLLM's, and no other is."""
    program = vllm_of(folder, **options)

    assert expected == {option: value(program, option) for option in expected}


@pytest.mark.parametrize("options", [{}, {"cpu": True}, {"ray": True}])
def test_vllm_shares_no_prompt_and_fetches_nothing(options: dict[str, Any], folder: Path) -> None:
    """With any options, each run has a salt, and nothing is fetched for a request."""
    program = vllm_of(folder, **options)

    assert program.salted
    assert "sha256" == value(program, "--prefix-caching-hash-algo")
    assert "none.invalid" == value(program, "--allowed-media-domains")
    assert ("--uds", "VLLM_API_KEY") == (program.socket_option, program.key_variable)
    assert "1" == program.environment["VLLM_NO_USAGE_STATS"]


def test_vllm_starts_no_cluster_of_its_own(folder: Path) -> None:
    """With Ray, vLLM joins the owner's cluster or ends; it does not start one of one machine."""
    addresses = [
        vllm_of(folder, ray=ray).environment.get("RAY_ADDRESS", "") for ray in (True, False)
    ]

    assert ["auto", ""] == addresses


def test_vllm_offers_tools_with_a_parser_only(folder: Path) -> None:
    """Tools are offered where something reads them."""
    features = [vllm_of(folder, tool_parser=name).facts.features for name in ("", "none")]

    assert [True, False] == ["tools" in offered for offered in features]


RESUMING: dict[str, tuple[dict[str, str], tuple[str, ...], bool]] = {
    "a template of its own": ({"chat_template.jinja": "{{ messages }}"}, (), True),
    "one in the tokenizer's settings": (
        {"tokenizer_config.json": '{"chat_template": "{{ messages }}"}'}, (), True
    ),
    "no template": ({}, (), False),
    "several": (
        {"tokenizer_config.json": '{"chat_template": [{"name": "default", "template": "a"}]}'}, (),
        False,
    ),
    "the owner's": (
        {"chat_template.jinja": "{{ messages }}"}, ("--chat-template", "/t.jinja"), False
    ),
    "the owner's, in another form": (
        {"chat_template.jinja": "{{ messages }}"}, ("--chat_template=/t.jinja",), False
    ),
    "one whose thoughts are separated": (
        {"chat_template.jinja": "{{ messages }}"}, ("--reasoning-parser", "qwen3"), False
    ),
    "a processor's too": (
        {"chat_template.jinja": "{{ messages }}", "chat_template.json": "{}"}, (), False
    ),
    "a tokenizer of its own": (
        {"chat_template.jinja": "{{ messages }}", "tekken.json": "{}"}, (), False
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RESUMING)
def test_vllm_resumes_answers_whose_template_is_known(name: str, tmp_path: Path) -> None:
    """An answer is resumed by the one template with which the model is served, or not at all."""
    files, arguments, resumes = RESUMING[name]
    (tmp_path / "config.json").write_text("{}", "utf-8")
    for file, content in files.items():
        (tmp_path / file).write_text(content, "utf-8")

    program = vllm_of(tmp_path, arguments=arguments)

    assert resumes == ("resume" in program.facts.features)
    how = ChatContinuation(template="{{ messages }}") if resumes else None
    assert how == program.continuation
    assert program.extra == {"chat_template": None}  # no other request chooses a template


def test_memory_for_the_context_on_processors(folder: Path) -> None:
    """On processors vLLM gets memory for the context of all slots in whole GiB, and its threads."""
    program = vllm_of(folder, cpu=True, slots=16, threads=3, context_tokens=2048)

    # 2 * 28 layers * 8 groups * 128 values * 2 bytes = 112 KiB a token; 16 * 2048 of them.
    assert "4" == program.environment["VLLM_CPU_KVCACHE_SPACE"]
    assert ("3", 3) == (program.environment["OMP_NUM_THREADS"], program.facts.threads)


def test_mlx(folder: Path) -> None:
    """mlx-lm keeps no prompt, and answers under the name that any request is given."""
    engine = make_mlx_lm(MlxConfig(
        weights=folder, alias="m", revision="unknown", python=Path("/p"), version="1", slots=3,
    ))  # fmt: skip
    program = program_of(engine)

    assert ("0", "3") == (
        value(program, "--prompt-cache-size"),
        value(program, "--decode-concurrency"),
    )
    assert ("default_model", None) == (program.model, program.extra["adapters"])
    assert ("--socket", mlx_front.KEY_VARIABLE) == (program.socket_option, program.key_variable)
    assert mlx_front.__file__ == program.arguments[0]
    assert ("logprobs", "repetition_penalty", "tools") == engine.facts.features


SENTENCES = {"architectures": ["XLMRobertaModel"], "max_position_embeddings": 514}


@pytest.mark.parametrize("shortens", [True, False])
def test_an_embedding_model_is_pooled(tmp_path: Path, *, shortens: bool) -> None:
    """vLLM is told so, and offers embeddings only; it shortens those of models made for it."""
    config = SENTENCES | ({"matryoshka_dimensions": [128, 256]} if shortens else {})
    (tmp_path / "config.json").write_text(json.dumps(config))
    program = vllm_of(tmp_path)

    assert "pooling" == value(program, "--runner")
    assert value(program, "--tool-call-parser") is None
    assert shortens == ("dimensions" in program.facts.features)
    assert {"embeddings", "embeddings_only"} <= set(program.facts.features)


def test_a_decoder_with_pooling_is_an_embedding_model(folder: Path) -> None:
    """The list of modules of sentence-transformers tells it from a model for text."""
    before = value(vllm_of(folder), "--runner")
    (folder / "modules.json").write_text("[]")

    assert (None, "pooling") == (before, value(vllm_of(folder), "--runner"))


def test_mlx_serves_no_embeddings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its server has no such endpoint, and its owner is told which engines have."""
    (tmp_path / "config.json").write_text(json.dumps(SENTENCES))
    (tmp_path / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    monkeypatch.setattr(factory, "_resolve_environment", lambda *_: (Path("/p"), "1", False))
    problem = factory.make_engine(
        "mlx-lm", tmp_path, alias="m", revision="unknown", slots=1, context_tokens=512,
        folder=tmp_path, root=tmp_path,
    )  # fmt: skip

    assert isinstance(problem, EngineProblem)
    assert ("engine_no_embeddings", "m") == (problem.code, problem.values["model"])
    for lang in ("fr", "en"):
        assert "vLLM" in problem_sentence(problem, lang)


def test_a_server_starts_on_the_agents_event_loop(folder: Path) -> None:
    """A server's process starts on the agent's event loop too; here, its Python is not there."""
    options: dict[str, Any] = {
        "alias": "m", "revision": "unknown", "python": folder / "python", "version": "1",
    }  # fmt: skip

    async def start() -> EngineProblem | None:
        return await make_vllm(VllmConfig(weights=folder, **options)).start()

    problem = run_event_loop(start())

    assert isinstance(problem, EngineProblem)
