"""Pool metrics: what the scheduler's core knows, as numbers for ``/metrics``.

In: the live driver and the pool's directory. Out: the metrics of ``POOL_METRICS``. The core's
figures are at most ``FRESH_S`` seconds old, so that frequent requests cost nothing. At most
``COOPS_SHOWN_MAX`` co-ops have a label of their own; the others are counted together.
"""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import entraide
from entraide.metrics import MetricSpec, Reading
from entraide.types import JobClass, JobState, Lending, NodeState, Promise
from entraide_scheduler.core.accounting import UNITS
from entraide_scheduler.core.records import SenderKind
from entraide_scheduler.driver import CORRECTED, FALSE_ALARM, PLACED, PROMISE, SETTLED, LiveDriver
from entraide_scheduler.pool.facts import read_last_backup

FRESH_S = 1.0
COOPS_SHOWN_MAX = 50
OTHER_COOPS = "(others)"
HELD = (JobState.QUEUED, JobState.OFFERED, JobState.ACTIVE)
OUTCOMES = (Promise.KEPT, Promise.MISSED)

INFO = MetricSpec(
    "entraide_info", "gauge", "Always 1; its label is the version of Entraide.", ("version",)
)
NODES = MetricSpec("entraide_scheduler_nodes", "gauge", "Nodes by state.", ("state",))
ACCEPTING = MetricSpec(
    "entraide_scheduler_nodes_accepting", "gauge", "Live nodes that accept new work."
)
QUEUED = MetricSpec("entraide_scheduler_queued", "gauge",
                    "Jobs that wait for a machine, by class and co-op.",
                    ("job_class", "coop"))  # fmt: skip
JOBS = MetricSpec(
    "entraide_scheduler_jobs", "gauge", "Jobs that have not ended, by state.", ("state",)
)
LEASES = MetricSpec("entraide_scheduler_leases", "gauge", "Runs that nodes hold now.")
LEASES_GRANTED = MetricSpec("entraide_scheduler_leases_granted", "counter",
                            "Leases granted to nodes: each placement of a job.")  # fmt: skip
PROMISES = MetricSpec("entraide_scheduler_promises", "counter",
                      "Settled jobs with a promised time to the first token, by class and outcome "
                      "(kept, missed).", ("job_class", "outcome"))  # fmt: skip
SETTLEMENTS = MetricSpec(
    "entraide_scheduler_settlements", "counter", "Settlements written to the ledger."
)
CORRECTIONS = MetricSpec(
    "entraide_scheduler_corrections", "counter", "Corrections written to the ledger."
)
FALSE_ALARMS = MetricSpec("entraide_scheduler_false_alarms", "counter",
                          "Nodes with runs that fell silent and were there after all: their "
                          "runs were repeated, and nobody pays for them twice.")  # fmt: skip
LEDGER_SUM = MetricSpec("entraide_scheduler_ledger_sum", "gauge",
                        "Sum of all balances in a unit; always 0, else the books are wrong.",
                        ("unit",))  # fmt: skip
QUARANTINES = MetricSpec(
    "entraide_scheduler_quarantines", "gauge", "Nodes and API keys in quarantine.", ("kind",)
)
INCIDENTS = MetricSpec("entraide_scheduler_incidents", "gauge",
                       "Errors of the last hour from which the scheduler recovered, as "
                       "`/readyz` lists them, by code.", ("code",))  # fmt: skip
INCARNATION = MetricSpec(
    "entraide_scheduler_incarnation", "gauge", "How many times the scheduler has started."
)
EVENTS = MetricSpec("entraide_scheduler_events", "counter",
                    "Events since the pool was founded; the number of the last one.")  # fmt: skip
COUNTED = MetricSpec(
    "entraide_scheduler_counted", "counter", "What else the scheduler counted, by code.", ("what",)
)
CLOCK_OFFSET = MetricSpec("entraide_scheduler_clock_offset_seconds", "gauge",
                          "How far the system clock is ahead of the pool's; negative if it is "
                          "behind.")  # fmt: skip
BACKUP_AGE = MetricSpec("entraide_backup_age_seconds", "gauge",
                        "Time since the last `entraide pool backup`; absent before the "
                        "first.")  # fmt: skip

