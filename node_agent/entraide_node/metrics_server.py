"""Metrics server: the agent's numbers for Prometheus, on loopback, where the owner turns it on.

In: the agent's last status, the counts of its runs and of its bus connection. Out: ``/metrics`` on
127.0.0.1 at the port of ``[metrics]`` in ``node.toml``. No value names a job, a prompt or a co-op.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from entraide.metrics import (
    BUS_METRICS,
    CONTENT_TYPE,
    BusStatistics,
    MetricSpec,
    ReadAtScrape,
    Reading,
    read_bus,
)
from entraide.types import Outcome
from entraide_node.owner.files import NodeStatus

HOST = "127.0.0.1"

STATE = MetricSpec("entraide_node_state", "gauge",
                   "1 for the agent's state, the code of the sentence in `entraide node status`.",
                   ("state",))  # fmt: skip
WELCOMED = MetricSpec(
    "entraide_node_welcomed", "gauge", "1 while the pool knows this node, else 0."
)
SLOTS = MetricSpec("entraide_node_slots", "gauge", "Runs that the node can have at once.")
RUNNING = MetricSpec("entraide_node_running", "gauge", "Runs under way.")
RUNS = MetricSpec("entraide_node_runs", "counter", "Runs ended, by outcome.", ("outcome",))
MODELS = MetricSpec("entraide_node_models", "gauge", "Models by state.", ("state",))
POWER = MetricSpec("entraide_node_power_w", "gauge",
                   "Power of the machine, watts, by meter; absent without a meter.",
                   ("meter",))  # fmt: skip
SURPLUS = MetricSpec("entraide_node_surplus_w", "gauge", "Advertised surplus of the site, watts.")
REPORTS = MetricSpec(
    "entraide_node_reports", "gauge", "Usage reports that the pool has not acknowledged."
)
CLOCK = MetricSpec("entraide_node_clock_offset_seconds", "gauge",
                   "This machine's clock minus the pool's; absent while unknown.")  # fmt: skip
NODE_METRICS = (
    STATE, WELCOMED, SLOTS, RUNNING, RUNS, MODELS, POWER, SURPLUS, REPORTS, CLOCK, *BUS_METRICS,
)  # fmt: skip


class MetricsServer:
    """``/metrics`` of one agent.

    Args:
        port: on loopback.
        status: returns the last status; None before the first.
        ended_runs: numbers of ended runs by outcome.
        connection: returns the bus connection; None before the first.
    """

    def __init__(
        self,
        port: int,
        *,
        status: Callable[[], NodeStatus | None],
        ended_runs: Counter[Outcome],
        connection: Callable[[], BusStatistics | None],
    ) -> None:
        self._port = port
        self._status = status
        self._ended_runs = ended_runs
        self._connection = connection
        self._registry = CollectorRegistry()
        self._registry.register(ReadAtScrape(self._read))
        self._log = structlog.get_logger("entraide.node")

    async def run(self) -> None:
        """Serves until it is cancelled; a port that is taken is logged, and the node works on."""
        app = web.Application()
        app.add_routes([web.get("/metrics", self._send)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, HOST, self._port).start()
            except OSError as problem:
                self._log.warning("node.metrics_unserved", port=self._port, problem=str(problem))
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _send(self, request: web.Request) -> web.Response:
        if request.host not in (f"{HOST}:{self._port}", f"localhost:{self._port}"):
            raise web.HTTPNotFound  # a page of another site that names this address
        page = generate_latest(self._registry)
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE})

    def _read(self) -> Iterable[tuple[MetricSpec, Reading]]:
        runs: Reading = {(outcome.value,): self._ended_runs[outcome] for outcome in Outcome}
        return [*_read_status(self._status()), (RUNS, runs), *read_bus(self._connection())]


def _read_status(status: NodeStatus | None) -> list[tuple[MetricSpec, Reading]]:
    """Returns the metrics of a status; without values before the first."""
    if status is None:
        gauges = (STATE, WELCOMED, SLOTS, RUNNING, MODELS, POWER, SURPLUS, REPORTS, CLOCK)
        return [(spec, {}) for spec in gauges]
    models = Counter(model.state for model in status.models)
    power: Reading = {}
    if status.power.power_w is not None:
        power = {(status.power.kind,): status.power.power_w}
    offset_s = status.clock_offset_s
    return [
        (STATE, {(status.state,): 1.0}),
        (WELCOMED, {(): float(status.welcomed)}),
        (SLOTS, {(): status.slots}),
        (RUNNING, {(): status.running}),
        (MODELS, {(state,): count for state, count in models.items()}),
        (POWER, power),
        (SURPLUS, {(): status.surplus_w}),
        (REPORTS, {(): status.reports}),
        (CLOCK, {} if offset_s is None else {(): offset_s}),
    ]
