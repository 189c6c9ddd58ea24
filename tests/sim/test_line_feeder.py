"""Simulated batches: their lines are requested through the gateway's own window."""

from collections import Counter

import pytest
from tests.sim.support import MODEL, START, grid, node, policy

import entraide_sim as sim
from entraide.types import DataClass, JobClass, JobKind, RequestFacts
from entraide_scheduler.core.commands import EndJob, Refuse
from entraide_scheduler.core.events import BatchStated, JobRequested
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy.policy import Limits
from entraide_scheduler.line_window import WINDOW
from entraide_sim.world.line_feeder import SimulatedBatch

DAY_S = 86_400.0


def batch(name: str, lines: int, coop: str = "alpha") -> SimulatedBatch:
    """A batch of short lines, with a day of time."""
    facts = RequestFacts(
        name, coop, "main", coop, "sim", JobKind.KEPT, JobClass.BATCH, DataClass.INTERNAL, "CA",
        MODEL, 1, 1, None, deadline_at=START + DAY_S,
    )  # fmt: skip
    return SimulatedBatch(START, facts, ((20, 5),) * lines)


class Run:
    """A finished run of some batches on one machine.

    Attributes:
        world: after the run.
        requested, refused: identifiers of jobs.
        ended: how often each line ended.
        stated: lines left, as the core was told, in order.
    """

    def __init__(self, *batches: SimulatedBatch, queued: int = 10_000) -> None:
        self.requested: list[str] = []
        self.refused: list[str] = []
        self.ended: Counter[str] = Counter()
        self.stated: list[int] = []
        self.world = sim.World(
            Core(),
            start_at=START,
            watch=self._watch,
            policy=policy(limits=Limits(queued_per_coop=queued)),
            nodes=[node(slots=16)],
            grid=grid(),
            heartbeat_s=60.0,
            progress_s=5.0,
        )
        self.world.run((), batches=batches)

    def _watch(self, event: object, commands: list[object]) -> None:
        match event:
            case JobRequested():
                self.requested.append(event.facts.job)
            case BatchStated():
                self.stated.append(event.lines)
        for command in commands:
            match command:
                case Refuse():
                    self.refused.append(command.job)
                case EndJob():
                    self.ended[command.job.partition("+")[0]] += 1


def test_at_most_a_window_of_lines_is_requested() -> None:
    """All lines of a larger batch end once, and the core is told how many are left."""
    done = Run(batch("b", 1_000))

    assert {"alpha": WINDOW} == done.world.line_feeder.most_at_once
    assert {f"b/{number:06}": 1 for number in range(1_000)} == done.ended
    assert 1_000 - WINDOW == done.stated[0]
    assert sorted(done.stated, reverse=True) == done.stated
    assert 0 == done.stated[-1]


def test_batches_of_a_coop_share_its_window() -> None:
    """Two batches of one co-op have together no more lines at once than one has."""
    done = Run(batch("b", 400), batch("c", 400), batch("d", 100, "beta"))

    assert {"alpha": WINDOW, "beta": 100} == done.world.line_feeder.most_at_once
    assert 900 == len(done.ended) == done.ended.total()


@pytest.mark.parametrize("queued", [8, 40])
def test_a_line_that_the_core_refuses_for_now_is_requested_again(queued: int) -> None:
    """A full queue delays lines under new identifiers; none is lost and none runs twice."""
    done = Run(batch("b", 300), queued=queued)

    assert len(done.refused) > 0
    assert len(done.requested) == len(set(done.requested)) == 300 + len(done.refused)
    assert {f"b/{number:06}": 1 for number in range(300)} == done.ended
