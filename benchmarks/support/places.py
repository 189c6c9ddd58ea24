"""Places: one load, one way of picking nodes, one energy model; what it emits and what it keeps.

Decides the fleet in three provinces and what is told of a run. All machines are alike and only
their places differ, so that a linear program over hours and zones bounds what any placement can
save. The node's behaviour is the simulator's, the decisions are the core's.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from benchmarks.support.devices import MODEL, card, catalogue
from benchmarks.support.loads import HOUR_S, Load, work_s
from benchmarks.support.optimum import least_g
from benchmarks.support.pooled import passed_on_part
from msgspec import Struct

from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Picker, Policy
from entraide_sim import (
    LINEAR,
    SERVER,
    Curve,
    Driver,
    Grid,
    NodeSpec,
    Records,
    Series,
    Wish,
    World,
    quiet,
    requests,
    summary,
)
from entraide_sim.energy import J_PER_KWH

DEVICE = "rtx-4090-24"
SLOTS = 16
GREEN_PART_MOST = 0.4  # of the mean load that Québec can carry
ZONES = ("CA-QC", "CA-ON", "CA-AB")
RTT_S = {"CA-QC": 0.010, "CA-ON": 0.020, "CA-AB": 0.060}  # from a pool in Montréal
COOPS = ("alpha", "beta", "gamma")
ENERGY: dict[str, Curve] = {"linear": LINEAR, "batch_curve": SERVER}
PROMISE_S = 2.0  # to the first token: what comes last in a sample may begin so much later
# Ways to pick that look at no energy: one run of theirs tells what it costs in either model (only
# the credit that lenders earn by energy, and so who goes first in a queue, is then the curve's).
BLIND = (Picker.ROUND_ROBIN, Picker.LEAST_LOADED, Picker.FASTEST, Picker.GREEDY_GREEN)
HEARTBEAT_S = 300.0
PROGRESS_S = 30.0


class Outcome(Struct, frozen=True):
    """What a run came to.

    ``by_zone`` is the part of the output tokens, ``last_work_part`` of the work in the last zone.
    """

    gco2e_per_1k_output_tokens: float
    slo_attainment: float | None
    ttft_p95_s: float | None
    jobs: int
    completed: int
    by_zone: dict[str, float]
    last_work_part: float


def fleet(load: Load, energy: str) -> list[NodeSpec]:
    """Returns the nodes: in Québec as many as may be, the others in Ontario and Alberta by turns.

    Args:
        load: scaled for so many machines; its expected mean decides how many stand in Québec.
        energy: which energy curve they have.
    """
    green = int(GREEN_PART_MOST * load.mean_s / load.sample_s)
    device = catalogue()[DEVICE]
    return [
        NodeSpec(
            card=card(
                device,
                node=f"node-{number}",
                coop=COOPS[number % len(COOPS)],
                zone=zone,
                slots=SLOTS,
                rtt_s=RTT_S[zone],
            ),
            curve=ENERGY[energy],
        )
        for number, zone in enumerate(_mixed(green, load.machines))
    ]


def _mixed(green: int, machines: int) -> list[str]:
    """Returns the zones by node, Québec's in the middle: a tie goes to the first name."""
    others = [ZONES[1 + number % 2] for number in range(machines - green)]
    middle = len(others) // 2
    return [*others[:middle], *(["CA-QC"] * green), *others[middle:]]


def policy(picker: Picker) -> Policy:
    """Returns the pool's own policy, but for the pick and for heartbeats that come rarely."""
    return Policy(
        picker.value,
        tuple(CoopTerms(coop) for coop in COOPS),
        timing=quiet(HEARTBEAT_S),
        picker=picker,
    )


def outcomes(load: Load, picker: Picker, series: Sequence[Series]) -> dict[str, Outcome]:
    """Returns what a way to pick comes to in each energy model."""
    if picker not in BLIND:
        return {energy: run(load, energy, picker, series)[0] for energy in ENERGY}
    told, records = run(load, "batch_curve", picker, series)
    linear = linear_g(records, series) * 1_000 / int(records.column("output_tokens").sum())
    return {
        "linear": msgspec.structs.replace(told, gco2e_per_1k_output_tokens=linear),
        "batch_curve": told,
    }


