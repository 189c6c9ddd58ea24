"""A week with two hundred owner visits while the machines serve the pool."""

from collections.abc import Iterator
from functools import cache
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from tests.sim.support import COOPS, MODEL, RATES, START, grid, node, policy

import entraide_sim as sim
from entraide.types import JobState, Outcome
from entraide_node.core.owner_terms import OwnerTerms
from entraide_scheduler.core.commands import Command, EndJob, Place
from entraide_scheduler.core.events import NodeChanged, RunReported
from entraide_scheduler.core.machine import Core
from entraide_sim.fleet import owner_presence
from entraide_sim.world import Job

MINUTE, HOUR, WEEK = 60.0, 3_600.0, 604_800.0
CLOCK = ZoneInfo("America/Toronto")
OWNED = ("n1", "n2", "n3", "n4")
NODES = (*OWNED, "n5")
SLOTS = 2  # of each node
USUAL_S, SHORT_S = 60.0, 20.0  # longest pause of an answer: by default, and one too short
VISITS = 50  # of each of four owners
TERMS = OwnerTerms(idle_min=5.0, give_back_s=30.0, settle_s=30.0)
SLOW = msgspec.structs.replace(RATES, tpot_base_s=0.1, tpot_per_sequence_s=0.05)
STEP_S = 0.5  # a step of the engine with every slot taken, and the way to the pool


def visits(number: int) -> list[tuple[float, float]]:
    """Fifty visits of an owner in the week, of minutes or hours, at any time of day."""
    luck = np.random.default_rng([7, number])
    spare_s = WEEK - VISITS * 2 * HOUR
    gaps = luck.dirichlet(np.ones(VISITS + 1)) * (spare_s - VISITS * 20 * MINUTE) + 20 * MINUTE
    week_visits, at = [], START
    for gap in gaps[:VISITS]:
        begin = at + float(gap)
        at = begin + float(luck.uniform(0.2 * MINUTE, 2 * HOUR))
        week_visits.append((begin, at))
    return week_visits


class Week:
    """The simulated week, with the jobs' ends and the visits.

    Args:
        resume_s: longest time that an answer cut in the middle waits for another node.

    Attributes:
        broken: for each answer that ended in the middle, the nodes with the model that had a slot
            for it while it waited: those that were given another co-op's job meanwhile, and those
            with a free slot at its end.
    """

    def __init__(self, resume_s: float) -> None:
        self.broken: dict[str, list[str]] = {}
        self._passed_by: dict[str, list[str]] = {}  # the same nodes, while the answers wait
        self._running: dict[str, set[str]] = {name: set() for name in NODES}
        self._accepting = set(NODES)
        self.ended: list[Job] = []
        self.reports: list[RunReported] = []
        self.turns: dict[str, list[tuple[float, bool]]] = {name: [] for name in OWNED}
        self.visits = {name: visits(number) for number, name in enumerate(OWNED)}
        faults: list[sim.Fault] = []
        for name in OWNED:
            faults += owner_presence.visit_faults(
                name, TERMS, visits=self.visits[name], start_at=START, until=START + WEEK,
                zone=CLOCK,
            )  # fmt: skip
        self.faults = sorted(faults, key=lambda fault: fault.at)
        usual = policy()
        self.world = sim.World(
            Core(),
            start_at=START,
            watch=self._see,
            policy=msgspec.structs.replace(
                usual, timing=msgspec.structs.replace(usual.timing, resume_s=resume_s)
            ),
            nodes=[
                node(name, COOPS[turn % len(COOPS)], slots=SLOTS, rates=SLOW, features=("resume",))
                for turn, name in enumerate(NODES)
            ],
            grid=grid(hours=24 * 9),
            faults=self.faults,
            heartbeat_s=60.0,
            progress_s=10.0,
            recorder=self.ended.append,
        )
        self.world.run(self._requests())

    def _requests(self) -> Iterator[sim.Request]:
        """Three to four answers of a minute at once on average; each second one is streamed."""
        lengths = sim.uniform_length(50, 400), sim.uniform_length(50, 600)
        client = sim.ClientSpec("c", sim.steady_rate(0.04, WEEK - HOUR, family="poisson"), *lengths)
        wish = sim.RequestTemplate(MODEL)
        arrivals = sim.generate_arrivals([client], seed=11)
        for turn, request in enumerate(
            sim.make_requests(arrivals, wish, start_at=START, coops=COOPS)
        ):
            facts = msgspec.structs.replace(request.facts, stream=turn % 2 == 0)
            yield msgspec.structs.replace(request, facts=facts)

    def _see(self, event: object, commands: list[Command]) -> None:
        if isinstance(event, RunReported):
            self.reports.append(event)
            self._running[event.node].discard(event.job)
            if event.outcome is Outcome.FAILED and event.delivered:
                self._passed_by[event.job] = []
        if isinstance(event, NodeChanged) and event.node in self.turns:
            turns = self.turns[event.node]
            if not turns or turns[-1][1] is not event.accepting:
                turns.append((event.at, event.accepting))
            (self._accepting.add if event.accepting else self._accepting.discard)(event.node)
        for command in commands:
            self._follow(command)

    def _follow(self, command: Command) -> None:
        if isinstance(command, Place):
            self._running[command.node].add(command.job)
            waited = self._passed_by.pop(command.job, None) is not None
            if not waited and command.terms.borrower != command.terms.lender:
                for nodes in self._passed_by.values():
                    nodes.append(command.node)
        if isinstance(command, EndJob) and command.job in self._passed_by:
            free = [node for node in self._accepting if len(self._running[node]) < SLOTS]
            passed_by = self._passed_by.pop(command.job)
            if command.state is not JobState.COMPLETED:
                self.broken[command.job] = [*passed_by, *free]

    def overtime_s(self) -> list[float]:
        """For each time an owner came back: from then to the last run that was still reported."""
        overtimes_s = []
        for name, turns in self.turns.items():
            mine = [report.at for report in self.reports if report.node == name]
            for number, (at, accepting) in enumerate(turns):
                if accepting:
                    continue
                until = turns[number + 1][0] if number + 1 < len(turns) else np.inf
                late = [report_at - at for report_at in mine if at < report_at <= until]
                overtimes_s.append(max(late, default=0.0))
        return overtimes_s


