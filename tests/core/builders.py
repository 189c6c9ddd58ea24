"""Builders of events and facts with default values; a test names only the values it needs."""

from itertools import count
from typing import Any

import msgspec
from tests.core import placement_checks

from entraide.models import Catalogue, ModelEntry, ModelSize, Openness
from entraide.types import (
    Basis,
    DataClass,
    EnergyStatus,
    JobClass,
    JobKind,
    Loadable,
    NodeCard,
    Outcome,
    Power,
    Rates,
    Replica,
    RequestFacts,
    Usage,
)
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Evidence, Policy, Quota
from entraide_scheduler.core.records import kind_of_replica
from entraide_scheduler.core.rules import find_blocked_bits

START = 1_700_000_000.0
MODEL = "petit"
GB = 1_000_000_000
ZONES = {"CA-QC": (1.3, 31.0), "CA-ON": (38.0, 73.0), "CA-AB": (372.0, 438.0)}


def rates(**changes: Any) -> Rates:
    values = {
        "prefill_tokens_per_s": 1_000.0,
        "tpot_base_s": 0.02,
        "tpot_per_sequence_s": 0.002,
        "basis": Basis.MEASURED,
    }
    return Rates(**{**values, **changes})


def replica(model: str = MODEL, **changes: Any) -> Replica:
    values = {
        "model": model,
        "revision": "sha256:abc",
        "engine": "llama.cpp/1",
        "context_tokens": 4_096,
        "slots": 4,
        "features": (),
        "rates": rates(),
    }
    return Replica(**{**values, **changes})


def loadable(model: str = MODEL, **changes: Any) -> Loadable:
    values = {
        "model": model,
        "revision": "sha256:def",
        "engine": "llama.cpp/1",
        "context_tokens": 4_096,
        "slots": 4,
        "features": (),
        "memory_bytes": 4 * GB,
        "fetch_bytes": 0,
        "load_s": 20.0,
    }
    return Loadable(**{**values, **changes})


def entry(name: str, size: ModelSize = ModelSize.SMALL, **changes: Any) -> ModelEntry:
    values = {
        "name": name,
        "title": name.title(),
        "size": size,
        "parameters": 1_000_000_000,
        "active_parameters": 1_000_000_000,
        "licence": "Apache-2.0",
        "openness": Openness.OPEN_SOURCE,
        "languages": ("fr", "en"),
        "features": (),
        "context_tokens_max": 4_096,
        "kv_bytes_per_token": 1_000,
        "artefacts": (),
    }
    return ModelEntry(**{**values, **changes})


def catalogue(*entries: ModelEntry, version: int = 1) -> Catalogue:
    return Catalogue(version, START, entries)


def surplus(surplus_w: float, *, until: float = START + 3_600.0) -> EnergyStatus:
    return EnergyStatus(surplus_w, Basis.MEASURED, "meter", START, until)


def card(node: str, coop: str = "alpha", zone: str = "CA-QC", **changes: Any) -> NodeCard:
    values = {
        "node": node,
        "coop": coop,
        "site": f"{coop}-home",
        "zone": zone,
        "power": Power("bench", 10.0, 110.0, Basis.DECLARED),
        "replicas": (replica(),),
        "data_classes": tuple(DataClass),
        "energy": None,
        "rtt_s": 0.02,
        "agent": "0.1.0",
    }
    return NodeCard(**{**values, **changes})


def facts(job: str, coop: str = "alpha", **changes: Any) -> RequestFacts:
    values = {
        "job": job,
        "coop": coop,
        "project": "main",
        "key": f"key-{coop}",
        "gateway": "gw",
        "kind": JobKind.LIVE,
        "job_class": JobClass.INTERACTIVE,
        "data_class": DataClass.INTERNAL,
        "jurisdiction": "CA",
        "model": MODEL,
        "input_tokens_est": 100,
        "input_tokens_max": 150,
        "output_tokens_max": 100,
    }
    return RequestFacts(**{**values, **changes})


def usage(**changes: Any) -> Usage:
    values = {
        "input_tokens": 90,
        "cached_tokens": 0,
        "output_tokens": 50,
        "counted": Basis.MEASURED,
        "energy_prefill_uwh": 2_000,
        "energy_decode_uwh": 30_000,
        "energy_basis": Basis.ESTIMATED,
        "ttft_s": 0.3,
        "run_s": 2.0,
    }
    return Usage(**{**values, **changes})


def policy(
    *coops: str | CoopTerms, quotas: dict[str, tuple[Quota, ...]] | None = None, **changes: Any
) -> Policy:
    limits = quotas or {}
    terms = tuple(
        CoopTerms(coop, quotas=limits.get(coop, ())) if isinstance(coop, str) else coop
        for coop in coops or ("alpha", "beta", "gamma")
    )
    undocumented = Evidence(undocumented_part=1.0)  # so that a test's surplus counts as it is
    return Policy(**{"version": "v1", "coops": terms, "evidence": undocumented, **changes})


