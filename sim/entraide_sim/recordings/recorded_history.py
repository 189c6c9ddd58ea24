"""Recorded history: the pool's environment as a journal records it, collected during a replay.

Collects the length of each answer from its usage report (without a completed run: the median length
of the co-op's answers from the model), the nodes, their faults, and the job totals by co-op.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from entraide.types import JobState, NodeCard, Outcome, Promise, Replica, RequestFacts, Terms, Usage
from entraide.units import UG_PER_G, UWH_PER_WH
from entraide_scheduler.core import commands as c
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.state import State
from entraide_sim.recordings.recorded_faults import RecordedFaults
from entraide_sim.recordings.run_measurements import RunTimes

CANCELLED_TOKENS = 1 << 20  # the limit of its run applies
OUTPUT_TOKENS_DEFAULT = 128  # length of an answer from a model without a completed job


class TrueLengths(Struct, frozen=True, gc=False):
    """True lengths of a job; estimates if no run was completed (``known`` is false)."""

    input_tokens: int
    output_tokens: int
    known: bool


class RequestedJob(Struct, frozen=True, gc=False):
    """A job as requested."""

    coop: str
    model: str
    job_class: str
    asked_at: float
    choices: int


class PlacedRun(Struct, frozen=True, gc=False):
    """A run of a job: its terms, and the limit on its output."""

    terms: Terms
    output_tokens_max: int


class CoopTotals(Struct):
    """Totals of one co-op's jobs, as recorded.

    Attributes:
        jobs: jobs requested during the recording, or in progress at its start.
        completed, refused, failed, cancelled: jobs by final state.
        completed_waits: of each completed job: class, time to placement and to the first token.
        completed_durations: of each completed job: class, time to the end.
        input_tokens, output_tokens: tokens of completed jobs.
        energy_uwh, carbon_ug: energy and direct emissions of all runs.
        promises_kept, promises_made: jobs whose latency objective was met, and all jobs with one.
    """

    jobs: int = 0
    completed: int = 0
    refused: int = 0
    failed: int = 0
    cancelled: int = 0
    completed_waits: list[tuple[str, float, float]] = []
    completed_durations: list[tuple[str, float]] = []
    input_tokens: int = 0
    output_tokens: int = 0
    energy_uwh: int = 0
    carbon_ug: int = 0
    promises_kept: int = 0
    promises_made: int = 0


class RecordedHistory:
    """Collects the history; call ``observe`` with each event and its commands.

    Attributes:
        policy: the latest policy.
        cards: by node, the latest card with a model.
        replicas: by node and model, the latest replica of each model that the node served.
        totals: job totals by co-op.
        intensities: by zone: start, direct and life-cycle intensity, gCO2e/kWh, ascending.
        energy_basis: by node, the energy basis of its latest usage report.
        faults: what befell machines and requests.
        reusing: nodes that have reported cached tokens.
        run_times: by node and model, the times of the runs that the node reported.
    """

    def __init__(self, start: State) -> None:
        """Starts with the core's state at the start of the recording."""
        self.policy: Policy = start.policy
        self.cards: dict[str, NodeCard] = {}
        self.replicas: dict[str, dict[str, Replica]] = {}
        self.totals: dict[str, CoopTotals] = {}
        self.intensities: dict[str, list[tuple[float, float, float]]] = {}
        self.energy_basis: dict[str, str] = {}
        self.reusing: set[str] = set()
        self.faults = RecordedFaults(start)
        self.run_times: dict[str, dict[str, RunTimes]] = {}
        self._runs: dict[str, PlacedRun] = {}  # by job, without a report
        # By job: input tokens, output tokens, whether a run was completed.
        self._usage: dict[str, tuple[int, int, bool]] = {}
        self._requests: dict[str, RequestedJob] = {}
        self._lengths: dict[tuple[str, str], list[int]] = {}
        self._medians: dict[tuple[str, str], int] = {}  # computed after the whole recording
        for node in start.fleet.nodes.values():
            self._add_card(node.card)
        for zone, intensity in start.fleet.replica_index.grid.items():
            step = (start.now, intensity.direct_g_per_kwh, intensity.lifecycle_g_per_kwh)
            self.intensities[zone] = [step]
        for job in start.jobs.values():
            self._add_request(job.facts, job.requested_at)
        for name, lease in start.leases.items():
            self._runs[name] = PlacedRun(lease.terms, lease.output_tokens_max)

    # Results.

    def true_lengths(self, facts: RequestFacts) -> TrueLengths:
        """Returns a job's true lengths, or their estimates."""
        usage = self._usage.get(facts.job)
        if usage is not None and usage[2]:
            # A run with several answers reports their sum; simulated runs have one answer.
            return TrueLengths(
                max(1, usage[0]), max(1, -(-usage[1] // max(1, facts.choices))), True
            )
        produced = 0 if usage is None else usage[1]
        if facts.job in self.faults.cancelled:
            # The client ended it; the answer was longer than what came until then.
            return TrueLengths(max(1, facts.input_tokens_est), CANCELLED_TOKENS, False)
        typical = self._typical_output_tokens(facts.coop, facts.model)
        if facts.output_tokens_max is not None:
            typical = min(typical, facts.output_tokens_max)
        return TrueLengths(max(1, facts.input_tokens_est), max(1, produced, typical), False)

    def coop_names(self) -> Iterator[str]:
        """Yields the co-ops with requests, sorted."""
        return iter(sorted(self.totals))

    # Events.

    def observe(self, event: e.Event, commands: Sequence[c.Command]) -> None:
        """Processes an event and its commands."""
        self.faults.observe(event, commands)
        if isinstance(event, e.NodesSeen) and not commands:  # nearly all of a long recording
            return
        match event:
            case e.JobRequested():
                if event.facts.job not in self._requests:
                    self._add_request(event.facts, event.at)
            case e.RunReported():
                self._add_report(event, _settled_usage(event, commands))
            case e.PolicyChanged():
                self.policy = event.policy
            case e.IntensityChanged():
                step = (event.at, event.direct_g_per_kwh, event.lifecycle_g_per_kwh)
                self.intensities.setdefault(event.zone, []).append(step)
            case e.NodeJoined():
                self._add_card(event.card)
            case _:
                pass
        for command in commands:
            self._observe_command(command, event.at)

    def _add_request(self, facts: RequestFacts, at: float) -> None:
        self._requests[facts.job] = RequestedJob(
            facts.coop, facts.model, facts.job_class.value, at, max(1, facts.choices)
        )
        self._totals_of(facts.coop).jobs += 1

    def _totals_of(self, coop: str) -> CoopTotals:
        if coop not in self.totals:
            self.totals[coop] = CoopTotals()
        return self.totals[coop]

    def _add_card(self, card: NodeCard) -> None:
        if card.replicas or card.node not in self.cards:
            self.cards[card.node] = card
        for replica in card.replicas:
            self.replicas.setdefault(card.node, {})[replica.model] = replica

    def _add_report(self, event: e.RunReported, usage: Usage) -> None:
        self.energy_basis[event.node] = usage.energy_basis.value
        if usage.cached_tokens > 0:
            self.reusing.add(event.node)
        run = self._runs.get(event.job)
        if run is not None and event.epoch == run.terms.epoch:  # a report is sent until its receipt
            del self._runs[event.job]
            request = self._requests.get(event.job)  # None: it ended before the recording began
            choices = 1 if request is None else request.choices
            self._times_of(run).add(event.at, usage, choices=choices)
        previous = self._usage.get(event.job, (0, 0, False))
        if event.outcome is Outcome.COMPLETED:
            self._usage[event.job] = (usage.input_tokens, usage.output_tokens, True)
            if not previous[2] and event.job in self._requests:
                request = self._requests[event.job]
                self._lengths.setdefault((request.coop, request.model), []).append(
                    usage.output_tokens
                )
        elif not previous[2]:
            self._usage[event.job] = (0, max(previous[1], usage.output_tokens), False)

    def _times_of(self, run: PlacedRun) -> RunTimes:
        models = self.run_times.setdefault(run.terms.node, {})
        return models.setdefault(run.terms.model, RunTimes())

    def _end_run(self, job: str, at: float) -> None:
        """Ends a job's run without a report, if it has one."""
        run = self._runs.pop(job, None)
        if run is not None:
            self._times_of(run).add_lost(run.terms.placed_at, at)

    def close(self, at: float) -> None:
        """Ends the history at the end of the recording."""
        for job in list(self._runs):
            self._end_run(job, at)

    def _typical_output_tokens(self, coop: str, model: str) -> int:
        """Returns the median length of a co-op's, else of all co-ops', answers from a model."""
        median = self._medians.get((coop, model))
        if median is None:
            median = self._medians[coop, model] = self._median_output_tokens(coop, model)
        return median

    def _median_output_tokens(self, coop: str, model: str) -> int:
        lengths = self._lengths.get((coop, model)) or [
            length
            for (_, answering_model), model_lengths in sorted(self._lengths.items())
            if answering_model == model
            for length in model_lengths
        ]
        return sorted(lengths)[len(lengths) // 2] if lengths else OUTPUT_TOKENS_DEFAULT

    # Commands.

    def _observe_command(self, command: c.Command, at: float) -> None:
        match command:
            case c.Place():
                self._end_run(command.job, at)
                self._runs[command.job] = PlacedRun(command.terms, command.output_tokens_max)
            case c.Refuse():
                self._totals_of(self._requests[command.job].coop).refused += 1
            case c.EndJob() | c.EndStalledJob():
                self._add_end(command, at)
            case c.Settle():
                self._add_run(command)
                self._add_answer(command, command.state, [command.usage])
            case c.SettleResumed():
                for run in command.runs:
                    self._add_run(run)
                usages = [run.usage for run in command.runs]
                self._add_answer(command.runs[-1], command.state, usages)
            case _:
                pass

    def _add_end(self, command: c.EndJob | c.EndStalledJob, at: float) -> None:
        request = self._requests[command.job]
        totals = self._totals_of(request.coop)
        match command.state:
            case JobState.COMPLETED:
                totals.completed += 1
                totals.completed_durations.append((request.job_class, at - request.asked_at))
            case JobState.FAILED:
                totals.failed += 1
            case _:
                totals.cancelled += 1

    def _add_run(self, run: c.Settle | c.SettledRun) -> None:
        totals = self._totals_of(run.terms.borrower)
        totals.energy_uwh += run.settlement.energy_uwh
        totals.carbon_ug += run.settlement.carbon_direct_ug

    def _add_answer(
        self, last: c.Settle | c.SettledRun, state: JobState, usages: list[Usage]
    ) -> None:
        """Adds an answer; ``last`` is the run that ended it, with the job's times."""
        totals, settled = self._totals_of(last.terms.borrower), last.settlement
        if state is JobState.COMPLETED:
            for usage in usages:
                self._add_tokens(totals, usage)
            times = (last.terms.job_class.value, settled.queue_s, settled.ttft_s)
            totals.completed_waits.append(times)
        if settled.promise is not Promise.NONE:
            totals.promises_made += 1
            totals.promises_kept += settled.promise is Promise.KEPT

    @staticmethod
    def _add_tokens(totals: CoopTotals, usage: Usage) -> None:
        totals.input_tokens += usage.input_tokens
        totals.output_tokens += usage.output_tokens


def _settled_usage(event: e.RunReported, commands: Sequence[c.Command]) -> Usage:
    """Returns what a report was settled with, which the core bounds; else what it says."""
    for command in commands:
        if isinstance(command, c.Settle) and command.job == event.job:
            return command.usage
    return event.usage


def energy_wh(totals: CoopTotals) -> float:
    """Returns the energy of a co-op's jobs, watt-hours."""
    return totals.energy_uwh / UWH_PER_WH


def carbon_g(totals: CoopTotals) -> float:
    """Returns the direct emissions of a co-op's jobs, grams."""
    return totals.carbon_ug / UG_PER_G
