"""Compared models: cost of a job's tokens on the smallest model, and on the next larger one.

Models are ordered by active parameters, then parameters. Energy per token comes from the learned
cost model of the compared model's greenest replica that may run the job. The quality of the answers
is not compared.

The smallest is the first that is served or loadable and has what the request needs; without a
replica, the catalogue's ratio of the two models' energies scales the job's. The next larger one is
compared where an alias chose the job's model, and only by a replica whose energy a meter measured.

Inputs: the state, a job and its replica. Output: a ``ModelQuote`` for the receipt, or None.
"""

from itertools import dropwhile, islice

from entraide.models import ModelEntry
from entraide.thinking import Thinking
from entraide.types import Basis, ModelQuote, NodeState
from entraide_scheduler.core.fleet import EligibleNodes, ReplicaView
from entraide_scheduler.core.models import REACHABLE, minimal_shape
from entraide_scheduler.core.records import Job, is_leaving
from entraide_scheduler.core.state import State

VIEWS_MAX = 16  # greatest number of replicas compared


def smallest_model_terms(state: State, job: Job, view: ReplicaView) -> ModelQuote | None:
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
        eligible = _eligible_nodes(state, job, entry)
        served = _quote_served(entry, eligible)
        quote = served or _quote_loadable(entry, job_entry, eligible, view)
        if quote is not None:
            return quote
    return None


def larger_model_terms(state: State, job: Job) -> ModelQuote | None:
    """Returns the cost of a token on the next larger model that is served where the job may run.

    None if no alias chose the job's model, if no larger one is served, or if no meter has measured
    that one. A model that cannot be told not to think is passed over unless the job thinks.
    """
    model, entries = job.facts.model, state.model_aliases.entries
    if not job.alias or model not in entries:
        return None
    larger = islice(dropwhile(lambda entry: entry.name != model, entries.values()), 1, None)
    for entry in larger:
        if entry.thinking is Thinking.ALWAYS and not job.facts.effort.thinks:
            continue
        if entry.name in state.fleet.contexts:
            eligible = _eligible_nodes(state, job, entry)
            if _served_views(entry, eligible):
                return _quote_served(entry, eligible, metered=True)
    return None


def _eligible_nodes(state: State, job: Job, entry: ModelEntry) -> EligibleNodes:
    return state.fleet.eligible_nodes(minimal_shape(state.fleet, job.facts, entry.name, entry))


def _served_views(entry: ModelEntry, eligible: EligibleNodes) -> list[ReplicaView]:
    return [
        view
        for view in eligible.views[:VIEWS_MAX]
        if view.node.state is NodeState.LIVE and not is_leaving(view.node, entry.name)
    ]


def _quote_served(
    entry: ModelEntry, eligible: EligibleNodes, *, metered: bool = False
) -> ModelQuote | None:
    """Returns the quote of the greenest live replica; None if there is none.

    Args:
        entry: the model.
        eligible: the nodes that may run the job on it.
        metered: whether only replicas count whose energy was learned from a meter.
    """
    views = _served_views(entry, eligible)
    if metered:
        views = [view for view in views if view.load.pace.metered]
    if not views:
        return None
    best = min(views, key=lambda view: (view.cost.output_ug, view.name))
    cost, intensity = best.cost, best.effective
    return ModelQuote(
        entry.name, cost.input_uwh, cost.output_uwh, intensity.direct_g_per_kwh, Basis.ESTIMATED
    )


def _quote_loadable(
    entry: ModelEntry, job_entry: ModelEntry, eligible: EligibleNodes, view: ReplicaView
) -> ModelQuote | None:
    is_reachable = any(node.state in REACHABLE for node in eligible.could_load)
    energy_wh, job_energy_wh = entry.energy_wh_per_1k_tokens, job_entry.energy_wh_per_1k_tokens
    if not is_reachable or not energy_wh or not job_energy_wh:
        return None
    ratio = energy_wh / job_energy_wh
    cost, intensity = view.cost, view.effective
    return ModelQuote(
        entry.name,
        cost.input_uwh * ratio,
        cost.output_uwh * ratio,
        intensity.direct_g_per_kwh,
        Basis.DEFAULT,
    )
