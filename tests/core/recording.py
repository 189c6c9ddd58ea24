"""Records a journal of some thousand random events from one seed, and replays it.

A simulated world answers the core's commands as nodes, owners and grids would, with faults. Its
random numbers come from one seed and its time from a heap: a seed always gives the same events.

    python -m tests.core.recording FILE [START]    replays a file and prints what came out
"""

import hashlib
import sys
from collections.abc import Collection, Iterable
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from tests.core.builders import (
    GB,
    MODEL,
    Pool,
    card,
    catalogue,
    entry,
    facts,
    loadable,
    rates,
    replica,
    surplus,
    usage,
)

from entraide.models import ModelSize
from entraide.types import Control, DataClass, JobClass, JobKind, Outcome
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Period, Quota, QuotaKind
from entraide_scheduler.core.policy.policy import ModelTerms

COOPS = ("alpha", "beta", "gamma", "delta")
ZONES = ("CA-QC", "CA-ON", "CA-AB", "CA-SK")
QUOTAS = {
    "gamma": (
        Quota(QuotaKind.TOKENS, 9_000, Period.MINUTE),
        Quota(QuotaKind.JOBS_IN_FLIGHT, 12),
    ),
    "delta": (
        Quota(QuotaKind.REQUESTS, 40, Period.MINUTE, project="side"),
        Quota(QuotaKind.ENERGY_WH, 1, Period.MINUTE, key="key-delta"),
        Quota(QuotaKind.CARBON_G, 1, Period.MINUTE),
    ),
}
NODES = 12
RARE = ("rare", "rarer", "grand")  # models that some nodes could load
HASTE = ModelTerms(5.0, 5.0, 5.0, loads_per_hour=60, retry_s=2.0, half_life_s=20.0)
MODELS = (MODEL, "moyen", "grand", MODEL, "moyen", "grand", "rare", "rarer", "small", "auto")

Recorded = list[events.Event]
_events = msgspec.msgpack.Decoder(list[events.Event])


