"""A batch of 50,000 lines beside live load: time, grams, latency of the others, jobs at once.

Three machines in Ontario (RTX 4090, 16 sequences each) serve a day of the ServeGen-derived load,
and one batch with a day of time that comes at its beginning. The simulator drives the pool's core;
its batch feeder uses the gateway's own line window. Each seed is a day of 2023 with its hourly
intensity and its published forecasts, and draws of its own; constants were chosen on the first
(``in_sample``), the others are ``held_out``. A row for each way:

- ``none``: live load alone, the reference of ``ttft_p95_ratio``.
- ``planned``: the batch as the pool runs it.
- ``at_once``: under a policy in which batches do not wait; the reference of ``saved_part``.

``ttft_p95_s`` is of the live requests that came in the minutes in which lines ran, and
``reference_ttft_p95_s`` of the same requests without the batch. ``lines_at_once`` counts jobs of
the batch that the core has at the same time.

    python -m benchmarks.batches [--json] [--quick] [--seeds N …] [--workers N]
"""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import msgspec
import numpy as np
import numpy.typing as npt
from benchmarks.support.common import data_path, make_parser, print_rows
from benchmarks.support.devices import MODEL, make_card, read_catalogue
from benchmarks.support.regions import HELD_OUT, IN_SAMPLE
from benchmarks.support.sampled_loads import expected_work_s, work_model
from msgspec import Struct

from entraide.types import DataClass, JobClass, JobKind, JobState, RequestFacts
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import DEFAULT_CLASSES, CoopTerms, Policy
from entraide_sim import (
    SERVER,
    Arrival,
    Grid,
    JobRecords,
    NodeSpec,
    RequestTemplate,
    World,
    make_requests,
    read_forecasts,
    read_series,
    read_servegen,
    slow_heartbeat_timing,
)
from entraide_sim.workload import make_rng
from entraide_sim.workload.servegen import generate_servegen
from entraide_sim.world.line_feeder import SimulatedBatch

ZONE, YEAR = "CA-ON", 2023
DEVICE, MACHINES, SLOTS = "rtx-4090-24", 3, 16
COOPS, BATCH_COOP = ("alpha", "beta"), "gamma"
HOUR_S, MINUTE_S = 3_600.0, 60.0
DAY_H = 24
HEARTBEAT_S, PROGRESS_S = 60.0, 15.0
LIVE_PEAK_PART = 0.10  # of the machines, in the heaviest hour
PROMPT_TOKENS, ANSWER_TOKENS = (100, 700), (50, 550)  # uniform, of a line
CHOSEN_ON = 1  # seed
SEEDS = (1, 2, 3)
NONE, PLANNED, AT_ONCE = "none", "planned", "at_once"


class BatchRunRow(Struct, frozen=True):
    """One way of running the batch on one seed; energies and grams are of the batch's lines."""

    seed: int
    sample: str
    way: str
    lines: int
    completed: int
    hours_to_last_line: float | None
    energy_wh: float
    carbon_g: float
    saved_part: float | None
    ttft_p95_s: float | None
    reference_ttft_p95_s: float | None
    ttft_p95_ratio: float | None
    ttft_p95_whole_day_s: float | None
    live_missed: int
    live_jobs: int
    lines_at_once: int


class BenchmarkSize(Struct, frozen=True):
    """Number of lines, and hours of live load."""

    lines: int
    live_h: int


WHOLE = BenchmarkSize(50_000, DAY_H)
QUICK = BenchmarkSize(500, 2)


class SimulatedDay(Struct, frozen=True):
    """Columns of the jobs of a run: live ones, and lines."""

    live: dict[str, npt.NDArray[np.float64]]
    lines: dict[str, npt.NDArray[np.float64]]
    completed: int


def simulate_day(seed: int, way: str, size: BenchmarkSize) -> SimulatedDay:
    """Simulates a day with one way of running the batch."""
    path = data_path(f"carbon/{ZONE}_{YEAR}_hourly.csv")
    year = read_series(path, zone=ZONE)
    day = int(make_rng(seed).integers(7, 350))
    start_at = year.start_at + day * DAY_H * HOUR_S
    forecasts = read_forecasts(data_path(f"carbon/{ZONE}_{YEAR}_forecast_96h.csv"), zone=ZONE)
    policy = make_policy(way)
    records = JobRecords(policy)
    world = World(
        Core(),
        start_at=start_at,
        policy=policy,
        nodes=make_fleet(),
        grid=Grid([read_series(path, zone=ZONE, start_at=start_at, hours=4 * DAY_H)], forecasts),
        heartbeat_s=HEARTBEAT_S,
        progress_s=PROGRESS_S,
        recorder=records,
        seed=seed,
    )
    live = make_requests(
        live_arrivals(seed, size), RequestTemplate(MODEL), start_at=start_at, coops=COOPS, seed=seed
    )
    batches = () if way == NONE else (make_batch(seed, size, start_at),)
    world.run(live, batches=batches)
    return split_records(records)


def make_policy(way: str) -> Policy:
    """Returns the default policy; for ``at_once``, one in which no class waits."""
    classes = DEFAULT_CLASSES
    if way == AT_ONCE:
        classes = tuple(msgspec.structs.replace(terms, green_hours=False) for terms in classes)
    return Policy(
        way,
        tuple(CoopTerms(coop) for coop in (*COOPS, BATCH_COOP)),
        classes=classes,
        timing=slow_heartbeat_timing(HEARTBEAT_S),
    )


def make_fleet() -> list[NodeSpec]:
    """Returns the machines, one of each co-op."""
    device = read_catalogue()[DEVICE]
    return [
        NodeSpec(
            card=make_card(
                device, node=f"node-{coop}", coop=coop, zone=ZONE, slots=SLOTS, rtt_s=0.02
            ),
            curve=SERVER,
        )
        for coop in (*COOPS, BATCH_COOP)
    ]


