"""``pool mirror``: which wheels which machine needs, the pinned models, and what is refused."""

import asyncio
import hashlib
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from tests.commands import forked_entraide
from tests.house.source import ROOT
from tests.node.weights import a_hub, a_model, gguf_bytes
from tests.pool.support import pool_config
from tests.serving import serving

from entraide import __version__
from entraide import catalogue as documents
from entraide.catalogue import demonstration, shipped
from entraide.errors import PoolError
from entraide.models import Artefact, Catalogue
from entraide.wire.enrolment import PYTHONS
from entraide_scheduler.catalogue import NAME as CATALOGUE
from entraide_scheduler.catalogue import read_catalogue
from entraide_scheduler.gateway.machines import FOLDER, NodePasses, WeightServer
from entraide_scheduler.pool.config import load_pool_config
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.pool.machine_files_check import check_machine_files, note_lacking
from entraide_scheduler.pool.mirror import MirrorOptions, build_mirror
from entraide_scheduler.pool.mirror_cli import _mirror_models, _mirror_pythons
from entraide_scheduler.pool.mirror_models import gather_models
from entraide_scheduler.pool.mirror_pythons import (
    GatheredPythons,
    PythonBuild,
    PythonBuilds,
    gather_pythons,
    read_builds,
)
from entraide_scheduler.pool.mirror_targets import (
    LOCK,
    PLATFORMS,
    Target,
    parse_targets,
    read_pins,
)
from entraide_scheduler.pool.mirror_targets import (
    PYTHONS as VERSIONS,
)
from entraide_scheduler.pool.restore import RestoreSummary


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The directory of a pool that does not run."""
    create_pool(tmp_path / "pool", pool_config())
    return tmp_path / "pool"


def test_each_machine_gets_what_it_needs() -> None:
    """Markers are evaluated for the machine of the target, not for this one."""
    linux, mac = (
        {pin.requirement.partition("==")[0] for pin in read_pins(Target(platform, "3.13"))}
        for platform in ("linux-x86_64", "macos-arm64")
    )

    assert {"xllamacpp", "grpcio", "uvloop", "nkeys"} <= linux & mac
    assert {"dbus-fast"} == linux - mac
    assert "colorama" not in linux | mac
    assert all(pin.hashes for pin in read_pins(Target("linux-x86_64", "3.13")))


def test_versions_are_those_that_are_tested() -> None:
    """What members install is what ``requirements.lock`` pins for the tests, hashes included."""
    entry = re.compile(r"^([a-z0-9-]+==[^ ]+)[^\n]*(?:\n[ ]+--hash=.*)*", re.MULTILINE)
    tested, installed = (
        {match[1]: set(re.findall("sha256:[0-9a-f]+", match[0])) for match in entry.finditer(text)}
        for text in (
            (ROOT / "requirements.lock").read_text(),
            (ROOT / "scheduler/entraide_scheduler/pool" / LOCK).read_text(),
        )
    )

    assert len(installed) > 40
    assert installed == {name: tested.get(name) for name in installed}


def test_targets_are_the_members_machines() -> None:
    """Without a choice there are three platforms and four versions; a chosen one is checked."""
    assert 12 == len(parse_targets(()))
    assert [Target("macos-arm64", "3.12")] == parse_targets(["macos-arm64-3.12"] * 2)
    for wrong in ("linux-x86_64", "linux-x86_64-3.9", "windows-x86_64-3.12", "../x-3.11"):
        with pytest.raises(PoolError) as refused:
            parse_targets([wrong])
        assert ("mirror_target_unknown", wrong) == (
            refused.value.code,
            refused.value.values["target"],
        )


def test_wheel_of_another_version_is_refused(state: Path, tmp_path: Path) -> None:
    """The pool serves its own version only, and leaves no half-made mirror."""
    wheel = tmp_path / "entraide-9.9.9-py3-none-any.whl"
    wheel.touch()
    options = MirrorOptions((Target("linux-x86_64", "3.11"),), wheel)
    with pytest.raises(PoolError) as refused:
        build_mirror(state, options, lambda *_: None)

    assert "mirror_wheel_refused" == refused.value.code
    assert [] == list((state / FOLDER).iterdir())


def test_mirror_stays_when_a_folder_lacks_a_wheel(state: Path, tmp_path: Path) -> None:
    """Without the wheels there is one sentence with a remedy, and the files of before remain."""
    (state / FOLDER).mkdir()
    (state / FOLDER / "targets.txt").write_text("linux-x86_64-3.11\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    wheel = tmp_path / f"entraide-{__version__}-py3-none-any.whl"
    wheel.touch()
    done = forked_entraide(
        "pool", "mirror", str(state), "--target", "linux-x86_64-3.11", "--from", str(empty),
        "--wheel", str(wheel),
    )  # fmt: skip

    assert 1 == done.returncode
    assert "The wheels could not be gathered: No matching distribution" in done.stderr
    assert "--from FOLDER" in done.stderr
    assert 1 == len(done.stderr.splitlines())
    assert ["targets.txt"] == [path.name for path in (state / FOLDER).iterdir()]


DATA = gguf_bytes()


def pin_one(state: Path, artefact: Artefact) -> str:
    """Writes a catalogue with one model into a pool's directory; returns the file's checksum."""
    entry = replace(shipped().models[0], name="toy", artefacts=(artefact,))
    document = documents.write(Catalogue(version=2, issued_at=0.0, models=(entry,)))
    (state / CATALOGUE).write_bytes(document)
    return artefact.files[0].sha256


def read_served(state: Path, sha256: str) -> bytes:
    """What the pool sends to a node that asks for a file."""
    server = WeightServer(
        catalogue=lambda: read_catalogue(state),
        folders=[state / "weights"],
        passes=NodePasses(key_of=lambda _node: "", now=lambda: 0.0),
    )
    part = server.read_part(sha256, 0)
    return b"" if part is None else part.data


async def test_pinned_models_are_gathered(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of every pinned model come into the pool, which then serves them to its nodes."""
    sha256 = pin_one(state, a_model(m__gguf=DATA)[1])
    before = read_served(state, sha256)
    async with a_hub({"m.gguf": DATA}, large=("m.gguf",)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        first = await asyncio.to_thread(gather_models, state, "en")
        asked = len(hub.asked)
        second = await asyncio.to_thread(gather_models, state, "en")

    assert (b"", DATA) == (before, read_served(state, sha256))
    assert (1, len(DATA), ()) == (first.artefacts, first.size_bytes, first.faults)
    assert (first, asked) == (second, len(hub.asked))


def _weights_code(state: Path) -> str:
    """What the doctor says of the pinned weights."""
    checks = check_machine_files(state, load_pool_config(state))
    return next(each.code for each in checks if each.code.startswith("weights-"))


def test_pinned_models_of_another_folder(state: Path, tmp_path: Path) -> None:
    """A file of ``weights_folders`` or of a named folder is used; one that is nowhere is told."""
    config = (state / "pool.toml").read_text("utf-8")
    (state / "pool.toml").write_text(f'weights_folders = ["{tmp_path}"]\n{config}', "utf-8")
    sha256 = pin_one(state, replace(a_model(m__gguf=DATA)[1], repository=""))
    missing = gather_models(state, "en")
    lacking = _weights_code(state)
    (state / "usb").mkdir()
    (state / "usb" / "m.gguf").write_bytes(DATA)
    named = gather_models(state, "en", folder=state / "usb")
    shutil.rmtree(state / "weights")
    (tmp_path / "m.gguf").write_bytes(DATA)
    present = gather_models(state, "en")

    assert ("weights-missing", "weights-ok") == (lacking, _weights_code(state))
    assert (1, ()) == (named.artefacts, named.without_source)
    assert (0, 1, ()) == (missing.artefacts, len(missing.without_source), missing.faults)
    assert "--folder DIR" in missing.without_source[0]
    assert (1, (), DATA) == (present.artefacts, present.without_source, read_served(state, sha256))


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_weights_that_the_program_pins_count_too(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lang: str
) -> None:
    """Doctor, restore and mirror name the model of the shipped catalogue whose file is nowhere."""
    monkeypatch.setattr(demonstration, "PACKAGE", "entraide_no_such_package")
    model = "smollm2-135m-instruct"
    summary = note_lacking(RestoreSummary(str(state), "Parc", "0.1", 1.0, 1, 1), state)
    status = _mirror_models(state, None, lang)
    said = capsys.readouterr().out

    assert "weights-shipped" == _weights_code(state)  # no operator pinned it, so no warning
    assert (model,) == summary.missing_weights
    assert 0 == status
    assert model in said
    assert ("d’aucun modèle épinglé" if lang == "fr" else "files of no pinned model") in said


def test_a_hub_that_does_not_answer(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection gives one sentence for the model, and the exit status is 1."""
    at_once = SimpleNamespace(sleep=lambda _: None)
    monkeypatch.setattr("huggingface_hub.file_download.time", at_once)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    pin_one(state, a_model(m__gguf=DATA)[1])
    gathered = gather_models(state, "fr")

    assert (0, 1) == (gathered.artefacts, len(gathered.faults))
    assert "ne peuvent être rapatriés" in gathered.faults[0]
    assert [] == list((state / "weights").glob("toy"))


def test_pythons_are_pinned_for_each_platform() -> None:
    """Each platform has one build of the pinned version and release, and the mirror its wheels."""
    pinned = read_builds()

    assert list(PLATFORMS) == [build.platform for build in pinned.builds]
    assert pinned.target_python in VERSIONS
    assert pinned.source.startswith("https://")
    for build in pinned.builds:
        system, _, machine = build.platform.replace("arm64", "aarch64").partition("-")
        triple = {"linux": f"{machine}-unknown-linux-gnu", "macos": f"{machine}-apple-darwin"}
        start = f"cpython-{pinned.python}+{pinned.release}-{triple[system]}"
        assert f"{start}-install_only_stripped.tar.gz" == build.file
        assert re.fullmatch("[0-9a-f]{64}", build.sha256)
        assert pinned.url_of(build).endswith(f"/{build.file.replace('+', '%2B')}")


ARCHIVE = b"an archive of Python" * 1000
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()
SENT = {  # what the source sends, and the code of the fault
    "whole": (ARCHIVE, ""),
    "changed": (ARCHIVE[:-1] + b"?", "changed"),
    "cut off": (ARCHIVE[:99], "unreachable"),
}


def names_in(folder: Path) -> list[str]:
    """The names of what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def pin_python(source: str) -> PythonBuilds:
    """One pinned build, whose source is an address."""
    build = PythonBuild("macos-arm64", "a+b.tar.gz", DIGEST)
    return PythonBuilds("3.13.1", "r1", source, (build,))


@pytest.mark.parametrize("sent", SENT)
async def test_python_from_its_source(tmp_path: Path, sent: str) -> None:
    """The pinned bytes are fetched once and listed; of changed or cut ones nothing is left."""
    body, code = SENT[sent]
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split()[1])
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(ARCHIVE)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    (tmp_path / "old.tar.gz").write_bytes(b"of a former release")
    async with serving(answer) as port:
        pinned = pin_python(f"http://127.0.0.1:{port}")
        first = await asyncio.to_thread(gather_pythons, tmp_path, ["macos-arm64-3.13"], pinned)
    second = gather_pythons(tmp_path, ["macos-arm64-3.13"], pinned, is_offline=True)
    listed = (tmp_path / PYTHONS).read_text()
    names = names_in(tmp_path)

    assert [b"/r1/a%2Bb.tar.gz"] == asked
    assert [code] * bool(code) == [fault.code for fault in first.faults]
    if code:
        assert ("", ["pythons.txt"]) == (listed, names)
    else:
        assert f"macos-arm64 3.13 {DIGEST} {len(ARCHIVE)} a+b.tar.gz\n" == listed
        assert ["a+b.tar.gz", "pythons.txt"] == names
        assert GatheredPythons(("macos-arm64",), len(ARCHIVE), ()) == first == second


def test_python_without_its_wheels_or_without_a_source(tmp_path: Path) -> None:
    """A build without its target goes; one that cannot be had is named, and the former one kept."""
    mirror, folder = tmp_path / "mirror", tmp_path / "usb"
    mirror.mkdir()
    folder.mkdir()
    pinned = pin_python("http://127.0.0.1:9")

    def gather(target: str, *, is_offline: bool = True) -> GatheredPythons:
        return gather_pythons(mirror, [target], pinned, folders=[folder], is_offline=is_offline)

    absent = gather("macos-arm64-3.13")
    unreachable = gather("macos-arm64-3.13", is_offline=False)
    (folder / "a+b.tar.gz").write_bytes(ARCHIVE)
    present = gather("macos-arm64-3.13", is_offline=False)
    (folder / "a+b.tar.gz").unlink()
    newer = PythonBuilds(
        "3.14.0", "r2", pinned.source, (replace(pinned.builds[0], file="c.tar.gz"),)
    )
    both = ["macos-arm64-3.13", "macos-arm64-3.14"]
    kept = gather_pythons(mirror, both, newer, is_offline=True)
    listed = (mirror / PYTHONS).read_text()
    other = gather("macos-arm64-3.12")

    assert ("c.tar.gz", present.platforms) == (kept.faults[0].file, kept.platforms)
    assert f"macos-arm64 3.13 {DIGEST} {len(ARCHIVE)} a+b.tar.gz\n" == listed
    assert ["absent", "unreachable"] == [each.faults[0].code for each in (absent, unreachable)]
    assert re.fullmatch(r"127\.0\.0\.1: .*refused", unreachable.faults[0].detail)
    assert GatheredPythons(("macos-arm64",), len(ARCHIVE), ()) == present
    assert GatheredPythons((), 0, ()) == other
    assert [PYTHONS] == [path.name for path in mirror.iterdir()]


def test_missing_pythons_are_said(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a network a folder that lacks them is no error; a wrong archive is one."""
    (state / FOLDER).mkdir()
    targets = tuple(f"{platform}-{read_builds().target_python}" for platform in PLATFORMS)
    empty = _mirror_pythons(state, targets, state, None, "en")
    lacking = capsys.readouterr()
    beside_release = _mirror_pythons(state, targets, None, None, "en", is_release=True)
    left = capsys.readouterr()
    (state / read_builds().builds[0].file).write_bytes(ARCHIVE)
    wrong = _mirror_pythons(state, targets, state, None, "fr")
    changed = capsys.readouterr()

    assert (0, 3, "") == (empty, lacking.out.count("No build of Python for"), lacking.err)
    assert (0, "", 1) == (beside_release, left.out, left.err.count("without --release"))
    assert all(platform in left.err for platform in PLATFORMS)
    assert (1, 2) == (wrong, changed.out.count("Pas de Python prêt à l’emploi"))
    assert "n’est pas le Python épinglé pour linux-x86_64" in changed.err
