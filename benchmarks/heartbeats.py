"""Heartbeats per second that one core adds to the fleet view.

Every node sends a heartbeat each second; half of the nodes report a constant solar surplus, and a
part of them reports a change. Measured is the scheduler's work on the bytes: sender, decoding,
order, plausibility, clock conversion, one ``NodeChanged`` per changed heartbeat and one
``NodesSeen`` per second for all others, handled by the core. The journal's bytes are encoded; its
disk and the bus are excluded.

The reference decodes the same bytes and delivers every heartbeat to the core as an event of its
own, without checks.

    python -m benchmarks.heartbeats [--json] [--secs S]

Rows: ``nodes, changed_part, heartbeats, events, heartbeats_per_s, tick_p99_s, journal_bytes,
reference_heartbeats_per_s, reference_journal_bytes, reference_ratio``; bytes are per second of
simulated time. ``tick_p99_s`` is the time of a second's last event, ``NodesSeen``. Times are CPU
time of one process.
"""

import asyncio
import base64
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import structlog
from benchmarks.decisions import card
from benchmarks.support.common import make_parser
from msgspec import Struct, structs, to_builtins
from msgspec.msgpack import Encoder

from entraide.types import Basis, EnergyStatus
from entraide.wire import codec, subjects
from entraide.wire import messages as m
from entraide_scheduler.core import events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.nodes import APPROVED, NodeListener, NodeRegistry
from entraide_scheduler.store.rows import NodeRow

NODES = 10_000
CHANGED_PARTS = (0.0, 0.01, 0.1)
SECS = 6.0  # for each part and method
ROUNDS_MIN = 3
START = 1_800_000_000.0
SUN_LASTS_S = 60.0

_encode = Encoder().encode


class Row(Struct, frozen=True):
    """Measurements with one part of nodes that report a change each second."""

    nodes: int
    changed_part: float
    heartbeats: int
    events: int
    heartbeats_per_s: float
    tick_p99_s: float
    journal_bytes: int
    reference_heartbeats_per_s: float
    reference_journal_bytes: int
    reference_ratio: float


class CountingDriver:
    """Numbers and times events for a core and encodes them, as the live driver does."""

    def __init__(self) -> None:
        self.core = Core()
        self.at = START
        self.events = self.journal_bytes = 0
        self.counts: Counter[str] = Counter()

    def now(self) -> float:
        """Returns the time of an event that would be fed now."""
        return self.at

    def feed(self, unnumbered: events.Event) -> bool:
        """Feeds an event."""
        self.events += 1
        event = structs.replace(unnumbered, id=self.events, at=self.at)
        self.core.handle(event)
        self.journal_bytes += len(_encode(event))
        return True


def key_of(node: str) -> str:
    """Returns a key of the form of a node's, another one for each name."""
    return "U" + base64.b32encode(node.encode().ljust(34, b"\0")).decode().rstrip("=")


class NullNodePort:
    """Publisher to the nodes and issuer of their identities; discards everything."""

    def publish(self, subject: str, data: bytes) -> None:
        """Drops a message."""

    def issue_node_jwt(self, node: str, public_key: str) -> None:
        """Issues nothing."""


class HeartbeatFleet:
    """Nodes with seeded random heartbeats, so that every run has the same bytes."""

    def __init__(self, nodes: int, changed_part: float) -> None:
        self.random = Random(20_260)
        self.cards = [card(number) for number in range(nodes)]
        self.names = [card.node for card in self.cards]
        self.surplus_w = [100.0 if number % 2 else None for number in range(nodes)]
        self.changed_count = round(nodes * changed_part)
        self.sequence = 1

    def make_hellos(self) -> list[tuple[str, bytes]]:
        """Returns the first message of each node."""
        said = (m.Hello(card, "boot", 1, START, True, "", (), m.PROTOCOL) for card in self.cards)
        return [self._message(name, hello) for name, hello in zip(self.names, said, strict=True)]

    def make_heartbeats(self, at: float) -> list[tuple[str, bytes]]:
        """Returns the heartbeats of one second, in random order."""
        self.sequence += 1
        order = list(range(len(self.names)))
        self.random.shuffle(order)
        for number in order[: self.changed_count]:
            self.surplus_w[number] = self.random.uniform(0.0, 300.0)
        return [self._message(self.names[number], self._heartbeat(number, at)) for number in order]

    def _heartbeat(self, number: int, at: float) -> m.Heartbeat:
        surplus_w, sent_at = self.surplus_w[number], at - 0.02
        energy = None
        if surplus_w is not None:
            until = sent_at + SUN_LASTS_S
            energy = EnergyStatus(surplus_w, Basis.MEASURED, "meter", sent_at, until)
        return m.Heartbeat("boot", self.sequence, sent_at, True, "", 0, energy)

    def _message(self, name: str, message: Any) -> tuple[str, bytes]:
        return subjects.node_ctl_up(key_of(name)), codec.encode(message)


