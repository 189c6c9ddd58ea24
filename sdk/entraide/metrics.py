"""Metrics: the form in which scheduler, gateways and node agents declare and expose them.

Each process has a table of ``MetricSpec``; its page ``/metrics`` (Prometheus' text format 0.0.4)
and ``docs/reference/metrics.md`` are made from it. A label has a bounded number of values and never
holds a prompt, a key or a person's data.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct
from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Reading = Mapping[tuple[str, ...], float]  # the values of one metric, by the values of its labels


class MetricSpec(Struct, frozen=True):
    """One metric.

    Attributes:
        name: in Prometheus; that of a counter without its suffix ``_total``.
        kind: type of the metric. A counter restarts at 0 with its process.
        text: meaning, in one line.
        labels: names of its labels.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: tuple[str, ...] = ()

    @property
    def sample(self) -> str:
        """The name in queries: of a counter, or of a gauge or histogram."""
        return f"{self.name}_total" if self.kind == "counter" else self.name

    def make_histogram(self, buckets: Sequence[float]) -> Histogram:
        """Returns a histogram with these upper bounds; the caller registers it."""
        return Histogram(self.name, self.text, self.labels, buckets=buckets, registry=None)

    def make_family(self, values: Reading) -> Metric:
        """Returns the metric with values that were read now."""
        make = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = make(self.name, self.text, labels=self.labels)
        for labels in sorted(values):
            family.add_metric(labels, values[labels])
        metric: Metric = family
        return metric


class ReadAtScrape(Collector):
    """Metrics whose values are read when the page is requested.

    Args:
        read: returns each metric with its values.
    """

    def __init__(self, read: Callable[[], Iterable[tuple[MetricSpec, Reading]]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Yields the metrics with their present values."""
        for spec, values in self._read():
            yield spec.make_family(values)


BUS_CONNECTED = MetricSpec(
    "entraide_bus_connected", "gauge", "1 while this process is connected to the bus, else 0."
)
BUS_RECONNECTIONS = MetricSpec(
    "entraide_bus_reconnections", "counter", "Reconnections of this process to the bus."
)
BUS_MESSAGES = MetricSpec(
    "entraide_bus_messages", "counter", "Messages of this process on the bus.", ("direction",)
)
BUS_BYTES = MetricSpec(
    "entraide_bus_bytes", "counter", "Bytes of these messages' content.", ("direction",)
)
BUS_METRICS = (BUS_CONNECTED, BUS_RECONNECTIONS, BUS_MESSAGES, BUS_BYTES)


class BusStatistics(Protocol):
    """What a bus connection (nats-py's client) counts."""

    @property
    def is_connected(self) -> bool:
        """Whether it is connected now."""

    @property
    def stats(self) -> Mapping[str, int]:
        """Counters by name."""


def read_bus(connection: BusStatistics | None) -> list[tuple[MetricSpec, Reading]]:
    """Returns the metrics of a bus connection; None before the first connection."""
    stats = connection.stats if connection is not None else {}
    connected = connection is not None and connection.is_connected

    def both(name: str) -> Reading:
        return {(way,): stats.get(f"{way}_{name}", 0) for way in ("in", "out")}

    return [
        (BUS_CONNECTED, {(): float(connected)}),
        (BUS_RECONNECTIONS, {(): stats.get("reconnects", 0)}),
        (BUS_MESSAGES, both("msgs")),
        (BUS_BYTES, both("bytes")),
    ]
