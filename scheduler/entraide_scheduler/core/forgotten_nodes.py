"""Forgotten nodes: puts a number in the place of the name of a node that the operator forgot.

A machine's name may mean a person. The node goes at once, as one that was revoked; what jobs still
hold of it (explanations, nodes to avoid, runs that are settled with the job's end) has the number
from then on, and so have the books.
"""

from msgspec.structs import replace

from entraide.types import NodeState
from entraide_scheduler.core import explanations, newcomers, node_lifecycle
from entraide_scheduler.core.events import NodeForgotten
from entraide_scheduler.core.records import DeadlineKind, Job, Sender, SenderKind
from entraide_scheduler.core.state import State


def handle_forgotten(state: State, event: NodeForgotten) -> None:
    """Deletes a node, and puts its number in the place of its name."""
    node = state.fleet.nodes.get(event.node)
    if node is not None and node.state is not NodeState.LEFT:
        node_lifecycle.remove_node(state, node, newcomers.REVOKED)
    if node is not None:
        node_lifecycle.forget_node(state, event.node)
    state.deadlines.clear(DeadlineKind.NODE_FORGETTING, event.node)
    state.probations.pop(event.node, None)
    state.quarantines.remove(Sender(SenderKind.NODE, event.node))
    for job in (*state.jobs.values(), *state.ended.values()):
        _rename_in_job(job, event.node, event.number)
    for key, exits in state.key_exits.items():
        if exits.broken_on[0] == event.node:
            broken_on = (event.number, exits.broken_on[1])
            state.key_exits[key] = replace(exits, broken_on=broken_on)


def _rename_in_job(job: Job, name: str, number: str) -> None:
    def renamed(node: str) -> str:
        return number if node == name else node

    if job.explanation is not None:
        job.explanation = explanations.rename_node(job.explanation, name, number)
    job.avoid = tuple(map(renamed, job.avoid))
    job.failed_on = tuple((renamed(node), model) for node, model in job.failed_on)
    job.exits = tuple((renamed(node), coop) for node, coop in job.exits)
    if job.given_up is not None and job.given_up.terms.node == name:
        job.given_up = None
    for run in job.earlier_runs:
        run.lease.terms = replace(run.lease.terms, node=renamed(run.lease.terms.node))
