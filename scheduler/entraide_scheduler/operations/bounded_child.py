"""Bounded child: an ``entraide`` command within limits, in the process that this module runs in.

``python -m entraide_scheduler.operations.bounded_child LIMITS ARGUMENT...``: the limits as JSON,
then the command's arguments. The process has the lowest priority and, on Linux, only the time that
no other process wants; if memory runs out, the kernel ends it first. It ends with its parent, whose
pipe is its standard input.
"""

import contextlib
import os
import resource
import sys
import threading
from pathlib import Path

import psutil
from msgspec import Struct

from entraide.decoding import decode_json

LOWEST_PRIORITY = 19
CPU_MARGIN_S = 5  # between the signal that ends the process and the one that kills it
THREADS = "1"
# At the limit on file size Python stores a truncated compiled module, and each later import fails.
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS",
)  # fmt: skip


class ProcessLimits(Struct, frozen=True):
    """Limits of a process.

    Attributes:
        wall_s: until it is killed, seconds.
        cpu_s: processor time, seconds.
        memory_bytes: address space.
        file_bytes: longest file that it may write; 0 for no limit.
        is_idle: whether it has only the time that no other process wants.
        niceness: what is added to its parent's; 19 is the lowest priority.
    """

    wall_s: float
    cpu_s: int
    memory_bytes: int
    file_bytes: int = 0
    is_idle: bool = True
    niceness: int = LOWEST_PRIORITY


def enter_limits(limits: ProcessLimits) -> None:
    """Puts this process within limits; what the system does not have is left out."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + CPU_MARGIN_S))
    if limits.file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
        with contextlib.suppress(OSError, psutil.Error):
            psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    os.nice(limits.niceness)  # last: a busy machine may give it no time from here on
    if sys.platform == "linux" and limits.is_idle:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def end_with_parent() -> None:
    """Ends this process as soon as its standard input, a pipe of its parent's, closes."""

    def watch() -> None:
        while os.read(0, 4_096):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent").start()


def main() -> None:
    """Runs the command of the arguments."""
    enter_limits(decode_json(sys.argv[1].encode(), type=ProcessLimits))
    end_with_parent()
    sys.dont_write_bytecode = True
    os.environ[NO_BYTECODE] = "1"  # for processes that the command starts
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, THREADS))
    sys.argv = ["entraide", *sys.argv[2:]]
    from entraide.cli import main as run  # noqa: PLC0415  (after the limits)

    run()


if __name__ == "__main__":
    main()