def live_arrivals(seed: int, size: BenchmarkSize) -> list[Arrival]:
    """Returns the first day of ServeGen's load, scaled to a part of the machines."""
    files = [
        data_path(f"traces/servegen_m-small_days0-6_{name}.csv") for name in ("rates", "lengths")
    ]
    work = work_model(read_catalogue()[DEVICE], SLOTS)
    whole = read_servegen(*files, until_s=DAY_H * HOUR_S)
    heaviest_s = max(expected_work_s(whole, work, hours=DAY_H))
    scale = LIVE_PEAK_PART * MACHINES * HOUR_S / heaviest_s
    senders = read_servegen(*files, scale=scale, until_s=size.live_h * HOUR_S)
    return list(generate_servegen(senders, seed=seed))


def make_batch(seed: int, size: BenchmarkSize, at: float) -> SimulatedBatch:
    """Returns the batch, which comes at ``at`` and has a day."""
    draw = make_rng(seed, 2)
    prompts = draw.integers(*PROMPT_TOKENS, size.lines).tolist()
    answers = draw.integers(*ANSWER_TOKENS, size.lines).tolist()
    facts = RequestFacts(
        "batch", BATCH_COOP, "main", BATCH_COOP, "sim", JobKind.KEPT, JobClass.BATCH,
        DataClass.INTERNAL, "CA", MODEL, 1, 1, None, deadline_at=at + DAY_H * HOUR_S,
    )  # fmt: skip
    return SimulatedBatch(at, facts, tuple(zip(prompts, answers, strict=True)))


def split_records(records: JobRecords) -> SimulatedDay:
    """Returns the columns that rows need, of live jobs and of lines."""
    table = records.columns()
    is_line = table["job_class"] == JobClass.BATCH.value
    names = ("asked_at", "placed_at", "first_at", "end_at", "carbon_g", "promise")
    columns = {name: table[name] for name in names}
    columns["energy_wh"] = sum(table[name] for name in ("prefill_wh", "decode_wh", "wake_wh"))
    return SimulatedDay(
        {name: column[~is_line] for name, column in columns.items()},
        {name: column[is_line] for name, column in columns.items()},
        int((table["state"][is_line] == JobState.COMPLETED.value).sum()),
    )


def ttft_p95_s(
    day: SimulatedDay, lines: dict[str, npt.NDArray[np.float64]] | None = None
) -> float | None:
    """Returns the 95th percentile of the live requests' TTFT; None if none counts.

    Args:
        day: the run.
        lines: count only the requests of the minutes in which one of these lines ran.
    """
    asked, first = day.live["asked_at"], day.live["first_at"]
    counts = first > 0.0
    if lines is not None:
        counts &= np.isin(asked // MINUTE_S, busy_minutes(lines))
    waits = (first - asked)[counts]
    return float(np.quantile(waits, 0.95)) if len(waits) else None


def busy_minutes(lines: dict[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Returns the minutes in which lines began or ended; a run takes less than one."""
    return np.unique(np.concatenate((lines["placed_at"], lines["end_at"])) // MINUTE_S)


def most_at_once(begins: npt.NDArray[np.float64], ends: npt.NDArray[np.float64]) -> int:
    """Returns how many spans overlap at most; one that begins as another ends overlaps it not."""
    times = np.concatenate((begins, ends))
    steps = np.concatenate((np.ones(len(begins), np.int64), -np.ones(len(ends), np.int64)))
    return int(np.cumsum(steps[np.lexsort((steps, times))]).max(initial=0))


def make_rows(seed: int, size: BenchmarkSize, days: dict[str, SimulatedDay]) -> list[BatchRunRow]:
    """Returns a row for each way of one seed."""
    at_once_g = float(days[AT_ONCE].lines["carbon_g"].sum())
    rows = []
    for way, day in days.items():
        lines = day.lines
        grams, is_batch = float(lines["carbon_g"].sum()), way != NONE
        own = ttft_p95_s(day, lines) if is_batch else None
        reference = ttft_p95_s(days[NONE], lines) if is_batch else None
        begins_at = float(lines["asked_at"].min()) if is_batch else 0.0
        rows.append(
            BatchRunRow(
                seed,
                IN_SAMPLE if seed == CHOSEN_ON else HELD_OUT,
                way,
                size.lines if is_batch else 0,
                day.completed,
                (float(lines["end_at"].max()) - begins_at) / HOUR_S if is_batch else None,
                float(lines["energy_wh"].sum()),
                grams,
                1.0 - grams / at_once_g if way == PLANNED else None,
                own,
                reference,
                own / reference if own and reference else None,
                ttft_p95_s(day),
                int((day.live["promise"] == 0).sum()),
                len(day.live["asked_at"]),
                most_at_once(lines["asked_at"], lines["end_at"]),
            )
        )
    return rows


def main(arguments: Sequence[str]) -> None:
    """Measures and prints the rows."""
    parser: argparse.ArgumentParser = make_parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="few lines, two hours of live load")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--workers", type=int, default=None, help="processes (one for each core)")
    options = parser.parse_args(arguments)
    size = QUICK if options.quick else WHOLE
    rows: list[Struct] = []
    with ProcessPoolExecutor(options.workers) as pool:
        pending = {
            seed: {
                way: pool.submit(simulate_day, seed, way, size) for way in (NONE, PLANNED, AT_ONCE)
            }
            for seed in options.seeds
        }
        for seed, runs in pending.items():
            rows += make_rows(seed, size, {way: run.result() for way, run in runs.items()})
            print(f"seed {seed}: done", file=sys.stderr)
    print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
