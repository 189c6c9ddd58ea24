"""Oracle: tells whether a core keeps its promises, from its events and commands alone.

It never looks at the core's state. Where events and commands leave open what the core knows, the
oracle takes what excuses the core, so each violation is a fault. The promises, by the names of
their rules, are those of ``docs/reference/fuzzing.md``.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import Any

from msgspec import structs
from tests.core.fuzz.books import Books
from tests.core.fuzz.knowledge import Job, Machine, Run, Violation, broken_border, is_inside
from tests.core.fuzz.reading import READERS, doubt, find_run, trust
from tests.core.fuzz.waiting import check_waiting, overdue_jobs

from entraide.models import ALIASES
from entraide.types import UNKNOWN, JobClass, JobKind, JobState, Lending, NodeState
from entraide.units import uwh_from_joules
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.accounting.usage_limits import ENERGY_FACTOR

STOPPED = ("deadline_exceeded", "gateway_lost", "place_outside", "place_unknown")
STOPS = (events.JobCancelled, events.GatewayLost, events.SchedulerStarted, events.JobRequested)
SLACK_S = 1e-6


class Oracle:
    """What was promised, and what is known of jobs and machines.

    Attributes:
        now: time of the last event.
        jobs, machines: by name. open: the jobs that have not ended. refused: the others' names.
        books: quotas and lent energy.
        doubtful_keys: accounts that are in quarantine, or whose next jobs may have to run alone.
        loaded: models that the pool has had a machine load.
        stopped: the run that the last command stopped.
        completed: the job of the run that the present event says is complete.
        checks: number of checks, by what was checked.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.event: events.Event | None = None
        self.jobs: dict[str, Job] = {}
        self.open: dict[str, Job] = {}
        self.refused: set[str] = set()
        self.machines: dict[str, Machine] = {}
        self.books = Books()
        self.doubtful_keys: set[str] = set()
        self.loaded: set[str] = set()
        self.stopped: Run | None = None
        self.completed: Job | None = None
        self.checks: Counter[str] = Counter()

    def see(self, event: events.Event, asked: list[commands.Command]) -> None:
        """Checks the commands of an event."""
        self.now, self.event = max(self.now, event.at), event
        self.stopped = self.completed = None
        drops = [command for command in asked if isinstance(command, commands.Dropped)]
        dropped = {(command.what, command.node) for command in drops}
        if type(event) is not events.SchedulerStarted:  # which gives every run its full time again
            self._forget_runs()
        reader = READERS.get(type(event))
        if reader is not None:
            reader(self, event, dropped)
        self._close_runs()
        admitted = self._requested(event, asked)
        for command in asked:
            if command.cause != event.id:
                raise Violation("unknown_thing", f"{command} does not name its event")
            self.checks[type(command).__name__] += 1
            checker = CHECKERS.get(type(command))
            if checker is not None:
                checker(self, command)
        if admitted is not None:
            check_admitted(admitted, self.now)
        self._check_event(event, asked, dropped)
        self._check_overdue()
        if type(event) is events.NodesSeen:
            check_waiting(self)

    def finish(self) -> None:
        """Checks the end of a world: after a calm no job waits that could have run."""
        for job in overdue_jobs(self):
            raise Violation("waits_for_ever", f"{job.facts} waits since {job.asked_at}")

    # Jobs.

    def _requested(self, event: events.Event, asked: list[commands.Command]) -> Job | None:
        """Adds a requested job, unless it is refused or known; returns it."""
        if not isinstance(event, events.JobRequested) or event.facts.job in self.jobs:
            return None
        name = event.facts.job
        if name in self.refused or any(is_refusal(command, name) for command in asked):
            return None
        policy = self.books.policy
        facts = structs.replace(
            event.facts,
            jurisdiction=event.facts.jurisdiction or policy.jurisdiction,
            controlled_by=event.facts.controlled_by or policy.controlled_by,
        )
        job = self.jobs[name] = self.open[name] = Job(facts, self.now)
        if facts.coop not in {terms.coop for terms in policy.coops}:
            raise Violation("admitted_stranger", f"{name} of {facts.coop}")
        self.books.admit(job)
        return job

    def known_job(self, name: str, command: commands.Command) -> Job:
        """Returns a job that a command names."""
        job = self.jobs.get(name)
        if job is None:
            raise Violation("unknown_thing", f"{command} names no admitted job")
        return job

    def known_run(self, name: str, epoch: int, node: str, command: commands.Command) -> Run:
        """Returns a run that a command names."""
        run = self.known_job(name, command).runs.get(epoch)
        if run is None or run.place.node != node:
            raise Violation("unknown_thing", f"{command} names no run")
        return run

    def end_run(self, run: Run) -> None:
        """Notes the end of a run, and releases what it had reserved."""
        run.over = True
        if not run.closed:
            run.closed = True
            self.books.end_run(self.jobs[run.place.job], run.place.epoch)

    def _close_runs(self) -> None:
        """Closes the runs that their machines have lost; clients may have a part of a stream."""
        for machine in self.machines.values():
            for run in machine.runs:
                if run.over:
                    job = self.jobs[run.place.job]
                    job.pinned |= not run.closed and job.facts.resumable and job.facts.stream
                    self.end_run(run)

    def _forget_runs(self) -> None:
        """Ends the runs whose reports were awaited for too long, and forgets those that ended."""
        for machine in self.machines.values():
            for run in machine.runs:
                if run.stopping_until <= self.now:
                    self.end_run(run)
            machine.runs = [
                run for run in machine.runs if not run.over or run.held_until > self.now
            ]

    # Commands.

    def see_place(self, command: commands.Place) -> None:
        """A placement: of an open job without a run, inside all borders, on a machine with room."""
        job = self.known_job(command.job, command)
        terms, machine = command.terms, self.machines.get(command.node)
        if job.ended is not None:
            raise Violation("runs_after_its_end", f"{command.job} has {job.ended}")
        if job.run is not None:
            raise Violation("double_run", f"{command.job} runs at {job.run.place.node}")
        if command.epoch <= max(job.runs, default=0):
            raise Violation("epoch_does_not_rise", f"{command.job} at {command.epoch}")
        if machine is None:
            raise Violation("unknown_thing", f"{command.node} is no machine")
        named = (terms.job, terms.epoch, terms.node, command.gateway)
        if named != (command.job, command.epoch, command.node, job.facts.gateway):
            raise Violation("unknown_thing", f"{named} of {command.job}")
        if (terms.borrower, terms.lender) != (job.facts.coop, machine.card.coop):
            raise Violation("unknown_thing", f"{terms.borrower} and {terms.lender}")
        self._check_borders(job, machine, command)
        run = self._run_of(job, command)
        self._check_machine(machine, run)
        job.runs[command.epoch] = run
        machine.runs.append(run)
        self.books.learn_answer(job, command.output_tokens_max)
        self.books.place(job, run)
        cap = job.facts.max_carbon_ug
        if cap is not None and run.carbon_ug > cap:
            raise Violation("carbon_cap", f"{run.carbon_ug} of {cap} ug for {command.job}")
        job.open_since = inf

    def _run_of(self, job: Job, command: commands.Place) -> Run:
        listed = command.explanation.candidates
        rows = [row for row in listed if row.node == command.node]
        energy_uwh, carbon_ug = (rows[0].energy_uwh, rows[0].carbon_ug) if rows else (0, 0)
        if not rows and len(listed) == len(self.machines):
            raise Violation("unexplained", f"{command.job}: {command.node} is no candidate")
        batch = job.facts.job_class is JobClass.BATCH
        return Run(command, job.alone, batch, self.now, energy_uwh, carbon_ug)

    def _check_borders(self, job: Job, machine: Machine, command: commands.Place) -> None:
        facts, model = job.facts, command.terms.model
        replica = machine.replica(model)
        if replica is None:
            raise Violation("border_model", f"{command.node} does not serve {model}")
        if facts.model not in (model, *ALIASES):
            raise Violation("border_model", f"{command.job} asks for {facts.model}, not {model}")
        border = broken_border(machine.card, replica, facts)
        if border:
            raise Violation(f"border_{border}", f"{command.node} runs {facts}")
        for place in facts.places:
            if place.zone != UNKNOWN and not is_inside(place.zone, facts.jurisdiction):
                raise Violation("border_places", f"{command.job} passes {place.zone}")

    def _check_machine(self, machine: Machine, run: Run) -> None:
        policy, (node, model) = self.books.policy, run.where
        replica = machine.replica(model)
        assert replica is not None
        if not machine.is_there(self.now, policy.timing):
            state = f"{machine.state}, heard at {machine.heard_at}, {machine.accepting}"
            raise Violation("machine_away", f"{run.place.job} on {node}: {state}")
        if machine.paused.get(model, 0.0) > self.now:
            raise Violation("machine_paused", f"{run.place.job} on {node}")
        if run.foreign and machine.lending is Lending.OWN_ONLY:
            raise Violation("owner_back", f"{run.place.job} on {node}")
        held = machine.held(model)
        if len(held) >= replica.slots:
            raise Violation("machine_full", f"{run.place.job} on {node} beside {len(held)}")
        if run.alone and held:
            raise Violation("not_alone", f"{run.place.job} on {node} beside {len(held)}")
        if any(other.alone for other in held):
            raise Violation("not_alone", f"{run.place.job} on {node} beside one that is")
        lend = self.books.lend_of(machine.card.coop)
        lent_slots = lend.part * replica.slots
        if lend.part > 0.0:
            lent_slots = max(1.0, lent_slots)
        if run.foreign and 1 + sum(other.foreign for other in held) > lent_slots:
            raise Violation("lend_part", f"{run.place.job} on {node}, which lends {lend.part}")
        share = max(1.0, policy.deferral.slots_part * replica.slots)
        if run.batch and 1 + sum(other.batch for other in held) > share:
            raise Violation("batch_share", f"{run.place.job} on {node}")

    def see_refuse(self, command: commands.Refuse) -> None:
        """A refusal: of the job that was just requested, and of no other."""
        event = self.event
        is_asked = isinstance(event, events.JobRequested) and event.facts.job == command.job
        if not is_asked or command.job in self.jobs or command.job in self.refused:
            raise Violation("refused_twice", f"{command.job} with {command.code}")
        self.refused.add(command.job)

    def see_cancel(self, command: commands.CancelRun) -> None:
        """A stop: of a run that was placed, or of one that the event names."""
        if not self._names_run(command):
            self.known_run(command.job, command.epoch, command.node, command)
        run = find_run(self, command.job, command.epoch, command.node)
        if run is None or run.stopping_until < inf:
            return
        if isinstance(self.event, events.RunAccepted | events.RunProgressed | events.NodeBeat):
            raise Violation("stops_a_run", f"{command.job} at {command.node}")
        self.end_run(run)
        self.stopped = run
        if not isinstance(self.event, STOPS):
            self.jobs[command.job].pinned = True
            doubt(self, self.machines[command.node], run)

    def _names_run(self, command: commands.CancelRun) -> bool:
        event, named = self.event, (command.job, command.epoch)
        if isinstance(event, events.NodeBeat):
            return named in {(job, epoch) for job, epoch, _ in event.runs}
        return (getattr(event, "job", None), getattr(event, "epoch", None)) == named

    def see_end(self, command: commands.EndJob | commands.EndStalledJob) -> None:
        """An end: the only one of an admitted job."""
        job = self.known_job(command.job, command)
        if job.ended is not None:
            raise Violation("ends_twice", f"{command.job}: {command.code}")
        if command.gateway != job.facts.gateway:
            raise Violation("unknown_thing", f"{command.gateway} for {command.job}")
        if command.epoch and command.epoch not in job.runs:
            raise Violation("unknown_thing", f"epoch {command.epoch} of {command.job}")
        job.ended = command.state
        del self.open[command.job]
        self.books.end_job(job)
        last = next(reversed(job.runs.values()), None)
        is_stop = command.state is JobState.CANCELLED or command.code in STOPPED
        is_held = last is not None and (not last.over or last is self.stopped)
        if is_stop and is_held and type(self.event) is not events.JobAbandoned:
            self._begin_stop(last)
        elif job.run is not None:
            self.end_run(job.run)
        if isinstance(command, commands.EndStalledJob):
            self._check_stall(job, command)

    def _begin_stop(self, run: Run) -> None:
        """A run whose job has ended holds its slot until its machine reports."""
        machine = self.machines.get(run.place.node)
        is_there = machine is not None and run in machine.runs
        if is_there and machine.state is NodeState.LIVE:
            run.stopping_until = self.now + self.books.policy.timing.lease_s
            run.over = run.closed = False
            self.books.hold_again(self.jobs[run.place.job], run.place.epoch)

    def _check_stall(self, job: Job, command: commands.EndStalledJob) -> None:
        limits = [job.facts.max_wait_s or 0.0]
        if job.facts.kind is JobKind.LIVE:
            limits += [
                terms.max_wait_s
                for terms in self.books.policy.classes
                if terms.job_class is job.facts.job_class
            ]
        limit_s = min(filter(None, limits), default=inf)
        if self.now - job.asked_at < limit_s - SLACK_S:
            raise Violation("ends_too_soon", f"{command.job} waited less than {limit_s} s")

    def see_settle(self, command: commands.Settle) -> None:
        """A settlement: the only one of a job."""
        job = self._settled_job(command.job, command)
        self._check_settled(job, command)
        self.books.settle_tokens(job, command.usage.input_tokens + command.usage.output_tokens)

    def see_settle_resumed(self, command: commands.SettleResumed) -> None:
        """The settlements of all runs of a job."""
        job = self._settled_job(command.job, command)
        if len({run.terms.epoch for run in command.runs}) != len(command.runs):
            raise Violation("settled_twice", f"a run of {command.job}")
        for run in command.runs:
            self._check_settled(job, run)
        tokens = sum(run.usage.input_tokens + run.usage.output_tokens for run in command.runs)
        self.books.settle_tokens(job, tokens)

    def _settled_job(self, name: str, command: commands.Command) -> Job:
        job = self.known_job(name, command)
        if job.settled:
            raise Violation("settled_twice", f"{name}")
        job.settled = True
        return job

    def _check_settled(self, job: Job, settled: commands.Settle | commands.SettledRun) -> None:
        terms, usage = settled.terms, settled.usage
        run, name = job.runs.get(terms.epoch), job.facts.job
        fixed = None if run is None else structs.replace(run.place.terms, places=terms.places)
        if run is None or structs.replace(fixed, node=terms.node) != terms:
            raise Violation("unknown_thing", f"other terms of {name} than when it was placed")
        sums: Counter[str] = Counter()
        for entry in settled.entries:
            sums[entry.unit] += entry.amount
            if entry.account not in (terms.borrower, terms.lender):
                raise Violation("ledger", f"{entry} for {name}")
        if any(sums.values()):
            raise Violation("ledger", f"entries of {name} do not sum to zero")
        choices = max(1, job.facts.choices)
        if usage.output_tokens > run.place.output_tokens_max * choices or usage.output_tokens < 0:
            raise Violation("usage", f"{usage.output_tokens} tokens of {name}")
        machine = self.machines.get(terms.node)
        energy_uwh = usage.energy_prefill_uwh + usage.energy_decode_uwh
        if machine is not None and machine.peak_w > 0.0:
            joules = ENERGY_FACTOR * machine.peak_w * (self.now - terms.placed_at)
            if energy_uwh > uwh_from_joules(joules) + 1:
                raise Violation("usage", f"{energy_uwh} uWh of {name}, more than its machine can")
        run.over = run.closed = True
        carbon_ug = settled.settlement.carbon_direct_ug
        self.books.end_run(
            job, terms.epoch, energy_uwh=settled.settlement.energy_uwh, carbon_ug=carbon_ug
        )

    def see_correction(self, command: commands.PostCorrection) -> None:
        """A correction of the ledger sums to zero."""
        sums: Counter[str] = Counter()
        for entry in command.entries:
            sums[entry.unit] += entry.amount
        if any(sums.values()):
            raise Violation("ledger", f"{command} does not sum to zero")

    def see_ack(self, command: commands.AckUsage) -> None:
        """A receipt: of the report that came."""
        event = self.event
        named = (command.node, command.job, command.epoch)
        if not isinstance(event, events.RunReported) or named != (
            event.node, event.job, event.epoch,
        ):  # fmt: skip
            raise Violation("unknown_thing", f"{command} answers no report")

    def see_turn(self, command: commands.NodeTurned) -> None:
        """A machine is there, or no longer."""
        machine = self._known_machine(command.node, command)
        machine.turn(command.state, self.now, self.books.policy.timing)
        self._close_runs()

    def see_load(self, command: commands.LoadModel | commands.UnloadModel) -> None:
        """A load: of a model that the machine offers."""
        machine = self._known_machine(command.node, command)
        machine.doubtful[command.model] = inf
        self.loaded.add(command.model)
        offered = {offer.model for offer in machine.card.loadable}
        if isinstance(command, commands.LoadModel) and command.model not in offered:
            raise Violation("unknown_thing", f"{command.node} does not offer {command.model}")

    def see_machine(self, command: commands.NodeMarked | commands.FalseAlarm) -> None:
        """A note on a machine that is known."""
        self._known_machine(command.node, command)

    def _known_machine(self, name: str, command: commands.Command) -> Machine:
        machine = self.machines.get(name)
        if machine is None:
            raise Violation("unknown_thing", f"{command} names no machine")
        return machine

    # After an event.

    def _check_event(
        self, event: events.Event, asked: list[commands.Command], dropped: set[tuple[str, str]]
    ) -> None:
        """Checks what has to follow from an event at once."""
        ignored = any(what == "quarantined" for what, _ in dropped)
        if isinstance(event, events.JobCancelled) and event.job in self.open and not ignored:
            raise Violation("lost_job", f"{event.job} was cancelled, and has not ended")
        acks = [command for command in asked if type(command) is commands.AckUsage]
        if isinstance(event, events.RunReported) and not ignored and not acks:
            raise Violation("report_unanswered", f"{event.job} at {event.node}")
        job = self.completed
        if job is not None and not (job.ended is JobState.COMPLETED and job.settled):
            raise Violation("lost_job", f"{job.facts.job} is complete, and has not ended so")
        marked = any(type(command) is commands.NodeMarked for command in asked)
        if job is not None and isinstance(event, events.RunReported) and not marked:
            trust(self.machines[event.node], job.runs[event.epoch], event.usage)
        if isinstance(event, events.GatewayLost):
            left = [name for name, job in self.open.items() if is_live_at(job, event.gateway)]
            if left:
                raise Violation("lost_job", f"{left} of a lost gateway have not ended")

    def _check_overdue(self) -> None:
        """Checks the open jobs whose time, or whose run's time, is over."""
        lease_s = self.books.policy.timing.lease_s
        for name, job in self.open.items():
            deadline_at = job.facts.deadline_at
            if deadline_at is not None and deadline_at < self.now - SLACK_S:
                raise Violation("ends_too_late", f"{name} was due at {deadline_at}")
            run = job.run
            if run is not None and run.heard_at + lease_s < self.now - SLACK_S:
                raise Violation("lost_run", f"{name} at {run.place.node} since {run.heard_at}")