class World:
    """Nodes, co-ops and grids around one core."""

    def __init__(self, seed: int, **terms: Any) -> None:
        self.rng = Random(seed)
        self.pool = Pool(*COOPS, quotas=QUOTAS, **{"models": HASTE, **terms})
        self.heap: list[tuple[float, int, Any]] = []
        self.pushed = 0
        self.jobs = 0
        self.incarnation = 1
        self.cards = [self.card(number) for number in range(NODES)]
        self.silent: set[str] = set()
        self.stopped: set[tuple[str, int]] = set()

    def card(self, number: int) -> Any:
        rng = self.rng
        models = rng.sample((MODEL, "moyen", "grand"), rng.randint(1, 2))
        speeds = rates(prefill_tokens_per_s=rng.choice((80.0, 400.0, 2_000.0)))
        return card(
            f"n{number:02}",
            COOPS[number % len(COOPS)],
            ZONES[number % len(ZONES)],
            replicas=tuple(
                replica(
                    model,
                    slots=rng.randint(1, 4),
                    context_tokens=rng.choice((1_024, 4_096)),
                    features=rng.choice((("resume",), ("resume", "tools"))),
                    rates=speeds,
                )
                for model in models
            ),
            energy=rng.choice((None, surplus(rng.uniform(0, 300)))),
            loadable=tuple(self.offer(model) for model in RARE) if number % 3 == 0 else (),
            models_bytes=5 * GB,
            controlled_by=tuple(Control)[number % 3],
        )

    def offer(self, model: str) -> Any:
        rng = self.rng
        return loadable(
            model,
            features=rng.choice(((), ("tools",))),
            fetch_bytes=rng.choice((0, GB)),
            load_s=rng.uniform(1, 8),
            memory_bytes=rng.choice((2, 3, 4)) * GB,
        )

    def later(self, after_s: float, act: Any, *values: Any) -> None:
        self.pushed += 1
        heappush(self.heap, (self.pool.now + after_s, self.pushed, (act, values)))

    def tell(self, kind: type, *values: Any) -> None:
        for command in self.pool.tell(kind, *values):
            if isinstance(command, commands.Place):
                self.later(self.rng.uniform(0.01, 0.2), self.take, command)
            elif isinstance(command, commands.CancelRun):
                self.stopped.add((command.job, command.epoch))
            elif isinstance(command, commands.LoadModel):
                self.later(self.rng.uniform(0.5, 6.0), self.load, command)
            elif isinstance(command, commands.UnloadModel):
                self.later(self.rng.uniform(0.1, 2.0), self.unload, command)

    def place_of(self, node: str) -> int:
        return next(place for place, node_card in enumerate(self.cards) if node_card.node == node)

    def load(self, command: commands.LoadModel) -> None:
        """A node loads a model, reports a failure, or does not answer."""
        chance, place = self.rng.random(), self.place_of(command.node)
        node_card = self.cards[place]
        if chance < 0.2:
            self.tell(events.LoadFailed, node_card.node, command.model, "load_no_room")
        elif chance < 0.9 and command.node not in self.silent:
            known = {served.model for served in node_card.replicas}
            if command.model not in known:
                added = (*node_card.replicas, replica(command.model))
                self.cards[place] = node_card = msgspec.structs.replace(node_card, replicas=added)
            self.tell(events.NodeJoined, node_card, True, "")

    def unload(self, command: commands.UnloadModel) -> None:
        """A node unloads a model, or misses the command."""
        place = self.place_of(command.node)
        node_card = self.cards[place]
        if self.rng.random() < 0.9:
            kept = tuple(served for served in node_card.replicas if served.model != command.model)
            self.cards[place] = node_card = msgspec.structs.replace(node_card, replicas=kept)
            self.tell(events.NodeJoined, node_card, True, "")

    def take(self, place: commands.Place) -> None:
        chance = self.rng.random()
        if place.node in self.silent or chance < 0.03:
            return
        if chance < 0.08:
            code = self.rng.choice(
                ("full", "stale", "not_loaded", "draining", "context_length_exceeded")
            )
            self.tell(events.RunDeclined, place.job, place.epoch, place.node, code, {})
            return
        self.tell(events.RunAccepted, place.job, place.epoch, place.node)
        earlier = self.pool.core.earlier_runs(place.job)
        if earlier and chance < 0.9:
            delivered = tuple((run.lease.terms.epoch, run.output_tokens) for run in earlier)
            self.tell(events.AnswerResumed, place.job, place.epoch, delivered)
        self.later(self.rng.uniform(0.2, 2.0), self.work, place, 0)

    def work(self, place: commands.Place, tokens: int) -> None:
        if place.node in self.silent or self.rng.random() < 0.01:
            return
        stopped = (place.job, place.epoch) in self.stopped
        if stopped or tokens >= min(place.output_tokens_max, self.rng.randint(20, 200)):
            failed = not stopped and self.rng.random() < 0.1
            outcome = Outcome.CANCELLED if stopped else Outcome.COMPLETED
            self.report(place, Outcome.FAILED if failed else outcome, tokens)
            return
        tokens = min(tokens + self.rng.randint(0, 30), place.output_tokens_max)
        if self.place_of(place.node) % 2:  # nodes of an older version
            self.tell(events.RunProgressed, place.job, place.epoch, place.node, tokens)
        else:
            self.tell(events.NodeBeat, place.node, ((place.job, place.epoch, tokens),))
        self.later(self.rng.uniform(0.3, 1.0), self.work, place, tokens)

    def report(self, place: commands.Place, outcome: Outcome, tokens: int) -> None:
        used = usage(output_tokens=tokens, energy_decode_uwh=tokens * 600)
        code = "engine_failed" if outcome is Outcome.FAILED else ""
        delivered = self.rng.random() < 0.5
        values = (place.job, place.epoch, place.node, outcome, code, delivered, used)
        for _ in range(self.rng.choice((1, 1, 1, 2))):
            self.tell(events.RunReported, *values)

    def request(self) -> None:
        rng = self.rng
        self.jobs += 1
        input_tokens = rng.choice((20, 100, 600, 1_500))
        request = facts(
            f"j{self.jobs}",
            rng.choice((*COOPS, "alpha", "alpha")),
            project=rng.choice(("main", "side")),
            kind=rng.choice((JobKind.LIVE, JobKind.LIVE, JobKind.KEPT)),
            job_class=rng.choice(tuple(JobClass)),
            data_class=rng.choice((DataClass.INTERNAL, DataClass.INTERNAL, DataClass.RESTRICTED)),
            jurisdiction=rng.choice(("CA", "CA", "CA-QC")),
            model=rng.choice(MODELS),
            input_tokens_est=input_tokens,
            input_tokens_max=2 * input_tokens,
            output_tokens_max=rng.choice((None, 50, 200)),
            features=rng.choice(((), (), ("tools",))),
            stream=rng.random() < 0.5,
            resumable=rng.random() < 0.5,
            gateway=rng.choice(("gw", "gw", "gw-2")),
            deadline_at=rng.choice((None, None, self.pool.now + 30.0)),
            max_carbon_ug=rng.choice((None, None, None, 2_000)),
            controlled_by=rng.choice((Control.UNSTATED, Control.UNSTATED, Control.CANADIAN)),
            max_wait_s=0.5 if self.jobs % 2 else None,
        )
        self.tell(events.JobRequested, request)
        if rng.random() < 0.08:
            self.later(rng.uniform(0, 5), self.tell, events.JobCancelled, request.job, "cancelled")

    def correct(self) -> None:
        rng = self.rng
        lender, borrower = rng.sample(COOPS, 2)
        amounts = rng.randint(-500, 500), rng.randint(-10_000, 10_000), rng.randint(-99, 99)
        values = (f"c{rng.randint(1, 20)}", lender, borrower, *amounts, "a wrong meter")
        self.tell(events.LedgerCorrected, *values)

    def turn_silent(self, node: str) -> None:
        """Makes a node fall silent, with or without the end of its connection, or speak again."""
        self.silent.symmetric_difference_update({node})
        if node in self.silent and self.rng.random() < 0.5:
            self.tell(events.NodeDisconnected, node)

    def second(self) -> None:
        """Feeds one second's heartbeats, requests, owner changes, grid changes and faults."""
        rng, names = self.rng, [node_card.node for node_card in self.cards]
        self.tell(events.NodesSeen, tuple(name for name in names if name not in self.silent))
        for _ in range(rng.choice((0, 2, 4, 12))):
            self.later(rng.random(), self.request)
        chance = rng.random()
        node_card = rng.choice(self.cards)
        if chance < 0.06:
            self.turn_silent(node_card.node)
        elif chance < 0.12:
            self.tell(
                events.NodeChanged, node_card.node, rng.random() < 0.7, "paused", node_card.energy
            )
        elif chance < 0.15:
            self.tell(events.NodeLeft, node_card.node, "goodbye")
            self.later(rng.uniform(1, 20), self.tell, events.NodeJoined, node_card, True, "")
        elif chance < 0.22:
            self.tell(events.NodeChanged, node_card.node, True, "", surplus(rng.uniform(0, 300)))
        elif chance < 0.28:
            grams = rng.uniform(1, 500)
            self.tell(events.IntensityChanged, node_card.zone, grams, grams, "measured", 0.0)
        elif chance < 0.30:
            self.tell(*rng.choice(((events.GatewayLost, "gw-2"), (events.BusLost,))))
        elif chance < 0.32:
            self.incarnation += 1
            self.tell(events.SchedulerStarted, self.incarnation, "gw")
        elif chance < 0.36:
            self.tell(events.PeriodBegan, Period.MINUTE, self.pool.now + 60.0)
        elif chance < 0.38:
            self.correct()
        elif chance < 0.42:
            kind = rng.choice((events.LoadAsked, events.UnloadAsked))
            self.tell(kind, node_card.node, rng.choice(RARE))
        self.later(1.0, self.second)


