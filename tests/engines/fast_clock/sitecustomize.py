"""Runs each Python process that finds this folder in ``PYTHONPATH`` on a clock of its own speed.

Everything of ours reads the wall clock by ``time.time``; that is what is moved here. Steady clocks
and timers stay right, so that engines, timeouts and meters work as they do. All processes of one
machine share the steady clock, so they agree on the time.
"""

import contextlib
import os
import time


def set_clock() -> None:
    """Replaces the wall clock, if the environment says by what."""
    started_s, begins_at, speed = map(float, os.environ["FAST_CLOCK"].split())
    time.time = lambda: begins_at + (time.monotonic() - started_s) * speed
    with contextlib.suppress(ImportError):  # of programs that are not ours
        from entraide_scheduler.driver import clock

        clock.BELIEVED_AFTER_S = 0.0  # a clock that runs ahead all the time is right here


if "FAST_CLOCK" in os.environ:
    set_clock()
