"""Weight files: which a folder has, and whether each is whole.

Input: a folder, or a file in GGUF or safetensors form. Output: its files, or why a file is broken:
a file that was cut off has fewer bytes than its own header lists, and a numbered part needs the
other parts. The bytes of the tensors are not read.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from entraide.catalogue.gguf import NotGguf, expected_bytes
from entraide.decoding import decode_json

GGUF_SUFFIX = ".gguf"
SAFETENSORS_SUFFIX = ".safetensors"
WEIGHT_SUFFIXES = (GGUF_SUFFIX, SAFETENSORS_SUFFIX)
HEADER_BYTES_MAX = 64 * 1024 * 1024
FILES_MAX = 20_000  # in a folder
PARTS_MAX = 999

_PART = re.compile(r"-(\d{5})-of-(\d{5})(?=\.[a-z]+$)")


def list_paths(folder: Path) -> list[Path]:
    """Returns the files below a folder, hidden ones left out, sorted.

    Raises:
        OSError: a folder cannot be read, or there are more than ``FILES_MAX`` files.
    """

    def fail(problem: OSError) -> None:
        raise problem

    paths: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        listed = (Path(parent, name) for name in names if not name.startswith("."))
        paths += [path for path in listed if path.is_file()]
        if len(paths) > FILES_MAX:
            raise OSError(f"{folder}: > {FILES_MAX}")
    return sorted(paths)


def without_part(name: str) -> str:
    """Returns the name of a numbered part without its number.

    >>> without_part("m-00001-of-00002.gguf")
    'm.gguf'
    """
    return _PART.sub("", name)


def find_missing_part(names: Sequence[str]) -> str:
    """Returns the name of a numbered part that is missing among its others; "" if none is."""
    present = set(names)
    for name in names:
        part = _PART.search(name)
        if part is None or int(part[2]) > PARTS_MAX:
            continue
        for number in range(1, int(part[2]) + 1):
            other = f"{name[: part.start()]}-{number:05d}-of-{part[2]}{name[part.end() :]}"
            if other not in present:
                return other
    return ""


def find_fault(path: Path) -> str:
    """Returns why a weight file is broken; "" if it is whole, or is no weight file.

    Raises:
        OSError: it cannot be read.
    """
    if path.name.endswith(GGUF_SUFFIX):
        return _find_gguf_fault(path)
    return find_safetensors_fault(path) if path.name.endswith(SAFETENSORS_SUFFIX) else ""


def _find_gguf_fault(path: Path) -> str:
    try:
        expected = expected_bytes(path)
    except NotGguf as problem:
        return str(problem)
    size = path.stat().st_size
    return f"{size} bytes instead of {expected}" if size < expected else ""


def find_safetensors_fault(path: Path) -> str:
    """Returns why a safetensors file is broken, or "".

    The file has 8 bytes of length, a header in JSON, and exactly the bytes that the header lists.
    Source: https://github.com/huggingface/safetensors#format.

    Raises:
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(size - 8, HEADER_BYTES_MAX):
            return f"a header of {length} bytes in a file of {size}"
        try:
            header = decode_json(file.read(length), type=dict[str, dict[str, Any]])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return "its header is not JSON"
    expected = 8 + length + max(map(_tensor_end, header.values()), default=0)
    return f"{size} bytes instead of {expected}" if size != expected else ""


def _tensor_end(tensor: dict[str, Any]) -> int:
    offsets = tensor.get("data_offsets")
    end = offsets[-1] if isinstance(offsets, list) and offsets else 0
    return end if isinstance(end, int) and end > 0 else 0
