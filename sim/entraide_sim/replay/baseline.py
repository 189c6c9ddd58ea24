"""Baseline: the old policy's simulated life beside the recorded one, before any comparison.

Input: the outcomes of the jobs in both lives. Only jobs whose end the journal knows count, so that
work which was open at its end distorts neither side. Output: both lives' figures, and whether the
simulation repeats the past closely enough for a comparison of policies to mean anything.
"""

from collections import Counter
from collections.abc import Collection

import numpy as np
from msgspec import Struct

from entraide.types import JobState
from entraide.units import UWH_PER_WH
from entraide_sim.recordings import JobOutcome, JobOutcomes
from entraide_sim.world import latency_rows

SERVED_PART = TOKENS_PART = 0.02  # greatest differences, as parts of the recorded figure
ENERGY_PART = 0.15
TTFT_PART, TTFT_LEAST_S = 0.25, 0.5  # the larger counts
CODES_MAX = 3  # causes that are named
OPEN = "open"  # end of a job that has none

EQUAL, DIFFERENT, EMPTY = "equal", "different", "empty"


class LifeFigures(Struct, frozen=True):
    """Figures of a life: the jobs whose end the journal knows.

    Attributes:
        jobs: all of them.
        served: completed ones.
        tokens: of prompts and answers of completed ones.
        energy_wh: of their runs that were settled.
        ttft_s_p95: 95th percentile of the time to the first token; None without one.
    """

    jobs: int
    served: int
    tokens: int
    energy_wh: float
    ttft_s_p95: float | None


class Difference(Struct, frozen=True):
    """A figure of both lives, and how far they may be apart."""

    figure: str
    recorded: float
    simulated: float
    allowed: float

    @property
    def is_too_large(self) -> bool:
        """Whether the lives are further apart than allowed."""
        return abs(self.simulated - self.recorded) > self.allowed


class Baseline(Struct, frozen=True):
    """The recorded and the simulated life under the same policy.

    Attributes:
        recorded, simulated: figures of both.
        verdict: ``equal``, ``different``, or ``empty`` if the journal knows of no served request.
        differences: figures that are too far apart.
        otherwise: jobs that ended otherwise, by "recorded end > simulated end".
    """

    recorded: LifeFigures
    simulated: LifeFigures
    verdict: str
    differences: tuple[Difference, ...]
    otherwise: dict[str, int]


def compare_lives(
    recorded: JobOutcomes, simulated: JobOutcomes, ttft_classes: Collection[str]
) -> Baseline:
    """Returns the baseline of two lives.

    Args:
        recorded: outcomes of the journal.
        simulated: outcomes of the simulation under the recorded policies.
        ttft_classes: classes with a TTFT objective.
    """
    names = [name for name, outcome in recorded.by_job.items() if outcome.state is not None]
    past = [recorded.by_job[name] for name in names]
    again = [simulated.by_job.get(name, JobOutcome("")) for name in names]
    figures = _figures(past, ttft_classes), _figures(again, ttft_classes)
    large = tuple(each for each in _differences(*figures) if each.is_too_large)
    otherwise = Counter(
        f"{_end(before)} > {_end(after)}"
        for before, after in zip(past, again, strict=True)
        if before.state is not after.state
    )
    verdict = DIFFERENT if large else EQUAL
    if not figures[0].served and not large:
        verdict = EMPTY
    return Baseline(*figures, verdict, large, dict(otherwise.most_common(CODES_MAX)))


def _end(outcome: JobOutcome) -> str:
    return outcome.code or (OPEN if outcome.state is None else outcome.state.value)


def _figures(outcomes: list[JobOutcome], ttft_classes: Collection[str]) -> LifeFigures:
    served = [outcome for outcome in outcomes if outcome.state is JobState.COMPLETED]
    ttft_s = None
    if served:
        classes = np.array([outcome.job_class for outcome in served])
        _, promised_soon = latency_rows(classes, ttft_classes)
        times = np.array([outcome.ttft_s for outcome in served])[promised_soon]
        ttft_s = float(np.quantile(times, 0.95))
    return LifeFigures(
        len(outcomes),
        len(served),
        sum(outcome.tokens for outcome in served),
        sum(outcome.energy_uwh for outcome in outcomes) / UWH_PER_WH,
        ttft_s,
    )


def _differences(recorded: LifeFigures, simulated: LifeFigures) -> list[Difference]:
    differences = [
        Difference(name, before, getattr(simulated, name), part * before)
        for name, before, part in (
            ("served", recorded.served, SERVED_PART),
            ("tokens", recorded.tokens, TOKENS_PART),
            ("energy_wh", recorded.energy_wh, ENERGY_PART),
        )
    ]
    before, after = recorded.ttft_s_p95, simulated.ttft_s_p95
    if before is not None and after is not None:
        allowed = max(TTFT_PART * before, TTFT_LEAST_S)
        differences.append(Difference("ttft_s_p95", before, after, allowed))
    return differences
