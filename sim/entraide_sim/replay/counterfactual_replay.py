"""Counterfactual replay: the recorded demand and environment with simulated machines.

Requests, heartbeats, owners' actions, grid, calendar and restarts happen as recorded. Machines'
answers are simulated, so that another policy can be compared with the old one. A machine's true
speed is its card corrected by what the core had learned by the end of the recording; the true grid
intensity, surplus and absences are those recorded.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from entraide.types import (
    Basis,
    JobState,
    NodeCard,
    Replica,
    RequestFacts,
)
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Job, Lease, LeaseState
from entraide_scheduler.core.state import State
from entraide_sim.machines import NodeSpec, SiteSpec
from entraide_sim.recordings import (
    BLOCK_TOKENS,
    MeasuredSpeed,
    RecordedHistory,
    RecordedPrefixes,
    RunTimes,
    added_power_w,
)
from entraide_sim.workload import Request

HEARTBEAT_S = 1.0  # between heartbeats once the recording is over
BUSY_HEARTBEAT_S = 0.5  # between heartbeats of a node with runs
PREDICTIONS_MIN = 8.0  # decayed count of predictions from which learned rates are trusted


class LengthCounts(Struct):
    """Numbers of jobs with known and with estimated lengths."""

    known: int = 0
    estimated: int = 0


# Machines.


def node_specs(history: RecordedHistory, learned: State) -> list[NodeSpec]:
    """Returns the specifications of the recorded nodes that served a model, by name.

    A machine has an engine for each model that it served at any time; the core places runs only on
    those that its recorded card has at that time.

    Args:
        history: history with their cards and the times of their runs.
        learned: the core's state at the end of the recording.
    """
    return [
        _node_spec(history, history.cards[name], learned)
        for name in sorted(history.cards)
        if name in history.replicas
    ]


def _node_spec(history: RecordedHistory, card: NodeCard, learned: State) -> NodeSpec:
    replicas = tuple(history.replicas[card.node].values())
    runs = history.run_times.get(card.node, {})
    power_w = added_power_w(list(runs.values())) if runs else None
    specs = [_model_spec(history, card, replica, learned) for replica in replicas]
    specs = [msgspec.structs.replace(spec, extra_w=power_w) for spec in specs]
    if len(specs) == 1:
        return specs[0]
    whole = msgspec.structs.replace(specs[0].card, replicas=replicas)
    return msgspec.structs.replace(specs[0], card=whole, model_specs=tuple(specs))


def _model_spec(
    history: RecordedHistory, card: NodeCard, replica: Replica, learned: State
) -> NodeSpec:
    runs = history.run_times.get(card.node, {})
    beside = [times for model, times in sorted(runs.items()) if model != replica.model]
    known = _known_speed(learned, card.node, replica)
    speed = runs.get(replica.model, RunTimes()).speed(known, beside)
    tokens = replica.slots * replica.context_tokens
    reuses = "prefix_cache" in replica.features or card.node in history.reusing
    return NodeSpec(
        card=msgspec.structs.replace(card, replicas=(replica,), loadable=(), loading=()),
        rates=speed.rates if speed.rates != replica.rates else None,
        alone_s=speed.start_s,
        mixed_s=speed.start_s,
        batches_prefill=speed.batches_prefill,
        slowdowns=speed.slowdowns,
        prefix_tokens=tokens if reuses else 0,
        prefix_block_tokens=BLOCK_TOKENS,
        energy_basis=Basis(history.energy_basis.get(card.node, Basis.ESTIMATED.value)),
    )


def _known_speed(learned: State, name: str, replica: Replica) -> MeasuredSpeed:
    """Returns what the core has learned; the card's speed where it has learned too little."""
    node = learned.fleet.nodes.get(name)
    load = None if node is None else node.loads.get(replica.model)
    if load is None or load.pace.calibration().predictions_tpot < PREDICTIONS_MIN:
        return MeasuredSpeed(replica.rates, 0.0)
    model = load.pace
    rates = msgspec.structs.replace(
        replica.rates,
        prefill_tokens_per_s=1.0 / model.prefill_s_per_token,
        tpot_base_s=model.tpot_base_s,
        tpot_per_sequence_s=model.tpot_per_sequence_s,
        basis=Basis.MEASURED,
    )
    return MeasuredSpeed(rates, max(0.0, model.start_s - model.tpot_base_s))


# Demand.


def recorded_requests(
    events: Iterable[e.Event],
    history: RecordedHistory,
    *,
    known: Iterable[str],
    lengths: LengthCounts,
) -> Iterator[Request]:
    """Yields the recorded requests, each once, with true lengths.

    Args:
        events: events of the recording.
        history: history with the true lengths.
        known: jobs that the core knows already.
        lengths: counts known and estimated lengths.
    """
    requested, prefixes = set(known), RecordedPrefixes()
    for event in events:
        if isinstance(event, e.JobRequested) and event.facts.job not in requested:
            requested.add(event.facts.job)
            request = make_request(event.facts, event.at, history, lengths)
            restored = prefixes.restore(request.facts, request.input_tokens)
            yield msgspec.structs.replace(request, facts=restored)


def make_request(
    facts: RequestFacts, at: float, history: RecordedHistory, lengths: LengthCounts
) -> Request:
    """Returns a request with its true lengths."""
    true_lengths = history.true_lengths(facts)
    lengths.known += true_lengths.known
    lengths.estimated += not true_lengths.known
    return Request(
        at,
        facts,
        true_lengths.input_tokens,
        true_lengths.output_tokens,
        fails_with=history.faults.failures.get(facts.job, ""),
    )


def unfinished_jobs(state: State) -> list[tuple[Job, Lease | None]]:
    """Returns the unfinished jobs of a state, each with its lease if it has one."""
    unfinished: list[tuple[Job, Lease | None]] = []
    for name, job in state.jobs.items():
        lease = state.leases.get(name)
        runs = lease is not None and lease.state is not LeaseState.STOPPING
        if runs or job.state is JobState.QUEUED:
            unfinished.append((job, lease if runs else None))
    return unfinished


def site_specs(specs: Sequence[NodeSpec], policy: Policy) -> list[SiteSpec]:
    """Returns the sites of some machines, each with own generation that may be 0."""
    places = sorted({(spec.card.coop, spec.card.site) for spec in specs})
    own_g_per_kwh = policy.carbon.own_direct_g_per_kwh
    return [SiteSpec(coop, site, (), own_g_per_kwh) for coop, site in places]
