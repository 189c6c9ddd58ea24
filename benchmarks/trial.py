"""Trials: recorded lives beside their simulations under the same policy, and what is refused.

Five journals that the simulation was made with, five that it had not seen, one of an hour, and one
of the ten again with a fault planted in the simulated world. ``live`` journals are of a real pool
(llama.cpp on a shared machine, minutes; the last one nearly an hour), recorded by
``support.live_journal`` and in ``data/trial``; ``generated`` ones are of a simulated pool with
noise, a crash, a pause and a restart, by seed, and begin in the middle of its work. Live journals
get the digests of this version, which may decide otherwise.

    python -m benchmarks.trial [--json] [--month]

``--month`` measures instead how long a trial of 35 days takes with its report, heartbeats every
second.
"""

import gzip
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import msgspec
from benchmarks.support.common import make_parser, print_rows
from msgspec import Struct

import entraide
from entraide_scheduler.core.commands import Command
from entraide_scheduler.core.events import Event
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.recording import (
    RecordedEvent,
    RecordingHead,
    encode_recording,
    event_of,
    next_digest,
)
from entraide_sim.building import build_world, scenario_reader
from entraide_sim.fleet import model_layout
from entraide_sim.recordings import recording
from entraide_sim.replay import Baseline, counterfactual_replay, policy_comparison, report_inputs
from entraide_sim.workload import Request
from entraide_sim.world import World

DATA = Path(__file__).parent / "data" / "trial"
BASE = Path(__file__).parents[1] / "tests" / "data"
LIVE = {
    "base": BASE / "journal-base.gz",
    "base-busy": BASE / "journal-base-busy.gz",
    "101": DATA / "live-101.journal",
    "102": DATA / "live-102.journal",
    "103": DATA / "live-103.journal",
    "104": DATA / "live-104.journal",
}
TUNED = ("live:base", "live:base-busy", "live:101", "generated:1", "generated:11")
UNSEEN = ("live:102", "live:103", "generated:12", "generated:13", "generated:14")
HOUR = ("live:104",)  # the pool lived for 58 minutes, on a machine whose speed changed
PLANTED = "generated:12"
SLOWER = 1.5  # the planted fault: times of the simulated machines
BEGIN_PART = 0.25  # of the simulated time before the recording begins
SCENARIO = """
name = "trial"
start = 2026-03-02T12:00:00Z
hours = {hours}
seed = {seed}
heartbeat_s = 1.0

[[sites]]
name = "montreal"
zone = "CA-QC"

[[sites]]
name = "calgary"
zone = "CA-AB"

[[coops]]
name = "nord"
quotas = [{{ kind = "tokens", limit = 400000, period = "day" }}]

[[coops]]
name = "sud"

[[models]]
name = "petit-3b"
params_b = 3.2

[[models]]
name = "moyen-8b"
params_b = 8.0

[[nodes]]
name = "mini"
device = "mac-mini-m4"
count = 2
coop = "nord"
site = "montreal"
model = "petit-3b"

[[nodes]]
name = "studio"
device = "mac-studio-m1-max"
count = 1
coop = "sud"
site = "calgary"
models = ["petit-3b", "moyen-8b"]

[[workloads]]
name = "chat"
model = "petit-3b"
clients = {clients}
requests_per_client_day = 60
rhythm = "steady"

[[workloads]]
name = "size"
project = "auto"
model = "petit-3b"
clients = {clients}
requests_per_client_day = 30
rhythm = "steady"

[[workloads]]
name = "long"
model = "moyen-8b"
class = "standard"
clients = {clients}
requests_per_client_day = 10
rhythm = "steady"

[[faults.vanish]]
at_h = {vanish_h}
until_h = {return_h}
nodes = "mini"
part = 0.5

[[faults.pause]]
at_h = {pause_h}
until_h = {resume_h}
nodes = "studio"

[[faults.restart]]
at_h = {restart_h}
down_s = 20
"""


