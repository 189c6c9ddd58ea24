"""Machines whose engines fail every run: the others complete all jobs."""

from tests.sim.support import START, SimulatedWorld, even_arrivals, node

import entraide_sim as sim
from entraide.types import JobState, Outcome
from entraide_scheduler.core.commands import EndJob
from entraide_scheduler.core.events import RunReported


def fourteen() -> list[sim.NodeSpec]:
    """Four machines on a clean grid, ten on a dirtier one."""
    green = [node(f"broken-{number}", "alpha", "CA-QC") for number in range(4)]
    return green + [node(f"good-{number}", "beta", "CA-ON") for number in range(10)]


def test_four_broken_green_machines_of_fourteen_fail_no_job() -> None:
    """All 200 jobs complete on the 10 working machines; few runs fail."""
    faults = [sim.Fault(START, f"broken-{number}", "broken") for number in range(4)]
    simulated = SimulatedWorld(fourteen(), even_arrivals(2.0, 100.0), faults=faults)
    ends = simulated.of_kind(EndJob)
    reports = simulated.of_kind(RunReported)
    failed = [report for report in reports if report.outcome is Outcome.FAILED]

    assert [JobState.COMPLETED] * 200 == [end.state for end in ends]
    assert {"good"} == {
        report.node[:4] for report in reports if report.outcome is Outcome.COMPLETED
    }
    assert len(failed) <= 4 * 5  # one for each rest that ended meanwhile


def test_a_mended_machine_works_again() -> None:
    """Once its engine works, the next probe shows it, and the greenest machine is used again."""
    faults = [sim.Fault(START, "broken-0", "broken"), sim.Fault(START + 30.0, "broken-0", "mended")]
    simulated = SimulatedWorld(fourteen(), even_arrivals(8.0, 100.0), faults=faults)
    nodes = {node.card.node: node for node in simulated.core.nodes()}
    done = [
        report.node
        for report in simulated.of_kind(RunReported)
        if report.outcome is Outcome.COMPLETED
    ]

    assert () == nodes["broken-0"].resting
    assert "broken-0" in done