def record(seed: int, number: int, **terms: Any) -> World:
    """Runs a world under some policy terms until it has made ``number`` events."""
    world = World(seed, **terms)
    sizes = {"rare": ModelSize.SMALL, "rarer": ModelSize.SMALL, "grand": ModelSize.LARGE}
    listed = [entry(name, size) for name, size in sizes.items()]
    world.tell(events.CatalogueChanged, catalogue(*listed))
    for node_card in world.cards:
        world.tell(events.NodeJoined, node_card, True, "")
    world.second()
    while len(world.pool.events) < number:
        due = world.pool.core.next_deadline()
        at, _, (act, values) = world.heap[0]
        if due is not None and due < at:
            world.pool.now = due
            world.tell(events.Woke)
            continue
        heappop(world.heap)
        world.pool.now = at
        act(*values)
    return world


def digest(recorded: Iterable[events.Event], core: Core) -> str:
    """Feeds events to a core and returns a hash of the commands' bytes."""
    commands_hash = hashlib.sha256()
    for event in recorded:
        commands_hash.update(msgspec.msgpack.encode(core.handle(event)))
    return commands_hash.hexdigest()


def digests(recorded: Recorded, starts: Collection[int]) -> tuple[dict[int, str], dict[int, bytes]]:
    """Feeds all events to one core, which is asked for a snapshot before each start.

    Returns:
        For each start the hash of the commands from there on, and the snapshot.
    """
    core, hashes, snapshots = Core(), {}, {}
    for number, event in enumerate(recorded):
        if number in starts:
            hashes[number], snapshots[number] = hashlib.sha256(), core.snapshot()
        packed = msgspec.msgpack.encode(core.handle(event))
        for commands_hash in hashes.values():
            commands_hash.update(packed)
    return {start: value.hexdigest() for start, value in hashes.items()}, snapshots


def main(file: str, start: int) -> None:
    recorded = _events.decode(Path(file).read_bytes())
    went_on, snapshots = digests(recorded, (0, start))
    restored = digest(recorded[start:], Core.restore(snapshots[start]))
    print(went_on[0], went_on[start], restored, Core().snapshot().hex()[:8])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