def check_admitted(job: Job, now: float) -> None:
    """Checks that a job was not due before it was admitted."""
    deadline_at = job.facts.deadline_at
    if deadline_at is not None and deadline_at <= now and job.ended is None:
        raise Violation("admitted_too_late", f"{job.facts.job} was due at {deadline_at}")


def is_refusal(command: commands.Command, job: str) -> bool:
    """Whether a command refuses a job."""
    return isinstance(command, commands.Refuse) and command.job == job


def is_live_at(job: Job, gateway: str) -> bool:
    """Whether a job is live and its client waits at a gateway."""
    return job.facts.kind is JobKind.LIVE and job.facts.gateway == gateway


CHECKERS: Mapping[type, Callable[[Oracle, Any], None]] = MappingProxyType(
    {
        commands.Place: Oracle.see_place,
        commands.Refuse: Oracle.see_refuse,
        commands.CancelRun: Oracle.see_cancel,
        commands.EndJob: Oracle.see_end,
        commands.EndStalledJob: Oracle.see_end,
        commands.Settle: Oracle.see_settle,
        commands.SettleResumed: Oracle.see_settle_resumed,
        commands.PostCorrection: Oracle.see_correction,
        commands.AckUsage: Oracle.see_ack,
        commands.NodeTurned: Oracle.see_turn,
        commands.NodeMarked: Oracle.see_machine,
        commands.FalseAlarm: Oracle.see_machine,
        commands.LoadModel: Oracle.see_load,
        commands.UnloadModel: Oracle.see_load,
    }
)
