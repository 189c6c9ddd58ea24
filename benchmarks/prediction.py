"""Accuracy of the core's predictions of TTFT and TPOT, by device, under load.

``recorded`` rows are requests to real engines with latencies measured by clients of a live pool
(``support/recorded_engines``, recorded by ``benchmarks.twin``). The core predicts them one after
the other and learns from them, once with a calibrated card and once with a card that claims 1.4
times the speed (``recorded_card_off``). The simulator is not involved. The other rows are simulated
with the same equation as the core's predictor, with other rates and noise: a small error there
shows that rates are learned, queues and batches are counted correctly and margins fit the noise,
not that real engines follow the equation.

*Simulated.* Six device classes of the hardware catalogue, three machines each, in one zone. True
prefill rate, decode rate and batch growth deviate randomly from the card by up to 40 %, and each
step has noise. The load is Azure's conversations, sped up to a part of the fleet's capacity.

Predictions are the mean and the 90th percentile of each placement's explanation; measurements are
those at the gateway. The first 50 requests of each device class and jobs placed twice are excluded.
References for the same placements: the card without learning, and the round trip alone. Pickers:
``least_loaded``, and the pool's own, which prefers nodes with optimistic errors.

    python -m benchmarks.prediction [--json] [--quick] [--seed N] [--only PART ...] [--recorded DIR]

``ttft_mape`` and ``tpot_mape`` are mean absolute percentage errors; ``ttft_p90_exceeded_part``
should be 0.1. Rows ``all`` weight devices by requests.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from benchmarks.support.common import data_path, make_parser, print_rows
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
    Grid,
    NodeSpec,
    RequestTemplate,
    World,
    constant_series,
    make_requests,
    read_azure,
    slow_heartbeat_timing,
)
from entraide_sim.workload import make_rng

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
BURN_IN = 50  # excluded first requests of each device class
ZONE = "CA-QC"
COOPS = ("alpha", "beta", "gamma")
START_AT = 1_700_000_000.0
HOURS = 48  # of intensity: more than the load lasts
REQUESTS, QUICK_REQUESTS = 14_176, 1_500
HEARTBEAT_S = 10.0
PROGRESS_S = 5.0
OFF_FASTER = 1.4  # speed of the wrong card, relative to the recorded engine
PARTS = ("recorded", "simulated")
CONFIDENCE = 0.9  # of the predicted upper time, the p90 that is evaluated
PICKERS = (Picker.LEAST_LOADED, Picker.GREENEST)


class Row(Struct, frozen=True):
    """One device class with one picker, or one load of a recorded engine.

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
    """Returns the true rates of a machine."""
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
    """Returns the requests per second of a trace that the fleet's full batches can serve."""
    inputs = float(np.mean([arrival.input_tokens for arrival in trace]))
    outputs = float(np.mean([arrival.output_tokens for arrival in trace]))
    total = 0.0
    for spec in specs:
        rates = spec.rates or spec.card.replicas[0].rates
        device = Device("", rates, 0.0, 0.0)
        total += 1.0 / work_model(device, SLOTS)(inputs, outputs)
    return total


def arrivals(specs: Sequence[NodeSpec], *, requests_most: int) -> list[Arrival]:
    """Returns the trace with its rate scaled to the fleet's capacity."""
    trace = list(read_azure(data_path("traces/azure_llm_2023_conv_first40min.csv")))
    factor = len(trace) / trace[-1].at_s / (LOAD_PART * per_s(specs, trace))
    return [
        msgspec.structs.replace(arrival, at_s=arrival.at_s * factor)
        for arrival in trace[:requests_most]
    ]


def told(picker: Picker, *, requests_most: int, seed: int) -> list[PredictionRecord]:
    """Simulates the load; returns the prediction record of each request."""
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
        Core(),
        start_at=START_AT,
        watch=foresight.observe,
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
    """Returns the errors of the predictions."""
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
    """Returns the mean absolute percentage error."""
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
    parser = make_parser(__doc__)
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
