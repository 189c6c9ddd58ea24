"""Card paths: follows the values of added fields of a node's card, and of a request.

Each check yields a sentence for each value that it loses.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
from msgspec import structs
from tests.core import builders
from tests.house.extended_structs import added_values
from tests.house.struct_samples import Path, caught, get_at, list_paths, make_sample, replace_at

from entraide.types import (
    Basis,
    EnergyStatus,
    Loadable,
    NodeCard,
    Power,
)
from entraide.wire import codec
from entraide.wire import messages as m
from entraide_scheduler.core import events as e
from entraide_scheduler.core.evaluation import shape_of
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.models import minimal_shape
from entraide_scheduler.node_validation import clocks
from entraide_scheduler.store.rows import NodeRow
from entraide_sim.fleet.fleet import capped_rates
from entraide_sim.fleet.model_layout import offer_of
from entraide_sim.machines import make_hardware
from entraide_sim.recordings import RecordedHistory
from entraide_sim.replay.counterfactual_replay import node_specs

NODE = "node-1"
NOW = builders.START
GIVEN: dict[type, dict[str, Any]] = {
    NodeCard: {"node": NODE, "coop": "alpha", "zone": "CA-QC", "models_bytes": 10},
    Loadable: {"model": "y"},
    EnergyStatus: {"basis": Basis.MEASURED, "measured_at": NOW, "expires_at": NOW + 3_600.0},
    Power: {"idle_w": 1.0, "active_w": 2.0},
}
BASE: NodeCard = make_sample(NodeCard, GIVEN)
# Facts of a card that no offer of its models depends on; see ``fleet``.
ROW = NodeRow(NODE, "alpha", "x", "CA-QC", "key", "approved", 0.0)


def find_card_losses() -> Iterator[str]:
    """Yields what is lost of a card or of a request."""
    for path in list_paths(BASE):
        kind = type(get_at(BASE, path))
        for name, value in added_values():
            card = replace_at(BASE, path, **{name: value})
            place = ".".join(map(str, (kind.__name__, name)))
            for check in (_wire, _record, _core, _offers, _simulator):
                losses = caught(partial(check, card, path, name))
                yield from (f"{check.__name__[1:]} {place}: {loss}" for loss in losses)
    for name, value in added_values():
        yield from (f"request {name}: {loss}" for loss in _request(name, value))


def _wire(card: NodeCard, path: Path, name: str) -> Iterator[str]:
    """The card arrives as the node sends it."""
    hello = m.Hello(card, "boot", 1, NOW, True, "", (), protocol=m.PROTOCOL)
    if codec.node_up.decode(codec.encode(hello)) != hello:
        yield "not in the node's hello"
    event = e.NodeJoined(1, NOW, card, True, "")
    if msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=e.Event) != event:
        yield "not in the journal"


def _record(card: NodeCard, path: Path, name: str) -> Iterator[str]:
    """The pool's record of the node overrides its own fields alone, and a heartbeat is heard."""
    known = clocks.apply_pool_record(card, ROW, behind_s=0.0, now=NOW)
    if getattr(get_at(known, path), name) != getattr(get_at(card, path), name):
        yield "the pool's record erases it"
    if path == ("energy",) and not clocks.has_energy_changed(BASE.energy, card.energy, NOW):
        yield "a heartbeat that changes it is not fed"


def _core(card: NodeCard, path: Path, name: str) -> Iterator[str]:
    """The core and its snapshot have the card as it was announced."""
    pool = builders.Pool()
    pool.join(BASE)
    pool.join(card)
    for core in (pool.core, Core.restore(pool.core.snapshot())):
        node = core._state.fleet.nodes[NODE]
        if node.card != card:
            yield "not in the core's fleet"
        for known, announced in ((node.replicas, card.replicas), (node.loadable, card.loadable)):
            if tuple(known.values()) != announced:
                yield "not in the core's index"
        loaded = core._state.fleet.replica_index.once_loaded(node, card.loadable[0])
        if path == ("loadable", 0) and getattr(loaded.replica, name) != getattr(
            card.loadable[0], name
        ):
            yield "not in the replica that a load would make"


def _offers(card: NodeCard, path: Path, name: str) -> Iterator[str]:
    """The core looks again for what a node serves once anything changes that it may depend on."""
    if path and path[0] in ("power", "energy", "terms"):
        return
    fleet = builders.Pool().core._state.fleet
    fleet.add_or_update(BASE, accepting=True, reason="", at=NOW)
    fleet._changes.aliases = False
    fleet._changes.servable.clear()
    fleet.add_or_update(card, accepting=True, reason="", at=NOW)
    if not (fleet._changes.aliases and fleet._changes.servable):
        yield "a card that changes it is no change of the node's offers"


def _simulator(card: NodeCard, path: Path, name: str) -> Iterator[str]:
    """The simulated machine of a recorded card has the card; what its parts become keeps it."""
    core = builders.Pool().core
    core.handle(e.NodeJoined(9, NOW, card, True, ""))
    history = RecordedHistory(core._state)
    (spec,) = node_specs(history, core._state)
    kept = structs.replace(card, rtt_s=spec.card.rtt_s, loadable=(), loading=())
    if spec.card != kept:
        yield "the replayed machine does not have it"
    (replica,) = card.replicas
    if path == ("replicas", 0, "rates"):
        rates = (capped_rates(replica.rates, 0.5), make_hardware(spec, power_cap_w=1.5).rates)
        if any(getattr(each, name) != getattr(replica.rates, name) for each in rates):
            yield "the rates under a power cap do not have it"
    offer = offer_of(replica, model="x", memory_bytes=1, fetch_bytes=0, load_s=1.0)
    if path == ("replicas", 0) and getattr(offer, name) != getattr(replica, name):
        yield "the offer of a simulated model does not have it"


def _request(name: str, value: Any) -> Iterator[str]:
    """What a request asks for is in its shape, as it is in the shape that resolves an alias."""
    asked = structs.replace(builders.facts("j1"), **{name: value})
    message = m.SubmitJob(asked)
    if codec.gateway_up.decode(codec.encode(message)) != message:
        yield "not in the gateway's message"
    pool = builders.Pool()
    pool.join(BASE)
    pool.tell(e.JobRequested, asked)
    state = pool.core._state
    (job,) = state.jobs.values() or state.ended.values()
    if getattr(minimal_shape(state.fleet, asked, "x"), name) != value:
        yield "not in the shape that resolves an alias"
    if getattr(shape_of(state, job), name) != value:
        yield "not in the job's shape"
    if Core.restore(pool.core.snapshot())._state.jobs != state.jobs:
        yield "not in the snapshot"
