"""Twin model: the first half of a model's layers, so that thousands of requests take minutes.

For llama.cpp: the first layers of SmolLM2-135M in Q4_0, which has an optimised CPU kernel (the
demo's Q4_1 has none). For vLLM: the first half of the layers of a model folder. The answers are
meaningless; only their duration is measured.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np

LAYERS = 15
KIND = gguf.GGMLQuantizationType.Q4_0
ARCHITECTURE = "llama"


def truncate_gguf(file: Path, made: Path, *, layers: int = LAYERS) -> Path:
    """Writes a GGUF file with the first layers of a model; returns its path.

    Args:
        file: a model of llama's architecture.
        made: path of the new file.
        layers: number of layers to keep.
    """
    reader: Any = gguf.GGUFReader(file)
    writer: Any = gguf.GGUFWriter(made, ARCHITECTURE)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        if name == f"{ARCHITECTURE}.block_count":
            writer.add_uint32(name, layers)
        elif field.types[0] is gguf.GGUFValueType.ARRAY:
            kind = field.types[-1]
            writer.add_key_value(name, field.contents(), field.types[0], sub_type=kind)
        else:
            writer.add_key_value(name, field.contents(), field.types[0])
    for tensor in reader.tensors:
        if _gguf_layer(tensor.name) < layers:
            _add_tensor(writer, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return made


def _gguf_layer(name: str) -> int:
    """Returns which layer a tensor belongs to; -1 where it belongs to none."""
    kind, _, rest = name.partition(".")
    return int(rest.partition(".")[0]) if kind == "blk" else -1


def _add_tensor(writer: Any, tensor: Any) -> None:
    values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    if values.ndim == 1:
        writer.add_tensor(tensor.name, values)
    else:
        writer.add_tensor(tensor.name, gguf.quantize(values, KIND), raw_dtype=KIND)


def truncate_safetensors(folder: Path, made: Path) -> Path:
    """Writes a model folder with the first half of the layers; returns its path.

    Args:
        folder: a model of llama's architecture whose weights are one ``model.safetensors``: the
            length of a header, the header as JSON, the tensors' bytes.
        made: path of the new folder.
    """
    config = json.loads((folder / "config.json").read_bytes())
    config["num_hidden_layers"] = layers = config["num_hidden_layers"] // 2
    weights = "model.safetensors"
    shutil.copytree(folder, made, ignore=shutil.ignore_patterns(weights))
    (made / "config.json").write_text(json.dumps(config), "utf-8")
    with (folder / weights).open("rb") as read, (made / weights).open("wb") as written:
        length = int.from_bytes(read.read(8), "little")
        header = json.loads(read.read(length))
        begin, end, kept = 8 + length, 0, {}
        for name, tensor in header.items():
            if name != "__metadata__" and _safetensors_layer(name) < layers:
                first, last = tensor["data_offsets"]
                kept[name] = {**tensor, "data_offsets": [end, end + last - first]}
                end += last - first
        text = json.dumps({"__metadata__": header.get("__metadata__", {}), **kept}).encode()
        text += b" " * (-len(text) % 8)
        written.write(len(text).to_bytes(8, "little") + text)
        for name in kept:
            first, last = header[name]["data_offsets"]
            read.seek(begin + first)
            written.write(read.read(last - first))
    return made


def _safetensors_layer(name: str) -> int:
    """Returns which layer a tensor belongs to; -1 where it belongs to none."""
    _, _, rest = name.partition("model.layers.")
    return int(rest.partition(".")[0]) if rest else -1
