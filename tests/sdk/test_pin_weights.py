"""``entraide models pin``: files come into the pool's folder of weights, from hub and folders."""

import asyncio
import hashlib
import re
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from tests.node.weights import Hub, gguf_bytes
from tests.sdk.conftest import DATA, SETTINGS, Cli, CliResult, ServedPool, of, pin
from tests.sdk.servicer import ADMIN_KEY
from tests.sdk.test_weight_files import safetensors_bytes

from entraide import catalogue as documents
from entraide import i18n
from entraide.catalogue.folder_match import Match, Standing, WeightSet, find_sets, match_set
from entraide.catalogue.gather import lock_store
from entraide.catalogue.model_store import ModelStore
from entraide.cli.transfer import LINE_INTERVAL_S, TransferProgress
from entraide.models import Artefact

EN = ("--lang", "en")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's attempts follow one another at once."""
    at_once = SimpleNamespace(sleep=lambda _: None, time=time.time, monotonic=time.monotonic)
    monkeypatch.setattr("huggingface_hub.file_download.time", at_once)


def stored(served: ServedPool) -> dict[str, bytes]:
    """The weights in the pool's folder by name; hidden files and locks aside."""
    folder = served.state / "weights"
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.name: path.read_bytes()
        for path in paths
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def cdn_ranges(hub: Hub) -> list[str]:
    """The ranges with which large files were asked for."""
    return [wanted for _, path, wanted in hub.asked if path.startswith("/cdn/")]


async def test_a_pin_fetches_the_files(served: ServedPool, cli: Cli, hub: Hub) -> None:
    """Before it fetches, the command says how much and how long; the files then lie in place."""
    result = await pin(cli, served, *EN)
    gguf, mlx, tensors = of(served, "qwen3-8b").artefacts
    first = result.out.splitlines()[0]
    hub.asked.clear()
    again = await pin(cli, served, *EN)

    assert (0, "") == (result.status, result.err)
    assert re.fullmatch(
        r"To download into \S+/weights: 5 files, 0\.15\sMB, about 0\ss at 12\.5\sMB/s "
        r"\(assumed until a rate is measured\)\. The disk has .+\sGB for them\.",
        first,
    )
    assert {
        "m-Q4_K_M.gguf": DATA,
        "model.safetensors": DATA[2:],
        "config.json": SETTINGS,
    } == stored(served)
    assert all(artefact.is_pinned for artefact in (gguf, mlx, tensors))
    assert (served.state / "weights" / gguf.relative_folder("qwen3-8b") / "m-Q4_K_M.gguf").is_file()
    assert "The pool serves the files to its nodes from" in result.out
    assert (0, []) == (again.status, cdn_ranges(hub))
    assert "To download" not in again.out


