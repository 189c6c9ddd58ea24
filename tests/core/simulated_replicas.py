"""Machines as they really are, and runs on them from which a pace learns."""

import math
import random
from collections.abc import Callable

import msgspec
from msgspec import Struct

from entraide.types import Basis, Rates
from entraide_scheduler.core.performance_model import UWH_PER_J, PerformanceModel, RunMeasurement

SLOTS = 16
EXTRA_W = 30.0

Noise = Callable[[random.Random], float]


class Machine(Struct):
    """A machine as it really is."""

    start_s: float = 0.03
    prefill_s: float = 1 / 800
    steps: float = 1 / 64
    base_s: float = 0.03
    line_s: float = 0.004
    prefill_w: float = 30.0
    step_w: float = 20.0
    token_w: float = 15.0

    def read_s(self, beside: int) -> float:
        """What it takes to read a token while others decode."""
        return self.prefill_s + self.steps * (self.base_s + self.line_s * beside) * (beside > 0)

    def slower(self, factor: float) -> "Machine":
        """The same machine at another clock, its power as before."""
        times = ("start_s", "prefill_s", "base_s", "line_s")
        return msgspec.structs.replace(
            self, **{name: getattr(self, name) * factor for name in times}
        )


class Run(Struct):
    """One run: ratios of seen to predicted, and whether the p90 was exceeded."""

    ttft: float
    ttft_beyond: bool
    tpot: float
    tpot_beyond: bool


def normal(sigma: float) -> Noise:
    return lambda luck: max(0.2, 1.0 + sigma * luck.gauss(0, 1))


def lognormal(sigma: float) -> Noise:
    return lambda luck: math.exp(sigma * luck.gauss(0, 1) - sigma * sigma / 2)


def lopsided(luck: random.Random) -> float:
    return 0.7 + 0.3 * luck.expovariate(1)


def two_moods(luck: random.Random) -> float:
    return 1.0 + (0.05 * luck.gauss(0, 1) if luck.random() < 0.85 else luck.uniform(0.5, 1.5))


def believed(
    machine: Machine, *, off: float = 1.0, basis: Basis = Basis.MEASURED
) -> PerformanceModel:
    """What its card lets believe: times that are ``off`` times the true ones."""
    rates = Rates(
        1.0 / (machine.prefill_s * off), machine.base_s * off, machine.line_s * off, basis
    )
    return PerformanceModel.prior(rates, extra_w=EXTRA_W, slots=SLOTS)


def drive(
    pace: PerformanceModel,
    machine: Machine,
    luck: random.Random,
    *,
    runs: int,
    noise: Noise,
    batches: tuple[int, int] = (1, SLOTS),
    tokens: tuple[int, int] = (20, 2_000),
    basis: Basis = Basis.MEASURED,
    queued: float = 1 / 3,
    late: int = 0,
) -> list[Run]:
    """Lets a machine run jobs, some behind a queue, and its pace learn from each.

    ``queued`` is the part of them that wait, ``late`` how many others begin before a run is known.
    """
    done = []
    ended: list[RunMeasurement] = []
    for _ in range(runs):
        read = int(math.exp(luck.uniform(math.log(tokens[0]), math.log(tokens[1]))))
        batch, written = luck.randint(*batches), luck.randint(5, 400)
        ahead = luck.randint(100, 4_000) if luck.random() < queued else 0
        prompts = luck.randint(1, 8) if ahead else 0
        per_token_s = pace.prefill_s_per_token + pace.steps_per_token * pace.step_s(batch - 1)
        queue_s = prompts * pace.start_s + ahead * per_token_s
        ttft_s = queue_s + pace.start_s + read * per_token_s
        tpot_s = pace.tpot_base_s + pace.tpot_per_sequence_s * batch
        true_s = (1 + prompts) * machine.start_s + (ahead + read) * machine.read_s(batch - 1)
        seen_ttft_s = true_s * noise(luck)
        seen_tpot_s = (machine.base_s + machine.line_s * batch) * noise(luck)
        done.append(
            Run(
                seen_ttft_s / ttft_s,
                seen_ttft_s > ttft_s * (pace.queued_p90 if ahead else pace.ttft_p90),
                seen_tpot_s / tpot_s,
                seen_tpot_s > tpot_s * pace.tpot_p90,
            )
        )
        step_j = machine.step_w * machine.base_s / batch + machine.token_w * machine.line_s
        ended.append(
            RunMeasurement(
                predicted_ttft_s=ttft_s,
                queue_s=queue_s,
                uncached_tokens=read,
                batch_at_start=batch - 1,
                ttft_s=seen_ttft_s,
                output_tokens=written,
                decode_s=seen_tpot_s * (written - 1),
                mean_batch=batch,
                energy_prefill_uwh=int(read * machine.prefill_s * machine.prefill_w * UWH_PER_J),
                energy_decode_uwh=int(written * step_j * UWH_PER_J),
                energy_basis=basis,
                predicted_tpot_s=tpot_s,
                queue_tokens=ahead,
                queue_prompts=prompts,
            )
        )
        if len(ended) > late:
            pace.record_run(ended.pop(0))
    return done


def mape(ratios: list[float]) -> float:
    """Mean of |seen - predicted| / seen."""
    return sum(abs(1.0 - 1.0 / ratio) for ratio in ratios) / len(ratios)


def mapes(done: list[Run]) -> tuple[float, float]:
    """That of the first token and of the time per token."""
    return mape([run.ttft for run in done]), mape([run.tpot for run in done])


def numbers(pace: PerformanceModel) -> list[float]:
    """The coefficients that a prediction reads."""
    return [
        pace.start_s,
        pace.prefill_s_per_token,
        pace.steps_per_token,
        pace.tpot_base_s,
        pace.tpot_per_sequence_s,
        pace.prefill_uwh_per_token,
        pace.step_uwh,
        pace.token_uwh,
        pace.ttft_p90,
        pace.queued_p90,
        pace.tpot_p90,
    ]


def quick(seen: RunMeasurement, **changes: float | Basis) -> RunMeasurement:
    """A run that differs in this."""
    return msgspec.structs.replace(seen, **changes)
