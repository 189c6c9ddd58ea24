"""The table of a twin: every engine of which something was measured, beside what was foretold.

Decides the loads that settings and a calibration come to, how a figure is summed over requests and
repeats, and which rows are told. It refuses to know how anything was measured.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from benchmarks.support import twin_fit
from benchmarks.support.twin_fit import Fitted, Latencies, Seen
from benchmarks.support.twin_kept import Kept, Repeat, Settings, settings_of
from msgspec import Struct

from entraide_sim import Arrival
from entraide_sim.arrivals import luck

AROUND_TOKENS = 25  # of a prompt, beside its words: template and number


class Machine(Struct, frozen=True):
    """What the calibration found.

    Attributes:
        capacity_per_s: what the loads are parts of, requests a second.
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


class Row(Struct, frozen=True):
    """One figure of one load; ``held`` when its error is allowed."""

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


def capacity_per_s(settings: Settings, fitted: Fitted, load: str = "") -> float:
    """Returns how many requests of a load's mean lengths the machine can serve in a second."""
    shape = settings.shape(load)
    return twin_fit.capacity_per_s(
        fitted,
        settings.bounds,
        input_tokens=sum(shape.words) / 2 + AROUND_TOKENS,
        output_tokens=sum(shape.answers) / 2,
    )


def capacities(kept: Kept) -> dict[str, float] | None:
    """Returns the requests a second that each load is a part of; None before a calibration."""
    per_s = kept.capacity_per_s()
    if per_s is None:
        return None
    return {load: kept.capacity_per_s(load) or per_s for load in kept.settings.loads}


def arrivals_of(settings: Settings, load: str, rate_per_s: float, seed: int) -> list[Arrival]:
    """Returns a Poisson load; ``input_tokens`` are words of the prompt until they are counted.

    Where a load's requests come together, the Poisson process is that of the groups.
    """
    source, count, shape = luck(seed), settings.requests, settings.shape(load)
    groups = -(-count // shape.together)
    gaps = source.exponential(shape.together / rate_per_s, groups)
    times = gaps.cumsum().repeat(shape.together)[:count].tolist()
    words = source.integers(shape.words[0], shape.words[1] + 1, count).tolist()
    answers = source.integers(shape.answers[0], shape.answers[1] + 1, count).tolist()
    return [Arrival(at, "", *lengths) for at, *lengths in zip(times, words, answers, strict=True)]


def loads_of(settings: Settings, per_s: Mapping[str, float]) -> dict[str, list[Arrival]]:
    """Returns the arrivals of each load, as parts of so many requests a second."""
    return {
        name: arrivals_of(settings, name, part * per_s[name], settings.seed + number)
        for number, (name, part) in enumerate(settings.loads.items())
    }


def latencies_of(seen: Sequence[Seen]) -> Latencies:
    """Returns what clients saw of one repeat of a load."""
    return Latencies(
        [one.ttft_s for one in seen], [one.tpot_s for one in seen], [one.e2e_s for one in seen]
    )


def rows_of(
    engine: str, name: str, repeats: Sequence[Sequence[Seen]], twin: Latencies
) -> list[Row]:
    """Returns a row for each figure of a load."""
    live = [latencies_of(seen).figures() for seen in repeats]
    rows = []
    for figure, simulated in twin.figures().items():
        found = twin_fit.compare([one[figure] for one in live], simulated)
        rows.append(
            Row(
                engine=engine,
                load=name,
                figure=figure,
                requests=len(repeats[0]),
                repeats=len(repeats),
                live_s=found.live_s,
                live_spread_part=found.spread_part,
                simulated_s=found.simulated_s,
                error_part=found.error_part,
                allowed_part=found.allowed_part,
                held=found.error_part <= found.allowed_part,
            )
        )
    return rows


def table(folder: Path) -> list[Struct]:
    """Returns the rows of every engine of which a folder has at least one repeat of each load."""
    machines: list[Struct] = []
    rows: list[Struct] = []
    for home in sorted(path for path in folder.iterdir() if path.is_dir()):
        settings = settings_of(home)
        if settings is None:
            continue
        kept = Kept(home, settings)
        calibrations, per_s = kept.calibrations(), capacities(kept)
        found = {load: list(_repeats(kept, settings, load)) for load in settings.loads}
        if not calibrations or per_s is None or not all(found.values()):
            continue
        fitted = twin_fit.fit(calibrations)
        told = [one.others_part for repeats in found.values() for one in repeats]
        known = [part for part in told if part is not None]
        machines.append(
            _machine(
                settings, fitted, per_s[next(iter(settings.loads))], max(known) if known else None
            )
        )
        for load, arrivals in loads_of(settings, per_s).items():
            seen = [repeat.seen for repeat in found[load]]
            counted = [
                msgspec.structs.replace(arrival, input_tokens=one.input_tokens)
                for arrival, one in zip(arrivals, seen[0], strict=True)
            ]
            twin = twin_fit.simulate(counted, fitted, settings.bounds)
            rows += rows_of(settings.engine, load, seen, twin)
    return [*machines, *rows]


def _repeats(kept: Kept, settings: Settings, load: str) -> Iterator[Repeat]:
    for number in range(1, settings.repeats + 1):
        found = kept.repeat(load, number)
        if found is not None:
            yield found


def _machine(
    settings: Settings, fitted: Fitted, per_s: float, others_part: float | None
) -> Machine:
    return Machine(
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
