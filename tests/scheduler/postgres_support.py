"""A PostgreSQL server of our own on a socket in a temporary folder, where its programs are."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOMES = ("/usr/lib/postgresql/*/bin", "/usr/local/opt/postgresql*/bin", "/opt/homebrew/opt/*/bin")
OWNER = "postgres"  # the server refuses to run as root


def programs() -> Path | None:
    """Returns the folder of the server's programs, if this machine has them."""
    programs_found = shutil.which("initdb")
    if programs_found:
        return Path(programs_found).parent
    places = [place for home in HOMES for place in Path("/").glob(home[1:])]
    return next((place for place in sorted(places) if (place / "initdb").exists()), None)


def _as_owner() -> dict[str, Any]:
    if os.getuid() != 0:
        return {}
    owner = pwd.getpwnam(OWNER)
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _folder_of(url: str) -> Path:
    return Path(url.rpartition("host=")[2])


def start_postgres(home: Path, url: str) -> None:
    """Starts the server that ``stop_postgres`` has stopped."""
    folder = _folder_of(url)
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    command = [home / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log"]
    command += ["-o", options, "start"]
    # Not captured: the server would inherit the pipe and keep it open.
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **_as_owner())


def stop_postgres(home: Path, url: str) -> None:
    """Stops the server as a crash does, in the middle of whatever it does."""
    command = [home / "pg_ctl", "-D", _folder_of(url) / "data", "-w", "-m", "immediate", "stop"]
    subprocess.run(command, check=True, capture_output=True, cwd="/", **_as_owner())


@contextmanager
def running_postgres(home: Path) -> Iterator[str]:
    """Runs a server on a socket and yields the URL of its ``postgres`` database."""
    folder = Path(tempfile.mkdtemp(prefix="entraide-pg-"))
    as_owner = _as_owner()
    if as_owner:
        os.chown(folder, as_owner["user"], as_owner["group"])
    url = f"postgresql://entraide@/postgres?host={folder}"
    data = folder / "data"
    made = [home / "initdb", "-D", data, "-U", "entraide", "-A", "trust", "--no-sync"]
    stopped = [home / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"]
    try:
        subprocess.run(made, check=True, capture_output=True, cwd="/", **as_owner)
        start_postgres(home, url)
        yield url
    finally:
        subprocess.run(stopped, check=False, capture_output=True, cwd="/", **as_owner)
        shutil.rmtree(folder, ignore_errors=True)
