"""Which file a model is, what its head says, and that its bytes are what they should be."""

import hashlib
import os
import struct
from pathlib import Path

import pytest
from tests.cases import all_cases

from entraide import i18n
from entraide.catalogue import demonstration
from entraide.catalogue.gguf import ARRAY_ITEMS_MAX, GgufHeader, NotGguf, read_header
from entraide_node.engines.base import EngineProblem
from entraide_node.models import model_files
from entraide_node.models.model_files import DEMO_COMMAND, ModelFile, alias_of, find_model

Value = str | int | float | bool | list[str] | list[int]


def string(text: str) -> bytes:
    """A string as GGUF writes it."""
    return struct.pack("<Q", len(text.encode())) + text.encode()


def value(of: Value) -> bytes:
    """A value with its type, as GGUF writes it."""
    match of:
        case bool():
            return struct.pack("<I?", 7, of)
        case str():
            return struct.pack("<I", 8) + string(of)
        case int():
            return struct.pack("<II", 4, of)
        case float():
            return struct.pack("<If", 6, of)
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(of)) + b"".join(map(string, of))
        case _:
            return struct.pack("<IIQ", 9, 4, len(of)) + b"".join(struct.pack("<I", n) for n in of)


def gguf(head: dict[str, Value], *, version: int = 3) -> bytes:
    """A GGUF file without tensors."""
    keys = b"".join(string(key) + value(of) for key, of in head.items())
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(head)) + keys


HEAD: dict[str, Value] = {
    "general.architecture": "llama",
    "general.name": "Petit modèle",
    "llama.context_length": 4096,
}
HEADS = {
    "plain": (HEAD, GgufHeader("llama", "Petit modèle", 4096)),
    "with all kinds of values before": (
        {"a": 1, "b": 1.5, "c": True, "d": ["x", "y"], "e": [1, 2, 3], **HEAD},
        GgufHeader("llama", "Petit modèle", 4096),
    ),
    "the context stands before the architecture": (
        {"llama.context_length": 512, "general.architecture": "llama", "z": 1},
        GgufHeader("llama", "", 512),
    ),
    "no name": (
        {"general.architecture": "qwen2", "qwen2.context_length": 32768, "z": "end"},
        GgufHeader("qwen2", "", 32768),
    ),
    "no context": ({"general.architecture": "bert"}, GgufHeader("bert", "", 0)),
    "an embedding model": (
        {"general.architecture": "bert", "bert.context_length": 512, "bert.pooling_type": 1,
         "tokenizer.ggml.tokens": ["x"]},
        GgufHeader("bert", "", 512, "mean"),
    ),
    "a model that ranks": (
        {"general.architecture": "bert", "bert.context_length": 512, "bert.pooling_type": 4},
        GgufHeader("bert", "", 512),
    ),
    "a pooling of no number": (
        {"general.architecture": "bert", "bert.context_length": 512, "bert.pooling_type": "x"},
        GgufHeader("bert", "", 512),
    ),
    "another part's context does not count": (
        {"general.architecture": "llama", "clip.context_length": 77},
        GgufHeader("llama", "", 0),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("head", "expected"), HEADS.values(), ids=HEADS)
def test_heads(tmp_path: Path, head: dict[str, Value], expected: GgufHeader) -> None:
    """The head of a file gives architecture, name and context, wherever they stand in it."""
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf(head))

    assert expected == read_header(path)


def test_the_rest_is_not_read(tmp_path: Path) -> None:
    """Reading stops at the keys that are needed: a file cut off after them is no trouble."""
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf({**HEAD, "vocabulary": ["x"] * 1000})[:200])

    assert "llama" == read_header(path).architecture


BROKEN = {
    "empty": b"",
    "another format": b"PK\x03\x04 and so on",
    "cut off in a number": gguf(HEAD)[:10],
    "cut off in a string": gguf(HEAD)[:40],
    "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "without an architecture": gguf({"general.name": "x"}),
    "a type that does not exist": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + string("k")
    + struct.pack("<I", 99),
    "a string longer than any": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 60),
    "an array longer than any": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + string("k")
    + struct.pack("<IIQ", 9, 4, ARRAY_ITEMS_MAX + 1),
}  # fmt: skip


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_broken_files(tmp_path: Path, data: bytes) -> None:
    """A file that is no sound GGUF file is refused, and named as a problem."""
    path = tmp_path / "m.gguf"
    path.write_bytes(data)

    with pytest.raises(NotGguf):
        read_header(path)
    problem = find_model(str(path))
    assert isinstance(problem, EngineProblem)
    assert ("model_damaged", str(path)) == (problem.code, problem.values["file"])


def test_a_file_by_its_path(tmp_path: Path) -> None:
    """A file is known by its name, its checksum, its size and its context."""
    path = tmp_path / "Petit Modèle-Q4_K_M.gguf"
    data = gguf(HEAD)
    path.write_bytes(data)

    assert find_model(str(path)) == ModelFile(
        path=path,
        alias="petit-mod-le-q4_k_m",
        revision=f"sha256:{hashlib.sha256(data).hexdigest()}",
        size_bytes=len(data),
        context_max=4096,
    )


