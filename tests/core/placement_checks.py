"""Placement checks: what must hold of each placement when it is made.

The checks use the request, the node's card and the members' terms. They read the core's own counts
only where the promise is about these counts.
"""

from entraide.types import Control, NodeState, Sandbox
from entraide.units import UWH_PER_WH
from entraide_scheduler.core.accounting import PER_UNIT
from entraide_scheduler.core.accounting.quotas import AT_PLACEMENT
from entraide_scheduler.core.commands import Place
from entraide_scheduler.core.policy import Lend
from entraide_scheduler.core.records import Job, Lease, Node
from entraide_scheduler.core.state import State

# By the control that a request asks for, the controls of the nodes that may run it.
ACCEPTED = {
    Control.MEMBER: (Control.MEMBER,),
    Control.CANADIAN: (Control.MEMBER, Control.CANADIAN),
    Control.OTHER: tuple(Control),
    Control.UNSTATED: tuple(Control),
}


def check(state: State, places: list[Place]) -> None:
    """Checks the placements of one event, which are the latest that it led to."""
    for place in places:
        lease = state.leases.get(place.job)
        if lease is None or lease.terms.epoch != place.epoch:
            continue  # the same event led to its end
        node, job = state.fleet.nodes[place.node], state.jobs[place.job]
        node_may_run_it(node, place.terms.model, job)
        carbon_cap_is_kept(lease, job)
        lender_lends_so_much(state, node, lease)
        batch_leaves_room(node, lease)
        quotas_have_room(state, job, lease)


def node_may_run_it(node: Node, model: str, job: Job) -> None:
    """The node is live, takes work, lies where the request may run and may see its data."""
    facts, replica = job.facts, node.replicas[model]

    assert node.state is NodeState.LIVE
    assert node.accepting
    assert facts.data_class in node.card.data_classes
    assert not facts.sandboxed or node.card.sandbox is not Sandbox.NONE
    assert f"{node.card.zone}-".startswith(f"{facts.jurisdiction}-") or not facts.jurisdiction
    assert node.card.controlled_by in ACCEPTED[facts.controlled_by]
    assert set(facts.features) <= set(replica.features)
    assert job.shape.context_tokens <= replica.context_tokens


def carbon_cap_is_kept(lease: Lease, job: Job) -> None:
    """No job is placed where it is predicted to emit more than its cap."""
    cap = job.facts.max_carbon_ug

    assert cap is None or lease.expected.carbon_ug <= cap


def lender_lends_so_much(state: State, node: Node, lease: Lease) -> None:
    """A co-op's nodes run no more for others than its part of the slots and its watt-hours.

    A part above 0 is one slot at least.
    """
    lender, lent = node.card.coop, state.quotas.lent
    assert lease.foreign == (lender != lease.terms.borrower)
    if lease.foreign:
        agreed = state.coops.get(lender)  # a co-op that has left the policy lends as by default
        terms = Lend() if agreed is None else agreed.lend
        load = node.loads[lease.terms.model]
        slots = node.replicas[lease.terms.model].slots

        assert load.foreign <= (max(1.0, terms.part * slots) if terms.part else 0.0)
        most_wh = terms.energy_wh_per_day
        assert most_wh is None or lent.lent_uwh.get(lender, 0) <= most_wh * UWH_PER_WH


def batch_leaves_room(node: Node, lease: Lease) -> None:
    """Batch work holds no more than its part of a replica, one slot at least."""
    load = node.loads[lease.terms.model]

    assert not lease.batch or load.batch <= load.batch_slots


def quotas_have_room(state: State, job: Job, lease: Lease) -> None:
    """What is predicted of energy and carbon fits into what is left of each quota."""
    serials = {hold.serial for hold in lease.holds}
    for quota, book in state.quotas.of(job.facts.coop):
        if quota.kind in AT_PLACEMENT and book.serial in serials:
            assert book.used + book.reserved <= quota.limit * PER_UNIT[quota.kind]
