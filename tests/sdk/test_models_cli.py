"""The operator's commands on the catalogue of models, against real servers."""

import hashlib
import json
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from tests.node.weights import COMMIT, Hub, gguf_bytes
from tests.sdk.conftest import DATA, SETTINGS, Cli, ServedPool, of, pin

from entraide import catalogue as documents
from entraide.models import Artefact, Catalogue


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("fr", ("MODÈLE", "moyen", "8,19 milliards", "Apache-2.0", "gguf –")),
        ("en", ("MODEL", "medium", "8.19 billion", "Apache-2.0", "gguf –")),
    ],
)
def test_the_catalogue_is_listed(
    served: ServedPool, cli: Cli, lang: str, expected: tuple[str, ...]
) -> None:
    """The catalogue shows each model with size, licence, energy class and what is pinned."""
    result = cli(["models", "catalogue", "--lang", lang, "--state", str(served.state)])
    line = next(line for line in result.out.splitlines() if line.startswith("qwen3-8b "))
    demo = next(line for line in result.out.splitlines() if line.startswith("smollm2-135m"))

    assert (0, "") == (result.status, result.err)
    assert result.out.startswith(expected[0])
    assert all(word in line for word in expected[1:])
    assert "gguf ✓" in demo


def test_the_catalogue_for_programs(served: ServedPool, cli: Cli) -> None:
    """With --json the catalogue and a model are the document's own facts."""
    state = str(served.state)
    document = json.loads(cli(["models", "catalogue", "--json", "--state", state]).out)
    entry = json.loads(cli(["models", "show", "qwen3-8b", "--json", "--state", state]).out)

    assert served.admin.catalogue == msgspec.convert(document, Catalogue)
    assert entry in document["models"]
    assert ("Apache-2.0", 147_456) == (entry["licence"], entry["kv_bytes_per_token"])


def test_a_model_is_shown(served: ServedPool, cli: Cli) -> None:
    """A model is shown with the facts needed to choose it."""
    result = cli(["models", "show", "qwen3-30b-a3b-instruct-2507", "--state", str(served.state)])
    unknown = cli(["models", "show", "absent", "--state", str(served.state)])

    assert "dont 3,3" in result.out
    assert "Apache-2.0, libre" in result.out
    assert "– gguf Q4_K_M" in result.out
    assert 1 == unknown.status
    assert "absent" in unknown.err


def test_models_are_added_and_removed(served: ServedPool, cli: Cli, tmp_path: Path) -> None:
    """A file's models are added or replaced, one is removed, and what ships comes back."""
    state = str(served.state)
    mine = replace(of(served, "qwen3-8b"), name="mine", title="Mine")
    (tmp_path / "one.json").write_bytes(msgspec.json.encode(mine))
    (tmp_path / "two.json").write_bytes(msgspec.json.encode([replace(mine, title="Ours")]))
    added = cli(["models", "add", str(tmp_path / "one.json"), "--state", state])
    first = of(served, "mine").title
    cli(["models", "add", str(tmp_path / "two.json"), "--state", state])
    second = of(served, "mine").title
    cli(["models", "remove", "qwen3-8b", "--state", state])
    gone = documents.find(served.admin.catalogue, "qwen3-8b")
    cli(["models", "add", "--shipped", "--state", state])

    assert "Un modèle est ajouté" in added.out
    assert ("Mine", "Ours", None) == (first, second, gone)
    assert of(served, "qwen3-8b") == documents.find(documents.shipped(), "qwen3-8b")
    assert 5 == served.admin.catalogue.version


def test_a_file_that_is_no_model(served: ServedPool, cli: Cli, tmp_path: Path) -> None:
    """A file that holds no model is refused in one sentence, and nothing changes."""
    (tmp_path / "bad.json").write_bytes(b'{"name": 3}')
    result = cli(["models", "add", str(tmp_path / "bad.json"), "--state", str(served.state)])

    assert (1, 1) == (result.status, served.admin.catalogue.version)
    assert result.err.startswith("Le catalogue des modèles est refusé")


