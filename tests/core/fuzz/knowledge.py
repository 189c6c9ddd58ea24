"""Knowledge: what anybody knows of the jobs, runs and machines who reads events and commands."""

import sys
import traceback
from math import inf

from msgspec import Struct, field, structs

from entraide.models import PUBLIC_ONLY
from entraide.types import (
    Control,
    DataClass,
    JobState,
    Lending,
    NodeCard,
    NodeState,
    Outcome,
    Replica,
    RequestFacts,
)
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.policy import Timing

# Declines that say nothing against a machine.
HARMLESS_CODES = ("full", "not_loaded", "owner_terms", "draining", "own_only")
PAUSES_S = {"full": 1.0, "not_loaded": 10.0}
CLOSENESS = {Control.MEMBER: 0, Control.CANADIAN: 1, Control.OTHER: 2, Control.UNSTATED: 2}


class Violation(Exception):
    """A promise that a core has broken.

    Args:
        rule: see the attribute.
        text: what happened.
        error: the core's exception, if that is the fault.

    Attributes:
        rule: stable name of the promise.
        text: what happened.
        fault: the promise, and where it was found broken or the core raised; two violations with
            the same one are most likely of the same fault.
    """

    def __init__(self, rule: str, text: str, error: BaseException | None = None) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule, self.text = rule, text
        code, line = sys._getframe(1).f_code, sys._getframe(1).f_lineno
        if error is not None:
            *_, (frame, line) = traceback.walk_tb(error.__traceback__)
            code = frame.f_code
        self.fault = rule, code.co_filename, line


class Run(Struct, eq=False):
    """A placement of a job.

    Attributes:
        place: the command.
        alone: whether its job must run alone.
        over: whether it has ended. closed: whether what it had reserved is released or used.
        held_until: until when its slot may yet be taken.
        stopping_until: end of the wait for the report of a run whose job has ended; inf before.
        heard_at: when the machine last said something of it.
        energy_uwh, carbon_ug: as predicted when it was placed.
    """

    place: commands.Place
    alone: bool
    batch: bool
    heard_at: float
    energy_uwh: int
    carbon_ug: int
    over: bool = False
    closed: bool = False
    stopping_until: float = inf
    held_until: float = 0.0

    @property
    def name(self) -> tuple[str, int]:
        """Job and epoch."""
        return self.place.job, self.place.epoch

    @property
    def where(self) -> tuple[str, str]:
        """Machine and model."""
        return self.place.node, self.place.terms.model

    @property
    def foreign(self) -> bool:
        """Whether the machine is another co-op's."""
        return self.place.terms.lender != self.place.terms.borrower


class Job(Struct, eq=False):
    """A job that was admitted.

    Attributes:
        facts: with the policy's defaults.
        asked_at: when it was requested.
        runs: by epoch, oldest first.
        ended: how it ended; None while it is open.
        admitted_under: number of the policy under which it was admitted.
        alone: whether an engine exited during one of its runs.
        pinned: whether its client may have a part of the answer, so that few machines fit.
        settled: whether its settlement was written.
        open_at, open_since, open_ticks: a machine that could run it, since when, and for how many
            ticks.
    """

    facts: RequestFacts
    asked_at: float
    runs: dict[int, Run] = field(default_factory=dict)
    ended: JobState | None = None
    admitted_under: int = 0
    alone: bool = False
    pinned: bool = False
    settled: bool = False
    open_at: str = ""
    open_since: float = inf
    open_ticks: int = 0

    @property
    def run(self) -> Run | None:
        """Its present run."""
        last = next(reversed(self.runs.values()), None)
        return None if last is None or last.over else last


