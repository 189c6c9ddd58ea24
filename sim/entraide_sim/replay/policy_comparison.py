"""Policy comparison: a recorded demand under the old and under a proposed policy.

Compares three sets of metrics for each co-op: as recorded; simulated under the old policy;
simulated under the proposed policy, or with a higher demand, or both. The effect of the proposal is
the difference of the last two; the difference of the first two shows how well the simulation
matches reality.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from entraide.coop_names import names_of
from entraide.decoding import decode_json, decode_toml
from entraide.errors import PoolError
from entraide.form_faults import find_form_fault
from entraide.types import JobState
from entraide_scheduler.core import snapshot
from entraide_scheduler.core.commands import Command
from entraide_scheduler.core.events import Event
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Picker, Policy, find_faults
from entraide_scheduler.core.recording import RecordingHead
from entraide_scheduler.core.state import State
from entraide_sim.grid import Grid
from entraide_sim.machines import NodeSpec
from entraide_sim.metrics import RunRecorder
from entraide_sim.recordings import (
    CoopTotals,
    ExactReplay,
    JobOutcomes,
    RecordedHistory,
    Watch,
    carbon_g,
    energy_wh,
    journal_error,
    read_events,
    recording,
)
from entraide_sim.replay import counterfactual_replay
from entraide_sim.replay.baseline import Baseline, compare_lives
from entraide_sim.replay.grown_demand import grow_requests
from entraide_sim.replay.recorded_environment import HEARTBEAT_S, RecordedEnvironment
from entraide_sim.world import (
    NO_PROMISE,
    PROMISE_KEPT,
    Column,
    Job,
    Table,
    World,
    latency_rows,
    quantiles,
    ratio,
)

ALL_COOPS = ""  # the row of all co-ops
POLICY_BYTES_MAX = 16 * 1024 * 1024
DRAIN_MIN_S, DRAIN_MAX_S = 3_600.0, 86_400.0  # time to run after the recording; as long as that
QUANTILES = (("p50", 0.50), ("p95", 0.95))


class CoopMetrics(Struct, frozen=True):
    """Metrics of the jobs of one co-op, or of all.

    Attributes:
        jobs: requested, or in progress when the recording began.
        completed, refused, failed, cancelled: jobs by final state.
        waiting: unfinished at the end of the recording, or later by its length in the simulation
            (by an hour at least, and by a day at most).
        waited_s, ttft_s, e2e_s: time to placement, to the first token and to the end of completed
            jobs, median and 95th percentile. Of jobs that are not batch jobs, and ``ttft_s`` of
            classes with a TTFT objective; of all jobs if there are no such jobs.
        input_tokens, output_tokens: of completed jobs.
        energy_wh, carbon_g: of all runs; direct emissions.
        promises_kept: simulated: part of the jobs with objectives for which all were met, as the
            client sees them; refused and failed jobs missed theirs. None as recorded.
        receipts_kept: recorded: part of the runs with a promised first token whose receipt says
            that it came in time. None in simulations.
    """

    jobs: int
    completed: int
    refused: int
    failed: int
    cancelled: int
    waiting: int
    waited_s: dict[str, float | None]
    ttft_s: dict[str, float | None]
    e2e_s: dict[str, float | None]
    input_tokens: int
    output_tokens: int
    energy_wh: float
    carbon_g: float
    promises_kept: float | None = None
    receipts_kept: float | None = None


class CoopComparison(Struct, frozen=True):
    """Recorded and simulated metrics of one co-op (``""`` for all).

    Attributes:
        moved: jobs that both simulated runs completed, each on another machine.
    """

    coop: str
    recorded: CoopMetrics
    old: CoopMetrics
    proposed: CoopMetrics
    moved: int = 0


class PlacementRecorder(RunRecorder):
    """A recorder that also keeps on which machine each job was completed."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self.completed_on: dict[str, tuple[str, str]] = {}  # by job: co-op and node

    def __call__(self, job: Job) -> None:
        """Adds a finished job."""
        super().__call__(job)
        if job.state is JobState.COMPLETED and job.node is not None:
            facts = job.request.facts
            self.completed_on[facts.job] = facts.coop, job.node.name


class SimulatedRun(Struct, frozen=True):
    """A finished simulation: its world and its jobs."""

    world: World
    recorder: PlacementRecorder
    table: Table


