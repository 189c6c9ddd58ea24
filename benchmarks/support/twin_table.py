"""Twin table: measured and simulated figures of every engine with measurements.

Derives the loads from settings and calibration, and aggregates figures over requests and repeats.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from benchmarks.support import twin_fit
from benchmarks.support.twin_fit import FittedModel, Latencies, MeasuredRequest
from benchmarks.support.twin_store import LoadRepeat, MeasurementStore, TwinSettings, read_settings
from msgspec import Struct

from entraide_sim import Arrival
from entraide_sim.workload import make_rng

AROUND_TOKENS = 25  # of a prompt, beside its words: template and number


class TwinMachine(Struct, frozen=True):
    """Calibration of one engine.

    Attributes:
        capacity_per_s: capacity of which the loads are parts, requests/s.
        others_part: part of the engine's core that other programs took, in the worst repeat: well
            above 0, the live figures are of a machine that was not this pool's alone. None where
            the engine's processes are not known.
    """

    engine: str
    machine: str
    prefill_tokens_per_s: float
    steps_s: tuple[float, ...]
    mixed_s: float
    settle_s: float
    start_s: float
    tail_s: float
    capacity_per_s: float
    calibration_requests: int
    others_part: float | None


class TwinRow(Struct, frozen=True):
    """One figure of one load; ``held`` if its error is within the goal."""

    engine: str
    load: str
    figure: str
    requests: int
    repeats: int
    live_s: float
    live_spread_part: float
    simulated_s: float
    error_part: float
    allowed_part: float
    held: bool


def capacity_per_s(settings: TwinSettings, fitted: FittedModel, load: str = "") -> float:
    """Returns the machine's capacity for a load's mean lengths, requests/s."""
    shape = settings.shape(load)
    return twin_fit.capacity_per_s(
        fitted,
        settings.bounds,
        input_tokens=sum(shape.words) / 2 + AROUND_TOKENS,
        output_tokens=sum(shape.answers) / 2,
    )


def load_capacities(kept: MeasurementStore) -> dict[str, float] | None:
    """Returns the capacity for each load, requests/s; None before a calibration."""
    per_s = kept.capacity_per_s()
    if per_s is None:
        return None
    return {load: kept.capacity_per_s(load) or per_s for load in kept.settings.loads}


def load_arrivals(settings: TwinSettings, load: str, rate_per_s: float, seed: int) -> list[Arrival]:
    """Returns Poisson arrivals; ``input_tokens`` are words until the engine counts tokens.

    For a load of simultaneous requests, the groups are a Poisson process.
    """
    source, count, shape = make_rng(seed), settings.requests, settings.shape(load)
    groups = -(-count // shape.together)
    gaps = source.exponential(shape.together / rate_per_s, groups)
    times = gaps.cumsum().repeat(shape.together)[:count].tolist()
    words = source.integers(shape.words[0], shape.words[1] + 1, count).tolist()
    answers = source.integers(shape.answers[0], shape.answers[1] + 1, count).tolist()
    return [Arrival(at, "", *lengths) for at, *lengths in zip(times, words, answers, strict=True)]


def all_load_arrivals(
    settings: TwinSettings, per_s: Mapping[str, float]
) -> dict[str, list[Arrival]]:
    """Returns the arrivals of each load, as parts of its capacity."""
    return {
        name: load_arrivals(settings, name, part * per_s[name], settings.seed + number)
        for number, (name, part) in enumerate(settings.loads.items())
    }


def measured_latencies(requests: Sequence[MeasuredRequest]) -> Latencies:
    """Returns the measured latencies of one repeat of a load."""
    return Latencies(
        [request.ttft_s for request in requests],
        [request.tpot_s for request in requests],
        [request.e2e_s for request in requests],
    )


def figure_rows(
    engine: str, name: str, repeats: Sequence[Sequence[MeasuredRequest]], twin: Latencies
) -> list[TwinRow]:
    """Returns a row for each figure of a load."""
    live = [measured_latencies(requests).figures() for requests in repeats]
    rows = []
    for figure, simulated in twin.figures().items():
        comparison = twin_fit.compare_figure([figures[figure] for figures in live], simulated)
        rows.append(
            TwinRow(
                engine=engine,
                load=name,
                figure=figure,
                requests=len(repeats[0]),
                repeats=len(repeats),
                live_s=comparison.live_s,
                live_spread_part=comparison.spread_part,
                simulated_s=comparison.simulated_s,
                error_part=comparison.error_part,
                allowed_part=comparison.allowed_part,
                held=comparison.error_part <= comparison.allowed_part,
            )
        )
    return rows


def twin_rows(folder: Path) -> list[Struct]:
    """Returns the rows of every engine with at least one repeat of each load."""
    machines: list[Struct] = []
    rows: list[Struct] = []
    for home in sorted(path for path in folder.iterdir() if path.is_dir()):
        settings = read_settings(home)
        if settings is None:
            continue
        kept = MeasurementStore(home, settings)
        calibrations, per_s = kept.calibrations(), load_capacities(kept)
        repeats_by_load = {
            load: list(_read_repeats(kept, settings, load)) for load in settings.loads
        }
        if not calibrations or per_s is None or not all(repeats_by_load.values()):
            continue
        fitted = twin_fit.fit_model(calibrations)
        other_parts = [
            repeat.others_part for repeats in repeats_by_load.values() for repeat in repeats
        ]
        known = [part for part in other_parts if part is not None]
        machines.append(
            _make_machine_row(
                settings, fitted, per_s[next(iter(settings.loads))], max(known) if known else None
            )
        )
        for load, arrivals in all_load_arrivals(settings, per_s).items():
            measured = [repeat.seen for repeat in repeats_by_load[load]]
            counted = [
                msgspec.structs.replace(arrival, input_tokens=request.input_tokens)
                for arrival, request in zip(arrivals, measured[0], strict=True)
            ]
            twin = twin_fit.simulate_load(counted, fitted, settings.bounds)
            rows += figure_rows(settings.engine, load, measured, twin)
    return [*machines, *rows]


def _read_repeats(
    kept: MeasurementStore, settings: TwinSettings, load: str
) -> Iterator[LoadRepeat]:
    for number in range(1, settings.repeats + 1):
        repeat = kept.repeat(load, number)
        if repeat is not None:
            yield repeat


def _make_machine_row(
    settings: TwinSettings, fitted: FittedModel, per_s: float, others_part: float | None
) -> TwinMachine:
    return TwinMachine(
        engine=settings.engine,
        machine=os.uname().machine,
        prefill_tokens_per_s=fitted.rates.prefill_tokens_per_s,
        steps_s=fitted.steps_s,
        mixed_s=fitted.mixed_s,
        settle_s=fitted.settle_s,
        start_s=fitted.start_s,
        tail_s=fitted.tail_s,
        capacity_per_s=per_s,
        calibration_requests=fitted.requests,
        others_part=others_part,
    )
