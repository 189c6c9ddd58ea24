"""bubblewrap: the program that gives a process a network, files and processes of its own.

Input: the paths that the process may see. Output: the beginning of its command. Landlock cannot
tell the loopback from other networks, and does not refuse a connection to a socket file; a process
that needs both therefore runs in namespaces, where only its own loopback and the bound paths exist.
bubblewrap (``bwrap``) makes them without an administrator where the kernel allows user namespaces.
Theory: user_namespaces(7), bwrap(1).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PROGRAM = "bwrap"
PROBE_TIMEOUT_S = 10.0
APPARMOR_SWITCH = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - empty, and its own
_NAMESPACES = (
    "--unshare-user", "--unshare-net", "--unshare-ipc", "--unshare-pid", "--unshare-uts",
    "--unshare-cgroup-try", "--die-with-parent",
)  # fmt: skip
_OWN_FOLDERS = ("--proc", "/proc", "--tmpfs", SHARED_MEMORY)


@cache
def find_bubblewrap_problem() -> str:
    """Returns why bubblewrap cannot make namespaces on this machine; "" if it can. Blocks.

    ``system`` (not Linux), ``absent`` (no program ``bwrap``), ``apparmor`` (AppArmor denies user
    namespaces to programs without a profile, as Ubuntu does from 24.04), ``namespaces`` (the kernel
    or the surrounding container denies them).
    """
    if sys.platform != "linux":
        return "system"
    program = _find_program()
    if program is None:
        return "absent"
    if _can_run((program, *_NAMESPACES, "--ro-bind", "/", "/", *_OWN_FOLDERS, "/bin/true")):
        return ""
    try:
        is_restricted = APPARMOR_SWITCH.read_text("ascii").strip() == "1"
    except OSError:
        is_restricted = False
    return "apparmor" if is_restricted else "namespaces"


def bubblewrap_command(
    *, read: Iterable[str], write: Iterable[str], devices: Iterable[str]
) -> tuple[str, ...]:
    """Returns what stands before a command, so that it runs in namespaces of its own.

    Args:
        read: paths that it sees and cannot change; one that does not exist is left out.
        write: folders that it may change.
        devices: device files that it may use.
    """
    command = [_find_program() or PROGRAM, *_NAMESPACES, *_OWN_FOLDERS]
    for option, paths in (("--ro-bind-try", read), ("--dev-bind-try", devices), ("--bind", write)):
        for path in paths:
            command += [option, path, path]
    return (*command, "--")


def _find_program() -> str | None:
    """The system's program; one in a folder of the search path that is not absolute is not it."""
    program = shutil.which(PROGRAM)
    return program if program is not None and Path(program).is_absolute() else None


def _can_run(command: tuple[str, ...]) -> bool:
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_TIMEOUT_S,
            env={"PATH": os.defpath}, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0
