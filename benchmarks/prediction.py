"""How well the core foresees the first token and the pace of tokens, by device, under load.

Two kinds of rows. ``recorded`` are requests to real engines, whose times clients of a live pool
measured (``support/recorded``, recorded by ``benchmarks.twin``); the core of today predicts them
one after the other and learns from them, once with a card whose rates are those of the calibration
and once with a card that says the node is 1.4 times as fast (``recorded_card_off``). Nothing of the
simulator is in these rows. The others are simulated: the simulator's engine computes the time of a
step and of a prompt by the same equation as the core's predictor, with other rates and noise. A
small error there shows that rates are learned, that queues and batches are counted rightly and that
the margins fit the noise; it does not show that real engines follow the equation.

*Simulated.* A mixed fleet in one place: six classes of devices from the hardware catalogue, three
machines each. What their cards say is the catalogue's; what is true of them is up to 40 % off, by
luck, for prefill, for decoding and for its growth with the batch, and each step takes a little more
or less than the last. The load is Azure's conversations, sped up to a part of what the fleet can
do.

What was predicted is taken from the explanation of each placement: the mean, and what nine of ten
should stay below. What came true is what the gateway saw. The first 50 requests of each device
class are left out; a job that was placed twice is too. References in the same run, for the same
placements: the card's figures without learning, from the same queue and batch, and the round trip
alone.

Nodes are picked once by ``least_loaded``, which sees all devices alike, and once by the pool's own
way, which prefers where a prediction errs on the good side.

    python -m benchmarks.prediction [--json] [--quick] [--seed N] [--only PART ...] [--recorded DIR]

``ttft_mape`` and ``tpot_mape`` are mean absolute errors as a part of what was seen;
``ttft_p90_exceeded_part`` should be a tenth. Devices in the rows ``all`` count by request.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from benchmarks.support.common import data_path, print_rows
from benchmarks.support.devices import MODEL, Device, make_card, read_catalogue
from benchmarks.support.prediction_records import PredictionRecord, PredictionRecorder
from benchmarks.support.recorded_engines import (
    DATA,
    Recording,
    group_by_load,
    predict_recording,
    read_recordings,
    scale_card_speed,
)
from benchmarks.support.sampled_loads import work_model
from msgspec import Struct

from entraide.types import Rates
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import DEFAULT_CLASSES, CoopTerms, Picker, Policy
from entraide_sim import (
    SERVER,
    Arrival,
    Driver,
    Grid,
    NodeSpec,
    RequestTemplate,
    World,
    constant_series,
    make_requests,
    read_azure,
    slow_heartbeat_timing,
)
from entraide_sim.arrivals import make_rng

DEVICES = (
    "mac-mini-m4-pro",
    "mac-studio-m2-ultra",
    "dgx-spark-128",
    "rtx-3060-12",
    "rtx-4090-24",
    "l4-24",
)
MACHINES = 3  # of each
SLOTS = 8
OFF_MOST = 0.4
NOISE = 0.1  # standard deviation of the time of a step, as a part of it
LOAD_PART = 0.6  # of what the fleet's full batches can do
BURN_IN = 50  # requests of each device class
ZONE = "CA-QC"
COOPS = ("alpha", "beta", "gamma")
START_AT = 1_700_000_000.0
HOURS = 48  # of intensity: more than the load lasts
REQUESTS, QUICK_REQUESTS = 14_176, 1_500
HEARTBEAT_S = 10.0
PROGRESS_S = 5.0
OFF_FASTER = 1.4  # than a recorded engine is, says the card that is off
PARTS = ("recorded", "simulated")
CONFIDENCE = 0.9  # with which an upper time is told: the p90 that is judged
PICKERS = (Picker.LEAST_LOADED, Picker.GREENEST)


class Row(Struct, frozen=True):
    """One device class under one way to pick, or one load of a recorded engine.

    ``all`` is the whole fleet, or all loads of the engine.
    """

    policy: str
    device: str
    requests: int
    ttft_mape: float
    ttft_p90_exceeded_part: float
    tpot_mape: float
    ttft_seen_p50_s: float
    ttft_seen_p95_s: float
    reference_card_ttft_mape: float
    reference_card_tpot_mape: float
    reference_round_trip_ttft_mape: float


def truth(rates: Rates, seed: int, number: int) -> Rates:
    """Returns how fast a machine really is."""
    off = make_rng(seed, 7, number).uniform(1.0 - OFF_MOST, 1.0 + OFF_MOST, 3).tolist()
    return Rates(
        rates.prefill_tokens_per_s * off[0],
        rates.tpot_base_s * off[1],
        rates.tpot_per_sequence_s * off[2],
        rates.basis,
    )


def fleet(seed: int) -> list[NodeSpec]:
    """Returns the machines; their names mix the devices."""
    specs = []
    for number in range(MACHINES * len(DEVICES)):
        device = read_catalogue()[DEVICES[number % len(DEVICES)]]
        made = make_card(
            device,
            node=f"node-{number:02}",
            coop=COOPS[number % len(COOPS)],
            zone=ZONE,
            slots=SLOTS,
            rtt_s=0.005 * (1 + number % 4),
        )
        specs.append(
            NodeSpec(card=made, rates=truth(device.rates, seed, number), curve=SERVER, noise=NOISE)
        )
    return specs


def per_s(specs: Sequence[NodeSpec], trace: Sequence[Arrival]) -> float:
    """Returns how many requests of a trace the fleet's full batches can do in a second."""
    inputs = float(np.mean([arrival.input_tokens for arrival in trace]))
    outputs = float(np.mean([arrival.output_tokens for arrival in trace]))
    total = 0.0
    for spec in specs:
        rates = spec.rates or spec.card.replicas[0].rates
        device = Device("", rates, 0.0, 0.0)
        total += 1.0 / work_model(device, SLOTS)(inputs, outputs)
    return total


