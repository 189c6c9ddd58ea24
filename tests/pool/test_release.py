"""Releases: what a machine accepts, and the lies of a mirror that it refuses."""

import json
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scripts import release_documents, release_keys
from scripts import release_metadata as rm
from tests.commands import forked_entraide
from tests.house.source import ROOT
from tests.pool.release_lies import LIES, Offered, change_file, go_back
from tests.pool.release_support import FILES, make_keys, write_release, write_root
from tests.pool.support import pool_config
from tuf.api.metadata import Metadata, Targets

from entraide.errors import PoolError
from entraide.release import (
    STATEMENT,
    FolderFetcher,
    VerifiedRelease,
    describe_own_target,
    open_release,
)
from entraide_scheduler.pool.backup import find_files
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.pool.release_files import TRUSTED, take_upgrade

pytestmark = pytest.mark.checkout  # the keys' scripts are no part of the wheel

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
EARLIER = NOW - timedelta(days=30)
WHEEL = "entraide-1.0-py3-none-any.whl"
RECORDED = ROOT / "tests/data/release"
FIRST_ROOT = "sha256:7320b099cefa7a739d42a3706be0862ddc799a08e7d2af641ee362842fe7b811"
SECOND_ROOT = "sha256:900f850b95db5c4bfef43d1a2c8a3e41acd7e288bab6a3595a4ee46688b87c29"
STORE = "sqlite:///store.db"
NEWER = {**FILES, WHEEL: b"the newer program"}


def accept(folder: Path, trusted: Path, **options: object) -> VerifiedRelease:
    """Verifies a release and copies all its files."""
    verified = open_release(FolderFetcher(folder), trusted, name=str(folder), **options)
    verified.copy(trusted.parent / "copied")
    return verified