class PolicyComparison(Struct, frozen=True):
    """Both simulated runs and their metrics.

    Attributes:
        old_policy, proposed_policy: versions.
        coops: the total first, then by name.
        lengths_known, lengths_estimated: jobs with known, and with estimated lengths.
        unfinished_at_start: jobs in progress when the recording began.
        growth: of the demand under the proposed policy, as a part of the recorded one.
        speeds_learned: nodes with learned rates; the others have their card's.
        node_specs, old, proposed: the nodes and both runs, for a report.
        baseline: the old policy's life beside the recorded one.
        coop_names: what people read in place of co-ops' identifiers.
    """

    old_policy: str
    proposed_policy: str
    coops: tuple[CoopComparison, ...]
    lengths_known: int
    lengths_estimated: int
    unfinished_at_start: int
    speeds_learned: int
    node_specs: tuple[NodeSpec, ...]
    old: SimulatedRun
    proposed: SimulatedRun
    baseline: Baseline
    growth: float = 0.0
    coop_names: dict[str, str] = {}


def read_policy(name: str, base: Policy) -> Policy:
    """Returns the recorded policy with the keys of a file.

    Args:
        name: a TOML or JSON file of policy keys, or a picker's name.
        base: the policy in force at the end of the recording.

    Raises:
        PoolError: ``policy_refused``, with the file, the key and the problem.
    """
    if name in {picker.value for picker in Picker}:
        keys: dict[str, Any] = {"picker": name, "version": name}
    else:
        keys = _read_keys(Path(name))
    raw = {**msgspec.to_builtins(base), "version": Path(name).stem, **keys}
    try:
        policy = msgspec.convert(raw, Policy)
    except msgspec.ValidationError as problem:
        form_fault = find_form_fault(problem, raw, Policy)
        raise _policy_error(
            name, form_fault.key or "policy", form_fault.fault, **form_fault.values
        ) from None
    for fault in find_faults(policy):
        raise _policy_error(name, fault.key, fault.fault, **fault.values)
    return policy


def _read_keys(path: Path) -> dict[str, Any]:
    try:
        raw = path.read_bytes()
        if len(raw) > POLICY_BYTES_MAX:
            raise ValueError(f"{len(raw)} bytes, {POLICY_BYTES_MAX} at most")
        keys = decode_json(raw) if path.suffix == ".json" else decode_toml(raw.decode())
        if not isinstance(keys, dict):
            raise ValueError("no table of keys")
    except (OSError, ValueError) as problem:  # msgspec's and tomllib's errors are ValueErrors
        raise _policy_error(str(path), "policy", "unreadable", detail=str(problem)) from None
    return keys


def _policy_error(path: str, key: str, fault: str, **values: str | float) -> PoolError:
    error_values = {**values, "path": path, "key": key, "fault": fault}
    return PoolError("policy_refused", f"{path}: {key}: {fault}", values=error_values)


class ReplayedJournal(Struct, frozen=True):
    """A recording that was replayed exactly, and what was found in it.

    Attributes:
        path, head: of the recording.
        history: its environment.
        outcomes: outcomes of its jobs.
        exact: result of the exact replay.
        core: core at the end of the recording.
    """

    path: Path
    head: RecordingHead
    history: RecordedHistory
    outcomes: JobOutcomes
    exact: ExactReplay
    core: Core


def replay_journal(path: Path) -> ReplayedJournal:
    """Replays a recording exactly, and collects what it says.

    Raises:
        RequestError: ``journal_refused``: not a journal, or cut, altered or of another version.
    """
    head = recording.read_head(path)
    start = recording.restore_core(path, head).snapshot()
    history, outcomes = RecordedHistory(snapshot.read(start)), JobOutcomes(snapshot.read(start))

    def watch(event: Event, commands: Sequence[Command]) -> None:
        history.observe(event, commands)
        outcomes.observe(event, commands)

    exact, core = recording.replay_exactly(path, head, watch=watch)
    history.close(exact.end_at)
    return ReplayedJournal(path, head, history, outcomes, exact, core)


class RepeatedPast(Struct, frozen=True):
    """The recorded demand, simulated under the recorded policies.

    Attributes:
        specs: the machines.
        run: the simulation.
        lengths: numbers of jobs with known and with estimated lengths.
        baseline: the simulated life beside the recorded one.
    """

    specs: list[NodeSpec]
    run: SimulatedRun
    lengths: counterfactual_replay.LengthCounts
    baseline: Baseline


