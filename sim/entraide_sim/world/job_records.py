"""Job records: one row per finished job, and the summary of a run.

Columns grow in typed arrays. The summary holds latency quantiles, SLO attainment, energy and
emissions.
"""

from array import array
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from entraide.types import JobClass, JobState
from entraide.units import JOULES_PER_WH
from entraide_scheduler.core.policy import ClassTerms, Policy
from entraide_sim.world.jobs import Job
from entraide_sim.world.world import World

QUANTILES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
FLOATS = (
    "asked_at", "placed_at", "first_at", "end_at", "prefill_wh", "decode_wh", "wake_wh", "carbon_g",
)  # fmt: skip
INTEGERS = ("input_tokens", "cached_tokens", "output_tokens", "placements", "promise")
TEXTS = ("state", "code", "node", "zone", "coop", "project", "job_class")

PROMISE_KEPT, PROMISE_MISSED, NO_PROMISE = 1, 0, -1

Column = npt.NDArray[Any]
Table = Mapping[str, Column]


class JobRecords:
    """Columns with a row for each finished job, in the order of their ends.

    Pass it as a world's ``recorder``. ``column(name)`` returns a numpy array: of ``FLOATS``
    (moments at the gateway in seconds since the epoch, 0 for never; energy in Wh; direct emissions
    in grams), of ``INTEGERS`` (``promise``: 1 for a met objective, 0 for a missed one, -1 for none
    or for a cancelled job), or of ``TEXTS``.
    """

    def __init__(self, policy: Policy) -> None:
        self._classes = {terms.job_class: terms for terms in policy.classes}
        self._floats = array("d")  # row after row
        self._integers = array("q")
        self._numbers: dict[tuple[str, ...], int] = {}  # index of each combination of texts

    def __call__(self, job: Job) -> None:
        """Adds a finished job."""
        request = job.request
        facts = request.facts
        node = job.node
        words = (
            job.state.value, job.code, "" if node is None else node.name,
            "" if node is None else node.card.zone, facts.coop, facts.project,
            facts.job_class.value,
        )  # fmt: skip
        self._floats.extend((
            request.at, job.placed_at, job.first_at, job.end_at, job.prefill_j / JOULES_PER_WH,
            job.decode_j / JOULES_PER_WH, job.wake_j / JOULES_PER_WH, job.carbon_g,
        ))  # fmt: skip
        self._integers.extend((
            request.input_tokens, job.cached_tokens, job.output_tokens, job.placements,
            _promise_state(job, self._classes[facts.job_class]),
            self._numbers.setdefault(words, len(self._numbers)),
        ))  # fmt: skip

    def __len__(self) -> int:
        return len(self._floats) // len(FLOATS)

    def column(self, name: str) -> Column:
        """Returns a column.

        Raises:
            ValueError: the name is unknown.
        """
        if name in FLOATS:
            floats: Column = np.array(self._floats)
            return floats[FLOATS.index(name) :: len(FLOATS)]
        integers: Column = np.array(self._integers)
        if name in INTEGERS:
            return integers[INTEGERS.index(name) :: len(INTEGERS) + 1]
        if name in TEXTS:
            index = TEXTS.index(name)
            values: Column = np.array([texts[index] for texts in self._numbers] or [""])
            return values[integers[len(INTEGERS) :: len(INTEGERS) + 1]]
        raise ValueError(f"unknown column: {name!r}")

    def columns(self) -> dict[str, Column]:
        """Returns all columns by name."""
        return {name: self.column(name) for name in (*FLOATS, *INTEGERS, *TEXTS)}