class Machine:
    """A machine of the pool.

    Attributes:
        card: with what the operator vouches for.
        state, heard_at: whether it is there, and when it last said so.
        paused: by model, until when it said that it takes no run.
        doubtful: by model that may be at rest, when a run failed; inf for one that the pool loads.
        runs: runs that it may hold.
    """

    def __init__(self, card: NodeCard) -> None:
        self.card = card
        self.state = NodeState.LEFT
        self.accepting, self.lending, self.boot = False, Lending.ALL, ""
        self.heard_at = self.peak_w = 0.0
        self.quarantined = False
        self.paused: dict[str, float] = {}
        self.doubtful: dict[str, float] = {}
        self.runs: list[Run] = []

    def replica(self, model: str) -> Replica | None:
        """The first of its replicas of a model."""
        return next((replica for replica in self.card.replicas if replica.model == model), None)

    def hear(self, now: float) -> None:
        """Notes a heartbeat."""
        if self.state is not NodeState.LEFT:
            self.state, self.heard_at = NodeState.LIVE, now

    def greet(self, event: events.NodeJoined, now: float) -> None:
        """Notes a hello."""
        restarted = bool(event.boot) and event.boot != self.boot
        if restarted and self.boot:
            held = set(event.held)
            self.end_runs([run for run in self.runs if run.name not in held])
        self.boot = event.boot or self.boot
        self.card, self.accepting, self.lending = event.card, event.accepting, event.lending
        self.state, self.heard_at, self.peak_w = NodeState.LIVE, now, event.peak_w
        self.paused.clear()

    def vouch(self, event: events.NodeVouched) -> None:
        """Notes what the operator vouches for."""
        if self.state is not NodeState.LEFT:
            self.card = structs.replace(
                self.card,
                controlled_by=event.controlled_by,
                surplus_evidence=event.surplus_evidence,
                zone=self.card.zone if event.zone is None else event.zone,
            )

    def turn(self, state: NodeState, now: float, timing: Timing) -> None:
        """Notes the state that the core has announced."""
        self.state = state
        if state is NodeState.SUSPECT:
            # The runs whose jobs have ended may be given up without a word.
            gone = [run for run in self.runs if run.stopping_until < inf]
            self.end_runs(gone, until=now + timing.lease_s)
        elif state is not NodeState.LIVE:
            self.end_runs(list(self.runs))

    def end_runs(self, runs: list[Run], *, until: float = 0.0) -> None:
        """Notes the ends of runs; the core may hold their slots until a time."""
        for run in runs:
            run.over, run.held_until = True, until

    def held(self, model: str, *, sure: bool = True) -> list[Run]:
        """The runs of a model that it surely holds, or may hold."""
        return [run for run in self.runs if run.where[1] == model and not (sure and run.over)]

    def is_there(self, now: float, timing: Timing) -> bool:
        """Whether it takes work of somebody."""
        heard = now < self.heard_at + timing.suspect_after_s
        return self.state is NodeState.LIVE and heard and self.accepting and not self.quarantined


def is_inside(zone: str, jurisdiction: str) -> bool:
    """Whether a zone lies in a jurisdiction."""
    return zone != "" and f"{zone}-".startswith(f"{jurisdiction}-")


def broken_border(card: NodeCard, replica: Replica, facts: RequestFacts) -> str:
    """Returns which border permanently keeps a job from a machine; "" if none does."""
    if not is_inside(card.zone, facts.jurisdiction):
        return "jurisdiction"
    if facts.data_class is DataClass.RESTRICTED and card.coop != facts.coop:
        return "restricted"
    if facts.data_class not in card.data_classes:
        return "data_class"
    if facts.data_class is not DataClass.PUBLIC and PUBLIC_ONLY in replica.features:
        return "public_only"
    if CLOSENESS[card.controlled_by] > CLOSENESS[facts.controlled_by]:
        return "control"
    if not set(facts.features) <= set(replica.features):
        return "features"
    if facts.input_tokens_est >= replica.context_tokens:
        return "context"
    return ""


def is_failure(event: events.RunReported | events.RunDeclined) -> bool:
    """Whether a message may make the core doubt the machine."""
    if isinstance(event, events.RunDeclined):
        return event.code not in HARMLESS_CODES
    return event.outcome is not Outcome.COMPLETED and event.code not in HARMLESS_CODES
