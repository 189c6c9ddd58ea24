"""A small model for the twin: half of the demo's layers, in the kind of 4 bits that runs fastest.

Decides which weights an engine of one core gets, so that thousands of requests take minutes: the
first layers of SmolLM2-135M, turned into Q4_0, for which llama.cpp has a quick way on processors
(the demo's Q4_1 has none). Its answers mean nothing and take as long as any of their length do,
which is all that is measured. It refuses to know what is done with it.
"""

from pathlib import Path
from typing import Any

import gguf
import numpy as np

LAYERS = 15
KIND = gguf.GGMLQuantizationType.Q4_0
ARCHITECTURE = "llama"


def shortened(file: Path, made: Path, *, layers: int = LAYERS) -> Path:
    """Writes the first layers of a GGUF file's model as one of its own; returns its path.

    Args:
        file: a model of llama's architecture.
        made: where the new file goes.
        layers: how many are kept.
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
        if _layer(tensor.name) < layers:
            _add(writer, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return made


def _layer(name: str) -> int:
    """Returns which layer a tensor belongs to; -1 where it belongs to none."""
    kind, _, rest = name.partition(".")
    return int(rest.partition(".")[0]) if kind == "blk" else -1


def _add(writer: Any, tensor: Any) -> None:
    values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    if values.ndim == 1:
        writer.add_tensor(tensor.name, values)
    else:
        writer.add_tensor(tensor.name, gguf.quantize(values, KIND), raw_dtype=KIND)
