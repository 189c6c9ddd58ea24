"""The twin's small model: a folder with half of its layers, byte for byte."""

import json
from pathlib import Path

from benchmarks.support.twin_model import truncate_safetensors

NAMES = ("model.embed_tokens.weight", *(f"model.layers.{at}.mlp.up_proj.weight" for at in range(4)))


def tensors_of(path: Path) -> dict[str, bytes]:
    """Returns the tensors' bytes, as a reader of safetensors finds them."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    return {
        name: data[begin + tensor["data_offsets"][0] : begin + tensor["data_offsets"][1]]
        for name, tensor in header.items()
        if name != "__metadata__"
    }


def test_half_of_the_layers_is_left(tmp_path: Path) -> None:
    """The first half of the layers and what belongs to none stay as they were."""
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "tokenizer.json").write_text("{}")
    (whole / "config.json").write_text('{"num_hidden_layers": 4, "hidden_size": 2}')
    header = {
        name: {"dtype": "BF16", "shape": [2], "data_offsets": [4 * at, 4 * at + 4]}
        for at, name in enumerate(reversed(NAMES))
    }
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    values = b"".join(bytes([at] * 4) for at in range(len(NAMES)))
    (whole / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + values)

    made = truncate_safetensors(whole, tmp_path / "half")

    before = tensors_of(whole / "model.safetensors")
    assert {name: before[name] for name in NAMES[:3]} == tensors_of(made / "model.safetensors")
    assert {"num_hidden_layers": 2, "hidden_size": 2} == json.loads(
        (made / "config.json").read_text()
    )
    assert "{}" == (made / "tokenizer.json").read_text()