def test_pinning_to_files_of_ones_own(served: ServedPool, cli: Cli, tmp_path: Path) -> None:
    """An operator pins a model to the files that lie in a folder, without asking anybody."""
    data = gguf_bytes()
    (tmp_path / "Qwen3-8B-Q4_K_M.gguf").write_bytes(data)
    result = cli(["models", "pin", "qwen3-8b", "--format", "gguf", "--folder", str(tmp_path),
               "--state", str(served.state)])  # fmt: skip
    pinned = of(served, "qwen3-8b").artefacts[0]

    assert (0, "") == (result.status, result.err)
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == pinned.checksum
    assert "✓ gguf Q4_K_M" in result.out


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_pinning_without_a_network(
    served: ServedPool, cli: Cli, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    """Where the hub does not answer, one sentence says so and what to do instead."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = cli(["models", "pin", "qwen3-8b", "--state", str(served.state), "--lang", lang])

    assert (1, "") == (result.status, result.out)
    assert 1 == len(result.err.splitlines())
    assert "entraide models pin qwen3-8b --folder" in result.err


async def test_pinning_to_the_hub(served: ServedPool, cli: Cli, hub: Hub) -> None:
    """Each format is pinned to the hub's commit; checksums of small files are computed."""
    result = await pin(cli, served, "--checksums-only")
    gguf, mlx, tensors = of(served, "qwen3-8b").artefacts
    checksums = {file.name: file.sha256 for file in tensors.files}

    assert (0, "") == (result.status, result.err)
    assert (COMMIT, COMMIT, COMMIT) == (gguf.revision, mlx.revision, tensors.revision)
    assert ["m-Q4_K_M.gguf"] == [file.name for file in gguf.files]
    assert ["model.safetensors", "config.json"] == list(checksums)
    assert hashlib.sha256(SETTINGS).hexdigest() == checksums["config.json"]
    assert len(DATA) - 2 == tensors.weights_bytes
    assert 3 == result.out.count(COMMIT[:12])
    assert not any("original" in path for _, path, _ in hub.asked)
    assert not any(path.startswith("/cdn/") for _, path, _ in hub.asked)
    assert not (served.state / "weights").exists()


async def test_what_cannot_be_pinned(served: ServedPool, cli: Cli, hub: Hub) -> None:
    """A refusal or lack of the hub is reported by format, and the other formats are pinned."""
    entry = of(served, "qwen3-8b")
    first = replace(entry.artefacts[0], files=())
    kept: tuple[Artefact, ...] = (first, *entry.artefacts[1:])
    served.admin.catalogue = documents.with_entries(
        served.admin.catalogue, replace(entry, artefacts=kept)
    )
    half = await pin(cli, served)
    hub.gated = True
    none = await pin(cli, served, "--lang", "en")
    nothing = await pin(cli, served, "--format", "onnx", "--lang", "en")

    assert 0 == half.status
    assert "plusieurs fichiers conviennent" in half.err
    assert (1, 1) == (none.status, nothing.status)
    assert "only to those who accept their terms" in none.err
    assert "no weights of that format" in nothing.err


def test_a_model_is_shown_in_the_readers_language(served: ServedPool, cli: Cli) -> None:
    """Sources and numbers of parameters are words; an unknown format brings the known ones."""
    state = ["--state", str(served.state)]
    shown = {
        lang: cli(["models", "show", "qwen3-8b", "--lang", lang, *state]).out
        for lang in ("fr", "en")
    }
    demo = cli(["models", "show", "smollm2-135m-instruct", *state]).out
    wrong = cli(["models", "pin", "qwen3-8b", "--format", "foo", "--lang", "en", *state])

    assert "fiche du modèle Qwen3; rapport technique sur Qwen3 (2025)" in shown["fr"]
    assert "model card of Qwen3; technical report of Qwen3 (2025)" in shown["en"]
    assert "absent du Model Openness Tool" in shown["fr"]
    assert "135 millions" in demo
    assert "Its formats: gguf, mlx, safetensors." in wrong.err
