"""Smallest model: cost of a job's tokens on the smallest model with the same features.

The smallest model is the catalogue's first by active parameters, then parameters, that is served
or loadable where the job may run and has what the request needs. Energy per token comes from the
learned cost model of its greenest replica; without a replica, the catalogue's ratio of the two
models' energies scales the job's. The quality of the answers is not compared.

Inputs: the state, a job and its replica. Output: a ``SmallerQuote`` for the receipt, or None.
"""

from entraide.models import ModelEntry
from entraide.types import Basis, NodeState, SmallerQuote
from entraide_scheduler.core.fleet import EligibleNodes, ReplicaView
from entraide_scheduler.core.models import REACHABLE, minimal_shape
from entraide_scheduler.core.records import Job, is_leaving
from entraide_scheduler.core.state import State

VIEWS_MAX = 16  # greatest number of replicas compared


def smallest_model_terms(state: State, job: Job, view: ReplicaView) -> SmallerQuote | None:
    """Returns the cost of a token on the smallest model; None if the job's model is the smallest.

    Args:
        state: state of the core.
        job: a job that is about to be placed.
        view: the replica picked for the job.
    """
    entries = state.model_aliases.entries
    job_entry = entries.get(job.facts.model)
    if job_entry is None:
        return None
    for entry in entries.values():
        if entry is job_entry:
            return None
        if not state.fleet.offers(entry.name):
            continue
        eligible = state.fleet.eligible_nodes(minimal_shape(state.fleet, job.facts, entry.name))
        quote = _quote(entry, job_entry, eligible, view)
        if quote is not None:
            return quote
    return None


def _quote(
    entry: ModelEntry, job_entry: ModelEntry, eligible: EligibleNodes, view: ReplicaView
) -> SmallerQuote | None:
    name = entry.name
    served = [
        candidate
        for candidate in eligible.views[:VIEWS_MAX]
        if candidate.node.state is NodeState.LIVE and not is_leaving(candidate.node, name)
    ]
    if served:
        best = min(served, key=lambda candidate: (candidate.cost.output_ug, candidate.name))
        cost, intensity = best.cost, best.effective
        return SmallerQuote(
            name, cost.input_uwh, cost.output_uwh, intensity.direct_g_per_kwh, Basis.ESTIMATED
        )
    is_reachable = any(node.state in REACHABLE for node in eligible.could_load)
    energy_wh, job_energy_wh = entry.energy_wh_per_1k_tokens, job_entry.energy_wh_per_1k_tokens
    if not is_reachable or not energy_wh or not job_energy_wh:
        return None
    ratio = energy_wh / job_energy_wh
    cost, intensity = view.cost, view.effective
    return SmallerQuote(
        name,
        cost.input_uwh * ratio,
        cost.output_uwh * ratio,
        intensity.direct_g_per_kwh,
        Basis.DEFAULT,
    )
