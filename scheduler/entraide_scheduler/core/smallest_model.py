"""Smaller: what a job's tokens would have cost on the smallest model that does the same.

Decides which model that is (of the catalogue, served or loadable where the job may run, with what
the request needs; the smallest by active parameters, then by parameters) and what it takes for each
token: by the learned pace of a replica of it, or else in proportion to the catalogue's own figures.
It refuses to know how good its answer would have been.
"""

from entraide.models import ModelEntry
from entraide.types import Basis, NodeState, SmallerQuote
from entraide_scheduler.core.fleet import EligibleNodes
from entraide_scheduler.core.loadable_index import is_leaving
from entraide_scheduler.core.model_aliases import REACHABLE, minimal_shape
from entraide_scheduler.core.records import Job
from entraide_scheduler.core.replica_index import ReplicaView
from entraide_scheduler.core.state import State

VIEWS_MOST = 16  # replicas of the smaller model that are compared


def smallest_model_terms(state: State, job: Job, view: ReplicaView) -> SmallerQuote | None:
    """Returns what a token would take on the smallest model; None where this is the smallest.

    Args:
        state: the core's.
        job: about to be placed.
        view: where.
    """
    entries = state.model_aliases.entries
    own = entries.get(job.facts.model)
    if own is None:
        return None
    for entry in entries.values():
        if entry is own:
            return None
        if not state.fleet.offers(entry.name):
            continue
        eligible = state.fleet.eligible_nodes(minimal_shape(state.fleet, job.facts, entry.name))
        quote = _quote(entry, own, eligible, view)
        if quote is not None:
            return quote
    return None


def _quote(
    entry: ModelEntry, own: ModelEntry, eligible: EligibleNodes, view: ReplicaView
) -> SmallerQuote | None:
    name = entry.name
    served = [
        candidate
        for candidate in eligible.views[:VIEWS_MOST]
        if candidate.node.state is NodeState.LIVE and not is_leaving(candidate.node, name)
    ]
    if served:
        best = min(served, key=lambda candidate: (candidate.cost.output_ug, candidate.name))
        cost, intensity = best.cost, best.effective
        return SmallerQuote(
            name, cost.input_uwh, cost.output_uwh, intensity.direct_g_per_kwh, Basis.ESTIMATED
        )
    is_reachable = any(node.state in REACHABLE for node in eligible.could_load)
    if not is_reachable or not entry.energy_wh_per_1k_tokens or not own.energy_wh_per_1k_tokens:
        return None
    part = entry.energy_wh_per_1k_tokens / own.energy_wh_per_1k_tokens
    cost, intensity = view.cost, view.effective
    return SmallerQuote(
        name,
        cost.input_uwh * part,
        cost.output_uwh * part,
        intensity.direct_g_per_kwh,
        Basis.DEFAULT,
    )