def arrivals(specs: Sequence[NodeSpec], *, requests_most: int) -> list[Arrival]:
    """Returns the load: the trace, faster or slower by one factor, so that the fleet carries it."""
    trace = list(read_azure(data_path("traces/azure_llm_2023_conv_first40min.csv")))
    factor = len(trace) / trace[-1].at_s / (LOAD_PART * per_s(specs, trace))
    return [
        msgspec.structs.replace(arrival, at_s=arrival.at_s * factor)
        for arrival in trace[:requests_most]
    ]


def told(picker: Picker, *, requests_most: int, seed: int) -> list[PredictionRecord]:
    """Lives through the load and returns what was foreseen and seen of each request."""
    specs = fleet(seed)
    policy = Policy(
        picker.value,
        tuple(CoopTerms(coop) for coop in COOPS),
        classes=tuple(
            msgspec.structs.replace(terms, confidence=CONFIDENCE) for terms in DEFAULT_CLASSES
        ),
        timing=slow_heartbeat_timing(HEARTBEAT_S),
        picker=picker,
    )
    foresight = PredictionRecorder({spec.card.node: spec.card for spec in specs})
    world = World(
        Driver(Core(), start_at=START_AT, watch=foresight.observe),
        policy=policy,
        nodes=specs,
        grid=Grid([constant_series(ZONE, 30.0, start_at=START_AT, hours=HOURS)]),
        seed=seed,
        heartbeat_s=HEARTBEAT_S,
        progress_s=PROGRESS_S,
        recorder=foresight.record_job,
    )
    template = RequestTemplate(MODEL, output_tokens_max=0)
    load = arrivals(specs, requests_most=requests_most)
    world.run(make_requests(load, template, start_at=START_AT, coops=COOPS, seed=seed))
    return foresight.records


def row(policy: str, device: str, records: Sequence[PredictionRecord]) -> Row:
    """Sums up what was foreseen."""
    measured_s = np.array([record.ttft_s for record in records])
    several = [record for record in records if record.tpot_s > 0.0]
    return Row(
        policy,
        device,
        len(records),
        mape([record.predicted_ttft_s for record in records], measured_s),
        float(np.mean([record.ttft_s > record.predicted_ttft_upper_s for record in records])),
        mape(
            [record.predicted_tpot_s for record in several], [record.tpot_s for record in several]
        ),
        float(np.quantile(measured_s, 0.5)),
        float(np.quantile(measured_s, 0.95)),
        mape([record.card_ttft_s for record in records], measured_s),
        mape([record.card_tpot_s for record in several], [record.tpot_s for record in several]),
        mape([record.rtt_s for record in records], measured_s),
    )


def mape(predicted: npt.ArrayLike, measured: npt.ArrayLike) -> float:
    """Returns the mean absolute error as a part of what was seen."""
    expected, actual = np.asarray(predicted), np.asarray(measured)
    return float(np.mean(np.abs(expected - actual) / actual))


def rows(picker: Picker, *, requests_most: int, seed: int) -> list[Row]:
    """Returns a row for each device class that had enough requests, and one for all."""
    by_device: dict[str, list[PredictionRecord]] = {device: [] for device in DEVICES}
    for record in told(picker, requests_most=requests_most, seed=seed):
        by_device[record.device].append(record)
    after = {device: records[BURN_IN:] for device, records in by_device.items()}
    whole = [record for records in after.values() for record in records]
    after["all"] = whole
    return [row(picker.value, device, records) for device, records in after.items() if records]


def recorded_rows(recording: Recording) -> list[Row]:
    """Returns a row for each recorded load of an engine under each card, and one for all."""
    cards = {
        "recorded": recording.card,
        "recorded_card_off": scale_card_speed(recording.card, faster=OFF_FASTER),
    }
    return [
        row(name, f"{recording.engine} {load}", records)
        for name, card in cards.items()
        for load, records in group_by_load(
            predict_recording(recording, card, confidence=CONFIDENCE), left_out=BURN_IN
        ).items()
    ]


def main(arguments: Sequence[str]) -> None:
    """Measures and prints the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--quick", action="store_true", help="little of it: does it run at all?")
    parser.add_argument("--seed", type=int, default=1, help="of all luck")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--recorded", type=Path, default=DATA, help="folder of the recordings")
    options = parser.parse_args(arguments)
    most = QUICK_REQUESTS if options.quick else REQUESTS
    print(f"seed {options.seed}, {most} requests", file=sys.stderr)
    table: list[Row] = []
    for recording in read_recordings(options.recorded) if "recorded" in options.only else []:
        print(f"{recording.engine}: others took {recording.others_part}", file=sys.stderr)
        table += recorded_rows(recording)
    for picker in PICKERS if "simulated" in options.only else ():
        table += rows(picker, requests_most=most, seed=options.seed)
    print_rows(table, as_json=options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
