"""Whether a series is flat: a leak is found, noise and a warm-up are none."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import psutil
import pytest
from benchmarks.steady import Minute, Steady, judge_all
from benchmarks.support.steadiness import (
    OF_PROCESSES,
    ProcessSample,
    judge,
    sample_process,
    theil_sen_slope,
)

MINUTES = 40
# At each line it works with some memory and files, and keeps a part of them if it leaks.
PROGRAM = """
import os, sys
kept, leaks = [], sys.argv[1] == "leaks"
for line in sys.stdin:
    work = bytearray(b"x" * 300_000), os.dup(0)
    if leaks:
        kept.append(work)
    else:
        os.close(work[1])
    print("done", flush=True)
"""


@contextmanager
def working_process(kind: str) -> Iterator[Callable[[], ProcessSample]]:
    """A process that works for a minute, so to speak, and is then sampled."""
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, kind],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdin is not None
    assert running.stdout is not None
    given, done = running.stdin, running.stdout

    def work() -> ProcessSample:
        given.write("work\n")
        given.flush()
        assert done.readline() == "done\n"
        return sample_process(psutil.Process(running.pid))

    try:
        yield work
    finally:
        given.close()
        running.wait()
        done.close()


@pytest.mark.parametrize(
    ("kind", "leaking"), [("leaks", {"rss_mb", "descriptors"}), ("is tidy", set())]
)
def test_a_real_process_that_leaks_is_not_flat(kind: str, leaking: set[str]) -> None:
    """0.3 MB and a descriptor in each minute are found, and nothing in a process without a leak."""
    with working_process(kind) as work:
        samples = [work() for _ in range(MINUTES)]
    verdicts = [
        judge(kind, measure, [getattr(sample, measure) for sample in samples])
        for measure in OF_PROCESSES
    ]

    assert leaking == {verdict.measure for verdict in verdicts if not verdict.is_flat}


def grows_mb(minute: int) -> float:
    """A tenth of a MB in each minute: 6 MB in an hour."""
    return 50.0 + 0.1 * minute


def warms_up_mb(minute: int) -> float:
    """Caches fill for ten minutes."""
    return 50.0 + 5.0 * min(minute, 10)


def spikes_mb(minute: int) -> float:
    """A spike at the end, on top of some noise."""
    return (90.0 if minute > 36 else 50.0) + minute % 3


def shrinks_mb(minute: int) -> float:
    """A cache is emptied."""
    return 90.0 - minute


@pytest.mark.parametrize(
    ("series", "is_flat"),
    [(grows_mb, False), (warms_up_mb, True), (spikes_mb, True), (shrinks_mb, True)],
)
def test_steady_growth_alone_is_not_flat(series: Callable[[int], float], is_flat: bool) -> None:
    """A warm-up in the first quarter, a spike and what shrinks are flat."""
    verdict = judge("a process", "rss_mb", [series(minute) for minute in range(MINUTES)])

    assert is_flat == verdict.is_flat


def test_a_minute_without_requests_does_not_count() -> None:
    """The slope is that of the other minutes."""
    values = [0.1 + 0.01 * minute if minute % 2 else None for minute in range(MINUTES)]
    verdict = judge("requests", "first_token_p50_s", values)

    assert (0.6, False) == (verdict.growth_per_hour, verdict.is_flat)


def test_too_few_samples_are_no_judgement() -> None:
    """Nothing is called flat by three samples."""
    with pytest.raises(ValueError, match="3 samples"):
        judge("a process", "threads", [1.0, 1.0, 1.0, 1.0])


def test_the_slope_is_the_median_of_all() -> None:
    """Of three points: 1, 2 and 3 between the pairs."""
    assert theil_sen_slope(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 4.0])) == 2.0


def minute(number: int, *, leak_mb: float = 0.0, failed: int = 0) -> Minute:
    """A minute of a run."""
    sample = ProcessSample(100.0 + leak_mb * number, 80.0, 30, 10)
    return Minute(
        number, 80.0, 1.0, 20, failed, 0.1, 0.2, 0.02, 0.03, 1.0, 2.0, 5.0, 900, {"nats": sample}
    )


@pytest.mark.parametrize(
    ("leak_mb", "failed", "restarted", "is_flat"),
    [(0.0, 0, [], True), (0.5, 0, [], False), (0.0, 1, [], False), (0.0, 0, ["nats"], False)],
)
def test_a_run_is_flat_if_all_of_it_is(
    leak_mb: float, failed: int, restarted: list[str], is_flat: bool
) -> None:
    """One process that grows, one failed request or one restart is enough."""
    rows = [minute(number, leak_mb=leak_mb, failed=failed) for number in range(MINUTES)]

    assert is_flat == Steady(80.0, rows, judge_all(rows), restarted).is_flat
