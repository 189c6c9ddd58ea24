"""``pool mirror``: which wheels which machine needs, and what is refused."""

import re
from pathlib import Path

import pytest
from tests.house.source import ROOT
from tests.pool.support import entraide, pool_config

from entraide import __version__
from entraide.errors import PoolError
from entraide_scheduler.gateway.install import FOLDER
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.pool.mirror import MirrorOptions, build_mirror
from entraide_scheduler.pool.mirror_targets import LOCK, Target, parse_targets, read_pins


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
            refused.value.code, refused.value.values["target"],
        )  # fmt: skip


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
    done = entraide(
        "pool", "mirror", str(state), "--target", "linux-x86_64-3.11", "--from", str(empty),
        "--wheel", str(wheel),
    )  # fmt: skip

    assert 1 == done.returncode
    assert "The wheels could not be gathered: No matching distribution" in done.stderr
    assert "--from FOLDER" in done.stderr
    assert 1 == len(done.stderr.splitlines())
    assert ["targets.txt"] == [path.name for path in (state / FOLDER).iterdir()]
