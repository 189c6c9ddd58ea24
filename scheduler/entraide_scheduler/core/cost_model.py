"""Quotes: what one more job would cost on a replica, as a few numbers.

Decides how a replica's learned pace, its load and its site's intensity come together: seconds to
the first token, seconds for each token, energy and grams, linear in the job's prompt and answer.
A quote is made anew whenever one of these changes, so that looking at a job costs a few products.
It refuses to know jobs.
"""

from msgspec import Struct

from entraide.types import Replica
from entraide.units import uwh_from_joules
from entraide_scheduler.core.carbon import EffectiveIntensity
from entraide_scheduler.core.policy import IntensityBasis
from entraide_scheduler.core.records import Load, Node


class CostModel(Struct, frozen=True, gc=False):
    """What a replica asks for one more job.

    With n prompt tokens not in its cache and m tokens of answer, at a moment:

    - TTFT = max(0, ``free_at`` - moment) + ``start_s`` + n ``input_s``
    - TPOT = ``token_s``, with the job in the batch
    - energy = ``wake_uwh`` + n ``input_uwh`` + m ``output_uwh``, microwatt-hours
    - grams = ``wake_ug`` + n ``input_ug`` + m ``output_ug``, micrograms of CO2 equivalent

    ``ttft_excess`` (``queued_excess`` behind other prompts) and ``tpot_excess`` are what nine runs
    of ten stay below, as a part of the mean above it. ``full_part`` is the part of its slots that
    is taken, ``g_per_kwh`` the intensity of one more job's load.
    """

    free_at: float
    start_s: float
    input_s: float
    token_s: float
    ttft_excess: float
    queued_excess: float
    tpot_excess: float
    wake_uwh: float
    input_uwh: float
    output_uwh: float
    wake_ug: float
    input_ug: float
    output_ug: float
    full_part: float
    g_per_kwh: float


def make_cost_model(
    node: Node, load: Load, effective: EffectiveIntensity, basis: IntensityBasis
) -> CostModel:
    """Returns what a replica asks for one more job, as it is loaded now.

    The energy is marginal: what the machine uses more for having the job. A decode step costs
    ``step_uwh`` whatever the batch, and ``token_uwh`` for each sequence. The new job pays the step
    only while it runs alone; among b jobs whose lengths are alike and have no memory that is one
    b-th of its time, so a token costs ``step_uwh / b + token_uwh``. A machine that sleeps while it
    has nothing to do is woken by the first job, which pays for that.
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


def is_cheaper(now: CostModel, before: CostModel) -> bool:
    """Tells whether any job may take less energy, or emit less, than by the quote before."""
    return (
        now.wake_uwh < before.wake_uwh
        or now.input_uwh < before.input_uwh
        or now.output_uwh < before.output_uwh
        or now.wake_ug < before.wake_ug
        or now.input_ug < before.input_ug
        or now.output_ug < before.output_ug
    )


def typical_token_uwh(replica: Replica, *, extra_w: float) -> tuple[float, float]:
    """Returns what a token of a prompt takes, and one of an answer at a full batch, by the card."""
    rates = replica.rates
    each_s = rates.tpot_base_s / replica.slots + rates.tpot_per_sequence_s
    return (
        float(uwh_from_joules(extra_w / rates.prefill_tokens_per_s)),
        float(uwh_from_joules(extra_w * each_s)),
    )