def _promise_state(job: Job, terms: ClassTerms) -> int:
    facts = job.request.facts
    objectives = (terms.ttft_s, terms.tpot_s, terms.completion_s, facts.deadline_at)
    if job.state is JobState.CANCELLED or all(objective is None for objective in objectives):
        return NO_PROMISE
    if job.state is not JobState.COMPLETED:
        return PROMISE_MISSED
    asked_at, steps = job.request.at, max(1, job.output_tokens - 1)
    kept = (
        (terms.ttft_s is None or job.first_at - asked_at <= terms.ttft_s)
        and (terms.tpot_s is None or (job.end_at - job.first_at) / steps <= terms.tpot_s)
        and (terms.completion_s is None or job.end_at - asked_at <= terms.completion_s)
        and (facts.deadline_at is None or job.end_at <= facts.deadline_at)
    )
    return PROMISE_KEPT if kept else PROMISE_MISSED


def summarize_run(records: JobRecords, world: World, *, wall_s: float = 0.0) -> dict[str, Any]:
    """Returns the summary of a run.

    Energy and emissions are those that running added, wake-ups and lost runs included, idle power
    excluded. ``slo_attainment`` is the part of the jobs with an objective, without cancelled ones,
    that met it; a refused or failed job missed it. ``utilisation`` is the part of all slots' time
    that runs used. Latencies are of completed jobs, at the client; ``tpot_s`` needs two tokens.

    Args:
        records: the world's recorder.
        world: after its run.
        wall_s: duration of the run by the caller's clock.
    """
    table = records.columns()
    done = table["state"] == JobState.COMPLETED.value
    asked, first, end = (table[name][done] for name in ("asked_at", "first_at", "end_at"))
    tokens = table["output_tokens"][done]
    several = tokens > 1
    promised = table["promise"] != NO_PROMISE
    energy_wh = float(sum(table[name].sum() for name in ("prefill_wh", "decode_wh", "wake_wh")))
    carbon_g = float(table["carbon_g"].sum())
    long_s = world.driver.now - world.started_at
    slots_s = sum(node.replica.slots for node in world.nodes.values()) * long_s
    slot_s = sum(
        instance.slot_s for node in world.nodes.values() for instance in node.model_instances()
    )
    output_tokens = int(tokens.sum())
    return {
        "jobs": len(records),
        "completed": int(done.sum()),
        "rejected": int((table["state"] == JobState.REFUSED.value).sum()),
        "failed": int((table["state"] == JobState.FAILED.value).sum()),
        "cancelled": int((table["state"] == JobState.CANCELLED.value).sum()),
        "input_tokens": int(table["input_tokens"][done].sum()),
        "output_tokens": output_tokens,
        "ttft_s": quantiles(first - asked),
        "tpot_s": quantiles((end - first)[several] / (tokens[several] - 1)),
        "e2e_s": quantiles(end - asked),
        "slo_attainment": ratio(int((table["promise"] == PROMISE_KEPT).sum()), int(promised.sum())),
        "energy_wh": energy_wh,
        "carbon_g": carbon_g,
        "carbon_g_per_1k_output_tokens": ratio(carbon_g * 1_000, output_tokens),
        "utilisation": ratio(slot_s, slots_s),
        "virtual_s": long_s,
        "events": world.driver.events_delivered,
        "wall_s": wall_s,
    }


def latency_rows(classes: Column, ttft_classes: Collection[str]) -> tuple[Column, Column]:
    """Returns the rows that count for waiting times and for TTFT; all rows if there are none.

    Args:
        classes: class of each job.
        ttft_classes: classes with a TTFT objective.
    """
    awaited = _rows_or_all(classes != JobClass.BATCH.value)
    return awaited, _rows_or_all(awaited & np.isin(classes, sorted(ttft_classes)))


def _rows_or_all(rows: Column) -> Column:
    return rows if rows.any() else np.ones(len(rows), dtype=bool)


def quantiles(
    values: Column, parts: tuple[tuple[str, float], ...] = QUANTILES
) -> dict[str, float | None]:
    """Returns named quantiles; None without values."""
    if not len(values):
        return {name: None for name, _ in parts}
    return {name: float(np.quantile(values, part)) for name, part in parts}


def ratio(of: float, whole: float) -> float | None:
    """Returns a part of a whole; None where there is no whole."""
    return of / whole if whole else None