@cache
def week(resume_s: float = USUAL_S) -> Week:
    """The week, simulated once."""
    return Week(resume_s)


@pytest.mark.long
def test_owners_come_back_two_hundred_times_under_load() -> None:
    """Each visit stops its machine once, most of them during runs."""
    lived = week()
    refusals = [fault for fault in lived.faults if fault.reason == "owner_busy"]
    busy = [late for late in lived.overtime_s() if late > 0.0]

    assert 4 * VISITS == len(refusals)
    assert {"refuse"} == {fault.kind for fault in refusals}
    assert len(busy) >= 0.4 * len(refusals)


def test_a_paused_machine_waits_for_its_owner_to_leave() -> None:
    """When a pause ends during a visit, the machine takes work after it.

    It settles for twice as long, since it had worked for less than ten minutes before.
    """
    faults = owner_presence.visit_faults(
        "n1", TERMS, visits=[(START + 100.0, START + 4_000.0)],
        pauses=[(START + 50.0, START + 1_000.0)], start_at=START, until=START + WEEK, zone=CLOCK,
    )  # fmt: skip

    assert [
        (50.0, "refuse", "paused"),
        (80.0, "give_back", "paused"),
        (1_000.0, "refuse", "owner_busy"),
        (4_300.0, "refuse", "settling"),
        (4_360.0, "take", "paused"),
    ] == [(fault.at - START, fault.kind, fault.reason) for fault in faults]


@pytest.mark.long
@pytest.mark.parametrize("resume_s", [USUAL_S, SHORT_S])
def test_no_stream_ends_while_another_machine_has_a_slot(resume_s: float) -> None:
    """A stream ends with an error only if each slot of every other machine was taken meanwhile.

    Only the jobs of a machine's own co-op get its slots before an answer that has begun.
    """
    lived = week(resume_s)
    failed = [job for job in lived.ended if job.state is not JobState.COMPLETED]

    assert lived.world.requests_received == len(lived.ended)
    assert {"stream_broken"} >= {job.code for job in failed}
    assert {job.request.facts.job: [] for job in failed} == lived.broken


@pytest.mark.long
def test_streams_cut_in_mid_answer_go_on_elsewhere() -> None:
    """No stream ends with an error, since a slot opens for each in time."""
    lived = week()
    moved = [job for job in lived.ended if job.placements > 1]
    resumed = [job for job in moved if job.delivered]

    assert {JobState.COMPLETED} == {job.state for job in lived.ended}
    assert all(job.request.facts.stream for job in resumed)
    assert any(not job.request.facts.stream for job in moved)
    assert len(resumed) > 10


@pytest.mark.long
@pytest.mark.parametrize("quantile", [0.5, 0.99, 1.0])
def test_the_machine_is_given_back_in_the_promised_time(quantile: float) -> None:
    """From the owner's return to the end of the last run, at the median, p99 and the worst."""
    overtime_s = week().overtime_s()

    assert TERMS.give_back_s + STEP_S >= float(np.quantile(overtime_s, quantile))


@pytest.mark.long
def test_nothing_flaps() -> None:
    """A machine turns twice for a visit, and never works sooner than it said that it would."""
    lived = week()
    for name, turns in lived.turns.items():
        back = [at for at, accepting in turns if accepting]
        gone = [end for _, end in lived.visits[name]]

        assert len(turns) <= 2 * VISITS + 1
        assert all(
            at - max(end for end in gone if end < at) >= TERMS.idle_min * MINUTE + TERMS.settle_s
            for at in back[1:]
        )