def repeat_past(replayed: ReplayedJournal) -> RepeatedPast:
    """Simulates the recorded demand under the recorded policies.

    Raises:
        RequestError: ``journal_refused``: the recorded machines cannot be simulated.
    """
    history = replayed.history
    learned = snapshot.read(replayed.core.snapshot())
    specs = counterfactual_replay.node_specs(history, learned)
    lengths = counterfactual_replay.LengthCounts()
    repeated = JobOutcomes(snapshot.read(replayed.head.core))
    run = simulate_life(replayed, specs, lengths=lengths, watch=repeated.observe)
    baseline = compare_lives(replayed.outcomes, repeated, _ttft_classes(history.policy))
    return RepeatedPast(specs, run, lengths, baseline)


def compare_policies(
    replayed: ReplayedJournal,
    past: RepeatedPast,
    *,
    proposed: Policy | None,
    growth: float = 0.0,
) -> PolicyComparison:
    """Simulates the recorded demand under a proposed policy, and compares.

    Args:
        replayed: the recording.
        past: its simulation under the recorded policies; its baseline should be ``EQUAL``.
        proposed: validated policy; None for the recorded ones.
        growth: by how much the demand of the proposed run is higher, as a part of the recorded one.
    """
    history, specs, old = replayed.history, past.specs, past.run
    start_state = snapshot.read(replayed.head.core)
    ttft_classes = _ttft_classes(history.policy)
    new = simulate_life(replayed, specs, policy=proposed, growth=growth)
    moved = _count_moved(old, new)
    coops = sorted({*history.totals, *old.table["coop"].tolist()})
    all_totals = _add_totals(list(history.totals.values()))
    totals = {ALL_COOPS: all_totals, **history.totals}
    rows = [
        CoopComparison(
            name,
            _recorded_metrics(totals[name], ttft_classes),
            coop_metrics(old, name, ttft_classes),
            coop_metrics(new, name, ttft_classes),
            moved[name],
        )
        for name in (ALL_COOPS, *coops)
    ]
    return PolicyComparison(
        old_policy=history.policy.version,
        proposed_policy=(proposed or history.policy).version,
        coops=tuple(rows),
        lengths_known=past.lengths.known,
        lengths_estimated=past.lengths.estimated,
        unfinished_at_start=len(counterfactual_replay.unfinished_jobs(start_state)),
        speeds_learned=sum(spec.rates is not None for spec in specs),
        node_specs=tuple(specs),
        old=old,
        proposed=new,
        baseline=past.baseline,
        growth=growth,
        coop_names=names_of((*history.policy.coops, *(proposed.coops if proposed else ()))),
    )


def simulate_life(
    replayed: ReplayedJournal,
    specs: Sequence[NodeSpec],
    *,
    policy: Policy | None = None,
    lengths: counterfactual_replay.LengthCounts | None = None,
    growth: float = 0.0,
    watch: Watch | None = None,
) -> SimulatedRun:
    """Simulates the recorded demand on machines.

    Args:
        replayed: the recording.
        specs: its machines.
        policy: replaces all recorded policies; None to keep them.
        lengths: counts known and estimated lengths.
        growth: by how much the demand is higher, as a part of the recorded one.
        watch: called with each event and its commands.
    """
    path, head, history = replayed.path, replayed.head, replayed.history
    end_at, lengths = replayed.exact.end_at, lengths or counterfactual_replay.LengthCounts()
    start_state: State = snapshot.read(head.core)
    simulated_policy = policy or history.policy
    recorder = PlacementRecorder(simulated_policy)

    def make_environment(world: World) -> RecordedEnvironment:
        return RecordedEnvironment(
            world,
            events=read_events(path),
            start_state=start_state,
            faults=history.faults.faults(),
            proposed=policy,
        )

    try:
        world = World(
            Core.restore(head.core),
            start_at=head.at,
            policy=simulated_policy,
            nodes=specs,
            grid=Grid([]),
            sites=counterfactual_replay.site_specs(specs, simulated_policy),
            heartbeat_s=HEARTBEAT_S,
            progress_s=counterfactual_replay.BUSY_HEARTBEAT_S,
            recorder=recorder,
            make_environment=make_environment,
            watch=watch,
        )
    except ValueError as problem:
        raise journal_error(path, "no_world", detail=str(problem)) from None
    for job, lease in counterfactual_replay.unfinished_jobs(start_state):
        request = counterfactual_replay.make_request(job.facts, job.requested_at, history, lengths)
        if lease is None:
            world.adopt_job(request)
        else:
            world.adopt_job(
                request,
                terms=lease.terms,
                output_tokens_max=job.output_tokens_max,
                begun_tokens=min(lease.output_tokens, request.output_tokens - 1),
            )
    known = [job.facts.job for job, _ in counterfactual_replay.unfinished_jobs(start_state)]
    requests = counterfactual_replay.recorded_requests(
        recording.read_requests(path), history, known=known, lengths=lengths
    )
    world.run(
        grow_requests(requests, growth, end_at=end_at) if growth else requests,
        until=end_at + min(DRAIN_MAX_S, max(DRAIN_MIN_S, end_at - head.at)),
    )
    return SimulatedRun(world, recorder, recorder.records.columns())


