"""Two releases by ``make release``, from a clone of this checkout, with keys that the test makes.

The clone pins a build of Python made of the one that runs the tests, because the published builds
are at an address of the internet. The second release has a later schema of the store.
"""

import os
import platform
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct
from tests.pool.release_support import Keys, make_keys, write_root
from tests.pool.standalone_python import PYTHON, pack_python
from tests.pool.wheelhouse import ROOT, add_migration

from entraide.release import METADATA, TARGETS
from entraide_scheduler.pool.mirror_pythons import PINS, PythonBuilds

TARGET = f"linux-{platform.machine()}-{PYTHON}"
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
EARLIER = NOW - timedelta(days=30)
AUTHOR = ("-c", "user.name=Test", "-c", "user.email=test@example.coop")


class Published(Struct, frozen=True):
    """A release: its folder, the version of Entraide in it, and its date."""

    folder: Path
    version: str
    date: datetime

    @property
    def files(self) -> Path:
        """The folder of its files."""
        return self.folder / TARGETS / self.version


class Releases(Struct, frozen=True):
    """What a founder gets: two releases, a month apart, and a folder with a build of Python.

    Attributes:
        first, second: the releases.
        root: fingerprint of their root.
        pythons: folder with the build.
    """

    first: Published
    second: Published
    root: str
    pythons: Path


def make_releases(folder: Path) -> Releases:
    """Makes both releases in a folder; takes a minute or two."""
    keys = make_keys("ours")
    root = write_root(folder / "roots", 1, keys)
    private = _write_keys(folder / "keys", keys)
    clone, pythons = folder / "checkout", folder / "python"
    subprocess.run(["git", "clone", "-q", "--shared", str(ROOT), str(clone)], check=True)
    pythons.mkdir()
    pinned = pack_python(pythons, f"linux-{platform.machine()}")
    (clone / "scheduler/entraide_scheduler/pool" / PINS).write_text(_pins(pinned), "utf-8")
    published = []
    for date in (EARLIER, NOW):
        if date == NOW:
            add_migration(clone)
            subprocess.run(["git", "add", "--all"], cwd=clone, check=True)
        words = ["commit", "-q", "-a", "-m", "A release of the test"]
        subprocess.run(["git", *AUTHOR, *words], cwd=clone, check=True)
        published.append(_make(clone, folder / f"release-{date:%Y-%m-%d}", date, private))
    return Releases(published[0], published[1], root, pythons)


def _make(clone: Path, out: Path, date: datetime, private: list[Path]) -> Published:
    roots = private[0].parents[1] / "roots" / METADATA
    values = {
        "ROOTS": str(roots), "KEYS": " ".join(map(str, private)), "TARGETS": TARGET,
        "DATE": date.isoformat(),
    }  # fmt: skip
    command = ["make", "release", *(f"{name}={value}" for name, value in values.items())]
    variables = {name: os.environ[name] for name in os.environ if not name.startswith("MAKE")}
    done = subprocess.run(
        command, cwd=clone, env=variables, capture_output=True, text=True, check=False
    )
    assert not done.returncode, f"make release\n{done.stdout}{done.stderr}"
    (clone / "release").rename(out)
    (version,) = (path.name for path in (out / TARGETS).iterdir())
    return Published(out, version, date)


def _write_keys(folder: Path, keys: Keys) -> list[Path]:
    """Writes the private keys, without passphrases."""
    folder.mkdir()
    paths = []
    for number, signer in enumerate(keys.signers):
        paths.append(folder / f"key-{number}")
        paths[-1].write_bytes(signer.private_bytes)
    return paths


def _pins(pinned: PythonBuilds) -> str:
    """The text of ``pythons.toml`` for one build."""
    (build,) = pinned.builds
    return (
        f'python = "{pinned.python}"\nrelease = "{pinned.release}"\nsource = "{pinned.source}"\n'
        f'[[builds]]\nplatform = "{build.platform}"\nfile = "{build.file}"\n'
        f'sha256 = "{build.sha256}"\n'
    )