class TrialRow(Struct, frozen=True):
    """A recorded life beside its simulation; differences are parts of the recorded figure."""

    journal: str
    role: str
    jobs: int
    served: int
    served_simulated: int
    tokens_part: float
    energy_wh: float
    energy_part: float
    ttft_s_p95: float
    ttft_s_p95_simulated: float
    verdict: str


class MonthRow(Struct, frozen=True):
    """How long a trial of a long journal takes, with its report.

    Attributes:
        exact_s, past_s, proposed_s, report_s: wall time of its parts.
        wall_s, cpu_s: of the whole; they differ by what else the machine does.
    """

    days: float
    events: int
    jobs: int
    exact_s: float
    past_s: float
    proposed_s: float
    report_s: float
    wall_s: float
    cpu_s: float
    verdict: str


def write_journal(path: Path, head: RecordingHead, lines: list[RecordedEvent]) -> Path:
    """Writes a journal as an export does."""
    path.write_bytes(gzip.compress(b"".join(encode_recording(head, lines)), 1, mtime=0))
    return path


def reseal(source: Path, path: Path) -> Path:
    """Writes a journal with the digests of this version."""
    head = recording.read_head(source)
    core, digest, lines = recording.restore_core(source, head), head.digest, []
    for line in recording.read_lines(source):
        digest = next_digest(digest, line.event, core.handle(event_of(line)))
        lines.append(RecordedEvent(line.event, digest))
    return write_journal(path, head, lines)


class JournalWriter:
    """Records a simulated pool from a moment on, in the middle of its work."""

    def __init__(self, begin_at: float) -> None:
        self.head: RecordingHead | None = None
        self.lines: list[RecordedEvent] = []
        self.world: World | None = None
        self._begin_at = begin_at
        self._digest = b"begin"

    def __call__(self, event: Event, commands: list[Command]) -> None:
        """Adds an event with the digest of its commands."""
        if self.head is not None:
            packed = msgspec.msgpack.encode(event)
            self._digest = next_digest(self._digest, packed, commands)
            self.lines.append(RecordedEvent(packed, self._digest))
        elif event.at >= self._begin_at and self.world is not None:
            core = self.world.driver.core
            assert isinstance(core, Core)
            state = core.snapshot()
            version = entraide.__version__
            self.head = RecordingHead(version, state, event.id, event.at, self._digest)


def generate(
    path: Path, seed: int, *, hours: float, clients: int, begin_part: float = BEGIN_PART
) -> Path:
    """Simulates a pool and writes its journal: a crash, a pause, a restart, noise of 5 %."""
    at_h = {
        name: hours * (part + 0.02 * (seed % 5))
        for name, part in (("vanish_h", 0.3), ("return_h", 0.38), ("pause_h", 0.45),
                           ("resume_h", 0.55), ("restart_h", 0.7))
    }  # fmt: skip
    text = SCENARIO.format(hours=hours, seed=seed, clients=clients, **at_h)
    loaded = scenario_reader.parse_scenario(text, path="trial.toml", home=path.parent)
    scenario = loaded.scenario
    parts = build_world(scenario, home=path.parent, seed=seed)
    writer = JournalWriter(scenario.start_at + begin_part * hours * 3_600.0)
    world = World(
        Core(),
        start_at=scenario.start_at,
        policy=parts.policy,
        nodes=[machine.spec for machine in parts.machines],
        grid=parts.grid,
        sites=parts.sites,
        faults=parts.faults,
        seed=seed,
        recorder=None,
        catalogue=model_layout.pool_catalogue(scenario),
        watch=writer,
    )
    writer.world = world
    world.run(map(_by_alias, parts.requests), until=scenario.start_at + hours * 3_600.0)
    assert writer.head is not None
    return write_journal(path, writer.head, writer.lines)


def _by_alias(request: Request) -> Request:
    """Returns a request of the project ``auto`` by an alias, which scenarios do not offer."""
    if request.facts.project != "auto":
        return request
    facts = msgspec.structs.replace(request.facts, model="auto")
    return msgspec.structs.replace(request, facts=facts)


