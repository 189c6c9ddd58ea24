"""Fleet checks: findings about nodes and gateways, from what the scheduler knows of them. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from msgspec import structs

from entraide import __version__
from entraide.types import Lending, NodeState
from entraide.versions import is_older
from entraide_scheduler.core.records import SenderKind
from entraide_scheduler.core.views import NodeView, QuarantineView
from entraide_scheduler.findings import Finding, Occurrences, Sort, Value, finding, listed
from entraide_scheduler.gateways import GatewayStatus
from entraide_scheduler.nodes import LoadRefusal
from entraide_scheduler.store.rows import NodeRow

APPROVED, WAITING = "approved", "waiting"
ALARMS_FREQUENT = 3  # false alarms of a node in an hour: its limits are then the long ones
CLOCK_OFF_S = 10.0  # more than the delay of a heartbeat
ENGINE_DOWN = "engine_down"
LINES_MAX = 100  # findings of one kind that each concern one node


def check_nodes(
    rows: Sequence[NodeRow],
    views: Sequence[NodeView],
    refusals: Mapping[str, Sequence[LoadRefusal]],
    occurrences: Occurrences,
) -> Iterator[Finding]:
    """Yields what is wrong with the nodes; those that nobody approved only wait.

    Args:
        rows: the pool's records.
        views: nodes as the core has them.
        refusals: failed loads, by node.
        occurrences: what happened lately.
    """
    coops = {row.node: row.coop for row in rows if row.approval == APPROVED}
    known = [view for view in views if view.card.node in coops]
    waiting = [row for row in rows if row.approval == WAITING]
    yield from (_of_node("node-waiting", row.node, row.coop) for row in waiting[:LINES_MAX])
    lost = {view.card.node: view.last_seen_at for view in known if view.state is NodeState.LOST}
    for name, seen_at in islice(lost.items(), LINES_MAX):
        yield _of_node("node-lost", name, coops[name], seen_at)
    for name in list(coops.keys() & refusals.keys())[:LINES_MAX]:
        for refusal in refusals[name]:
            words = {"model": refusal.model, "code": refusal.code}
            yield _of_node("node-refused", name, coops[name], refusal.at, **words)
    old = [view.card for view in known
           if view.card.agent and is_older(view.card.agent, __version__)]  # fmt: skip
    for card in old[:LINES_MAX]:
        words = {"agent": card.agent, "version": __version__}
        yield _of_node("node-old", card.node, card.coop, **words)
    here = coops.keys() - lost.keys()
    down = {view.card.node for view in known
            if view.state is NodeState.LIVE and view.reason == ENGINE_DOWN}  # fmt: skip
    yield from _named("nodes-silent", occurrences.recent(Sort.SILENT).keys() & here)
    yield from _named("nodes-engine", (occurrences.recent(Sort.ENGINE).keys() | down) & here)
    is_unclear = any(view.state is NodeState.SUSPECT for view in known)  # as after a start
    if known and not is_unclear and not any(map(_accepts_work, known)):
        yield finding("nodes-none", number=len(known))
    present = [view.card for view in known if view.state is NodeState.LIVE]
    has_model = any(card.replicas or card.loadable for card in present)
    if not coops or (present and not is_unclear and not has_model):
        yield finding("models-none", number=len(present))
    yield from _named("zones-none", [row.node for row in rows
                                     if row.node in coops and not row.zone])  # fmt: skip
    often = [view.card.node for view in views if view.false_alarms >= ALARMS_FREQUENT]
    yield from _named("alarms-frequent", often, number=sum(view.false_alarms for view in views))


def check_quarantines(
    quarantines: Sequence[QuarantineView], coops: Mapping[tuple[SenderKind, str], str]
) -> Iterator[Finding]:
    """Yields the senders in quarantine.

    Args:
        quarantines: as the core has them.
        coops: the co-op of each sender, as far as it is known.
    """
    for view in quarantines[:LINES_MAX]:
        values: dict[str, Value] = {
            view.kind.value: view.name,
            "coop": coops.get((view.kind, view.name), ""),
            "quarantine": view.reason,
            "detail": view.detail or "none",
        }
        machines = (view.name,) if view.kind is SenderKind.NODE else ()
        yield Finding(f"{view.kind.value}-quarantined", view.since, values, machines=machines)


def _of_node(kind: str, node: str, coop: str, since: float = 0.0, /, **words: str) -> Finding:
    about = finding(kind, node=node, coop=coop, **words)
    return structs.replace(about, since=since, machines=(node,))


def _named(code: str, nodes: Collection[str], **values: str | int) -> Iterator[Finding]:
    if nodes:
        named = finding(code, nodes=listed(sorted(nodes)), **values)
        yield structs.replace(named, machines=tuple(sorted(nodes)))


def _accepts_work(view: NodeView) -> bool:
    is_live = view.state is NodeState.LIVE
    return is_live and view.accepting and view.lending is not Lending.OWN_ONLY


def check_gateways(gateways: Sequence[GatewayStatus]) -> Iterator[Finding]:
    """Yields what is wrong with the gateways of their own."""
    silent = [each for each in gateways if each.state == "silent"]
    if silent:
        since = min(each.heard_at for each in silent)
        names = listed([each.gateway for each in silent])
        yield Finding("gateways-silent", since, {"gateways": names})
    twice = [each.gateway for each in gateways if each.is_twice]
    if twice:
        yield finding("gateways-twice", gateways=listed(twice))


def check_clocks(
    offset_s: float, nodes: Mapping[str, float], gateways: Mapping[str, float]
) -> Iterator[Finding]:
    """Yields whose clocks are wrong; if most machines' differ, it is the pool's own.

    Args:
        offset_s: this system's clock minus the time of events.
        nodes: clock of each node that is heard, minus the time of events, seconds.
        gateways: likewise of the gateways.
    """
    off = [name for name, by_s in nodes.items() if abs(by_s) > CLOCK_OFF_S]
    is_own = abs(offset_s) > CLOCK_OFF_S or (len(nodes) > 1 and len(off) > len(nodes) / 2)
    if is_own:
        yield finding("clock-off")
        return
    yield from _named("nodes-clock", off)
    late = [name for name, by_s in gateways.items() if abs(by_s) > CLOCK_OFF_S]
    if late:
        yield finding("gateways-clock", gateways=listed(sorted(late)))