POOL_METRICS = (
    INFO, NODES, ACCEPTING, QUEUED, JOBS, LEASES, LEASES_GRANTED, PROMISES, SETTLEMENTS,
    CORRECTIONS, FALSE_ALARMS, LEDGER_SUM, QUARANTINES, INCIDENTS, INCARNATION, EVENTS, COUNTED,
    CLOCK_OFFSET, BACKUP_AGE,
)  # fmt: skip

Metrics = list[tuple[MetricSpec, Reading]]
Figures = dict[tuple[str, ...], float]


class PoolMetrics:
    """The metrics of one scheduler.

    Args:
        driver: of the core.
        home: the pool's directory.
    """

    def __init__(self, driver: LiveDriver, home: Path) -> None:
        self._driver = driver
        self._home = home
        self._core_figures: Metrics = []
        self._fresh_until = 0.0

    def read(self) -> Iterable[tuple[MetricSpec, Reading]]:
        """Returns each metric with its present values."""
        now = time.monotonic()
        if now >= self._fresh_until:
            self._core_figures = [*self._read_fleet(), *self._read_jobs(), *self._read_books()]
            self._fresh_until = now + FRESH_S
        return [
            (INFO, {(entraide.__version__,): 1.0}),
            *self._core_figures,
            *self._read_counters(),
            *self._read_backup(),
        ]

    def _read_fleet(self) -> Metrics:
        nodes = self._driver.core.nodes()
        states = Counter(node.state for node in nodes)
        accepting = sum(
            node.accepting and node.lending is not Lending.OWN_ONLY
            for node in nodes
            if node.state is NodeState.LIVE
        )
        return [
            (NODES, {(state.value,): states[state] for state in NodeState}),
            (ACCEPTING, {(): accepting}),
        ]

    def _read_jobs(self) -> Metrics:
        core, policy = self._driver.core, self._driver.policy
        coops = sorted(terms.coop for terms in policy.coops)
        shown = coops[:COOPS_SHOWN_MAX]
        columns = (*shown, OTHER_COOPS)
        queued: Figures = {(kind.value, coop): 0.0 for kind in JobClass for coop in columns}
        jobs: Figures = {(state.value,): 0.0 for state in HELD}
        names = dict(zip(shown, shown, strict=True))
        for (state, kind, coop), count in core.count_jobs().items():
            jobs[(state.value,)] += count
            if state is JobState.QUEUED:
                queued[kind.value, names.get(coop, OTHER_COOPS)] += count
        return [(QUEUED, queued), (JOBS, jobs), (LEASES, {(): core.count_leases()})]

    def _read_books(self) -> Metrics:
        sums: Counter[str] = Counter(dict.fromkeys(UNITS, 0))
        for balances in self._driver.core.balances().values():
            sums.update(balances)
        quarantines = Counter(view.kind for view in self._driver.core.quarantines())
        incidents: Counter[str] = Counter()
        for incident in self._driver.health.incidents():
            incidents[incident.code] += incident.count
        return [
            (LEDGER_SUM, {(unit,): amount for unit, amount in sums.items()}),
            (QUARANTINES, {(kind.value,): quarantines[kind] for kind in SenderKind}),
            (INCIDENTS, {(code,): count for code, count in incidents.items()}),
        ]

    def _read_counters(self) -> Metrics:
        counts = self._driver.counts
        promises: Reading = {
            (kind.value, outcome.value): counts[f"{PROMISE}.{kind}.{outcome}"]
            for kind in JobClass
            for outcome in OUTCOMES
        }
        return [
            (LEASES_GRANTED, {(): counts[PLACED]}),
            (PROMISES, promises),
            (SETTLEMENTS, {(): counts[SETTLED]}),
            (CORRECTIONS, {(): counts[CORRECTED]}),
            (FALSE_ALARMS, {(): counts[FALSE_ALARM]}),
            (INCARNATION, {(): self._driver.incarnation}),
            (EVENTS, {(): self._driver.event_id}),
            (CLOCK_OFFSET, {(): self._driver.clock.offset_s}),
            (COUNTED, {(code,): count for code, count in counts.items() if not _is_shown(code)}),
        ]

    def _read_backup(self) -> Metrics:
        record = read_last_backup(self._home)
        ages: Reading = {(): max(0.0, self._driver.now() - record.at)} if record else {}
        return [(BACKUP_AGE, ages)]


def _is_shown(code: str) -> bool:
    """Whether a counter has a metric of its own."""
    return code in (PLACED, SETTLED, CORRECTED, FALSE_ALARM) or code.startswith(f"{PROMISE}.")
