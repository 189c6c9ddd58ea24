"""Runs a node's command on a machine whose clock is wrong: ``wrong_clock.py SECONDS node …``.

Everything of ours reads the wall clock by ``time.time``; that is what is moved here. What C
libraries read for themselves stays right.
"""

import sys
import time

_right = time.time


def main() -> None:
    """Moves the clock, then runs the command."""
    off_s = float(sys.argv.pop(1))
    time.time = lambda: _right() + off_s
    from entraide_node.__main__ import main as node

    node()


if __name__ == "__main__":
    main()
