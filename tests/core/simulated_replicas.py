"""Simulated replicas with known coefficients, and runs on them from which a model learns."""

import math
import random
from collections.abc import Callable

import msgspec
from msgspec import Struct

from entraide.types import Basis, Rates
from entraide_scheduler.core.estimation import PerformanceModel, RunMeasurement
from entraide_scheduler.core.estimation.performance_model import UWH_PER_J

SLOTS = 16
EXTRA_W = 30.0

Noise = Callable[[random.Random], float]


class Machine(Struct):
    """The true coefficients of a machine."""

    start_s: float = 0.03
    prefill_s: float = 1 / 800
    steps: float = 1 / 64
    base_s: float = 0.03
    line_s: float = 0.004
    prefill_w: float = 30.0
    step_w: float = 20.0
    token_w: float = 15.0

    def read_s(self, beside: int) -> float:
        """Returns the time of a prompt token beside other sequences, seconds."""
        return self.prefill_s + self.steps * (self.base_s + self.line_s * beside) * (beside > 0)

    def slower(self, factor: float) -> "Machine":
        """Returns the machine with all times multiplied by a factor, at the same power."""
        times = ("start_s", "prefill_s", "base_s", "line_s")
        return msgspec.structs.replace(
            self, **{name: getattr(self, name) * factor for name in times}
        )


class Run(Struct):
    """Ratios observed / predicted of one run, and whether each exceeded the p90."""

    ttft: float
    ttft_beyond: bool
    tpot: float
    tpot_beyond: bool


def normal(sigma: float) -> Noise:
    return lambda luck: max(0.2, 1.0 + sigma * luck.gauss(0, 1))


def lognormal(sigma: float) -> Noise:
    return lambda luck: math.exp(sigma * luck.gauss(0, 1) - sigma * sigma / 2)


def shifted_exponential(luck: random.Random) -> float:
    return 0.7 + 0.3 * luck.expovariate(1)


def bimodal(luck: random.Random) -> float:
    return 1.0 + (0.05 * luck.gauss(0, 1) if luck.random() < 0.85 else luck.uniform(0.5, 1.5))


def model_of_card(
    machine: Machine, *, off: float = 1.0, basis: Basis = Basis.MEASURED
) -> PerformanceModel:
    """Returns the prior of a card whose times are ``off`` times the true ones."""
    rates = Rates(
        1.0 / (machine.prefill_s * off), machine.base_s * off, machine.line_s * off, basis
    )
    return PerformanceModel.prior(rates, extra_w=EXTRA_W, slots=SLOTS)


def run_jobs(
    model: PerformanceModel,
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
    """Runs jobs on a machine, some behind a queue, and has its model learn from each.

    ``queued`` is the fraction of queued jobs, ``late`` the number of runs that begin before the
    measurement of a run arrives.
    """
    done = []
    ended: list[RunMeasurement] = []
    for _ in range(runs):
        read = int(math.exp(luck.uniform(math.log(tokens[0]), math.log(tokens[1]))))
        batch, written = luck.randint(*batches), luck.randint(5, 400)
        ahead = luck.randint(100, 4_000) if luck.random() < queued else 0
        prompts = luck.randint(1, 8) if ahead else 0
        per_token_s = model.prefill_s_per_token + model.steps_per_token * model.step_s(batch - 1)
        queue_s = prompts * model.start_s + ahead * per_token_s
        ttft_s = queue_s + model.start_s + read * per_token_s
        tpot_s = model.tpot_base_s + model.tpot_per_sequence_s * batch
        true_s = (1 + prompts) * machine.start_s + (ahead + read) * machine.read_s(batch - 1)
        seen_ttft_s = true_s * noise(luck)
        seen_tpot_s = (machine.base_s + machine.line_s * batch) * noise(luck)
        done.append(
            Run(
                seen_ttft_s / ttft_s,
                seen_ttft_s > ttft_s * (model.queued_p90 if ahead else model.ttft_p90),
                seen_tpot_s / tpot_s,
                seen_tpot_s > tpot_s * model.tpot_p90,
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
            model.record_run(ended.pop(0))
    return done


def mape(ratios: list[float]) -> float:
    """Returns the mean of |observed - predicted| / observed."""
    return sum(abs(1.0 - 1.0 / ratio) for ratio in ratios) / len(ratios)


def mapes(done: list[Run]) -> tuple[float, float]:
    """Returns the MAPE of the first token and of the time per token."""
    return mape([run.ttft for run in done]), mape([run.tpot for run in done])


def numbers(model: PerformanceModel) -> list[float]:
    """Returns the coefficients that a prediction reads."""
    return [
        model.start_s,
        model.prefill_s_per_token,
        model.steps_per_token,
        model.tpot_base_s,
        model.tpot_per_sequence_s,
        model.prefill_uwh_per_token,
        model.step_uwh,
        model.token_uwh,
        model.ttft_p90,
        model.queued_p90,
        model.tpot_p90,
    ]


def with_changes(run: RunMeasurement, **changes: float | Basis) -> RunMeasurement:
    """Returns a run with some changes."""
    return msgspec.structs.replace(run, **changes)
