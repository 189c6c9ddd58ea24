"""Reading: what the oracle learns from each kind of event.

An event that the core has dropped, as its commands say, teaches nothing.
"""

from collections.abc import Callable, Mapping
from math import inf, isfinite
from types import MappingProxyType
from typing import Any

from tests.core.fuzz.knowledge import PAUSES_S, Machine, Run, is_failure

from entraide.types import NodeState, Outcome, Usage
from entraide_scheduler.core import events
from entraide_scheduler.core.records import SenderKind

Dropped = set[tuple[str, str]]  # what was dropped, and the node that it is of


def read_policy(oracle: Any, event: events.PolicyChanged, dropped: Dropped) -> None:
    if ("unsound_policy", "") not in dropped:
        oracle.books.apply(event.policy)


def read_period(oracle: Any, event: events.PeriodBegan, _: Dropped) -> None:
    oracle.books.begin(event.period)


def read_start(oracle: Any, _: events.SchedulerStarted, __: Dropped) -> None:
    """Nobody was heard meanwhile: machines have to be heard again, and runs get their time."""
    lease_s = oracle.books.policy.timing.lease_s
    for machine in oracle.machines.values():
        if machine.state is NodeState.LIVE:
            machine.state = NodeState.SUSPECT
        for run in machine.runs:
            run.heard_at, run.held_until = oracle.now, oracle.now + lease_s
            if run.stopping_until < inf:
                run.stopping_until = oracle.now + lease_s


def read_joined(oracle: Any, event: events.NodeJoined, dropped: Dropped) -> None:
    name = event.card.node
    if ("unsound_card", name) in dropped or ("quarantined", name) in dropped:
        return
    if name not in oracle.machines:
        oracle.machines[name] = Machine(event.card)
    oracle.machines[name].greet(event, oracle.now)


def heard(oracle: Any, name: str, dropped: Dropped) -> Machine | None:
    """Returns a machine whose message counts, and notes it."""
    machine = oracle.machines.get(name)
    if machine is None or not dropped.isdisjoint({("unknown_node", name), ("quarantined", name)}):
        return None
    machine.hear(oracle.now)
    return machine  # type: ignore[no-any-return]


def read_changed(oracle: Any, event: events.NodeChanged, dropped: Dropped) -> None:
    machine = heard(oracle, event.node, dropped)
    if machine is not None:
        machine.accepting, machine.lending = event.accepting, event.lending


def read_seen(oracle: Any, event: events.NodesSeen, dropped: Dropped) -> None:
    for name in event.nodes:
        heard(oracle, name, dropped)


def read_beat(oracle: Any, event: events.NodeBeat, dropped: Dropped) -> None:
    if heard(oracle, event.node, dropped) is not None:
        for job, epoch, tokens in event.runs:
            note_progress(oracle, find_run(oracle, job, epoch, event.node), tokens)


def read_vouched(oracle: Any, event: events.NodeVouched, _: Dropped) -> None:
    if event.node in oracle.machines:
        oracle.machines[event.node].vouch(event)


def read_forgotten(oracle: Any, event: events.NodeForgotten, _: Dropped) -> None:
    machine = oracle.machines.get(event.node)
    if machine is not None:
        machine.turn(NodeState.LEFT, oracle.now, oracle.books.policy.timing)
        machine.quarantined, machine.boot = False, ""


def read_quarantine(oracle: Any, event: events.SenderQuarantined, _: Dropped) -> None:
    if event.kind is SenderKind.KEY:
        oracle.doubtful_keys.add(event.name)
    elif event.name in oracle.machines:
        oracle.machines[event.name].quarantined = True


def read_cleared(oracle: Any, event: events.QuarantineCleared, _: Dropped) -> None:
    if event.kind is SenderKind.NODE and event.name in oracle.machines:
        oracle.machines[event.name].quarantined = False


# Runs.


