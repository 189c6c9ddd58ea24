"""Process metrics: bus connection, store and certificates of a scheduler or gateway process."""

import time

from prometheus_client.registry import Collector

from entraide.metrics import BUS_METRICS, BusStatistics, MetricSpec, ReadAtScrape, Reading, read_bus
from entraide_scheduler.bus import Publisher
from entraide_scheduler.certificates import ServerCertificates
from entraide_scheduler.store.metrics import STORE_METRICS
from entraide_scheduler.store.store import Store

DAY_S = 86_400.0

BUS_DROPPED = MetricSpec(
    "entraide_bus_dropped", "counter", "Messages that could not be sent on the bus."
)
CERTIFICATE_DAYS = MetricSpec(
    "entraide_certificate_days",
    "gauge",
    "Days until the certificate in use expires, by server (http, grpc) and of the pool's CA (ca).",
    ("certificate",),
)
PROCESS_METRICS = (*BUS_METRICS, BUS_DROPPED, *STORE_METRICS, CERTIFICATE_DAYS)


def make_process_collectors(
    connection: BusStatistics,
    publisher: Publisher,
    store: Store,
    certificates: ServerCertificates,
) -> tuple[Collector, ...]:
    """Returns the collectors of a process's bus connection, store and certificates."""

    def read() -> list[tuple[MetricSpec, Reading]]:
        now = time.time()
        ends = certificates.find_ends()
        days: Reading = {(name,): (end - now) / DAY_S for name, end in ends.items()}
        return [
            *read_bus(connection),
            (BUS_DROPPED, {(): publisher.dropped}),
            (CERTIFICATE_DAYS, days),
        ]

    return (ReadAtScrape(read), *store.metrics.collectors)
