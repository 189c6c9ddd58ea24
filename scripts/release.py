"""Makes a release, ``release/metadata`` and ``release/targets/VERSION``, from the present commit.

In: a commit without changes; the chain of roots (``--roots``); private keys (``--key``); the index
that pip is configured for, or a folder of wheels (``--from``). Out, in ``targets/VERSION``:

- the wheel of Entraide, and the wheels of all that it needs on each target;
- for each target ``TARGET.txt``, what a node needs there, and ``pool-TARGET.txt``, what a pool and
  the simulator need, too; ``targets.txt`` lists the targets;
- with ``--pythons``, the builds of Python for these targets, and their list ``pythons.txt``;
- the lock files; ``sbom.cdx.json``, the bill of materials (CycloneDX); ``notes.md``, from the
  changelog; ``install.sh``.

Two releases of one commit, date and set of wheels are equal byte by byte.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import environment
import release_keys
import release_metadata as rm
from release_documents import extract_notes, make_sbom

from entraide.own_version import read_version
from entraide.release import METADATA, TARGETS
from entraide_scheduler.pool.mirror_pythons import gather_pythons, read_builds
from entraide_scheduler.pool.mirror_targets import LOCK, Pin, Target, parse_targets, read_pins
from entraide_scheduler.pool.wheel_download import (
    build_wheel,
    describe_wheel,
    download_wheels,
    list_source_only,
    run_pip,
)

ROOT = environment.ROOT
RELEASE_LOCK = ROOT / "requirements-release.lock"
NODE_LOCK = ROOT / "scheduler/entraide_scheduler/pool" / LOCK
SCRIPT = ROOT / "scheduler/entraide_scheduler/gateway/machines/install.sh"
CEREMONY = "docs/guides/release.md"
SBOM, NOTES, LISTED = "sbom.cdx.json", "notes.md", "targets.txt"


def git(*words: str) -> str:
    """Returns what a command of git prints."""
    done = subprocess.run(
        ["git", *words], cwd=ROOT, check=True, capture_output=True, text=True
    )  # fmt: skip
    return done.stdout.strip()


def gather(folder: Path, targets: Sequence[Target], source: Path | None, work: Path) -> list[str]:
    """Puts the wheels and lists of the targets into a folder; returns all lines of the lists."""
    all_pins, node_pins = RELEASE_LOCK.read_text("utf-8"), NODE_LOCK.read_text("utf-8")
    (work / "own").mkdir()
    run_pip(
        "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(work / "own"), str(ROOT)
    )
    (own,) = (work / "own").iterdir()
    pinned = {target: read_pins(target, all_pins) for target in targets}
    source_only = list_source_only(pin for pins in pinned.values() for pin in pins)
    built = [build_wheel(pin, source, work) for pin in source_only]
    lines = set()
    for target, pins in pinned.items():
        print(target.name, flush=True)
        described = [
            describe_wheel(each)
            for each in [own, *built, *download_wheels(target, pins, source, work)]
        ]
        for _, wheel in described:
            shutil.copy(wheel, folder / wheel.name)
        texts = {"pool-": {line for line, _ in described}}
        wanted = {name_of(pin) for pin in read_pins(target, node_pins)} | {"entraide"}
        texts[""] = {line for line in texts["pool-"] if line.partition("==")[0] in wanted}
        for prefix, listed in texts.items():
            (folder / f"{prefix}{target.name}.txt").write_text("".join(sorted(listed)), "utf-8")
        lines |= texts["pool-"]
    (folder / LISTED).write_text("".join(f"{target.name}\n" for target in targets), "utf-8")
    return sorted(lines)


def add_pythons(folder: Path, targets: Sequence[Target], source: Path) -> None:
    """Copies the pinned builds of Python for the targets from a folder, and lists them.

    Raises:
        SystemExit: the folder lacks one, one has other bytes, or no target has their version.
    """
    names = [target.name for target in targets]
    gathered = gather_pythons(folder, names, read_builds(), folders=[source], is_offline=True)
    for fault in gathered.faults:
        raise SystemExit(f"{source}: {fault.file}: {fault.code}")
    if not gathered.platforms:
        raise SystemExit(f"{source}: no target has Python {read_builds().target_python}")


def name_of(pin: Pin) -> str:
    """Returns the name of a pinned package."""
    return pin.requirement.partition("==")[0]


def make_files(
    release: Path,
    version: str,
    date: datetime,
    targets: Sequence[Target],
    *,
    source: Path | None,
    pythons: Path | None,
) -> None:
    """Makes ``targets/VERSION`` in place of what the folder of targets held."""
    os.environ["SOURCE_DATE_EPOCH"] = str(int(date.timestamp()))
    with tempfile.TemporaryDirectory(dir=release, prefix=".work-") as name:
        folder = Path(name) / version
        folder.mkdir()
        work = Path(name) / "work"
        work.mkdir()
        lines = gather(folder, targets, source, work)
        if pythons is not None:
            add_pythons(folder, targets, pythons)
        (folder / SBOM).write_text(make_sbom(version, date, lines), "utf-8")
        changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
        (folder / NOTES).write_text(extract_notes(changelog, version), "utf-8")
        for file in (RELEASE_LOCK, NODE_LOCK, SCRIPT):
            shutil.copyfile(file, folder / file.name)
        shutil.rmtree(release / TARGETS, ignore_errors=True)
        (release / TARGETS).mkdir()
        folder.rename(release / TARGETS / version)


def copy_roots(roots: Path, release: Path) -> None:
    """Copies the chain of roots into the metadata of a release.

    Raises:
        SystemExit: there is none, or a root lacks signatures.
    """
    paths = rm.read_roots(roots)
    if not paths or not release_keys.is_complete(paths):
        raise SystemExit(f"{roots}: no root with all its signatures; see {CEREMONY}")
    (release / METADATA).mkdir(parents=True, exist_ok=True)
    for path in paths:
        shutil.copyfile(path, release / METADATA / path.name)


def main(argv: Sequence[str]) -> int:
    """Makes the files, unless they are there, and signs them; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "release")
    parser.add_argument("--roots", type=Path, default=ROOT / "deploy/release")
    parser.add_argument("--key", type=Path, action="append", default=[])
    parser.add_argument("--target", action="append", default=[])
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--pythons", type=Path)
    parser.add_argument("--date", type=datetime.fromisoformat)
    parser.add_argument("--sign-only", action="store_true", help="keep the files that are there")
    given = parser.parse_args(argv)
    if git("status", "--porcelain"):
        raise SystemExit("the checkout has changes that are in no commit")
    date = given.date or datetime.fromisoformat(git("log", "-1", "--format=%cI"))
    date = (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    date = date.replace(second=0, microsecond=0)
    version = read_version()
    copy_roots(given.roots, given.out)
    if not given.sign_only:
        targets = parse_targets(given.target)
        make_files(given.out, version, date, targets, source=given.source, pythons=given.pythons)
    signers = [release_keys.load_signer(path) for path in given.key]
    try:
        rm.sign_release(given.out, version, date, signers)
    except rm.MissingSignatures as problem:
        print(problem)
        return 1
    files = list((given.out / TARGETS / version).iterdir())
    size_mb = sum(path.stat().st_size for path in files) / 1e6
    print(f"{given.out}: {version}, {len(files)} files, {size_mb:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
