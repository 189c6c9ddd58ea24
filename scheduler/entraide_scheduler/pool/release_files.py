"""Files of a release for a pool: those of an upgrade, and those that its mirror repeats.

In: a folder of a release, and ``DIR/release-trusted``, what the pool has trusted so far. Out: for
an upgrade, the wheels of this machine in ``DIR/upgrade/release``; for members, every file of the
release and of its metadata in ``DIR/mirror``, byte by byte, so that their machines verify it
again. Where a release has no builds of Python, those of the mirror stay.
"""

import shutil
import tempfile
from pathlib import Path

from msgspec import Struct

from entraide.errors import PoolError
from entraide.files import write_private
from entraide.release import (
    FolderFetcher,
    Release,
    VerifiedRelease,
    describe_own_target,
    list_wheels,
    open_release,
)
from entraide.wire.enrolment import PYTHONS
from entraide_scheduler.gateway.machines import FOLDER, PYTHON_SUFFIX, TARGETS
from entraide_scheduler.pool.mirror import knows_own_wheel
from entraide_scheduler.upgrade_trial import FOLDER as UPGRADE_FOLDER

TRUSTED = "release-trusted"
TIMESTAMP = "timestamp.json"  # of the metadata, in the mirror
COPIED = "release"  # in the folder of the upgrade


def require_folder(path: Path, root: str) -> None:
    """Refuses a fingerprint that is given for anything else than a folder.

    Raises:
        PoolError: ``release_folder_needed``.
    """
    if root and not path.is_dir():
        raise PoolError("release_folder_needed", str(path), values={"path": str(path)})


def find_mirror_source(state: Path) -> str:
    """Returns what a pool's mirror is made of: ``release``, or ``index`` (of packages).

    It is a release once the pool has accepted one, which a backup keeps, and where this
    installation does not know its own wheel.
    """
    return "release" if (state / TRUSTED).exists() or not knows_own_wheel() else "index"


class UpgradeFiles(Struct, frozen=True):
    """The verified files of an upgrade: the wheel of Entraide, and the folder of all wheels."""

    release: Release
    wheel: Path
    wheels: Path


def open_pool_release(
    state: Path, folder: Path, root: str, *, accepts_expired: bool = False
) -> VerifiedRelease:
    """Verifies a folder of a release by what the pool trusts; see ``open_release``."""
    return open_release(
        FolderFetcher(folder), state / TRUSTED,
        name=str(folder), root=root, accepts_expired=accepts_expired,
    )  # fmt: skip


def take_upgrade(state: Path, folder: Path, root: str) -> UpgradeFiles:
    """Verifies a release and copies the wheels that this machine needs.

    Raises:
        PoolError: see ``open_release``; ``release_target_absent``: it has none for this machine.
    """
    verified = open_pool_release(state, folder, root)
    target = describe_own_target()
    listed = f"pool-{target}.txt"
    if listed not in verified.release.files:
        raise PoolError(
            "release_target_absent", target, values={"target": target, "source": str(folder)}
        )
    names = list_wheels(verified.read(listed))
    wheels = verified.copy(state / UPGRADE_FOLDER / COPIED, names)
    (wheel,) = wheels.glob(f"entraide-{verified.release.version}-*.whl")
    return UpgradeFiles(verified.release, wheel, wheels)


def repeat_release(state: Path, folder: Path, root: str) -> Release:
    """Makes the mirror of a pool out of a release, in place of the one before.

    An expired release is accepted: members' machines that have one refuse it, and a first
    installation in an office without a network may need it.

    Raises:
        PoolError: see ``open_release``.
    """
    verified = open_pool_release(state, folder, root, accepts_expired=True)
    metadata = verified.read_metadata()
    mirror = state / FOLDER
    mirror.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=mirror, prefix=".work-") as work:
        copied = verified.copy(Path(work))
        names = sorted(verified.release.files, key=_order)
        for name in names:
            (copied / name).replace(mirror / name)
    for name, content in metadata.items():
        write_private(mirror / name, content)
    kept = {*names, *metadata}
    keeps_pythons = PYTHONS not in kept
    for path in mirror.iterdir():
        is_python = path.name == PYTHONS or path.name.endswith(PYTHON_SUFFIX)
        if path.name not in kept and not (is_python and keeps_pythons):
            path.unlink() if not path.is_dir() else shutil.rmtree(path)
    return verified.release


def repeats_release(state: Path) -> bool:
    """Whether the mirror of a pool repeats a signed release."""
    return (state / FOLDER / TIMESTAMP).is_file()


def signs_pythons(state: Path) -> bool:
    """Whether the release that the mirror of a pool repeats has builds of Python."""
    lists = (state / FOLDER).glob("*.targets.json")
    return any(f'/{PYTHONS}"' in path.read_text("utf-8") for path in lists)


def _order(name: str) -> tuple[int, str]:
    """Wheels first, then the lists that name them, then the list of lists."""
    return (2 if name == TARGETS else 0 if name.endswith(".whl") else 1, name)