def refusal(folder: Path, trusted: Path, **options: object) -> str:
    """The code with which a release is refused."""
    with pytest.raises(PoolError) as refused:
        accept(folder, trusted, **options)
    return refused.value.code


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release of today; the machine in ``tmp_path/trusted`` has accepted one of a month ago."""
    folder = tmp_path / "release"
    write_root(folder, 1, make_keys("ours"))
    shutil.copytree(write_release(folder, make_keys("ours"), EARLIER), tmp_path / "earlier")
    accept(folder, tmp_path / "trusted")
    return write_release(folder, make_keys("ours"), NOW, version="1.1", files=NEWER)


def offered(release: Path) -> Offered:
    """The release of today, for a lie about it."""
    earlier = release.with_name("earlier")
    return Offered(release, earlier, "1.1", WHEEL, NOW, make_keys("ours"))


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_mirror_that_lies_is_refused(
    lie: Callable[[Offered], None], release: Path, tmp_path: Path
) -> None:
    """Each lie has its refusal, nothing wrong is copied, and the true release is accepted after."""
    true = shutil.copytree(release, tmp_path / "true")
    if lie is go_back:
        accept(release, tmp_path / "trusted")
    lie(offered(release))

    assert LIES[lie] == refusal(release, tmp_path / "trusted")
    copied = list((tmp_path / "copied").rglob(WHEEL))
    assert {FILES[WHEEL], NEWER[WHEEL]} >= {path.read_bytes() for path in copied}
    assert "1.1" == accept(true, tmp_path / "trusted").release.version


def test_no_changed_byte_of_the_metadata_goes_unseen(release: Path, tmp_path: Path) -> None:
    """Bytes changed at random are refused, or the signed content is the same."""
    draw = random.Random(7)
    path = release / "metadata/timestamp.json"
    true, codes = path.read_bytes(), []
    for _ in range(100):
        content = bytearray(true)
        for _ in range(draw.choice((1, 1, 3, 20))):
            content[draw.randrange(len(content))] = draw.randrange(256)
        path.write_bytes(content)
        trusted = shutil.copytree(tmp_path / "trusted", tmp_path / "copy", symlinks=True)
        try:
            assert "1.1" == accept(release, trusted).release.version
        except PoolError as problem:
            codes.append(problem.code)
        shutil.rmtree(trusted)

    assert len(codes) > 80
    assert {"release_unsigned"} >= set(codes) - {
        "release_older",
        "release_changed",
        "release_frozen",
    }


def test_what_is_not_signed_is_not_copied(release: Path, tmp_path: Path) -> None:
    """A file that the mirror adds is not copied; one that lies there from before goes."""
    (release / "targets/1.1/other-9.9-py3-none-any.whl").write_bytes(b"?")
    (tmp_path / "copied/1.1").mkdir(parents=True)
    (tmp_path / "copied/1.1/old.whl").write_bytes(b"?")
    accept(release, tmp_path / "trusted")

    assert NEWER == {path.name: path.read_bytes() for path in (tmp_path / "copied/1.1").iterdir()}


def test_a_release_after_its_end_is_for_a_first_installation_only(tmp_path: Path) -> None:
    """Refused, unless it is accepted with its date; an upgrade from the same folder is refused."""
    old = tmp_path / "release"
    write_root(old, 1, make_keys("ours"))
    write_release(old, make_keys("ours"), NOW - timedelta(days=100))

    assert "release_frozen" == refusal(old, tmp_path / "trusted")
    assert not (tmp_path / "trusted").exists()
    accepted = accept(old, tmp_path / "trusted", accepts_expired=True).release
    assert accepted.is_expired
    assert accepted.date == (NOW - timedelta(days=100)).isoformat()
    assert "release_frozen" == refusal(old, tmp_path / "trusted")


def test_a_refused_first_release_is_not_trusted(tmp_path: Path) -> None:
    """After a first release that was refused, the true one is accepted."""
    write_root(tmp_path / "theirs", 1, make_keys("theirs"))
    write_release(tmp_path / "theirs", make_keys("theirs"), NOW)
    (tmp_path / "theirs/metadata" / f"{rm.number_of(NOW)}.targets.json").unlink()
    write_root(tmp_path / "ours", 1, make_keys("ours"))
    write_release(tmp_path / "ours", make_keys("ours"), NOW)

    assert "release_changed" == refusal(tmp_path / "theirs", tmp_path / "trusted")
    assert "1.0" == accept(tmp_path / "ours", tmp_path / "trusted").release.version


def test_a_folder_that_is_not_there_is_not_called_changed(tmp_path: Path) -> None:
    """A name that was mistyped is told from a folder whose files were taken away."""
    (tmp_path / "empty").mkdir()

    assert "release_unreachable" == refusal(tmp_path / "relaese", tmp_path / "trusted")
    assert "release_changed" == refusal(tmp_path / "empty", tmp_path / "trusted")


def test_the_root_changes_its_keys(release: Path, tmp_path: Path) -> None:
    """A root that the keys before and its own signed is followed; keys that it left out are none.

    The fingerprint of any root of the chain is right, also for a machine that began later.
    """
    first = release_keys.fingerprint(release / "metadata/1.root.json")
    second = write_root(release, 2, make_keys("new"), make_keys("ours"))
    write_release(release, make_keys("new"), NOW, version="1.1")

    assert second == accept(release, tmp_path / "trusted", root=first).release.root
    assert second == accept(release, tmp_path / "trusted", root=second).release.root
    for root in (first, second, ""):
        newcomer = tmp_path / f"newcomer-{root[-8:]}"
        assert second == accept(release, newcomer, root=root).release.root
    later = tmp_path / f"newcomer-{second[-8:]}"  # it has not seen the first root
    assert second == accept(release, later, root=first).release.root
    (release / "metadata/2.root.json").unlink()  # the mirror withholds it
    write_release(release, make_keys("ours"), NOW + timedelta(minutes=1), version="1.2")
    assert "release_unsigned" == refusal(release, later)


def test_another_fingerprint_is_refused(release: Path, tmp_path: Path) -> None:
    """A fingerprint of no root of the chain, and text that is none."""
    wrong = "sha256:" + "0" * 64

    assert "release_unsigned" == refusal(release, tmp_path / "trusted", root=wrong)
    assert "release_unsigned" == refusal(release, tmp_path / "new", root=wrong)
    assert not (tmp_path / "new").exists()
    assert "release_root_refused" == refusal(release, tmp_path / "new", root="sha256:12")


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ({"format": 1, "version": "1.0", "date": NOW.isoformat()}, "../../escaped"),
        ({"format": 1, "version": "1.0", "date": NOW.isoformat()}, "0.9/file"),
        ({"format": 1, "version": "../up", "date": NOW.isoformat()}, "../up/file"),
        ({"format": 2, "version": "1.0", "date": NOW.isoformat()}, "1.0/file"),
        ({"format": 1, "version": "1.0", "date": "yesterday"}, "1.0/file"),
        (None, "1.0/file"),
    ],
)
def test_a_signed_release_of_another_form_is_refused(
    statement: object, name: str, tmp_path: Path
) -> None:
    """Names that lead elsewhere, a later format and a statement that cannot be read."""
    keys, folder = make_keys("ours"), tmp_path / "release"
    write_root(folder, 1, keys)
    write_release(folder, keys, NOW)
    number = rm.number_of(NOW)
    path = folder / f"metadata/{number}.targets.json"
    targets: Metadata[Targets] = Metadata.from_bytes(path.read_bytes())
    info = next(iter(targets.signed.targets.values()))
    info.path = name
    targets.signed.targets = {name: info}
    targets.signed.unrecognized_fields = {STATEMENT: statement}
    signed = rm.to_bytes(rm.sign(targets, keys.signers, targets.signatures))
    path.write_bytes(signed)
    parts = (
        ("snapshot", f"{number}.snapshot.json", rm.make_snapshot(signed, NOW)),
        ("timestamp", "timestamp.json", None),
    )
    for role, file, made in parts:
        unsigned = made or rm.make_timestamp((folder / "metadata" / parts[0][1]).read_bytes(), NOW)
        allowed = [signer.public_key.keyid for signer in keys.by_role[role]]
        (folder / "metadata" / file).write_bytes(
            rm.to_bytes(rm.sign(unsigned, keys.signers, allowed))
        )

    assert "release_format" == refusal(folder, tmp_path / "trusted")
    assert not (tmp_path / "escaped").exists()


def test_a_pool_is_upgraded_with_verified_files_only(tmp_path: Path) -> None:
    """It takes the files for this machine and no others; a refusal leaves the pool as it is."""
    keys, folder, state = make_keys("ours"), tmp_path / "release", tmp_path / "pool"
    create_pool(state, pool_config())
    line = f"entraide==1.0 --hash=sha256:{'0' * 64} # {WHEEL}\n"
    files = {**FILES, f"pool-{describe_own_target()}.txt": line.encode()}
    write_root(folder, 1, keys)
    write_release(folder, keys, EARLIER, files=files)
    taken = take_upgrade(state, folder, "")
    earlier = shutil.copytree(folder, tmp_path / "earlier")
    write_release(folder, keys, NOW, version="1.1", files=NEWER)

    assert (WHEEL, [WHEEL]) == (taken.wheel.name, [path.name for path in taken.wheels.iterdir()])
    assert [] == [path for path in find_files(state, STORE) if "upgrade" in path.parts]
    trusted = {path.name for path in find_files(state, STORE) if TRUSTED in path.parts}
    assert {"1.root.json", "timestamp.json"} <= trusted  # a backup has them
    said = []
    for source in (folder, earlier):
        done = forked_entraide("pool", "upgrade", str(source), "--state", str(state))
        assert (1, 1) == (done.returncode, len(done.stderr.strip().splitlines())), done
        said.append(done.stderr)
    assert "has nothing for this machine" in said[0]
    assert "is older than the one that this machine has seen" in said[1]
    assert not (state / "versions").exists()
    assert not (state / "upgrade/release").exists()


def test_the_first_form_of_a_release_is_read(tmp_path: Path) -> None:
    """A recorded release, whose keys were thrown away, is accepted by each later version."""
    accepted = accept(RECORDED, tmp_path / "trusted", root=FIRST_ROOT, accepts_expired=True).release

    assert ("1.0", "2026-12-02T19:00:00+00:00") == (accepted.version, accepted.date)
    assert SECOND_ROOT == accepted.root
    assert (WHEEL, "targets.txt") == accepted.files


def test_the_same_release_has_the_same_bytes(tmp_path: Path) -> None:
    """Made twice, by all keys at once and one after the other, the metadata are equal."""
    keys = make_keys("ours")
    for name in ("one", "two"):
        write_root(tmp_path / name, 1, keys)
    write_release(tmp_path / "one", keys, NOW)
    shutil.copytree(tmp_path / "one/targets", tmp_path / "two/targets")
    for signer in reversed(keys.by_role["targets"]):
        with pytest.raises(rm.MissingSignatures):
            rm.sign_release(tmp_path / "two", "1.0", NOW, [signer])
    with pytest.raises(rm.MissingSignatures, match="timestamp"):
        rm.sign_release(tmp_path / "two", "1.0", NOW, keys.by_role["snapshot"])
    rm.sign_release(tmp_path / "two", "1.0", NOW, keys.by_role["timestamp"])
    (tmp_path / "one/metadata/1.root.json").unlink()
    (tmp_path / "two/metadata/1.root.json").unlink()

    at_once, by_turns = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "metadata").iterdir()}
        for name in ("one", "two")
    )
    assert 3 == len(at_once)
    assert at_once == by_turns


def test_the_documents_of_a_release() -> None:
    """The bill of materials has each package once, with all digests, and the same bytes twice."""
    lines = [f"b==2 --hash=sha256:{'2' * 64} # b\n", f"a==1 --hash=sha256:{'1' * 64} # a\n"]
    lines += [f"a==1 --hash=sha256:{'3' * 64} # another a\n"]
    sbom = release_documents.make_sbom("1.0", NOW, lines)
    changelog = "# C\n\n## [Unreleased]\n\n- new\n\n## [1.0] - 2026-12-01\n\n- old\n"

    parts = {part["purl"]: part["hashes"] for part in json.loads(sbom)["components"]}
    assert ["pkg:pypi/a@1", "pkg:pypi/b@2"] == sorted(parts)
    assert 2 == len(parts["pkg:pypi/a@1"])
    assert sbom == release_documents.make_sbom("1.0", NOW, lines[::-1])
    assert "# Entraide 1.0\n\n- old\n" == release_documents.extract_notes(changelog, "1.0")
    assert "# Entraide 1.1\n\n- new\n" == release_documents.extract_notes(changelog, "1.1")


def test_the_holders_of_keys_make_a_root(tmp_path: Path) -> None:
    """Keys sealed by passphrases; a root is whole once enough holders signed; then keys change."""
    names = ("anne", "bao", "chloe", "robot")
    for name in names:
        release_keys.new_key(tmp_path / name, f"phrase of {name}")
    signers = {
        name: release_keys.load_signer(tmp_path / name, f"phrase of {name}") for name in names
    }

    def plan(first: str, second: str) -> Path:
        people = f'keys = ["{first}.pub", "{second}.pub"]\nthreshold = 2\n'
        robot = 'keys = ["robot.pub"]\nthreshold = 1\n'
        (tmp_path / "roles.toml").write_text(
            f"date = 2026-12-01\n[root]\n{people}[targets]\n{people}"
            f"[snapshot]\n{robot}[timestamp]\n{robot}"
        )
        return release_keys.write_root(tmp_path)

    first = plan("anne", "bao")
    release_keys.sign_file(first, [signers["anne"], signers["chloe"]])
    assert "signatures missing: 1" in release_keys.show(first)
    assert first == plan("anne", "bao")  # not whole: the same root again, with its signature
    release_keys.sign_file(first, [signers["bao"]])
    assert "signatures missing: 0" in release_keys.show(first)
    second = plan("anne", "chloe")
    release_keys.sign_file(second, [signers["anne"], signers["chloe"]])
    assert "signatures missing: 1" in release_keys.show(second)  # the keys before must sign, too
    release_keys.sign_file(second, [signers["bao"]])
    assert ("2.root.json", True) == (second.name, release_keys.is_complete([first, second]))
    with pytest.raises(ValueError, match="assword"):
        release_keys.load_signer(tmp_path / "anne", "another phrase")
    assert 0o600 == (tmp_path / "anne").stat().st_mode & 0o777


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_the_command_says_what_a_folder_holds(release: Path, lang: str) -> None:
    """Version, date, end and fingerprint; a wrong file and a wrong fingerprint end it with 1."""
    root = release_keys.fingerprint(release / "metadata/1.root.json")
    verify = ("--lang", lang, "release", "verify", str(release))
    right = forked_entraide(*verify, "--root", root)
    change_file(offered(release))
    wrong = forked_entraide(*verify)

    assert 0 == right.returncode, right.stderr
    assert {"1.1", root, f"{NOW:%Y-%m-%d}"} <= set(
        right.stdout.replace(",", " ").replace(". ", " ").split()
    )
    assert 1 == wrong.returncode
    assert WHEEL in wrong.stderr
