"""A simulated answer goes on at a second machine, as a live one does."""

import pytest
from tests.sim.support import MODEL, START, SimulatedWorld, even_arrivals, node

import entraide_sim as sim
from entraide.types import JobKind, JobState
from entraide_scheduler.core.commands import EndJob, SettleResumed
from entraide_scheduler.core.events import AnswerResumed

OUTPUT_TOKENS = 400


def lived(*faults: sim.Fault, features: tuple[str, ...] = ("resume",)) -> SimulatedWorld:
    """A long answer on the first of two machines, with faults."""
    machines = [
        node("n1", "alpha", "CA-QC", features=features),
        node("n2", "beta", "CA-ON", features=features),
    ]
    arrivals = even_arrivals(0.1, 11.0, output_tokens=OUTPUT_TOKENS)[:1]
    return SimulatedWorld(
        machines, arrivals, wish=sim.RequestTemplate(MODEL), faults=faults, heartbeat_s=1.0
    )


def first_node(world: SimulatedWorld) -> str:
    return str(world.records.column("node")[0])


@pytest.mark.parametrize("kind", ["vanish", "give_back"])
def test_an_answer_goes_on(kind: str) -> None:
    """A machine that crashes or is given back: each token once, one request."""
    whole = lived()
    began_at = float(whole.records.column("first_at")[0])
    faults = [sim.Fault(began_at + 2.0, first_node(whole), kind)]
    if kind == "give_back":
        faults.insert(0, sim.Fault(began_at + 1.9, first_node(whole), "refuse"))
    world = lived(*faults)
    (resumed,) = world.of_kind(AnswerResumed)
    (settled,) = world.of_kind(SettleResumed)

    assert [JobState.COMPLETED] == [end.state for end in world.of_kind(EndJob)]
    assert [OUTPUT_TOKENS] == list(world.records.column("output_tokens"))
    assert [2] == list(world.records.column("placements"))
    assert began_at == world.records.column("first_at")[0]
    assert 0 < resumed.delivered[0][1] < OUTPUT_TOKENS
    assert OUTPUT_TOKENS == sum(run.usage.output_tokens for run in settled.runs)
    assert first_node(whole) != first_node(world)


def test_without_a_machine_that_can_it_ends() -> None:
    """Engines that cannot resume: the answer fails, as a live one does."""
    began_at = float(lived().records.column("first_at")[0])
    world = lived(sim.Fault(began_at + 2.0, first_node(lived()), "vanish"), features=())

    assert ["stream_broken"] == [end.code for end in world.of_kind(EndJob)]


def test_kept_jobs_begin_again() -> None:
    """Nobody waits for a kept job's first words."""
    request = next(
        iter(
            sim.make_requests(
                even_arrivals(0.1, 11.0)[:1],
                sim.RequestTemplate(MODEL, kind=JobKind.KEPT),
                start_at=START,
                coops=("alpha",),
            )
        )
    )

    assert not request.facts.resumable