def find_run(oracle: Any, job: str, epoch: int, node: str) -> Run | None:
    """Returns the run of a message, if it has not ended and the machine has it."""
    known = oracle.jobs.get(job)
    run = None if known is None else known.runs.get(epoch)
    if run is None or run.over or run.place.node != node:
        return None
    return run  # type: ignore[no-any-return]


def of_message(oracle: Any, event: Any, dropped: Dropped) -> Run | None:
    if ("quarantined", event.node) in dropped:
        return None
    return find_run(oracle, event.job, event.epoch, event.node)


def note_progress(oracle: Any, run: Run | None, tokens: int) -> None:
    if run is not None:
        run.heard_at = oracle.now
        oracle.jobs[run.place.job].pinned |= tokens > 0


def read_accepted(oracle: Any, event: events.RunAccepted, dropped: Dropped) -> None:
    note_progress(oracle, of_message(oracle, event, dropped), 0)


def read_progressed(oracle: Any, event: events.RunProgressed, dropped: Dropped) -> None:
    note_progress(oracle, of_message(oracle, event, dropped), event.output_tokens)


def read_declined(oracle: Any, event: events.RunDeclined, dropped: Dropped) -> None:
    run = of_message(oracle, event, dropped)
    machine = oracle.machines.get(event.node)
    if machine is None or (run is None and ("declined", event.node) in dropped):
        return
    # The run may be of a job that has ended, while its slot is held until the machine answers.
    models = {run.where[1]} if run is not None else {each.model for each in machine.card.replicas}
    for model in models:
        if event.code in PAUSES_S and machine.replica(model) is not None:
            machine.paused[model] = oracle.now + PAUSES_S[event.code]
    if event.code == "draining":
        machine.accepting = False
    if run is not None:
        oracle.end_run(run)
        if is_failure(event):
            doubt(oracle, machine, run)


def doubt(oracle: Any, machine: Machine, run: Run) -> None:
    """Notes that a replica may be at rest after a failure."""
    model = run.where[1]
    machine.doubtful[model] = max(oracle.now, machine.doubtful.get(model, 0.0))


def trust(machine: Machine, run: Run, used: Usage) -> None:
    """Notes that a replica has completed a run, which began after the last failure.

    A report that cannot be so shows nothing.
    """
    is_sound = used.output_tokens >= 0 and isfinite(used.ttft_s)
    if is_sound and machine.doubtful.get(run.where[1], inf) < run.place.terms.placed_at:
        del machine.doubtful[run.where[1]]


def read_reported(oracle: Any, event: events.RunReported, dropped: Dropped) -> None:
    run = of_message(oracle, event, dropped)
    if run is None:
        return
    job, machine = oracle.jobs[event.job], oracle.machines[event.node]
    if job.ended is None and event.outcome is Outcome.COMPLETED:
        oracle.completed = job
    oracle.end_run(run)
    if event.outcome is not Outcome.COMPLETED and job.ended is None:
        job.pinned = True
        if is_failure(event):
            doubt(oracle, machine, run)
        if event.code == "engine_exited":
            job.alone = True
            oracle.doubtful_keys.add(job.facts.account)


def read_exceeded(oracle: Any, event: events.RunExceeded, dropped: Dropped) -> None:
    run = of_message(oracle, event, dropped)
    if run is not None and run.stopping_until == inf:
        oracle.end_run(run)


READERS: Mapping[type, Callable[[Any, Any, Dropped], None]] = MappingProxyType(
    {
        events.SchedulerStarted: read_start,
        events.PolicyChanged: read_policy,
        events.PeriodBegan: read_period,
        events.NodeJoined: read_joined,
        events.NodeChanged: read_changed,
        events.NodesSeen: read_seen,
        events.NodeBeat: read_beat,
        events.NodeVouched: read_vouched,
        events.NodeForgotten: read_forgotten,
        events.SenderQuarantined: read_quarantine,
        events.QuarantineCleared: read_cleared,
        events.RunAccepted: read_accepted,
        events.RunProgressed: read_progressed,
        events.RunDeclined: read_declined,
        events.RunReported: read_reported,
        events.RunExceeded: read_exceeded,
    }
)