def run(
    load: Load, energy: str, picker: Picker, series: Sequence[Series]
) -> tuple[Outcome, Records]:
    """Lives through a load once."""
    terms = policy(picker)
    records = Records(terms)
    start_at = series[0].start_at
    world = World(
        Driver(Core(), start_at=start_at),
        policy=terms,
        nodes=fleet(load, energy),
        grid=Grid(series),
        heartbeat_s=HEARTBEAT_S,
        progress_s=PROGRESS_S,
        recorder=records,
    )
    wish = Wish(MODEL, output_tokens_max=0)
    world.run(requests(load.arrivals, wish, start_at=start_at, coops=COOPS))
    told = summary(records, world)
    zones, tokens = records.column("zone"), records.column("output_tokens")
    work = work_s(catalogue()[DEVICE], SLOTS)(records.column("input_tokens"), tokens)
    outcome = Outcome(
        told["carbon_g_per_1k_output_tokens"],
        told["slo_attainment"],
        told["ttft_s"]["p95"],
        told["jobs"],
        told["completed"],
        {zone: float(tokens[zones == zone].sum() / tokens.sum()) for zone in ZONES},
        float(work[zones == ZONES[-1]].sum() / work.sum()),
    )
    return outcome, records


def linear_g(records: Records, series: Sequence[Series]) -> float:
    """Returns what the same runs would have emitted with linear energy, grams.

    A job ends in the hour in which it came: samples lie in the middle of their hours.
    """
    device = catalogue()[DEVICE]
    work = work_s(device, SLOTS)(records.column("input_tokens"), records.column("output_tokens"))
    hours = (records.column("asked_at") - series[0].start_at) // HOUR_S
    zones = records.column("zone")
    grams = 0.0
    for one in series:
        here = zones == one.zone
        intensity = np.array(one.direct)[hours[here].astype(np.int64)]
        grams += float((work[here] * intensity).sum())
    return grams * (device.active_w - device.idle_w) / J_PER_KWH


def optimum(load: Load, series: Sequence[Series]) -> tuple[float, dict[str, float]]:
    """Returns the least grams per 1,000 output tokens that any placement of a load can emit.

    With linear energy a token costs what it costs in a full batch; under the batch curve no batch
    is cheaper than a full one, so the bound holds there too.

    Returns:
        The grams, and the part of the work that each zone does.
    """
    device = catalogue()[DEVICE]
    nodes = [spec.card.zone for spec in fleet(load, "linear")]
    # After the last first token a machine may still have a batch of average answers to decode.
    answer_tokens = sum(one.output_tokens for one in load.arrivals) / len(load.arrivals)
    tail_s = PROMISE_S + SLOTS * work_s(device, SLOTS)(0.0, answer_tokens)
    capacity_s = [nodes.count(zone) * (load.sample_s + tail_s) for zone in ZONES]
    extra_w = device.active_w - device.idle_w
    by_zone = {one.zone: one.direct for one in series}
    grams = [
        [extra_w / J_PER_KWH * by_zone[zone][hour] for zone in ZONES] for hour in range(load.hours)
    ]
    least, done_s = least_g(load.work_s, capacity_s, grams)
    whole_s = sum(load.work_s)
    parts = {
        zone: sum(hour[place] for hour in done_s) / whole_s for place, zone in enumerate(ZONES)
    }
    return least * 1_000 / sum(one.output_tokens for one in load.arrivals), parts


def passed_on(load: Load, *, patience_s: float = 0.0) -> float:
    """Returns the part of the work that the greener zones together would pass on to the last.

    As if their machines shared all work, and nobody waited longer; see ``pooled``.
    """
    device = catalogue()[DEVICE]
    machines = sum(spec.card.zone != ZONES[-1] for spec in fleet(load, "linear"))
    return passed_on_part(
        load.arrivals,
        work_s(device, SLOTS),
        device,
        machines=machines,
        slots=SLOTS,
        patience_s=patience_s,
    )
