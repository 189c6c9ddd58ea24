"""Whether a weight file is whole, by its own header, and which files a folder has."""

import json
import struct
from pathlib import Path

import gguf
import pytest
from tests.node.weights import gguf_bytes

from entraide.catalogue import demonstration
from entraide.catalogue.gguf import _BLOCKS, expected_bytes
from entraide.catalogue.weight_files import find_fault, find_missing_part, list_paths


def safetensors_bytes(values: int = 64) -> bytes:
    """A whole safetensors file with one tensor."""
    tensor = {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "a": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4 * values)


WHOLE = {"m.gguf": gguf_bytes(), "m.safetensors": safetensors_bytes()}


@pytest.mark.parametrize("name", WHOLE)
def test_each_cut_is_found(tmp_path: Path, name: str) -> None:
    """A whole file has no fault; cut at any place, it has one."""
    path, data = tmp_path / name, WHOLE[name]
    path.write_bytes(data)
    whole = find_fault(path)
    faults = []
    for length in (0, 3, 11, 40, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        faults.append(find_fault(path))

    assert "" == whole
    assert all(faults)


def test_files_without_tensors_and_of_another_kind(tmp_path: Path) -> None:
    """Another kind of file in a weight file's name is broken; other names are not weights."""
    (tmp_path / "page.gguf").write_text("<html>404</html>")
    (tmp_path / "page.safetensors").write_text("<html>404</html>")
    (tmp_path / "README.md").write_text("x")

    assert "no GGUF magic at the beginning" == find_fault(tmp_path / "page.gguf")
    assert "header" in find_fault(tmp_path / "page.safetensors")
    assert "" == find_fault(tmp_path / "README.md")


def test_lengths_of_tensors_are_those_of_the_format() -> None:
    """The blocks of each type of tensor equal those of the format's own package."""
    known = {int(kind): sizes for kind, sizes in gguf.GGML_QUANT_SIZES.items()}

    assert _BLOCKS == {kind: sizes for kind, sizes in known.items() if kind in _BLOCKS}


def test_the_demonstration_is_whole() -> None:
    """The length of a real model equals the length that its tensors require."""
    path = demonstration.path()
    if path is None:
        pytest.skip("the demonstration's wheel is not installed")

    assert path.stat().st_size == expected_bytes(path)


def test_parts_belong_together() -> None:
    """Of numbered parts, the first that is missing is named."""
    parts = [f"m-{number:05d}-of-00003.gguf" for number in (1, 3)]

    assert "m-00002-of-00003.gguf" == find_missing_part(parts)
    assert "" == find_missing_part([*parts, "m-00002-of-00003.gguf", "other.gguf"])


def test_a_folder_is_read_to_the_end(tmp_path: Path) -> None:
    """Files in subfolders are listed, hidden ones are not, and a missing folder is an error."""
    for name in ("b.gguf", "a/c.gguf", ".hidden/d.gguf", ".e.gguf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "link.gguf").symlink_to(tmp_path / "b.gguf")

    assert ["a/c.gguf", "a/link.gguf", "b.gguf"] == [
        path.relative_to(tmp_path).as_posix() for path in list_paths(tmp_path)
    ]
    with pytest.raises(FileNotFoundError):
        list_paths(tmp_path / "absent")