def test_a_name_of_ones_own(tmp_path: Path) -> None:
    """The owner's alias goes before the file's name."""
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf(HEAD))

    model = find_model(str(path), alias="le-mien")

    assert isinstance(model, ModelFile)
    assert "le-mien" == model.alias


def test_a_model_in_parts(tmp_path: Path) -> None:
    """A model in several files is all of them: one name, one checksum, the sizes added."""
    datas = [gguf(HEAD), gguf({"general.architecture": "llama"})]
    for n, data in enumerate(datas, 1):
        (tmp_path / f"Gros-{n:05d}-of-00002.gguf").write_bytes(data)

    model = find_model(str(tmp_path / "Gros-00001-of-00002.gguf"))

    assert isinstance(model, ModelFile)
    assert "gros" == model.alias
    assert f"sha256:{hashlib.sha256(b''.join(datas)).hexdigest()}" == model.revision
    assert sum(map(len, datas)) == model.size_bytes


def test_a_part_that_is_missing(tmp_path: Path) -> None:
    """A model of which a part is missing is named with that part."""
    (tmp_path / "g-00001-of-00002.gguf").write_bytes(gguf(HEAD))

    problem = find_model(str(tmp_path / "g-00001-of-00002.gguf"))

    assert isinstance(problem, EngineProblem)
    assert "model_missing" == problem.code
    assert str(problem.values["file"]).endswith("g-00002-of-00002.gguf")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that is not there is named; so is a folder in its place."""
    missing = find_model(str(tmp_path / "no.gguf"))
    folder = find_model(str(tmp_path))

    assert EngineProblem("model_missing", {"file": str(tmp_path / "no.gguf")}) == missing
    assert isinstance(folder, EngineProblem)
    assert "model_unreadable" == folder.code


def test_checksums_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checksum of an unchanged file is computed once; a changed file is read again."""
    path, cache = tmp_path / "m.gguf", tmp_path / "cache"
    path.write_bytes(gguf(HEAD))
    first = find_model(str(path), cache_dir=cache)
    with monkeypatch.context() as broken:
        broken.setattr(hashlib, "sha256", None)  # reading the bytes again would fail
        second = find_model(str(path), cache_dir=cache)
    path.write_bytes(gguf({**HEAD, "more": 1}))
    os.utime(path, ns=(1, 1))
    third = find_model(str(path), cache_dir=cache)

    assert isinstance(first, ModelFile)
    assert isinstance(third, ModelFile)
    assert first == second
    assert first.revision != third.revision


def test_a_damaged_memory_of_checksums(tmp_path: Path) -> None:
    """A memory of checksums that cannot be read is made anew."""
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf(HEAD))
    (tmp_path / model_files.CHECKSUMS_NAME).write_bytes(b"{")

    first = find_model(str(path), cache_dir=tmp_path)

    assert isinstance(first, ModelFile)
    assert first.revision.encode() in (tmp_path / model_files.CHECKSUMS_NAME).read_bytes()


def test_the_demo_model_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the demo model its user is told the one command that mends it."""
    monkeypatch.setattr(demonstration, "PACKAGE", "entraide_no_such_package")

    problem = find_model("demo")

    assert EngineProblem("demo_model_missing", {"command": DEMO_COMMAND}) == problem


@pytest.mark.parametrize("data", [gguf(HEAD), b"not even GGUF"])
def test_the_demo_model_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    """A demo model with other bytes is refused, with the command that mends it."""
    package = tmp_path / "entraide_test_model"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / demonstration.FILE).write_bytes(data)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(demonstration, "PACKAGE", "entraide_test_model")

    problem = find_model("demo")

    assert isinstance(problem, EngineProblem)
    assert ("demo_model_altered", DEMO_COMMAND) == (problem.code, problem.values["command"])


@pytest.mark.parametrize("name", ["", "...", "é.gguf", "x" * 300])
def test_every_file_has_a_name(name: str) -> None:
    """Whatever a file is called, its public name is short and plain."""
    alias = alias_of(Path(name))

    assert 1 <= len(alias) <= model_files.ALIAS_CHARS_MAX
    assert alias.isascii()


CODES = ("demo_model_missing", "demo_model_altered", "model_missing", "model_damaged",
         "model_unreadable", "model_unsupported", "engine_stopped", "engine_starting",
         "engine_exited", "engine_silent", "engine_start_too_slow", "engine_address_taken",
         "engine_no_memory", "engine_not_installed", "engine_unreachable", "engine_key_refused",
         "engine_lacks_model", "engine_bench_failed", "device_unknown")  # fmt: skip


@all_cases("code", CODES)
def test_every_problem_has_its_sentence(code: str) -> None:
    """Each problem of an engine or a model has a sentence in both languages."""
    assert i18n.has_message(f"node-{code.replace('_', '-')}")
