"""A recorded life of a pool: some thousand events from one seed, and how to replay them.

The small world here answers the core's commands as nodes, owners and grids would, faults on. Its
luck comes from one seed and its time from a heap, so that the same seed records the same events.

    python -m tests.core.recording FILE [START]    replays a file and prints what came out
"""

import hashlib
import sys
from collections.abc import Iterable
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
from entraide.types import DataClass, JobClass, JobKind, Outcome
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import ModelTerms, Period, Quota, QuotaKind

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
        self.luck = Random(seed)
        self.pool = Pool(*COOPS, quotas=QUOTAS, **{"models": HASTE, **terms})
        self.heap: list[tuple[float, int, Any]] = []
        self.pushed = 0
        self.jobs = 0
        self.incarnation = 1
        self.cards = [self.card(number) for number in range(NODES)]
        self.silent: set[str] = set()
        self.stopped: set[tuple[str, int]] = set()

    def card(self, number: int) -> Any:
        luck = self.luck
        models = luck.sample((MODEL, "moyen", "grand"), luck.randint(1, 2))
        speeds = rates(prefill_tokens_per_s=luck.choice((80.0, 400.0, 2_000.0)))
        return card(
            f"n{number:02}",
            COOPS[number % len(COOPS)],
            ZONES[number % len(ZONES)],
            replicas=tuple(
                replica(
                    model,
                    slots=luck.randint(1, 4),
                    context_tokens=luck.choice((1_024, 4_096)),
                    features=luck.choice(((), ("tools",))),
                    rates=speeds,
                )
                for model in models
            ),
            energy=luck.choice((None, surplus(luck.uniform(0, 300)))),
            loadable=tuple(self.offer(model) for model in RARE) if number % 3 == 0 else (),
            models_bytes=5 * GB,
        )

    def offer(self, model: str) -> Any:
        luck = self.luck
        return loadable(
            model,
            features=luck.choice(((), ("tools",))),
            fetch_bytes=luck.choice((0, GB)),
            load_s=luck.uniform(1, 8),
            memory_bytes=luck.choice((2, 3, 4)) * GB,
        )

    def later(self, after_s: float, act: Any, *values: Any) -> None:
        self.pushed += 1
        heappush(self.heap, (self.pool.now + after_s, self.pushed, (act, values)))

    def tell(self, kind: type, *values: Any) -> None:
        for command in self.pool.tell(kind, *values):
            if isinstance(command, commands.Place):
                self.later(self.luck.uniform(0.01, 0.2), self.take, command)
            elif isinstance(command, commands.CancelRun):
                self.stopped.add((command.job, command.epoch))
            elif isinstance(command, commands.LoadModel):
                self.later(self.luck.uniform(0.5, 6.0), self.load, command)
            elif isinstance(command, commands.UnloadModel):
                self.later(self.luck.uniform(0.1, 2.0), self.unload, command)

    def place_of(self, node: str) -> int:
        return next(place for place, one in enumerate(self.cards) if one.node == node)

    def load(self, command: commands.LoadModel) -> None:
        """A node loads a model, or fails, or says nothing at all."""
        chance, place = self.luck.random(), self.place_of(command.node)
        one = self.cards[place]
        if chance < 0.2:
            self.tell(events.LoadFailed, one.node, command.model, "load_no_room")
        elif chance < 0.9 and command.node not in self.silent:
            known = {served.model for served in one.replicas}
            if command.model not in known:
                added = (*one.replicas, replica(command.model))
                self.cards[place] = one = msgspec.structs.replace(one, replicas=added)
            self.tell(events.NodeJoined, one, True, "")

    def unload(self, command: commands.UnloadModel) -> None:
        """A node lets a model go, or did not hear."""
        place = self.place_of(command.node)
        one = self.cards[place]
        if self.luck.random() < 0.9:
            kept = tuple(served for served in one.replicas if served.model != command.model)
            self.cards[place] = one = msgspec.structs.replace(one, replicas=kept)
            self.tell(events.NodeJoined, one, True, "")

    def take(self, place: commands.Place) -> None:
        chance = self.luck.random()
        if place.node in self.silent or chance < 0.03:
            return
        if chance < 0.08:
            code = self.luck.choice(("full", "stale", "not_loaded", "draining", "context_exceeded"))
            self.tell(events.RunDeclined, place.job, place.epoch, place.node, code, {})
            return
        self.tell(events.RunAccepted, place.job, place.epoch, place.node)
        self.later(self.luck.uniform(0.2, 2.0), self.work, place, 0)

    def work(self, place: commands.Place, tokens: int) -> None:
        if place.node in self.silent or self.luck.random() < 0.01:
            return
        stopped = (place.job, place.epoch) in self.stopped
        if stopped or tokens >= min(place.output_tokens_max, self.luck.randint(20, 200)):
            failed = not stopped and self.luck.random() < 0.05
            outcome = Outcome.CANCELLED if stopped else Outcome.COMPLETED
            self.report(place, Outcome.FAILED if failed else outcome, tokens)
            return
        tokens = min(tokens + self.luck.randint(0, 30), place.output_tokens_max)
        self.tell(events.RunProgressed, place.job, place.epoch, place.node, tokens)
        self.later(self.luck.uniform(0.3, 1.0), self.work, place, tokens)

    def report(self, place: commands.Place, outcome: Outcome, tokens: int) -> None:
        used = usage(output_tokens=tokens, energy_decode_uwh=tokens * 600)
        code = "engine_failed" if outcome is Outcome.FAILED else ""
        delivered = self.luck.random() < 0.5
        values = (place.job, place.epoch, place.node, outcome, code, delivered, used)
        for _ in range(self.luck.choice((1, 1, 1, 2))):
            self.tell(events.RunReported, *values)

    def request(self) -> None:
        luck = self.luck
        self.jobs += 1
        input_tokens = luck.choice((20, 100, 600, 1_500))
        wanted = facts(
            f"j{self.jobs}",
            luck.choice((*COOPS, "alpha", "alpha")),
            project=luck.choice(("main", "side")),
            kind=luck.choice((JobKind.LIVE, JobKind.LIVE, JobKind.KEPT)),
            job_class=luck.choice(tuple(JobClass)),
            data_class=luck.choice((DataClass.INTERNAL, DataClass.INTERNAL, DataClass.RESTRICTED)),
            jurisdiction=luck.choice(("CA", "CA", "CA-QC")),
            model=luck.choice(MODELS),
            input_tokens_est=input_tokens,
            input_tokens_max=2 * input_tokens,
            output_tokens_max=luck.choice((None, 50, 200)),
            features=luck.choice(((), (), ("tools",))),
            stream=luck.random() < 0.5,
            gateway=luck.choice(("gw", "gw", "gw-2")),
            deadline_at=luck.choice((None, None, self.pool.now + 30.0)),
            max_carbon_ug=luck.choice((None, None, None, 2_000)),
        )
        self.tell(events.JobRequested, wanted)
        if luck.random() < 0.08:
            self.later(luck.uniform(0, 5), self.tell, events.JobCancelled, wanted.job, "cancelled")

    def correct(self) -> None:
        luck = self.luck
        lender, borrower = luck.sample(COOPS, 2)
        amounts = luck.randint(-500, 500), luck.randint(-10_000, 10_000), luck.randint(-99, 99)
        values = (f"c{luck.randint(1, 20)}", lender, borrower, *amounts, "a wrong meter")
        self.tell(events.LedgerCorrected, *values)

    def second(self) -> None:
        """What happens once a second: heartbeats, owners, weather, faults."""
        luck, names = self.luck, [one.node for one in self.cards]
        self.tell(events.NodesSeen, tuple(name for name in names if name not in self.silent))
        for _ in range(luck.choice((0, 2, 4, 12))):
            self.later(luck.random(), self.request)
        chance = luck.random()
        one = luck.choice(self.cards)
        if chance < 0.06:
            self.silent.symmetric_difference_update({one.node})
        elif chance < 0.12:
            self.tell(events.NodeChanged, one.node, luck.random() < 0.7, "paused", one.energy)
        elif chance < 0.15:
            self.tell(events.NodeLeft, one.node, "goodbye")
            self.later(luck.uniform(1, 20), self.tell, events.NodeJoined, one, True, "")
        elif chance < 0.22:
            self.tell(events.NodeChanged, one.node, True, "", surplus(luck.uniform(0, 300)))
        elif chance < 0.28:
            grams = luck.uniform(1, 500)
            self.tell(events.IntensityChanged, one.zone, grams, grams, "measured", 0.0)
        elif chance < 0.30:
            self.tell(events.GatewayLost, "gw-2")
        elif chance < 0.32:
            self.incarnation += 1
            self.tell(events.SchedulerStarted, self.incarnation, "gw")
        elif chance < 0.36:
            self.tell(events.PeriodBegan, Period.MINUTE, self.pool.now + 60.0)
        elif chance < 0.38:
            self.correct()
        elif chance < 0.42:
            kind = luck.choice((events.LoadAsked, events.UnloadAsked))
            self.tell(kind, one.node, luck.choice(RARE))
        self.later(1.0, self.second)


def record(seed: int, number: int, **terms: Any) -> World:
    """Lets a world live, under some terms of the policy, until it has made so many events."""
    world = World(seed, **terms)
    sizes = {"rare": ModelSize.SMALL, "rarer": ModelSize.SMALL, "grand": ModelSize.LARGE}
    listed = [entry(name, size) for name, size in sizes.items()]
    world.tell(events.CatalogueChanged, catalogue(*listed))
    for one in world.cards:
        world.tell(events.NodeJoined, one, True, "")
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
    found = hashlib.sha256()
    for event in recorded:
        found.update(msgspec.msgpack.encode(core.handle(event)))
    return found.hexdigest()


def halves(recorded: Recorded, start: int) -> tuple[str, str]:
    """Returns the hash of the commands after ``start``, without and with a snapshot there."""
    core = Core()
    digest(recorded[:start], core)
    restored = Core.restore(core.snapshot())
    return digest(recorded[start:], core), digest(recorded[start:], restored)


def main(file: str, start: int) -> None:
    recorded = _events.decode(Path(file).read_bytes())
    print(digest(recorded, Core()), *halves(recorded, start), Core().snapshot().hex()[:8])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
