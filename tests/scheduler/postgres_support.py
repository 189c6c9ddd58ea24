"""A PostgreSQL server of our own on a socket in a temporary folder, where its programs are."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOMES = ("/usr/lib/postgresql/*/bin", "/usr/local/opt/postgresql*/bin", "/opt/homebrew/opt/*/bin")
OWNER = "postgres"  # the server refuses to run as root


def programs() -> Path | None:
    """Returns the folder of the server's programs, if this machine has them."""
    programs_found = shutil.which("initdb")
    if programs_found:
        return Path(programs_found).parent
    places = [place for home in HOMES for place in Path("/").glob(home[1:])]
    return next((place for place in sorted(places) if (place / "initdb").exists()), None)


@contextmanager
def running_postgres(home: Path) -> Iterator[str]:
    """Runs a server on a socket and yields the URL of its ``postgres`` database."""
    folder = Path(tempfile.mkdtemp(prefix="entraide-pg-"))
    as_owner = {}
    if os.getuid() == 0:
        owner = pwd.getpwnam(OWNER)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_owner = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    data = folder / "data"
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=on"
    made = [home / "initdb", "-D", data, "-U", "entraide", "-A", "trust", "--no-sync"]
    started = [home / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"]
    stopped = [home / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"]
    try:
        for command in (made, started):
            subprocess.run(command, check=True, capture_output=True, cwd="/", **as_owner)
        yield f"postgresql://entraide@/postgres?host={folder}"
    finally:
        subprocess.run(stopped, check=False, capture_output=True, cwd="/", **as_owner)
        shutil.rmtree(folder, ignore_errors=True)