def journal_of(name: str, folder: Path) -> Path:
    """Returns a journal's file."""
    kind, _, which = name.partition(":")
    path = folder / f"{kind}-{which}.journal"
    if path.exists():
        return path
    if kind == "live":
        return reseal(LIVE[which], path)
    return generate(path, int(which), hours=6.0, clients=40)


def measure(name: str, role: str, folder: Path, *, slower: float = 1.0) -> TrialRow:
    """Returns the row of a journal; ``slower`` plants a fault."""
    replayed = policy_comparison.replay_journal(journal_of(name, folder))
    assert replayed.exact.diverged is None, f"{name}: {replayed.exact.diverged}"
    made = counterfactual_replay.node_specs
    if slower != 1.0:
        counterfactual_replay.node_specs = lambda *values: [
            _slow_spec(spec, slower) for spec in made(*values)
        ]
    try:
        baseline = policy_comparison.repeat_past(replayed).baseline
    finally:
        counterfactual_replay.node_specs = made
    return _row(name, role, baseline)


def _slow_spec(
    spec: counterfactual_replay.NodeSpec, factor: float
) -> counterfactual_replay.NodeSpec:
    rates = spec.rates or spec.card.replicas[0].rates
    slow = msgspec.structs.replace(
        rates,
        prefill_tokens_per_s=rates.prefill_tokens_per_s / factor,
        tpot_base_s=rates.tpot_base_s * factor,
        tpot_per_sequence_s=rates.tpot_per_sequence_s * factor,
    )
    models = tuple(_slow_spec(model, factor) for model in spec.model_specs)
    return msgspec.structs.replace(spec, rates=slow, model_specs=models)


def _row(name: str, role: str, baseline: Baseline) -> TrialRow:
    past, again = baseline.recorded, baseline.simulated
    return TrialRow(
        name,
        role,
        past.jobs,
        past.served,
        again.served,
        round(again.tokens / max(1, past.tokens) - 1.0, 4),
        round(past.energy_wh, 3),
        round(again.energy_wh / past.energy_wh - 1.0, 4) if past.energy_wh else 0.0,
        round(past.ttft_s_p95 or 0.0, 3),
        round(again.ttft_s_p95 or 0.0, 3),
        baseline.verdict,
    )


def measure_month(folder: Path, days: float) -> MonthRow:
    """Returns how long a trial of a generated journal takes."""
    path = generate(folder / "month.journal", 21, hours=days * 24.0, clients=8, begin_part=0.0)
    begun_cpu_s = time.process_time()
    ends_s = [time.perf_counter()]
    replayed = policy_comparison.replay_journal(path)
    ends_s.append(time.perf_counter())
    past = policy_comparison.repeat_past(replayed)
    ends_s.append(time.perf_counter())
    proposed = policy_comparison.read_policy("fastest", replayed.history.policy)
    compared = policy_comparison.compare_policies(replayed, past, proposed=proposed)
    ends_s.append(time.perf_counter())
    report_inputs.write_replay_report(
        folder / "report.html", replayed, compared, proposed=proposed, command="month", lang="en"
    )
    ends_s.append(time.perf_counter())
    parts_s = [round(end_s - begin_s, 1) for begin_s, end_s in pairwise(ends_s)]
    return MonthRow(
        days,
        replayed.exact.events,
        past.baseline.recorded.jobs,
        *parts_s,
        wall_s=round(ends_s[-1] - ends_s[0], 1),
        cpu_s=round(time.process_time() - begun_cpu_s, 1),
        verdict=past.baseline.verdict,
    )


def main() -> None:
    """Measures and prints."""
    parser = make_parser(__doc__)
    parser.add_argument("--month", type=float, metavar="DAYS", help="time a trial of so many days")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.month:
            print_rows([measure_month(folder, options.month)], as_json=options.json)
            return
        rows = [measure(journal, "tuned", folder) for journal in TUNED]
        rows += [measure(journal, "unseen", folder) for journal in UNSEEN]
        rows += [measure(journal, "an hour", folder) for journal in HOUR]
        rows.append(measure(PLANTED, "planted fault", folder, slower=SLOWER))
        print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main()
