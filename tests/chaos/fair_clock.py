"""Fair clock: seconds in which the machine gave a process the processor when it asked for it.

A promise such as "no stream is silent for more than 30 s" holds on a machine that is fast enough.
On one that other programs load, everything takes longer, and a fault of the pool must be told from
a wait for the processor. Once a second a thread does some work of a known amount of processor time
and measures how long it took: on an idle machine as long, on a loaded one longer. The clock
advances by the time that passed, divided by that ratio; while this process does not run at all,
it advances by one period at most.
"""

import threading
import time

PERIOD_S = 1.0
WORK_S = 0.01  # processor time of one measurement
SLOWEST = 8.0  # a ratio above it is not believed
KEPT = 5  # the median of so many measurements counts


class FairClock:
    """The clock; ``stop`` ends its thread."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._ratios = [1.0]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __call__(self) -> float:
        """Fair seconds since the start."""
        return self._now_s

    @property
    def slowdown(self) -> float:
        """How many times longer work takes now than on an idle machine, at least 1."""
        return sorted(self._ratios)[len(self._ratios) // 2]

    def stop(self) -> None:
        """Ends the measurements."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        before = time.monotonic()
        while not self._over.wait(PERIOD_S):
            self._ratios = [*self._ratios, measured_slowdown()][-KEPT:]
            now = time.monotonic()
            self._now_s += min(now - before, 2 * PERIOD_S) / self.slowdown
            before = now


def measured_slowdown() -> float:
    """Works for ``WORK_S`` of processor time; returns the time that it took, as a multiple."""
    began, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < WORK_S:
        sum(range(200))
    return min(SLOWEST, max(1.0, (time.monotonic() - began) / (time.thread_time() - used)))
