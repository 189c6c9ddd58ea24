"""GGUF header: a model's name, architecture and context length.

Input: a GGUF file. Output: ``GgufHeader``. It reads the few keys that the agent needs and stops
before the vocabulary, which takes megabytes. (The `gguf` package reads the whole header, takes a
second for it, and depends on numpy, tqdm and PyYAML.)
"""

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

_MAGIC = b"GGUF"
_STRING, _ARRAY = 8, 9
_WHOLE = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 7: "<?", 10: "<Q", 11: "<q"}
_SIZES = {kind: struct.calcsize(form) for kind, form in _WHOLE.items()} | {6: 4, 12: 8}


class GgufHeader(Struct, frozen=True):
    """The needed keys of the header.

    Attributes:
        architecture: of the network (``llama``).
        name: of the model, or "".
        context_tokens: longest context of its training; 0 if missing.
    """

    architecture: str
    name: str
    context_tokens: int


class NotGguf(Exception):
    """The file is not a GGUF file, or its header is cut off or exceeds the limits."""


def read_header(path: Path) -> GgufHeader:
    """Reads the header of a GGUF file, version 2 or later.

    Raises:
        NotGguf: it is not a GGUF file.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise NotGguf("no GGUF magic at the beginning")
        version = _number(file, "<I")
        if not 2 <= version < 1_000:
            raise NotGguf(f"GGUF version {version}")
        _number(file, "<Q")  # number of tensors
        keys = min(_number(file, "<Q"), KEYS_MAX)
        return _read_keys(file, keys)


def _read_keys(file: BinaryIO, keys: int) -> GgufHeader:
    values: dict[str, str | int] = {}
    for _ in range(keys):
        key = _string(file)
        value = _value(file, _number(file, "<I"))
        wanted = key in {"general.architecture", "general.name"} or key.endswith(".context_length")
        if wanted and len(key) <= KEY_CHARS_MAX:
            values[key] = value[:NAME_CHARS_MAX] if isinstance(value, str) else value
        architecture = values.get("general.architecture")
        context = values.get(f"{architecture}.context_length")
        if context is not None and ("general.name" in values or not key.startswith("general.")):
            break
    architecture = str(values.get("general.architecture", ""))
    if not architecture:
        raise NotGguf("no architecture in the head")
    context = values.get(f"{architecture}.context_length", 0)
    is_valid = isinstance(context, int) and 0 < context <= CONTEXT_TOKENS_MAX
    return GgufHeader(
        architecture=architecture,
        name=str(values.get("general.name", "")),
        context_tokens=int(context) if is_valid else 0,
    )


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