class Pool:
    """A core with numbered events and a manual clock; it keeps all events and commands.

    Attributes:
        core: the core under test.
        now: time of the next event, seconds since the epoch.
        events, asked: all events fed and all commands returned.
    """

    def __init__(self, *coops: str | CoopTerms, **terms: Any) -> None:
        self.core = Core()
        self.now = START
        self.events: list[events.Event] = []
        self.asked: list[commands.Command] = []
        self._ids = count(1)
        self.tell(events.PolicyChanged, policy(*coops, **terms))
        self.tell(events.SchedulerStarted, 1, "gw")
        for zone, (direct, lifecycle) in ZONES.items():
            self.tell(events.IntensityChanged, zone, direct, lifecycle, "measured", START + 1e6)

    def tell(self, kind: type, *values: Any, **named: Any) -> list[commands.Command]:
        """Feeds one event and returns the commands."""
        event = kind(next(self._ids), self.now, *values, **named)
        self.events.append(event)
        asked = self.core.handle(event)
        self.asked += asked
        self._check_slots(asked)
        self._check_memory(asked)
        self._check_owners(asked)
        self._check_blocked_bits()
        placement_checks.check(self.core._state, of(asked, commands.Place))
        return asked

    def _check_memory(self, asked: list[commands.Command]) -> None:
        """Checks that loads fit the memory limit of each node (a later card may lower it)."""
        for load in of(asked, commands.LoadModel):
            node = self.core._state.fleet.nodes[load.node]
            orders = [order for order in node.orders.values() if order.state.value != "making_room"]
            assert sum(order.memory_bytes for order in orders) <= node.card.models_bytes

    def _check_owners(self, asked: list[commands.Command]) -> None:
        """Checks that no foreign job takes a slot of a kind that the node's co-op waits for."""
        state = self.core._state
        for place in of(asked, commands.Place):
            node = state.fleet.nodes[place.node]
            counter = state.counters.coops.get(node.card.coop)
            if node.card.coop == place.terms.borrower or counter is None:
                continue
            model = place.terms.model
            kind = kind_of_replica(node.card, node.replicas[model])
            for job in state.queue.jobs():
                mine = job.facts.coop == node.card.coop and job.shape.model == model
                if mine and not (
                    job.shape.limited or job.shape.green_h or job.shape.batch or job.alone
                ):
                    assert not counter.own[model].has_free(kind, job.shape), (
                        "the node's co-op waits for a slot that a guest got"
                    )

    def _check_blocked_bits(self) -> None:
        """Checks that each change of a fact that a temporary filter reads updated the replicas."""
        state = self.core._state
        for views in state.fleet.replica_index.by_model.values():
            for view in views.values():
                assert view.blocked_bits == find_blocked_bits(view, state.policy), (
                    f"{view.name} changed: change it through a method of Fleet"
                )

    def _check_slots(self, asked: list[commands.Command]) -> None:
        """Checks that no offer exceeds a replica's slots (a later card may lower them)."""
        nodes = self.core._state.fleet.nodes
        for place in of(asked, commands.Place):
            node = nodes[place.node]
            assert node.loads[place.terms.model].leases <= node.replicas[place.terms.model].slots

    def join(self, *cards: NodeCard) -> None:
        for node_card in cards:
            self.tell(events.NodeJoined, node_card, True, "")

    def ask(self, job: str, coop: str = "alpha", **changes: Any) -> list[commands.Command]:
        return self.tell(events.JobRequested, facts(job, coop, **changes))

    def accept(self, place: commands.Place) -> list[commands.Command]:
        return self.tell(events.RunAccepted, place.job, place.epoch, place.node)

    def progress(self, place: commands.Place, tokens: int) -> list[commands.Command]:
        return self.tell(events.RunProgressed, place.job, place.epoch, place.node, tokens)

    def report(
        self,
        place: commands.Place,
        outcome: Outcome = Outcome.COMPLETED,
        *,
        code: str = "",
        delivered: bool = False,
        **changes: Any,
    ) -> list[commands.Command]:
        return self.tell(
            events.RunReported,
            place.job,
            place.epoch,
            place.node,
            outcome,
            code,
            delivered,
            usage(**changes),
        )

    def decline(self, place: commands.Place, code: str, **values: Any) -> list[commands.Command]:
        return self.tell(events.RunDeclined, place.job, place.epoch, place.node, code, values)

    def wait(self, seconds: float, *, seen: tuple[str, ...] = ()) -> list[commands.Command]:
        """Advances the clock second by second, with heartbeats of the nodes in ``seen``."""
        asked = []
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 1.0, end)
            if seen:
                asked += self.tell(events.NodesSeen, seen)
            else:
                asked += self.tell(events.Woke)
        return asked

    def places(self) -> list[commands.Place]:
        return of(self.asked, commands.Place)


def expect_green_hour(pool: Pool, zone: str) -> None:
    """Has a zone expected to emit nothing in the next hour, so that a low cap may be kept then."""
    pool.tell(events.ForecastIssued, zone, pool.now, pool.now, (0.0, 0.0))


def of(asked: list[commands.Command], kind: type[Any]) -> list[Any]:
    """Returns the commands of one kind."""
    return [command for command in asked if type(command) is kind]


def place_in(asked: list[commands.Command]) -> commands.Place:
    """Returns the only placement among the commands."""
    (place,) = of(asked, commands.Place)
    return place


def placed(pool: Pool, job: str = "j1", coop: str = "alpha", **changes: Any) -> commands.Place:
    """Requests a job and returns its only placement."""
    return place_in(pool.ask(job, coop, **changes))


def excluded(place: commands.Place) -> dict[str, str]:
    """Returns the rule that ruled out each node of a placement."""
    return {exclusion.node: exclusion.rule for exclusion in place.explanation.excluded}


def kinds(asked: list[commands.Command]) -> list[str]:
    """Returns the names of the commands' kinds, in order."""
    return [type(command).__name__ for command in asked]


def packed(asked: list[commands.Command]) -> bytes:
    """Returns commands as bytes, as a journal would hold them."""
    return msgspec.msgpack.encode(asked)
