"""Smaller: what a job's tokens would have cost on the smallest model that does the same.

Decides which model that is (of the catalogue, served or loadable where the job may run, with what
the request needs; the smallest by active parameters, then by parameters) and what it takes for each
token: by the learned pace of a replica of it, or else in proportion to the catalogue's own figures.
It refuses to know how good its answer would have been.
"""

from entraide.models import ModelEntry
from entraide.types import Basis, NodeState, SmallerQuote
from entraide_scheduler.core.fleet import Able
from entraide_scheduler.core.lanes import Lane
from entraide_scheduler.core.menu import THERE, shape_for
from entraide_scheduler.core.records import Job
from entraide_scheduler.core.shelf import is_leaving
from entraide_scheduler.core.state import State

LANES_MOST = 16  # replicas of the smaller model that are compared


def smaller(state: State, job: Job, lane: Lane) -> SmallerQuote | None:
    """Returns what a token would take on the smallest model; None where this is the smallest.

    Args:
        state: the core's.
        job: about to be placed.
        lane: where.
    """
    entries = state.menu.entries
    own = entries.get(job.facts.model)
    if own is None:
        return None
    for entry in entries.values():
        if entry is own:
            return None
        if not state.fleet.has(entry.name):
            continue
        able = state.fleet.able(shape_for(state.fleet, job.facts, entry.name))
        found = _quote(entry, own, able, lane)
        if found is not None:
            return found
    return None


def _quote(entry: ModelEntry, own: ModelEntry, able: Able, lane: Lane) -> SmallerQuote | None:
    name = entry.name
    served = [
        one
        for one in able.lanes[:LANES_MOST]
        if one.node.state is NodeState.LIVE and not is_leaving(one.node, name)
    ]
    if served:
        best = min(served, key=lambda one: (one.quote.output_ug, one.name))
        quote, seen = best.quote, best.effective
        return SmallerQuote(
            name, quote.input_uwh, quote.output_uwh, seen.direct_g_per_kwh, Basis.ESTIMATED
        )
    there = any(node.state in THERE for node in able.comers)
    if not there or not entry.energy_wh_per_1k_tokens or not own.energy_wh_per_1k_tokens:
        return None
    part = entry.energy_wh_per_1k_tokens / own.energy_wh_per_1k_tokens
    quote, seen = lane.quote, lane.effective
    return SmallerQuote(
        name, quote.input_uwh * part, quote.output_uwh * part, seen.direct_g_per_kwh, Basis.DEFAULT
    )
