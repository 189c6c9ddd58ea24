"""Metrics: the counters of a gateway, for Prometheus.

No label contains text of a client: a path is the route's pattern, a model is one with which the
pool has answered. The other metrics of the process stand on the same page.
"""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.registry import Collector

from entraide.metrics import MetricSpec
from entraide.units import wh_from_uwh
from entraide_scheduler.gateway.answer_events import CompleteAnswer

TTFT_BUCKETS_S = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 120.0)

REQUESTS = MetricSpec("entraide_gateway_requests", "counter", "Requests by route and status.",
                      ("path", "status"))  # fmt: skip
JOBS = MetricSpec("entraide_gateway_jobs", "counter", "Jobs ended, by end.", ("end",))
PLACEMENTS = MetricSpec("entraide_gateway_placements", "counter",
                        "Placements: the first, again, or of a resumed answer.",
                        ("kind",))  # fmt: skip
TOKENS = MetricSpec("entraide_gateway_tokens", "counter", "Tokens of whole answers.",
                    ("model", "kind"))  # fmt: skip
ENERGY = MetricSpec("entraide_gateway_energy_wh", "counter",
                    "Energy of whole answers, watt-hours.", ("model",))  # fmt: skip
CARBON = MetricSpec("entraide_gateway_carbon_g", "counter",
                    "Direct emissions of whole answers, grams.", ("model",))  # fmt: skip
DROPPED = MetricSpec("entraide_gateway_dropped", "counter", "Messages not used, by reason.",
                     ("what",))  # fmt: skip
FAILURES = MetricSpec("entraide_gateway_failures", "counter",
                      "Steps beside an answer that failed, by step.", ("what",))  # fmt: skip
REFUSED = MetricSpec("entraide_gateway_refused", "counter",
                     "Requests and connections refused or cut off by the server.",
                     ("reason",))  # fmt: skip
RECONNECTIONS = MetricSpec("entraide_gateway_reconnections", "counter",
                           "Streams whose client came back, did not, or could not any more.",
                           ("what",))  # fmt: skip
HELD = MetricSpec("entraide_gateway_held_bytes", "gauge",
                  "Memory of the events of streams to which clients may come back.")  # fmt: skip
RUNNING = MetricSpec("entraide_gateway_running", "gauge", "Jobs not ended.")
TTFT = MetricSpec("entraide_gateway_ttft_seconds", "histogram",
                  "From the request to the first part of a streamed answer.")  # fmt: skip
GATEWAY_METRICS = (
    REQUESTS, JOBS, PLACEMENTS, TOKENS, ENERGY, CARBON, DROPPED, FAILURES, REFUSED, RUNNING, TTFT,
    RECONNECTIONS, HELD,
)  # fmt: skip


class Metrics:
    """The counters of one gateway, in a registry of its own."""

    def __init__(self, others: Sequence[Collector] = ()) -> None:
        """Creates the counters.

        Args:
            others: collectors of the process's other metrics.
        """
        self.registry = CollectorRegistry()
        for collector in others:
            self.registry.register(collector)
        self._requests = REQUESTS.make_counter(self.registry)
        self._by_model: dict[str, tuple[Counter, ...]] = {}
        self._by_answer: dict[tuple[str, int], Counter] = {}  # a cache, because ``labels`` is slow
        self._jobs = JOBS.make_counter(self.registry)
        self._placements = PLACEMENTS.make_counter(self.registry)
        self._tokens = TOKENS.make_counter(self.registry)
        self._energy = ENERGY.make_counter(self.registry)
        self._carbon = CARBON.make_counter(self.registry)
        self._dropped = DROPPED.make_counter(self.registry)
        self._failed = FAILURES.make_counter(self.registry)
        self._refused = REFUSED.make_counter(self.registry)
        self._reconnections = RECONNECTIONS.make_counter(self.registry)
        self._held = HELD.make_gauge(self.registry)
        self._running = RUNNING.make_gauge(self.registry)
        self._ttft = TTFT.make_histogram(TTFT_BUCKETS_S)
        self.registry.register(self._ttft)

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

    def count_reconnection(self, what: str) -> None:
        """Counts a stream whose client came back, stayed away, or would come too late."""
        self._reconnections.labels(what).inc()

    def count_placement(self, attempt: int, *, is_resumed: bool) -> None:
        """Counts a placement: the first, one that begins again, or one that resumes an answer."""
        kind = "first" if attempt == 1 else "resumed" if is_resumed else "again"
        self._placements.labels(kind).inc()

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

    def render(self, running: int, held_bytes: int) -> bytes:
        """Returns all metrics in Prometheus' text format.

        Args:
            running: jobs that have not ended.
            held_bytes: memory of the events of reconnectable streams.
        """
        self._running.set(running)
        self._held.set(held_bytes)
        return generate_latest(self.registry)
