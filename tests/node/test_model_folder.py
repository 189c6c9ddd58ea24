"""What a model's folder says of context, memory and tools, and whether its weights are whole."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from entraide_node.engines.model_folder import (
    context_max_of,
    find_weights_problem,
    kv_bytes_per_token_of,
    supports_tools,
    tool_parser_of,
    weights_bytes,
)

CONFIG = {
    "architectures": ["Qwen3ForCausalLM"], "max_position_embeddings": 4096, "hidden_size": 576,
    "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
}  # fmt: skip
HEADER = b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'


def whole(header: bytes = HEADER, data: bytes = b"1234") -> bytes:
    """A file of weights."""
    return len(header).to_bytes(8, "little") + header + data


def folder_of(tmp_path: Path, config: object, template: str = "") -> Path:
    """A model's folder."""
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(whole())
    if template:
        (tmp_path / "chat_template.jinja").write_text(template)
    return tmp_path


def test_a_plain_model(tmp_path: Path) -> None:
    """Context, the memory of a token and the size of the weights come from its files."""
    folder = folder_of(tmp_path, CONFIG)

    assert (4096, 2 * 30 * 3 * 64 * 2, len(whole())) == (
        context_max_of(folder), kv_bytes_per_token_of(folder), weights_bytes(folder)
    )  # fmt: skip


def test_a_model_with_images_nests_its_text(tmp_path: Path) -> None:
    """A model with images says the same one level down."""
    folder = folder_of(tmp_path, {"text_config": CONFIG})

    assert 4096 == context_max_of(folder)


@pytest.mark.parametrize("config", [{}, [], {"max_position_embeddings": "many"}])
def test_a_folder_that_says_nothing(config: object, tmp_path: Path) -> None:
    """What is not said is 0, and no parser is guessed."""
    folder = folder_of(tmp_path, config, "{{ tools }}")

    assert (0, 0, "") == (
        context_max_of(folder), kv_bytes_per_token_of(folder), tool_parser_of(folder)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("template", "parser"), [("{{ tools }}", "hermes"), ("{{ messages }}", "")], ids=["has", "none"]
)
def test_tools(template: str, parser: str, tmp_path: Path) -> None:
    """Tools are offered only with a template that has them, read by the family's parser."""
    folder = folder_of(tmp_path, CONFIG, template)

    assert (bool(parser), parser) == (supports_tools(folder), tool_parser_of(folder))


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "whole": (lambda folder: None, ""),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "model_missing"),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "model_missing"),
    "cut": (lambda f: (f / "model.safetensors").write_bytes(whole()[:-1]), "model_damaged"),
    "too long": (lambda f: (f / "model.safetensors").write_bytes(whole() + b"5"), "model_damaged"),
    "empty": (lambda f: (f / "model.safetensors").write_bytes(b""), "model_damaged"),
    "a page": (lambda f: (f / "model.safetensors").write_bytes(b"<html>" * 9), "model_damaged"),
    "no JSON": (lambda f: (f / "model.safetensors").write_bytes(whole(b"abc")), "model_damaged"),
    "a folder": (lambda f: (f / "b.safetensors").mkdir(), "model_unreadable"),
}


@pytest.mark.parametrize(("spoil", "code"), FAULTS.values(), ids=FAULTS)
def test_weights_that_are_not_whole(
    spoil: Callable[[Path], object], code: str, tmp_path: Path
) -> None:
    """Each way in which weights can be spoilt is seen by their heads and their length."""
    folder = folder_of(tmp_path, CONFIG)
    spoil(folder)

    fault = find_weights_problem(folder)

    assert code == (fault.code if fault is not None else "")


def test_a_sentence_model_reads_what_it_was_trained_on(tmp_path: Path) -> None:
    """The shorter of the network's positions and the texts of its training."""
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 512}')
    positions = context_max_of(tmp_path)
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 256}')

    assert (512, 256) == (positions, context_max_of(tmp_path))
