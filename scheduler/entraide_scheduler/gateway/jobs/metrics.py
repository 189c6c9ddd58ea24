"""Metrics: the counters of a gateway, for Prometheus.

No label contains text of a client: a path is the route's pattern, a model is one with which the
pool has answered. The other metrics of the process stand on the same page.
"""

from collections import defaultdict
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from entraide.metrics import MetricSpec, ReadAtScrape, Reading
from entraide.units import wh_from_uwh
from entraide_scheduler.gateway.answers import CompleteAnswer

TTFT_BUCKETS_S = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 120.0)

REQUESTS = MetricSpec(
    "entraide_gateway_requests", "counter", "Requests by route and status.", ("path", "status")
)
JOBS = MetricSpec("entraide_gateway_jobs", "counter", "Jobs ended, by end.", ("end",))
PLACEMENTS = MetricSpec("entraide_gateway_placements", "counter",
                        "Placements: the first, again, or of a resumed answer.",
                        ("kind",))  # fmt: skip
TOKENS = MetricSpec(
    "entraide_gateway_tokens", "counter", "Tokens of whole answers.", ("model", "kind")
)
ENERGY = MetricSpec(
    "entraide_gateway_energy_wh", "counter", "Energy of whole answers, watt-hours.", ("model",)
)
CARBON = MetricSpec(
    "entraide_gateway_carbon_g", "counter", "Direct emissions of whole answers, grams.", ("model",)
)
DROPPED = MetricSpec(
    "entraide_gateway_dropped", "counter", "Messages not used, by reason.", ("what",)
)
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


Tally = defaultdict[tuple[str, ...], float]  # by the values of the labels


class Metrics:
    """The counters of one gateway, in a registry of its own.

    Counting adds to a number in a dictionary; the page makes metrics of them when it is read.
    """

    def __init__(self, others: Sequence[Collector] = ()) -> None:
        """Creates the counters.

        Args:
            others: collectors of the process's other metrics.
        """
        self._tallies: list[tuple[MetricSpec, Tally]] = []
        self._requests = self._make_tally(REQUESTS)
        self._jobs = self._make_tally(JOBS)
        self._placements = self._make_tally(PLACEMENTS)
        self._tokens = self._make_tally(TOKENS)
        self._energy = self._make_tally(ENERGY)
        self._carbon = self._make_tally(CARBON)
        self._dropped = self._make_tally(DROPPED)
        self._failed = self._make_tally(FAILURES)
        self._refused = self._make_tally(REFUSED)
        self._reconnections = self._make_tally(RECONNECTIONS)
        self._running = self._held_bytes = 0
        self._ttft = TTFT.make_histogram(TTFT_BUCKETS_S)
        self.registry = CollectorRegistry()
        for collector in (*others, ReadAtScrape(self._read), self._ttft):
            self.registry.register(collector)

    def _make_tally(self, spec: MetricSpec) -> Tally:
        tally: Tally = defaultdict(float)
        self._tallies.append((spec, tally))
        return tally

    def _read(self) -> list[tuple[MetricSpec, Reading]]:
        running: Reading = {(): self._running}
        held: Reading = {(): self._held_bytes}
        return [*self._tallies, (RUNNING, running), (HELD, held)]

    def count_request(self, route: str, status: int) -> None:
        """Counts a request."""
        self._requests[route, str(status)] += 1

    def observe_ttft(self, ttft_s: float) -> None:
        """Records the time to the first part of an answer, seconds."""
        self._ttft.observe(ttft_s)

    def count_dropped(self, what: str) -> None:
        """Counts a message that was not used, by reason."""
        self._dropped[what,] += 1

    def count_refused(self, reason: str) -> None:
        """Counts a request or a connection that the HTTP server refused or closed, by reason."""
        self._refused[reason,] += 1

    def count_reconnection(self, what: str) -> None:
        """Counts a stream whose client came back, stayed away, or would come too late."""
        self._reconnections[what,] += 1

    def count_placement(self, attempt: int, *, is_resumed: bool) -> None:
        """Counts a placement: the first, one that begins again, or one that resumes an answer."""
        kind = "first" if attempt == 1 else "resumed" if is_resumed else "again"
        self._placements[kind,] += 1

    def count_end(self, state: str, answer: CompleteAnswer | None) -> None:
        """Counts the end of a job."""
        self._jobs[state,] += 1
        if answer is None or answer.receipt is None:
            return
        model, usage = answer.receipt.model, answer.usage
        self._tokens[model, "input"] += usage.input_tokens
        self._tokens[model, "cached"] += usage.cached_tokens
        self._tokens[model, "output"] += usage.output_tokens
        self._energy[model,] += wh_from_uwh(usage.energy_prefill_uwh + usage.energy_decode_uwh)
        self._carbon[model,] += answer.receipt.carbon_gco2e

    def count_failure(self, what: str) -> None:
        """Counts a failed step other than the answer."""
        self._failed[what,] += 1

    def render(self, running: int, held_bytes: int) -> bytes:
        """Returns all metrics in Prometheus' text format.

        Args:
            running: jobs that have not ended.
            held_bytes: memory of the events of reconnectable streams.
        """
        self._running, self._held_bytes = running, held_bytes
        return generate_latest(self.registry)
