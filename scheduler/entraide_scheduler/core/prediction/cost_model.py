"""Cost model: cost of one more job on a replica, linear in its tokens.

Combines a replica's performance model, its load and its site's effective intensity into 15 numbers:
time to first token, time per token, energy and emissions as functions of the job's prompt and
answer. The model is computed whenever an input changes, so that a prediction for a job is a few
products.

Inputs: node, load, effective intensity. Output: ``CostModel``; ``formulas`` evaluate it.
"""

from typing import Generic, TypeVar

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from entraide.types import Replica
from entraide.units import uwh_from_joules
from entraide_scheduler.core.carbon import EffectiveIntensity
from entraide_scheduler.core.estimation import PerformanceModel
from entraide_scheduler.core.policy import IntensityBasis
from entraide_scheduler.core.records import Load, Node

Floats = NDArray[np.float64]
Number = TypeVar("Number", float, Floats)


class CostModel(Struct, Generic[Number], frozen=True, gc=False):
    """Cost of one more job on a replica, or as columns on each of many.

    With n prompt tokens that are not in the replica's cache, m answer tokens, and t the time:

    - TTFT = max(0, ``free_at`` - t) + ``start_s`` + n ``input_s``, seconds
    - TPOT = ``token_s``, the job itself in the batch, seconds
    - energy = ``wake_uwh`` + n ``input_uwh`` + m ``output_uwh``, microwatt-hours
    - emissions = ``wake_ug`` + n ``input_ug`` + m ``output_ug``, micrograms of CO2 equivalent

    ``ttft_excess`` (``queued_excess`` behind other prompts) and ``tpot_excess`` are the margins of
    the p90 above the mean, as fractions of the mean. ``full_part`` is the occupied fraction of the
    slots, ``g_per_kwh`` the effective intensity of one more job.
    """

    free_at: Number
    start_s: Number
    input_s: Number
    token_s: Number
    ttft_excess: Number
    queued_excess: Number
    tpot_excess: Number
    wake_uwh: Number
    input_uwh: Number
    output_uwh: Number
    wake_ug: Number
    input_ug: Number
    output_ug: Number
    full_part: Number
    g_per_kwh: Number


class EnergyCost(Struct, Generic[Number], frozen=True, gc=False):
    """The energy of a cost model alone, microwatt-hours; as columns of some of its rows."""

    wake_uwh: Number
    input_uwh: Number
    output_uwh: Number


def make_cost_model(
    node: Node, load: Load, effective: EffectiveIntensity, basis: IntensityBasis
) -> CostModel[float]:
    """Returns the cost of one more job on a replica under its present load.

    The energy is marginal: the energy that the machine uses only because it runs the job. A decode
    step takes ``step_uwh`` at any batch size, and ``token_uwh`` more for each sequence. A job adds
    the step only while it runs alone. Among b jobs with exponential lengths of one mean, that is
    1/b of its time, so a token takes ``step_uwh / b + token_uwh``. The first job on a sleeping
    machine is also charged the energy and the time of waking it.
    """
    pace = load.pace
    batch = load.leases + 1
    start_s = node.card.rtt_s + pace.start_s
    wake_uwh = 0.0
    if not node.leases:
        power = node.card.power
        start_s += power.wake_s
        wake_uwh = float(uwh_from_joules(power.wake_j))
    input_uwh = pace.prefill_uwh_per_token
    output_uwh = pace.step_uwh / batch + pace.token_uwh
    direct = basis is IntensityBasis.DIRECT
    # One microwatt-hour at one gram per kilowatt-hour is a thousandth of a microgram.
    g_per_kwh = effective.direct_g_per_kwh if direct else effective.lifecycle_g_per_kwh
    grams = g_per_kwh / 1_000
    return CostModel(
        load.free_at,
        start_s,
        pace.prefill_s_per_token + pace.steps_per_token * pace.step_s(load.leases),
        pace.tpot_base_s + pace.tpot_per_sequence_s * batch,
        pace.ttft_p90 - 1.0,
        pace.queued_p90 - 1.0,
        pace.tpot_p90 - 1.0,
        wake_uwh,
        input_uwh,
        output_uwh,
        wake_uwh * grams,
        input_uwh * grams,
        output_uwh * grams,
        load.leases / pace.slots,
        g_per_kwh,
    )


def make_best_cost_model(
    cost: CostModel[float], pace: PerformanceModel, g_per_kwh: float, batch: int
) -> CostModel[float]:
    """Returns an awake replica's cost of one more job in a batch of a size, at an intensity."""
    grams = g_per_kwh / 1_000
    output_uwh = pace.step_uwh / batch + pace.token_uwh
    return structs.replace(
        cost,
        wake_uwh=0.0,
        output_uwh=output_uwh,
        wake_ug=0.0,
        input_ug=cost.input_uwh * grams,
        output_ug=output_uwh * grams,
    )


def is_cheaper(now: CostModel[float], before: CostModel[float]) -> bool:
    """Tells whether some job would take less energy or emit less than by an earlier model."""
    return (
        now.wake_uwh < before.wake_uwh
        or now.input_uwh < before.input_uwh
        or now.output_uwh < before.output_uwh
        or now.wake_ug < before.wake_ug
        or now.input_ug < before.input_ug
        or now.output_ug < before.output_ug
    )


def typical_token_uwh(replica: Replica, *, extra_w: float) -> tuple[float, float]:
    """Returns a card's energy of a prompt token, and of an answer token at a full batch."""
    rates = replica.rates
    each_s = rates.tpot_base_s / replica.slots + rates.tpot_per_sequence_s
    return (
        float(uwh_from_joules(extra_w / rates.prefill_tokens_per_s)),
        float(uwh_from_joules(extra_w * each_s)),
    )