class HeartbeatTotals(Struct):
    """Totals of the heartbeats of some seconds."""

    seconds: int = 0
    heartbeats: int = 0
    events: int = 0
    journal_bytes: int = 0
    spent_s: float = 0.0
    ticks_s: list[float] = []

    def per_s(self) -> float:
        """Returns heartbeats per second of CPU time."""
        return self.heartbeats / self.spent_s


async def ours(fleet: HeartbeatFleet, secs: float) -> HeartbeatTotals:
    """Handles a fleet's messages with the scheduler's node listener for ``secs`` CPU seconds."""
    driver, nobody, heard = CountingDriver(), NullNodePort(), HeartbeatTotals()
    rows = [
        NodeRow(c.node, c.coop, c.site, c.zone, key_of(c.node), APPROVED, device=c.power.device)
        for c in fleet.cards
    ]
    anything: Any = {"driver": driver, "publisher": nobody, "issuer": nobody, "catalogue": nobody}
    anything |= {"refuse_key": nobody, "results": nobody, "gateway": "main"}
    listener = NodeListener(registry=NodeRegistry(None, rows), **anything)  # type: ignore[arg-type]
    for hello in fleet.make_hellos():
        listener.on_message(*hello)
        await asyncio.sleep(0)
    assert len(driver.core.nodes()) == len(fleet.cards)
    driver.events = driver.journal_bytes = 0
    while heard.spent_s < secs or heard.seconds < ROUNDS_MIN:
        driver.at += 1.0
        beats = fleet.make_heartbeats(driver.at)
        began = time.process_time()
        for beat in beats:
            listener.on_message(*beat)
        tick = time.process_time()
        listener.report_seen_nodes()
        ended = time.process_time()
        heard.spent_s += ended - began
        heard.ticks_s.append(ended - tick)
        heard.heartbeats += len(beats)
        heard.seconds += 1
    heard.events, heard.journal_bytes = driver.events, driver.journal_bytes
    return heard


def reference(fleet: HeartbeatFleet, secs: float) -> HeartbeatTotals:
    """Delivers each heartbeat of a fleet as an event for ``secs`` CPU seconds."""
    driver, heard = CountingDriver(), HeartbeatTotals()
    names = {key_of(name): name for name in fleet.names}
    for node_card in fleet.cards:
        driver.feed(
            events.NodeJoined(*events.UNNUMBERED, card=node_card, accepting=True, reason="")
        )
    driver.events = driver.journal_bytes = 0
    while heard.spent_s < secs or heard.seconds < ROUNDS_MIN:
        driver.at += 1.0
        beats = fleet.make_heartbeats(driver.at)
        began = time.process_time()
        for subject, data in beats:
            beat: Any = codec.node_up.decode(data)
            driver.feed(
                events.NodeChanged(
                    *events.UNNUMBERED,
                    node=names[subjects.sender(subject)],
                    accepting=beat.accepting,
                    reason=beat.reason,
                    energy=beat.energy,
                )
            )
        heard.spent_s += time.process_time() - began
        heard.heartbeats += len(beats)
        heard.seconds += 1
    heard.events, heard.journal_bytes = driver.events, driver.journal_bytes
    return heard


def measure(nodes: int, changed_part: float, secs: float) -> Row:
    """Measures a fleet's heartbeats for ``secs`` CPU seconds, both ways."""
    heard = asyncio.run(ours(HeartbeatFleet(nodes, changed_part), secs))
    plain = reference(HeartbeatFleet(nodes, changed_part), secs / 3)
    ticks_s = sorted(heard.ticks_s)
    return Row(
        nodes=nodes,
        changed_part=changed_part,
        heartbeats=heard.heartbeats,
        events=heard.events,
        heartbeats_per_s=round(heard.per_s(), 1),
        tick_p99_s=round(ticks_s[int(len(ticks_s) * 0.99)], 6),
        journal_bytes=heard.journal_bytes // heard.seconds,
        reference_heartbeats_per_s=round(plain.per_s(), 1),
        reference_journal_bytes=plain.journal_bytes // plain.seconds,
        reference_ratio=round(heard.per_s() / plain.per_s(), 3),
    )


def main(arguments: Sequence[str]) -> None:
    """Measures each part and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--secs", type=float, default=SECS, help="CPU seconds for each part")
    parser.add_argument("--nodes", type=int, default=NODES, help="how many nodes beat")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    rows = [measure(options.nodes, part, options.secs) for part in CHANGED_PARTS]
    if options.json:
        print(json.dumps(to_builtins(rows)))
        return
    print(
        f"{'nodes':>7} {'changed':>8} {'beats/s':>10} {'tick ms':>12} {'plain/s':>10} {'ratio':>7}"
    )
    for row in rows:
        print(
            f"{row.nodes:>7} {row.changed_part:>8} {row.heartbeats_per_s:>10} "
            f"{row.tick_p99_s * 1e3:>12.2f} {row.reference_heartbeats_per_s:>10} "
            f"{row.reference_ratio:>7}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
