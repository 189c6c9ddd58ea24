"""Recorded engines: the core's predictions against measurements of a real engine.

A recording of the twin (``support/twin_store``) has the send time, tokens, and times of the first
and last piece of each request, measured by a client of a live pool. The core gets the same requests
at the same times, and the node answers with the recorded times. So the core learns from a real
engine and its predictions are compared with a real engine; no equation of the simulator is
involved.

A run is accepted half a round trip after its placement; its first token and its end come at the
measured times. A client cannot know when a queued job was placed: such a job occupies its slot but
is neither compared nor learned from. Prompt lengths are the engine's own counts.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from benchmarks.support import twin_fit
from benchmarks.support.prediction_records import PredictionRecord, PredictionRecorder
from benchmarks.support.twin_fit import COOP, START_AT, ZONE, MeasuredRequest
from benchmarks.support.twin_store import MeasurementStore, TwinSettings, read_settings
from msgspec import Struct

from entraide.types import Basis, JobClass, NodeCard, Outcome, Usage
from entraide_scheduler.core import events
from entraide_scheduler.core.commands import Command, Place
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import DEFAULT_CLASSES, CoopTerms, Policy
from entraide_sim import Arrival, Driver, RequestTemplate, make_requests, slow_heartbeat_timing
from entraide_sim.workload import Request

DATA = Path(__file__).resolve().parents[1] / "data" / "twin"
PAUSE_S = 60.0  # between two recorded loads
HEARTBEAT_S = 3_600.0  # no heartbeat is due within a recording
LEAST_S = 1e-4
GRAMS = 30.0


class Recording(Struct, frozen=True):
    """One engine: its card by the calibration, and its loads in the order of their recording.

    Attributes:
        engine: its name.
        card: of the node, with the rates that the calibration measured.
        loads: name and requests of each repeat of a load.
        others_part: part of the engine's core that other programs took, in the worst repeat.
    """

    engine: str
    card: NodeCard
    loads: list[tuple[str, list[MeasuredRequest]]]
    others_part: float | None


def read_recordings(folder: Path = DATA) -> list[Recording]:
    """Returns the recordings of a folder, which holds one folder for each engine."""
    homes = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    settings_by_folder = [(home, read_settings(home)) for home in homes]
    return [
        _read_recording(MeasurementStore(home, settings), settings)
        for home, settings in settings_by_folder
        if settings
    ]


def _read_recording(kept: MeasurementStore, settings: TwinSettings) -> Recording:
    repeats = [
        (load, repeat)
        for number in range(1, settings.repeats + 1)
        for load in settings.loads
        if (repeat := kept.repeat(load, number)) is not None
    ]
    card = twin_fit.make_node(twin_fit.fit_model(kept.calibrations()), settings.bounds).card
    power = msgspec.structs.replace(card.power, device=settings.engine)
    parts = [repeat.others_part for _, repeat in repeats if repeat.others_part is not None]
    return Recording(
        settings.engine,
        msgspec.structs.replace(card, power=power),
        [(load, repeat.seen) for load, repeat in repeats],
        max(parts, default=None),
    )


def scale_card_speed(card: NodeCard, *, faster: float) -> NodeCard:
    """Returns a card with ``faster`` times the calibrated rates."""
    (replica,) = card.replicas
    rates = msgspec.structs.replace(
        replica.rates,
        prefill_tokens_per_s=replica.rates.prefill_tokens_per_s * faster,
        tpot_base_s=replica.rates.tpot_base_s / faster,
        tpot_per_sequence_s=replica.rates.tpot_per_sequence_s / faster,
    )
    return msgspec.structs.replace(card, replicas=(msgspec.structs.replace(replica, rates=rates),))


def predict_recording(
    recording: Recording, card: NodeCard, *, confidence: float
) -> list[tuple[str, PredictionRecord]]:
    """Returns the load and prediction record of each request that was placed on arrival.

    In the order of their ends.
    """
    player = RecordingPlayer(card, confidence)
    begin_s = 0.0
    for load, sent in recording.loads:
        player.add_load(load, sent, begin_s)
        begin_s += max(request.sent_at + request.e2e_s for request in sent) + PAUSE_S
    return player.play()


class RecordingPlayer:
    """Replays recorded requests to a core whose only node answers with the recorded times."""

    def __init__(self, card: NodeCard, confidence: float) -> None:
        self.driver = Driver(Core(), start_at=START_AT, execute=self._execute, watch=self._watch)
        self.predictions = PredictionRecorder({card.node: card})
        self._card = card
        self._loads: dict[str, str] = {}
        self._requests: list[tuple[Request, MeasuredRequest]] = []
        self._sent: dict[str, tuple[float, MeasuredRequest]] = {}
        self._compared: list[str] = []
        self._ended = 0
        classes = tuple(
            msgspec.structs.replace(terms, confidence=confidence) for terms in DEFAULT_CLASSES
        )
        self._policy = Policy(
            "recorded",
            (CoopTerms(COOP),),
            classes=classes,
            timing=slow_heartbeat_timing(HEARTBEAT_S),
        )

    def add_load(self, load: str, sent: Sequence[MeasuredRequest], begin_s: float) -> None:
        """Adds a load that starts ``begin_s`` seconds after the start."""
        arrivals = [
            Arrival(begin_s + measured.sent_at, "", measured.input_tokens, measured.output_tokens)
            for measured in sent
        ]
        template = RequestTemplate(twin_fit.MODEL, job_class=JobClass.INTERACTIVE)
        name = f"job-{len(self._loads)}"
        made = make_requests(arrivals, template, start_at=START_AT, coops=(COOP,), name=name)
        for request, measured in zip(made, sent, strict=True):
            self._requests.append((request, measured))
            self._loads[request.facts.job] = load

    def play(self) -> list[tuple[str, PredictionRecord]]:
        """Replays all loads."""
        tell = self.driver.deliver
        tell(events.PolicyChanged, self._policy)
        tell(events.SchedulerStarted, 1, "gateway")
        tell(events.IntensityChanged, ZONE, GRAMS, GRAMS, "measured", START_AT + 1e9)
        tell(events.NodeJoined, self._card, True, "")
        for request, measured in self._requests:
            self.driver.schedule(request.at, self._submit_request, (request, measured))
        self.driver.run()
        assert self._ended == len(self._requests), "a recorded request was not served"
        loads = [self._loads[job] for job in self._compared]
        return list(zip(loads, self.predictions.records, strict=True))

    def _watch(self, event: events.Event, commands: list[Command]) -> None:
        self.predictions.observe(event, commands)

    def _submit_request(self, asked: tuple[Request, MeasuredRequest]) -> None:
        request, measured = asked
        self._sent[request.facts.job] = (request.at, measured)
        self.driver.deliver(events.JobRequested, request.facts)

    def _execute(self, command: Command) -> None:
        if isinstance(command, Place):
            sent_at, measured = self._sent[command.job]
            way_s = self._card.rtt_s / 2.0
            placed_at = self.driver.now
            first_at = max(placed_at + self._card.rtt_s + LEAST_S, sent_at + measured.ttft_s)
            end_at = max(first_at, sent_at + measured.last_s)
            run = (command.job, command.epoch, command.node)
            self.driver.schedule(placed_at + way_s, self._accept, run)
            self.driver.schedule(first_at, self._progress, run)
            self.driver.schedule(end_at, self._report, (run, placed_at, first_at, end_at, measured))

    def _accept(self, run: tuple[str, int, str]) -> None:
        self.driver.deliver(events.RunAccepted, *run)

    def _progress(self, run: tuple[str, int, str]) -> None:
        self.driver.deliver(events.RunProgressed, *run, 1)

    def _report(
        self, ended: tuple[tuple[str, int, str], float, float, float, MeasuredRequest]
    ) -> None:
        run, placed_at, first_at, end_at, measured = ended
        ttft_s = first_at - placed_at
        at_once = placed_at == self._sent[run[0]][0]
        usage = Usage(
            measured.input_tokens,
            0,
            measured.output_tokens,
            Basis.MEASURED,
            0,
            0,
            Basis.DEFAULT,
            ttft_s=ttft_s - self._card.rtt_s if at_once else 0.0,  # 0: nothing is learned
            run_s=end_at - placed_at - self._card.rtt_s,
        )
        self.driver.deliver(events.RunReported, *run, Outcome.COMPLETED, "", False, usage)
        self._ended += 1
        if not at_once:
            self.predictions.drop_job(run[0])
            return
        self._compared.append(run[0])
        self.predictions.record_measurement(
            run[0],
            self._card,
            ttft_s=ttft_s,
            decode_s=end_at - first_at,
            output_tokens=measured.output_tokens,
        )


def group_by_load(
    records: Iterable[tuple[str, PredictionRecord]], *, left_out: int
) -> dict[str, list[PredictionRecord]]:
    """Returns the records by load, and ``all``, without the first ``left_out`` ones."""
    loads: dict[str, list[PredictionRecord]] = {}
    for place, (load, record) in enumerate(records):
        if place >= left_out:
            loads.setdefault(load, []).append(record)
    return loads | {"all": [record for load_records in loads.values() for record in load_records]}
