"""Metrics of the store: how long its reads and its group commits take."""

from collections.abc import Callable

from prometheus_client.registry import Collector

from entraide.metrics import MetricSpec, ReadAtScrape

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

COMMIT_S = MetricSpec(
    "entraide_store_commit_seconds", "histogram", "Time to write a group of rows and to commit it."
)
READ_S = MetricSpec("entraide_store_read_seconds", "histogram",
                    "Time of a read, with the wait for a thread and a connection.")  # fmt: skip
QUEUED = MetricSpec("entraide_store_queued", "gauge", "Writes that wait for the next group.")
STORE_METRICS = (COMMIT_S, READ_S, QUEUED)


class StoreMetrics:
    """The metrics of one store.

    Args:
        queued: returns the number of writes that wait.

    Attributes:
        commit_s, read_s: record durations, seconds.
        collectors: all of them, for a registry.
    """

    def __init__(self, queued: Callable[[], int]) -> None:
        self.commit_s = COMMIT_S.make_histogram(BUCKETS_S)
        self.read_s = READ_S.make_histogram(BUCKETS_S)
        self.collectors: tuple[Collector, ...] = (
            self.commit_s,
            self.read_s,
            ReadAtScrape(lambda: [(QUEUED, {(): float(queued())})]),
        )
