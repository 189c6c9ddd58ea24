"""The program that closes itself into a sandbox, and then becomes the engine.

It runs as ``python -I -S sandbox_launcher.py PLAN COMMAND...`` and imports the standard library
only. ``PLAN`` is a literal with the fields of ``process_sandbox.SandboxPlan``: its parent computes
it, this program makes the system calls. It limits resources, gives up its privileges, applies
Landlock and then the system call filter, and executes the command in the same process, so that the
process id stays the same and no code of the engine runs outside. If a step fails, it ends with a
line on standard error.

The engine may not remove its own folder, which lies among the owner's. A shell outside the sandbox
does so when the engine has ended, and so has, perhaps, the agent.
"""

import ast
import contextlib
import ctypes
import os
import resource
import struct
import sys
from pathlib import Path
from typing import Any, NoReturn

FAILED_STATUS = 71  # EX_OSERR of sysexits.h
SHELL = "/bin/sh"
MARK = "sandbox:"  # begins the line that says which step failed

_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_CAPABILITY_VERSION_3, _CAPABILITIES_MAX = 0x20080522, 64
_LANDLOCK_CREATE, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT = 444, 445, 446  # on every processor
_LANDLOCK_RULE_PATH_BENEATH = 1
_INSTRUCTION_BYTES = 8
# Rights of a rule for a file; the others are of folders: execute, write, read, truncate, ioctl.
_FILE_RIGHTS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15

_kernel = ctypes.CDLL(None, use_errno=True)


def main() -> NoReturn:
    """Applies the plan and executes the command."""
    plan: dict[str, Any] = ast.literal_eval(sys.argv[1])
    command = sys.argv[2:]
    step = "folder"
    try:
        _remove_at_end(plan["scratch"])
        step = "limits"
        _set_limits(plan["limits"], tasks=plan["tasks"])
        step = "privileges"
        _drop_privileges()
        step = "landlock"
        _restrict_files(plan)
        step = "seccomp"
        _filter_calls(bytes.fromhex(plan["filter"]))
        step = "exec"
        os.execv(command[0], command)  # noqa: S606 - the agent made the command
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{MARK} {step}: {error}\n")
    sys.exit(FAILED_STATUS)


def _remove_at_end(folder: str) -> None:
    """Starts the shell that removes a folder once no process has the engine's end of a pipe."""
    if not folder:
        return
    ends, engine = os.pipe()
    if os.fork() == 0:
        os.dup2(ends, 0)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        os.execv(SHELL, (SHELL, "-c", 'read end; rm -rf -- "$0"', folder))  # noqa: S606
    os.close(ends)
    os.set_inheritable(engine, True)


def _set_limits(limits: dict[str, int], *, tasks: int) -> None:
    """Lowers limits; ``tasks`` are the threads that the user may have beyond those of now."""
    for name, limit in limits.items():
        _lower_limit(getattr(resource, name), limit)
    _lower_limit(resource.RLIMIT_NPROC, _count_tasks() + tasks)


def _lower_limit(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (allowed, allowed))


def _count_tasks() -> int:
    """The user's threads: the system counts them all against the limit of one process."""
    count, user = 0, os.getuid()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid == user:
                count += sum(1 for _ in (process / "task").iterdir())
    return count


def _drop_privileges() -> None:
    """Gives up all capabilities; no program that is executed later can have more."""
    _check(_kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    for capability in range(_CAPABILITIES_MAX):  # fails without privileges, which is as good
        _kernel.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _kernel.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _check(_kernel.capset(header, struct.pack("=6I", 0, 0, 0, 0, 0, 0)))


def _restrict_files(plan: dict[str, Any]) -> None:
    attributes = struct.pack("=QQQ", plan["handled_fs"], plan["handled_net"], plan["scoped"])
    size = plan["attributes_bytes"]  # an older kernel refuses fields that it does not know
    ruleset = _check(_kernel.syscall(_LANDLOCK_CREATE, attributes[:size], size, 0))
    for path, rights in plan["rules"]:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:  # not on this machine
            continue
        handled = plan["handled_fs"] & (-1 if Path(path).is_dir() else _FILE_RIGHTS)
        rule = struct.pack("=Qi", rights & handled, descriptor)
        _check(_kernel.syscall(_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_RULE_PATH_BENEATH, rule, 0))
        os.close(descriptor)
    _check(_kernel.syscall(_LANDLOCK_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _filter_calls(program: bytes) -> None:
    buffer = ctypes.create_string_buffer(program, len(program))
    count = len(program) // _INSTRUCTION_BYTES
    header = ctypes.create_string_buffer(struct.pack("@HP", count, ctypes.addressof(buffer)))
    _check(_kernel.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


if __name__ == "__main__":
    main()
