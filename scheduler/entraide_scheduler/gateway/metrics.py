"""Metrics: the counters of a gateway, for Prometheus.

No label contains text of a client: a path is the route's pattern, a model is one with which the
pool has answered.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from entraide.units import wh_from_uwh
from entraide_scheduler.gateway.answer_events import CompleteAnswer

TTFT_BUCKETS_S = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 120.0)


class _SchedulerCounts(Collector):
    """The scheduler's counters as one metric, labelled by their codes."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        """Yields the metric with the present values."""
        family = CounterMetricFamily(
            "entraide_scheduler_counted", "What the scheduler counted, by code.", labels=["what"]
        )
        for what in sorted(self._counts):
            family.add_metric([what], self._counts[what])
        yield family


class Metrics:
    """The counters of one gateway, in a registry of its own."""

    CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, scheduler: Mapping[str, int] = MappingProxyType({})) -> None:
        """Creates the counters.

        Args:
            scheduler: counters of the scheduler in the same process, by name.
        """
        self.registry = CollectorRegistry()
        self.registry.register(_SchedulerCounts(scheduler))

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"entraide_gateway_{name}", text, labels, registry=self.registry)

        self._requests = counter("requests", "Requests by route and status.", "path", "status")
        self._by_model: dict[str, tuple[Counter, ...]] = {}
        self._by_answer: dict[tuple[str, int], Counter] = {}  # a cache, because ``labels`` is slow
        self._jobs = counter("jobs", "Jobs ended, by end.", "end")
        self._placements = counter("placements", "Placements, the first or a later one.", "kind")
        self._tokens = counter("tokens", "Tokens of whole answers.", "model", "kind")
        self._energy = counter("energy_wh", "Energy of whole answers, watt-hours.", "model")
        self._carbon = counter("carbon_g", "Direct emissions of whole answers, grams.", "model")
        self._dropped = counter("dropped", "Messages not used, by reason.", "what")
        self._failed = counter("failures", "Steps beside an answer that failed, by step.", "what")
        self._refused = counter(
            "refused", "Requests and connections refused or cut off by the server.", "reason"
        )
        self._running = Gauge("entraide_gateway_running", "Jobs not ended.", registry=self.registry)
        self._ttft = Histogram(
            "entraide_gateway_ttft_seconds",
            "From the request to the first part of a streamed answer.",
            buckets=TTFT_BUCKETS_S,
            registry=self.registry,
        )

    def count_request(self, route: str, status: int) -> None:
        """Counts a request."""
        counter = self._by_answer.get((route, status))
        if counter is None:
            counter = self._by_answer[route, status] = self._requests.labels(route, str(status))
        counter.inc()

    def observe_ttft(self, ttft_s: float) -> None:
        """Records the time to the first part of an answer, seconds."""
        self._ttft.observe(ttft_s)

    def count_dropped(self, what: str) -> None:
        """Counts a message that was not used, by reason."""
        self._dropped.labels(what).inc()

    def count_refused(self, reason: str) -> None:
        """Counts a request or a connection that the HTTP server refused or closed, by reason."""
        self._refused.labels(reason).inc()

    def count_placement(self, attempt: int) -> None:
        """Counts a placement."""
        self._placements.labels("first" if attempt == 1 else "again").inc()

    def count_end(self, state: str, answer: CompleteAnswer | None) -> None:
        """Counts the end of a job."""
        self._jobs.labels(state).inc()
        if answer is None or answer.receipt is None:
            return
        usage = answer.usage
        energy_uwh = usage.energy_prefill_uwh + usage.energy_decode_uwh
        amounts = (
            usage.input_tokens,
            usage.cached_tokens,
            usage.output_tokens,
            wh_from_uwh(energy_uwh),
            answer.receipt.carbon_gco2e,
        )
        for counter, amount in zip(
            self._model_counters(answer.receipt.model), amounts, strict=True
        ):
            counter.inc(amount)

    def _model_counters(self, model: str) -> tuple[Counter, ...]:
        counters = self._by_model.get(model)
        if counters is None:
            kinds = ("input", "cached", "output")
            tokens = (self._tokens.labels(model, kind) for kind in kinds)
            counters = (*tokens, self._energy.labels(model), self._carbon.labels(model))
            self._by_model[model] = counters
        return counters

    def count_failure(self, what: str) -> None:
        """Counts a failed step other than the answer."""
        self._failed.labels(what).inc()

    def render(self, running: int) -> bytes:
        """Returns all metrics in Prometheus' text format."""
        self._running.set(running)
        return generate_latest(self.registry)