async def test_a_pin_that_breaks_off_goes_on(
    served: ServedPool, cli: Cli, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arrived is kept, the command says so, and the next one fetches only the rest."""
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)
    hub.break_after, hub.answers_left = 30_000, 1
    broken = await pin(cli, served, "--format", "gguf", *EN)
    before = of(served, "qwen3-8b").artefacts[0].is_pinned
    hub.break_after, hub.answers_left = 0, -1
    hub.asked.clear()
    whole = await pin(cli, served, "--format", "gguf", *EN)

    assert (1, False, 1) == (broken.status, before, len(broken.err.splitlines()))
    assert "What arrived is kept; the same command goes on from there." in broken.err
    assert "one file, 0.02\u00a0MB" in whole.out
    assert (0, ["bytes=30000-"]) == (whole.status, cdn_ranges(hub))
    assert {"m-Q4_K_M.gguf": DATA} == stored(served)


async def test_wrong_bytes_are_not_pinned(served: ServedPool, cli: Cli, hub: Hub) -> None:
    """Other bytes than the hub's own checksum are deleted and named, and nothing is pinned."""
    hub.wrong["m-Q4_K_M.gguf"] = DATA[::-1]
    result = await pin(cli, served, "--format", "gguf", *EN)

    assert (1, 1) == (result.status, len(result.err.splitlines()))
    assert "m-Q4_K_M.gguf does not have the expected checksum. It is deleted." in result.err
    assert {} == stored(served)
    assert not of(served, "qwen3-8b").artefacts[0].is_pinned


async def test_a_disk_without_space(
    served: ServedPool, cli: Cli, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the space is missing, nothing is fetched, and the sentence says how much is needed."""
    monkeypatch.setattr(
        "entraide.cli.pool_weights.ModelStore", partial(ModelStore, room_bytes=2**60)
    )
    result = await pin(cli, served, *EN)

    assert (1, 1) == (result.status, len(result.err.splitlines()))
    assert re.match(
        r"The disk is full: 0\.15\sMB are needed in .+ Nothing was fetched\.", result.err
    )
    assert ([], {}) == (cdn_ranges(hub), stored(served))


async def test_a_disk_that_fills_up(served: ServedPool, cli: Cli, hub: Hub) -> None:
    """A disk that fills up meanwhile keeps nothing of the format, and the others stay unpinned."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        result = await pin(cli, served, "--format", "gguf", *EN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert (1, 1) == (result.status, len(result.err.splitlines()))
    assert "the disk is full" in result.err
    assert {} == stored(served)
    assert not list((served.state / "weights").glob("qwen3-8b"))
    assert not of(served, "qwen3-8b").artefacts[0].is_pinned


async def test_one_command_at_a_time(served: ServedPool, cli: Cli, hub: Hub) -> None:
    """While one command fills the folder, another one says so and does nothing."""
    with lock_store(ModelStore(served.state / "weights")) as is_held:
        result = await pin(cli, served, *EN)

    assert is_held
    assert (1, []) == (result.status, cdn_ranges(hub))
    assert result.err.startswith("Another command is filling")


async def test_a_pool_on_another_machine(
    served: ServedPool, cli: Cli, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the pool's directory, the checksums are pinned, and the command says what is left."""
    monkeypatch.setenv("ENTRAIDE_URL", served.address)
    monkeypatch.setenv("ENTRAIDE_ADMIN_KEY", ADMIN_KEY)
    result = await asyncio.to_thread(cli, ["models", "pin", "qwen3-8b", "--format", "gguf", *EN])

    assert (0, "") == (result.status, result.err)
    assert "only the checksums are pinned" in result.out
    assert of(served, "qwen3-8b").artefacts[0].is_pinned
    assert [] == cdn_ranges(hub)


QWEN = "Qwen3-8B-Q4_K_M.gguf"
SMALL = "qwen_Qwen3-4B-Q4_K_M"


SIZES = {
    "qwen3-8b": len(gguf_bytes()),
    "qwen3-4b": 2 * len(gguf_bytes()),
    "smollm2-135m-instruct": len(safetensors_bytes()),
}


@pytest.fixture
def tiny(served: ServedPool) -> None:
    """Three models of the catalogue are as small as the files of these tests."""
    entries = []
    for name, size_bytes in SIZES.items():
        entry = of(served, name)
        unpinned = [artefact for artefact in entry.artefacts if not artefact.is_pinned]
        resized = tuple(replace(artefact, weights_bytes=size_bytes) for artefact in unpinned)
        entries.append(replace(entry, artefacts=resized))
    served.admin.catalogue = documents.with_entries(served.admin.catalogue, *entries)


@pytest.fixture
def folder(tmp_path: Path, tiny: None) -> Path:
    """A folder with files that are whole, cut, of another kind, and of no known model."""
    folder = tmp_path / "usb"
    files = {
        QWEN: gguf_bytes(),
        f"parts/{SMALL}-00001-of-00002.gguf": gguf_bytes(seed=2),
        f"parts/{SMALL}-00002-of-00002.gguf": gguf_bytes(seed=3),
        "SmolLM2-135M-Instruct/model.safetensors": safetensors_bytes(),
        "SmolLM2-135M-Instruct/config.json": b"{}",
        "Mistral-7B-Instruct-v0.3-Q4_K_M.gguf": gguf_bytes(seed=4)[:-100],
        "Qwen3-14B-Q4_K_M.gguf": gguf_bytes(seed=6),
        "recette.gguf": gguf_bytes(seed=5),
        "notes.txt": b"x",
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def pin_folder(cli: Cli, served: ServedPool, folder: Path, *more: str) -> CliResult:
    """Pins a whole folder."""
    return cli(["models", "pin", str(folder), "--state", str(served.state), *EN, *more])


def outcomes(out: str) -> dict[str, tuple[str, str]]:
    """The result and the checksum of each file in the report."""
    rows = [
        re.split(r"\s{2,}", line)
        for line in out.splitlines()
        if ".gguf " in line or ".safetensors " in line
    ]
    return {row[0]: (row[4], row[5]) for row in rows}


def test_a_folder_in_one_go(served: ServedPool, cli: Cli, folder: Path) -> None:
    """Each weight file is in one report; what is whole and known is pinned, the rest is named."""
    result = pin_folder(cli, served, folder)
    report = outcomes(result.out)
    version = served.admin.catalogue.version
    two = of(served, "qwen3-4b").artefacts[0]

    assert 1 == result.status
    assert {
        "Mistral-7B-Instruct-v0.3-Q4_K_M.gguf": "broken",
        "Qwen3-14B-Q4_K_M.gguf": "wrong size",
        QWEN: "pinned",
        "SmolLM2-135M-Instruct/model.safetensors": "pinned",
        f"parts/{SMALL}-00001-of-00002.gguf": "pinned",
        f"parts/{SMALL}-00002-of-00002.gguf": "pinned",
        "recette.gguf": "unknown",
    } == {name: outcome for name, (outcome, _) in report.items()}
    assert all(
        hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256
        for name, (_, sha256) in report.items()
    )
    assert [
        "Mistral-7B-Instruct-v0.3-Q4_K_M.gguf is damaged or incomplete",
        (
            "Qwen3-14B-Q4_K_M.gguf has the name of qwen3-14b but not its size, about 8.95\u00a0GB; "
            "it is not pinned."
        ),
        f"    entraide models pin qwen3-14b --folder {folder}",
        "recette.gguf belongs to no model of the catalogue by its name; it is not pinned.",
        f"    entraide models pin MODEL --folder {folder}",
    ] == [re.split(r" \(| If ", line)[0] for line in result.err.splitlines()]
    assert 2 == version
    assert (2, True) == (len(two.files), two.is_pinned)
    assert not of(served, "mistral-7b-instruct-v0.3").artefacts[0].is_pinned
    assert 5 == len(stored(served))


def test_a_folder_again_copies_nothing(served: ServedPool, cli: Cli, folder: Path) -> None:
    """What is pinned already is neither copied nor pinned again."""
    pin_folder(cli, served, folder)
    paths = sorted((served.state / "weights").rglob("*.gguf"))
    before = [(path, path.stat().st_ino, path.stat().st_mtime_ns) for path in paths]
    version = served.admin.catalogue.version
    again = pin_folder(cli, served, folder)
    report = outcomes(again.out)

    assert "pinned already" == report[QWEN][0]
    assert before == [(path, path.stat().st_ino, path.stat().st_mtime_ns) for path in paths]
    assert version == served.admin.catalogue.version


def test_other_bytes_of_a_pinned_model(
    served: ServedPool, cli: Cli, tmp_path: Path, tiny: None
) -> None:
    """A file that differs from the pinned one changes nothing, and the remedy is named."""
    for number in (1, 2):
        folder = tmp_path / f"usb{number}"
        folder.mkdir()
        (folder / QWEN).write_bytes(gguf_bytes(seed=number))
    first = pin_folder(cli, served, tmp_path / "usb1")
    pinned = of(served, "qwen3-8b").artefacts[0]
    second = pin_folder(cli, served, tmp_path / "usb2")

    assert (0, 1) == (first.status, second.status)
    assert pinned == of(served, "qwen3-8b").artefacts[0]
    assert f"entraide models pin qwen3-8b --folder {tmp_path / 'usb2'}" in second.err


def test_a_folder_on_a_full_disk(served: ServedPool, cli: Cli, folder: Path) -> None:
    """Where a file does not fit, nothing of the whole folder is pinned or kept."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        result = pin_folder(cli, served, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert (1, 1, {}) == (served.admin.catalogue.version, result.status, stored(served))
    assert "the disk is full" in result.err


BAD_FOLDERS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "empty": (lambda path: path, "has no weight file"),
    "absent": (lambda path: path / "absent", "cannot be read: no such file or directory"),
    "a file": (lambda path: path / "pool.json", "a part of the path is no directory"),
}


@pytest.mark.parametrize("name", BAD_FOLDERS)
def test_a_folder_that_is_none(
    served: ServedPool, cli: Cli, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    """A folder without weights, and one that cannot be read, give one sentence each."""
    empty = tmp_path_factory.mktemp("empty")
    (empty / "pool.json").touch()
    path, expected = BAD_FOLDERS[name]
    result = pin_folder(cli, served, path(empty))

    assert (1, 1, 1) == (
        result.status,
        len(result.err.splitlines()),
        served.admin.catalogue.version,
    )
    assert expected in result.err


LAYOUTS = {
    "a file beside others": (QWEN, "qwen3-8b", "gguf"),
    "with its owner": ("Qwen_Qwen3-8B-Q4_K_M.gguf", "qwen3-8b", "gguf"),
    "the repository's name": ("OLMo-2-1124-7B-Instruct-Q4_K_M.gguf", "olmo-2-7b-instruct", "gguf"),
    "a store": ("qwen3-8b/gguf-Q4_K_M-1a2b3c4d5e6f/x-Q4_K_M.gguf", "qwen3-8b", "gguf"),
    "the hub's cache": (
        "models--Qwen--Qwen3-8B-GGUF/snapshots/0123/x-q4_k_m.gguf", "qwen3-8b", "gguf"),
    "tensors": ("Qwen3-8B/model.safetensors", "qwen3-8b", "safetensors"),
    "a store of mlx": ("qwen3-8b/mlx-4bit-1a2b/model.safetensors", "qwen3-8b", "mlx"),
    "quantised by mlx": ("Qwen3-14B-4bit/model.safetensors", "qwen3-14b", "mlx"),
    "another quantisation": ("Qwen3-8B-Q2_K.gguf", "", ""),
    "a name inside another": ("my-qwen3-8b-tuned-Q4_K_M.gguf", "", ""),
}  # fmt: skip


@pytest.mark.parametrize(("name", "model", "format_"), LAYOUTS.values(), ids=LAYOUTS)
def test_how_models_are_recognised(tmp_path: Path, name: str, model: str, format_: str) -> None:
    """A model is recognised by the name of its file or of a folder above it, never by a part."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    if "4bit/" in name:
        (path.parent / "config.json").write_text('{"quantization": {"bits": 4}}')
    (weights,) = find_sets(tmp_path)
    match = match_set(weights, documents.shipped(), {path: "0" * 64})
    artefact: Artefact | None = match.entry.artefacts[match.index] if match.entry else None

    assert WeightSet(path.parent, (path.name,)) == weights
    assert (model, format_) == (
        match.entry.name if match.entry else "",
        artefact.format if artefact else "",
    )


def test_a_pinned_file_is_recognised_by_its_bytes(tmp_path: Path) -> None:
    """The checksum finds the model, whatever the file is called."""
    (tmp_path / "x.gguf").write_bytes(b"x")
    entry = documents.find(documents.shipped(), "smollm2-135m-instruct")
    assert entry is not None
    (weights,) = find_sets(tmp_path)
    digests = {tmp_path / "x.gguf": entry.artefacts[0].files[0].sha256}

    assert Match(Standing.PINNED, entry, 0) == match_set(weights, documents.shipped(), digests)


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_progress_has_the_measured_rate(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Outside a terminal there is a line each few seconds, with the measured rate."""
    times = iter([0.0, 0.0, 1.0, LINE_INTERVAL_S, LINE_INTERVAL_S + 1])
    progress = TransferProgress(4_000_000_000, lang, now=lambda: next(times))
    for _ in range(3):
        progress.add("m.gguf", 500_000_000)
    lines = capsys.readouterr().err.splitlines()

    assert [
        i18n.text(
            "transfer-progress", lang, file="m.gguf", percent=25,
            done={"en": "1\u00a0GB", "fr": "1\u00a0Go"}[lang],
            whole={"en": "4\u00a0GB", "fr": "4\u00a0Go"}[lang],
            speed={"en": "200\u00a0MB", "fr": "200\u00a0Mo"}[lang], time="15\u00a0s",
        )
    ] == lines  # fmt: skip


@pytest.mark.parametrize(("end", "outcome"), [("", "pinned"), ("<think>\n", "not pinned")])
def test_a_folders_template_is_checked(
    served: ServedPool, cli: Cli, folder: Path, end: str, outcome: str
) -> None:
    """A template that contradicts the catalogue is named; of another, what it adds is kept."""
    template = "{% for message in messages %}" + 90 * "x" + "{{ message.content }}{% endfor %}"
    (folder / "SmolLM2-135M-Instruct/chat_template.jinja").write_text(template + end)
    result = pin_folder(cli, served, folder)
    (said, _) = outcomes(result.out)["SmolLM2-135M-Instruct/model.safetensors"]
    model = of(served, "smollm2-135m-instruct")

    assert outcome == said
    assert (92 if outcome == "pinned" else 0) == model.template_tokens
    assert (outcome != "pinned") == ("thinking" in result.err)
