"""Starts a part of a pool as its command does, with a clock that the run can move.

    launch.py CLOCK_FILE node|scheduler ARGUMENT ...

Everything of ours reads the wall clock by ``time.time``; that is what is moved, by the number of
seconds in the file (a double). In the scheduler the rule is off that refuses a request during
which engines exit: here it is the test that ends them (``tests/engines/test_exits.py``). Its
environment may name defects that the run has to find (``defects``).
"""

import mmap
import struct
import sys
import time
from pathlib import Path

from defects import install

OFFSET = struct.Struct("d")


def move_clock(path: Path) -> None:
    """Lets a file say by how much the wall clock is wrong."""
    with path.open("r+b") as file:
        memory = mmap.mmap(file.fileno(), OFFSET.size, access=mmap.ACCESS_READ)
    right = time.time
    time.time = lambda: right() + OFFSET.unpack_from(memory)[0]


def main() -> None:
    """Moves the clock, then runs the command."""
    path, part = Path(sys.argv.pop(1)), sys.argv.pop(1)
    move_clock(path)
    if part == "node":
        from entraide_node.__main__ import main as run
    else:
        from entraide_scheduler.__main__ import main as run
        from entraide_scheduler.core.leases import engine_exits

        engine_exits.ENGINE_EXITED = "engine_exited_here"
    install(part)
    run()


if __name__ == "__main__":
    main()
