"""GGUF header: a model's name, architecture, context and pooling, and the length of the file.

Input: a GGUF file. Output: ``GgufHeader``, from the few keys that the agent needs: reading stops
before the vocabulary, which takes megabytes. Or the length that the listed tensors require. (The
`gguf` package takes a second for the whole header, and depends on numpy, tqdm and PyYAML.)
Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

import math
import struct
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

KEYS_MAX = 4_096
KEY_CHARS_MAX = 256
NAME_CHARS_MAX = 512
CONTEXT_TOKENS_MAX = 10**8
STRING_BYTES_MAX = 16 * 1024 * 1024
ARRAY_ITEMS_MAX = 8 * 1024 * 1024
TENSORS_MAX = 100_000
DIMENSIONS_MAX = 8
ALIGNMENT_DEFAULT = 32  # bytes
ALIGNMENT_MAX = 1024 * 1024

# llama.cpp's enumeration; 0 is no pooling, 4 ranks pairs of texts.
POOLING = {1: "mean", 2: "cls", 3: "last"}

_MAGIC = b"GGUF"
_STRING, _ARRAY = 8, 9
_WHOLE = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 7: "<?", 10: "<Q", 11: "<q"}
_MODEL_KEYS = (".context_length", ".pooling_type")
_SIZES = {kind: struct.calcsize(form) for kind, form in _WHOLE.items()} | {6: 4, 12: 8}

# Values in a block and bytes of a block, by the number of the tensor's type (`ggml_type`).
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 40), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8),
    28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip


class GgufHeader(Struct, frozen=True):
    """The needed keys of the header.

    Attributes:
        architecture: of the network (``llama``).
        name: of the model, or "".
        context_tokens: longest context of its training; 0 if missing.
        pooling: how the vectors of an input's tokens become its embedding, ``mean``, ``cls`` or
            ``last``; "" for a model that writes text.
    """

    architecture: str
    name: str
    context_tokens: int
    pooling: str = ""


class NotGguf(Exception):
    """The file is not a GGUF file, or its header is cut off or exceeds the limits."""


def read_header(path: Path) -> GgufHeader:
    """Reads the header of a GGUF file, version 2 or later.

    Raises:
        NotGguf: it is not a GGUF file.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        _, keys = _read_counts(file)
        return _read_keys(file, min(keys, KEYS_MAX))


def read_text(path: Path, wanted: str) -> str:
    """Returns the text of a key in the header of a GGUF file; "" if it is missing or no text.

    Raises:
        NotGguf: it is not a GGUF file.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        _, keys = _read_counts(file)
        for _ in range(min(keys, KEYS_MAX)):
            key = _string(file)
            value = _value(file, _number(file, "<I"))
            if key == wanted:
                return value if isinstance(value, str) else ""
    return ""


def expected_bytes(path: Path) -> int:
    """Returns the length that the tensors of a GGUF file require; longer files exist.

    A tensor of an unknown type counts with its first byte only.

    Raises:
        NotGguf: it is not a GGUF file.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        tensors, keys = _read_counts(file)
        if tensors > TENSORS_MAX or keys > KEYS_MAX:
            raise NotGguf(f"{tensors} tensors, {keys} keys")
        alignment = ALIGNMENT_DEFAULT
        for _ in range(keys):
            key = _string(file)
            value = _value(file, _number(file, "<I"))
            if key == "general.alignment" and isinstance(value, int):
                alignment = value
        if not 0 < alignment <= ALIGNMENT_MAX:
            raise NotGguf(f"an alignment of {alignment}")
        end = max((_tensor_end(file) for _ in range(tensors)), default=0)
        data_begin = -(-file.tell() // alignment) * alignment
        return data_begin + end if tensors else file.tell()


def _read_counts(file: BinaryIO) -> tuple[int, int]:
    """Reads the beginning of the file; returns the numbers of tensors and of keys."""
    if file.read(4) != _MAGIC:
        raise NotGguf("no GGUF magic at the beginning")
    version = _number(file, "<I")
    if not 2 <= version < 1_000:
        raise NotGguf(f"GGUF version {version}")
    return _number(file, "<Q"), _number(file, "<Q")


def _tensor_end(file: BinaryIO) -> int:
    """Reads the description of a tensor; returns where it ends in the data."""
    _string(file)
    dimensions = _number(file, "<I")
    if dimensions > DIMENSIONS_MAX:
        raise NotGguf(f"a tensor of {dimensions} dimensions")
    values = math.prod(_number(file, "<Q") for _ in range(dimensions))
    kind, offset = _number(file, "<I"), _number(file, "<Q")
    block_values, block_bytes = _BLOCKS.get(kind, (max(1, values), 1))
    return offset + values // block_values * block_bytes


def _read_keys(file: BinaryIO, keys: int) -> GgufHeader:
    values: dict[str, str | int] = {}
    for _ in range(keys):
        key = _string(file)
        architecture = values.get("general.architecture")
        context = values.get(f"{architecture}.context_length")
        # The vocabulary, which takes megabytes, stands behind the model's own keys.
        if context is not None and not key.startswith(("general.", f"{architecture}.")):
            break
        value = _value(file, _number(file, "<I"))
        wanted = key in {"general.architecture", "general.name"} or key.endswith(_MODEL_KEYS)
        if wanted and len(key) <= KEY_CHARS_MAX:
            values[key] = value[:NAME_CHARS_MAX] if isinstance(value, str) else value
    architecture = str(values.get("general.architecture", ""))
    if not architecture:
        raise NotGguf("no architecture in the head")
    context = values.get(f"{architecture}.context_length", 0)
    is_valid = isinstance(context, int) and 0 < context <= CONTEXT_TOKENS_MAX
    return GgufHeader(
        architecture=architecture,
        name=str(values.get("general.name", "")),
        context_tokens=int(context) if is_valid else 0,
        pooling=POOLING.get(_whole(values.get(f"{architecture}.pooling_type")), ""),
    )


def _whole(value: str | int | None) -> int:
    return value if isinstance(value, int) else 0


def _value(file: BinaryIO, kind: int) -> str | int:
    """Reads a value; arrays and floats are skipped."""
    if kind == _STRING:
        return _string(file)
    if kind in _WHOLE:
        return _number(file, _WHOLE[kind])
    if kind == _ARRAY:
        _skip_array(file)
    elif kind in _SIZES:
        _read(file, _SIZES[kind])
    else:
        raise NotGguf(f"unknown type {kind}")
    return ""


def _skip_array(file: BinaryIO) -> None:
    kind = _number(file, "<I")
    items = _number(file, "<Q")
    if items > ARRAY_ITEMS_MAX:
        raise NotGguf(f"an array of {items} items")
    if kind == _STRING:
        for _ in range(items):
            _string(file)
    elif kind in _SIZES:
        file.seek(items * _SIZES[kind], 1)
    else:
        raise NotGguf(f"an array of type {kind}")


def _string(file: BinaryIO) -> str:
    length = _number(file, "<Q")
    if length > STRING_BYTES_MAX:
        raise NotGguf(f"a string of {length} bytes")
    return _read(file, length).decode("utf-8", "replace")


def _number(file: BinaryIO, form: str) -> int:
    return int(struct.unpack(form, _read(file, struct.calcsize(form)))[0])


def _read(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise NotGguf("the file is cut off")
    return data