# Metrics.


def _count_moved(old: SimulatedRun, new: SimulatedRun) -> Counter[str]:
    """Counts the jobs that both runs completed on different machines, by co-op and in all."""
    counted: Counter[str] = Counter()
    after = new.recorder.completed_on
    for job, (coop, node) in old.recorder.completed_on.items():
        if job in after and after[job][1] != node:
            counted.update((coop, ALL_COOPS))
    return counted


def _ttft_classes(policy: Policy) -> frozenset[str]:
    """Returns the classes with a TTFT objective."""
    return frozenset(terms.job_class.value for terms in policy.classes if terms.ttft_s is not None)


def coop_metrics(run: SimulatedRun, coop: str, ttft_classes: frozenset[str]) -> CoopMetrics:
    """Returns the metrics of a co-op's jobs (or of ``ALL_COOPS``) in a simulated run."""
    table = run.table
    waiting = sum(
        1 for job in run.world.jobs.values() if coop in (ALL_COOPS, job.request.facts.coop)
    )
    of_coop = (
        table["coop"] == coop if coop != ALL_COOPS else np.ones(len(table["coop"]), dtype=bool)
    )
    state = table["state"]
    done = of_coop & (state == JobState.COMPLETED.value)
    promised = of_coop & (table["promise"] != NO_PROMISE)
    asked = table["asked_at"][done]
    awaited, promised_soon = latency_rows(table["job_class"][done], ttft_classes)
    energy = sum(table[name][of_coop].sum() for name in ("prefill_wh", "decode_wh", "wake_wh"))
    return CoopMetrics(
        jobs=int(of_coop.sum()) + waiting,
        completed=int(done.sum()),
        refused=int((of_coop & (state == JobState.REFUSED.value)).sum()),
        failed=int((of_coop & (state == JobState.FAILED.value)).sum()),
        cancelled=int((of_coop & (state == JobState.CANCELLED.value)).sum()),
        waiting=waiting,
        waited_s=quantiles((table["placed_at"][done] - asked)[awaited], QUANTILES),
        ttft_s=quantiles((table["first_at"][done] - asked)[promised_soon], QUANTILES),
        e2e_s=quantiles((table["end_at"][done] - asked)[awaited], QUANTILES),
        input_tokens=int(table["input_tokens"][done].sum()),
        output_tokens=int(table["output_tokens"][done].sum()),
        energy_wh=float(energy),
        carbon_g=float(table["carbon_g"][of_coop].sum()),
        promises_kept=ratio(
            int((table["promise"][promised] == PROMISE_KEPT).sum()), int(promised.sum())
        ),
    )


def _recorded_metrics(totals: CoopTotals, ttft_classes: frozenset[str]) -> CoopMetrics:
    awaited, promised_soon = latency_rows(_tuple_column(totals.completed_waits, 0), ttft_classes)
    finished, _ = latency_rows(_tuple_column(totals.completed_durations, 0), ttft_classes)
    return CoopMetrics(
        jobs=totals.jobs,
        completed=totals.completed,
        refused=totals.refused,
        failed=totals.failed,
        cancelled=totals.cancelled,
        waiting=totals.jobs - totals.completed - totals.refused - totals.failed - totals.cancelled,
        waited_s=quantiles(_tuple_column(totals.completed_waits, 1)[awaited], QUANTILES),
        ttft_s=quantiles(_tuple_column(totals.completed_waits, 2)[promised_soon], QUANTILES),
        e2e_s=quantiles(_tuple_column(totals.completed_durations, 1)[finished], QUANTILES),
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        energy_wh=energy_wh(totals),
        carbon_g=carbon_g(totals),
        receipts_kept=ratio(totals.promises_kept, totals.promises_made),
    )


def _tuple_column(rows: Sequence[tuple[Any, ...]], place: int) -> Column:
    return np.array([row[place] for row in rows])


def _add_totals(every_coop: Sequence[CoopTotals]) -> CoopTotals:
    total = CoopTotals()
    for coop_totals in every_coop:
        for field in msgspec.structs.fields(CoopTotals):
            setattr(
                total, field.name, getattr(total, field.name) + getattr(coop_totals, field.name)
            )
    return total
