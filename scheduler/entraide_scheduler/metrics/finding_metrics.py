"""Finding metrics: what the running scheduler finds, and the sizes that it watches.

In: the monitor. Out: the metrics of ``FINDING_METRICS``. Each watched kind always has a value, so
that an alert ends when its finding does.
"""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from entraide.metrics import MetricSpec, Reading
from entraide_scheduler.findings import WATCHED
from entraide_scheduler.monitor import Monitor

FINDING = MetricSpec("entraide_finding", "gauge",
                     "1 while the running scheduler finds it, else 0; `entraide pool doctor` has "
                     "the names and the remedy.", ("code", "severity"))  # fmt: skip
STORE_BYTES = MetricSpec("entraide_store_bytes", "gauge", "Size of the store.")
STORE_GROWTH = MetricSpec("entraide_store_growth_bytes_per_day", "gauge",
                          "Growth of the store by its last day; absent in the first "
                          "hour.")  # fmt: skip
DISK_FREE = MetricSpec(
    "entraide_disk_free_bytes", "gauge", "Free space of the disk of the pool's directory."
)
FINDING_METRICS = (FINDING, STORE_BYTES, STORE_GROWTH, DISK_FREE)


class FindingMetrics:
    """The metrics of one monitor.

    Args:
        monitor: returns the monitor, once it is made.
        home: the pool's directory.
    """

    def __init__(self, monitor: Callable[[], Monitor], home: Path) -> None:
        self._monitor = monitor
        self._home = home

    def read(self) -> Iterable[tuple[MetricSpec, Reading]]:
        """Returns each metric with its present values."""
        monitor = self._monitor()
        present, growth = {each.code for each in monitor.findings()}, monitor.growth
        shown = {(kind.code, kind.severity.value): kind.code in present for kind in WATCHED}
        return [
            (FINDING, {labels: float(is_present) for labels, is_present in shown.items()}),
            (STORE_BYTES, _one(growth.size_bytes)),
            (STORE_GROWTH, _one(growth.bytes_per_day)),
            (DISK_FREE, _one(shutil.disk_usage(self._home).free)),
        ]


def _one(value: float | None) -> Reading:
    return {} if value is None else {(): float(value)}
