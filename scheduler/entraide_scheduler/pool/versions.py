"""Versions: the environments of a pool, and which of them runs it.

``DIR/versions/NAME`` is a virtual environment that ``pool upgrade`` made; ``DIR/versions/current``
holds the name of the one in use. Without it, the environment of the command is used, so that a
service whose unit names the first environment runs the present one.
"""

import fcntl
import os
import shutil
import sys
from pathlib import Path

from entraide.errors import PoolError
from entraide.files import PRIVATE_DIRECTORY_MODE, write_private

FOLDER = "versions"
CURRENT = "current"
UPGRADE_LOCK = "upgrade.lock"
NAME_CHARS_MAX = 128


def find_current(state: Path) -> Path | None:
    """Returns the environment that runs a pool; None for that of this command.

    Raises:
        PoolError: ``version_absent``: the environment does not exist.
    """
    try:
        name = (state / FOLDER / CURRENT).read_text("utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        name = ""
    environment = state / FOLDER / Path(name).name
    if not name or len(name) > NAME_CHARS_MAX or not python_of(environment).exists():
        path = state / FOLDER / CURRENT
        raise PoolError(
            "version_absent",
            f"{path} names no environment",
            values={"path": str(path), "environment": str(environment)},
        )
    return environment


def set_current(state: Path, environment: Path | None) -> None:
    """Makes an environment the one that runs a pool; None for that of the command."""
    path = state / FOLDER / CURRENT
    if environment is None:
        path.unlink(missing_ok=True)
    else:
        write_private(path, f"{environment.name}\n".encode())


def remove_others(state: Path, kept: tuple[Path | None, ...]) -> None:
    """Deletes the environments that are not kept."""
    for path in (state / FOLDER).iterdir():
        if path.is_dir() and path not in kept:
            shutil.rmtree(path, ignore_errors=True)


def new_environment(state: Path, name: str) -> Path:
    """Returns the path of a new environment, whose folder exists and is empty of it."""
    folder = state / FOLDER
    folder.mkdir(mode=PRIVATE_DIRECTORY_MODE, exist_ok=True)
    environment = folder / name
    shutil.rmtree(environment, ignore_errors=True)
    return environment


def python_of(environment: Path) -> Path:
    """Returns the interpreter of an environment."""
    return environment / "bin" / "python"


def enter_current(state: Path) -> None:
    """Goes on as the same command of the environment that runs a pool, if this is another.

    Raises:
        PoolError: ``version_absent``.
    """
    environment = find_current(state)
    if environment is not None and environment.resolve() != Path(sys.prefix).resolve():
        _run_again(python_of(environment))


def run_again_after_upgrade(state: Path) -> None:
    """Waits for the end of an upgrade, then goes on as the same command from its beginning."""
    with (state / UPGRADE_LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    _run_again(Path(sys.executable))


def _run_again(python: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    command = [str(python), "-P", "-m", "entraide.cli", *sys.argv[1:]]
    os.execv(python, command)  # noqa: S606  (our own program; no shell)
