"""The fuzzer: a slice of its worlds keeps every promise, and its oracle finds planted faults."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs
from tests.core.builders import START
from tests.core.fuzz.feeding import Fork, pack, run_journal, shrink, unpack
from tests.core.fuzz.knowledge import Violation
from tests.core.fuzz.world import World

from entraide.types import DataClass, JobClass, NodeCard
from entraide_scheduler.core import (
    admission,
    commands,
    dispatch,
    events,
    node_lifecycle,
    node_silence,
    snapshot,
    wait_limits,
)
from entraide_scheduler.core.accounting import lending, quotas
from entraide_scheduler.core.evaluation import carbon_shifting
from entraide_scheduler.core.fair_queue import FairQueue
from entraide_scheduler.core.fleet.fleet import Fleet
from entraide_scheduler.core.fleet.replica_index import ReplicaIndex
from entraide_scheduler.core.leases import leases, run_events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import QuotaKind
from entraide_scheduler.core.rules import offer_rules
from entraide_scheduler.core.settlement import settlement as settlements
from entraide_scheduler.core.state import State

LENGTH_S = 20.0
SLICE = range(1, 11)
TRIED = range(1, 41)  # seeds among which each planted fault has to be found
Patch = pytest.MonkeyPatch


def lived(seed: int) -> World:
    world = World(seed, length_s=LENGTH_S)
    world.live()
    return world


def find(**wanted: Any) -> tuple[World, Violation]:
    """Returns the first world with some habits that breaks a promise."""
    for seed in TRIED:
        world = World(seed, length_s=LENGTH_S, **wanted)
        try:
            world.live()
        except Violation as violation:
            return world, violation
    pytest.fail("no world breaks a promise")


def test_a_slice_of_the_worlds_keeps_every_promise() -> None:
    """A few seeds, with every kind of fault and nearly all of command, and no broken promise."""
    worlds = [lived(seed) for seed in SLICE]
    counts = sum((world.feeder.counts for world in worlds), Counter[str]())
    faults = sum((Counter(world.faults) for world in worlds), Counter[str]())

    assert {"FalseAlarm"} >= {kind.__name__ for kind in commands.Command.__args__} - set(counts)
    assert 0 < min(faults.values())
    assert sum(world.feeder.forks for world in worlds) > len(SLICE)
    assert counts["Place"] > 200


def test_a_seed_gives_the_same_world() -> None:
    """Two worlds of one seed have the same events."""
    first, second = lived(3), lived(3)

    assert pack(first.feeder.events) == pack(second.feeder.events)
    assert first.feeder.counts == second.feeder.counts


# Planted faults: each changes the core as a slip of the pen could.


def nothing(*_: Any, **__: Any) -> None:
    """Does nothing."""


def true(*_: Any, **__: Any) -> bool:
    """Tells that everything is so."""
    return True


def ignore_quotas(patch: Patch) -> None:
    patch.setattr(quotas.Quotas, "shortage", nothing)


def forget_former_usage(patch: Patch) -> None:
    apply = quotas.Quotas.apply_policy

    def forget(self: quotas.Quotas, coops: Any) -> None:
        apply(self, coops)
        in_force = {limit.name for owned in self._limits.values() for limit in owned}
        self.usages = {name: usage for name, usage in self.usages.items() if name in in_force}
        self._find_former()

    patch.setattr(quotas.Quotas, "apply_policy", forget)


def half_as_large_again(patch: Patch) -> None:
    left = quotas.Quotas.energy_and_carbon_left

    def more(self: quotas.Quotas, facts: Any) -> tuple[int | None, int | None]:
        energy, carbon = left(self, facts)
        return energy, carbon and carbon + 500_000

    patch.setattr(quotas.Quotas, "energy_and_carbon_left", more)


def energy_counted_late(patch: Patch) -> None:
    patch.setattr(leases, "_reserve_quotas", lambda *_: ())


def looser_of_two(patch: Patch) -> None:
    strictest = quotas._strictest

    def loosest(coops: Any) -> Any:
        looser = [structs.replace(terms, quotas=_last_first(terms.quotas)) for terms in coops]
        return strictest(tuple(looser))

    patch.setattr(quotas, "_strictest", loosest)


def _last_first(listed: Any) -> tuple[Any, ...]:
    """Keeps the highest of the quotas that limit the same."""
    names = ("kind", "period", "project", "key")
    kept: dict[tuple[Any, ...], Any] = {}
    for quota in sorted(listed, key=lambda quota: quota.limit):
        kept[tuple(getattr(quota, name) for name in names)] = quota
    return tuple(kept.values())


def lend_everything(patch: Patch) -> None:
    patch.setattr(ReplicaIndex, "lend_slots", lambda _self, _node, slots: slots)


def forget_lent_energy(patch: Patch) -> None:
    patch.setattr(lending.LentEnergy, "reserve", lambda self, *_: self.day)


def ignore_jurisdiction(patch: Patch) -> None:
    patch.setattr(offer_rules, "is_in_jurisdiction", true)


def ignore_control(patch: Patch) -> None:
    patch.setattr(offer_rules, "has_control", true)


def ignore_restricted(patch: Patch) -> None:
    unknown = SimpleNamespace(RESTRICTED=object(), PUBLIC=DataClass.PUBLIC)
    patch.setattr(offer_rules, "DataClass", unknown)


def ignore_places(patch: Patch) -> None:
    patch.setattr(admission, "find_place_fault", nothing)


def ignore_cap(patch: Patch) -> None:
    make = dispatch.evaluation.make_request

    def uncapped(*values: Any) -> Any:
        return structs.replace(make(*values), carbon_cap_ug=inf)

    patch.setattr(dispatch.evaluation, "make_request", uncapped)


def keep_expired_runs(patch: Patch) -> None:
    patch.setattr(leases, "cancel_run", nothing)


def lose_jobs(patch: Patch) -> None:
    patch.setattr(leases, "_enqueue_again", nothing)


def forget_a_lease(patch: Patch) -> None:
    read = snapshot.read

    def forgetful(data: bytes) -> State:
        state = read(data)
        for name in list(state.leases)[:1]:
            state.fleet.replica_index.remove_lease(state.leases[name], state.now)
        return state

    patch.setattr(snapshot, "read", forgetful)


def one_slot_more(patch: Patch) -> None:
    add = Fleet.add_or_update

    def larger(self: Fleet, card: NodeCard, **values: Any) -> bool:
        more = tuple(structs.replace(replica, slots=replica.slots + 1) for replica in card.replicas)
        return add(self, structs.replace(card, replicas=more), **values)

    patch.setattr(Fleet, "add_or_update", larger)


def ignore_pauses(patch: Patch) -> None:
    patch.setattr(Fleet, "pause_replica", nothing)


def ignore_owners(patch: Patch) -> None:
    patch.setattr(ReplicaIndex, "set_lending", nothing)


def ignore_quarantine(patch: Patch) -> None:
    patch.setattr(Fleet, "set_quarantine", nothing)


def ignore_silence(patch: Patch) -> None:
    patch.setattr(node_silence, "_due_at", lambda state, node: state.now + 3_600.0)


def twice(kind: type) -> Callable[[Patch], None]:
    def plant(patch: Patch) -> None:
        emit = State.emit

        def repeat(self: State, command: Any) -> None:
            emit(self, command)
            if type(command) is kind:
                emit(self, command)

        patch.setattr(State, "emit", repeat)

    return plant


def share_engines(patch: Patch) -> None:
    patch.setattr(run_events.evaluation, "require_exclusive", nothing)


def energy_since_the_request(patch: Patch) -> None:
    grant = settlements.grant_of

    def from_request(state: State, lease: Any) -> Any:
        terms = structs.replace(lease.terms, placed_at=lease.terms.requested_at)
        return grant(state, structs.replace(lease, terms=terms))

    patch.setattr(settlements, "grant_of", from_request)


def never_try_again(patch: Patch) -> None:
    patch.setattr(FairQueue, "unblock_shapes", nothing)


def end_too_soon(patch: Patch) -> None:
    limit_of = wait_limits.limit_of
    patch.setattr(wait_limits, "limit_of", lambda state, job: limit_of(state, job) / 8)


def ignore_deadlines(patch: Patch) -> None:
    stop = leases.stop_job

    def patient(state: State, job: Any, trigger: str, code: str) -> None:
        if code != "deadline_exceeded":
            stop(state, job, trigger, code)

    patch.setattr(leases, "stop_job", patient)
    patch.setattr("entraide_scheduler.core.leases.stop_job", patient)


def always_greener_later(patch: Patch) -> None:
    def nowhere(state: State, job: Any, *_: Any) -> dict[str, float] | None:
        is_batch = job.facts.job_class is JobClass.BATCH
        return dict.fromkeys(state.fleet.replica_index.grid, -1.0) if is_batch else None

    patch.setattr(carbon_shifting, "max_g_per_kwh", nowhere)


def forget_lost_gateways(patch: Patch) -> None:
    patch.setattr(node_lifecycle, "_end_gateway_jobs", nothing)


def lose_entries(patch: Patch) -> None:
    emit = State.emit

    def shorter(self: State, command: Any) -> None:
        if type(command) is commands.Settle:
            command = structs.replace(command, entries=command.entries[1:])
        emit(self, command)

    patch.setattr(State, "emit", shorter)


FREE = "waits_though_it_could_run"
TWICE = {"double_run", "machine_full", "stops_a_run"}
LOST = {"core_raises", "lost_job", "recovery_differs", "waits_for_ever", FREE}
ADMITTED = {"quota_requests", "quota_tokens", "quota_jobs_in_flight"}
PLACED = {"quota_energy_wh", "quota_carbon_g"}

DIRTY = {"quotas": 0.7, "watts": (2_010.0,), "zones": ("CA-AB",), "caps": 0.0, "lends": 0.0}
CARBON = DIRTY | {"kinds": (QuotaKind.CARBON_G,)}
ENERGY = DIRTY | {"kinds": (QuotaKind.ENERGY_WH,)}
LENDERS = {"lends": 1.0, "quotas": 0.0, "watts": (2_010.0,)}


def often(kind: str) -> dict[str, Any]:
    """Habits of a world in which most faults are of one kind."""
    return {"weights": {kind: 1}, "faults_per_tick": 1.0, "quotas": 0.0, "caps": 0.0}


CHANGES = often("policy") | {"quotas": 0.9}
SILENCE = often("silence") | {"faults_per_tick": 0.4, "requests_per_tick": 1.0}

# What is planted, the rules that may name it, and habits of worlds that soon show it.
FAULTS: dict[str, tuple[Any, ...]] = {
    "quotas are ignored": (ignore_quotas, ADMITTED, {"quotas": 0.9, "kinds": tuple(QuotaKind)}),
    "usage is forgotten with its quota": (forget_former_usage, ADMITTED | PLACED, CHANGES),
    "a carbon quota is half as large again": (half_as_large_again, {"quota_carbon_g"}, CARBON),
    "nothing is reserved at placement": (energy_counted_late, PLACED, ENERGY),
    "all slots are lent": (lend_everything, {"lend_part"}, LENDERS),
    "lent energy is forgotten": (forget_lent_energy, {"lent_energy"}, LENDERS),
    "jurisdictions are ignored": (ignore_jurisdiction, {"border_jurisdiction"}),
    "control is ignored": (ignore_control, {"border_control"}),
    "restricted data leaves its co-op": (ignore_restricted, {"border_restricted"}),
    "servers' places are ignored": (ignore_places, {"border_places"}),
    "caps are ignored": (ignore_cap, {"carbon_cap"}),
    "lost runs go on": (keep_expired_runs, TWICE, often("silence")),
    "lost jobs are not enqueued": (lose_jobs, LOST),
    "a snapshot forgets a lease": (forget_a_lease, {"recovery_differs"}),
    "machines have a slot more": (one_slot_more, {"machine_full"}),
    "pauses are ignored": (ignore_pauses, {"machine_paused"}, {"quotas": 0.0, "caps": 0.0}),
    "owners are ignored": (ignore_owners, {"owner_back", "lend_part"}, often("owner")),
    "quarantines are ignored": (ignore_quarantine, {"machine_away"}, often("quarantine")),
    "silence is ignored": (ignore_silence, {"machine_away"}, SILENCE),
    "a settlement is written twice": (twice(commands.Settle), {"settled_twice"}),
    "a job ends twice": (twice(commands.EndJob), {"ends_twice"}),
    "a placement is made twice": (twice(commands.Place), {"double_run"}),
    "exited engines are shared": (share_engines, {"not_alone"}, often("engine")),
    "energy counts since the request": (energy_since_the_request, {"usage"}),
    "shapes stay blocked": (never_try_again, {FREE, "waits_for_ever"}),
    "waits end too soon": (end_too_soon, {"ends_too_soon"}),
    "deadlines are ignored": (ignore_deadlines, {"ends_too_late"}),
    "batch jobs wait for ever": (always_greener_later, {"waits_for_ever"}),
    "lost gateways are forgotten": (forget_lost_gateways, {"lost_job"}),
    "entries are lost": (lose_entries, {"ledger"}),
    "the looser of two quotas counts": (looser_of_two, ADMITTED | PLACED, CHANGES),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_the_oracle_finds_a_planted_fault(name: str, monkeypatch: Patch) -> None:
    """A core with the fault breaks a promise that names it."""
    plant, rules, *wanted = FAULTS[name]
    plant(monkeypatch)
    _, violation = find(**(wanted[0] if wanted else {}))

    assert violation.rule in rules


def test_a_broken_promise_comes_with_a_small_journal(monkeypatch: Patch) -> None:
    """A shrunk journal breaks the same promise, also after a file; the sound core keeps it."""
    ignore_jurisdiction(monkeypatch)
    world, violation = find()
    small = shrink(world.feeder.journal, violation, seconds=20.0)
    read = unpack(pack(small))
    _, again = run_journal(read)
    monkeypatch.undo()
    _, sound = run_journal(read)

    assert small == read
    assert len(small) <= 12
    assert again is not None
    assert violation.rule == again.rule
    assert sound is None


def test_a_small_journal_has_the_fault_of_the_large_one(monkeypatch: Patch) -> None:
    """Of two faults by which the core raises, a shrunk journal keeps the one that was found."""

    def handle(core: Core, event: events.Event) -> list[commands.Command]:
        if type(event) is events.NodeLeft:
            core.left = True
        if type(event) is events.JobCancelled:
            if getattr(core, "left", False):
                raise ValueError("the machine has left")
            raise KeyError(event.job)
        return []

    monkeypatch.setattr(Core, "handle", handle)
    kinds = (events.NodeLeft, "n1", "goodbye"), (events.JobCancelled, "j1", "client_gone")
    journal = [kind(number, START, *values) for number, (kind, *values) in enumerate(kinds, 1)]
    _, violation = run_journal(journal)
    small = shrink(journal, violation, seconds=1.0)

    assert journal == small


def test_the_command_tells_what_was_tried(tmp_path: Path) -> None:
    """The summary names seeds, events, forks and faults, and no broken promise."""
    command = [sys.executable, "-m", "tests.core.fuzz", "--seeds", "2", "--length", "8"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    summary = json.loads(done.stdout)

    assert [1, 2] == summary["seeds"]
    assert (2, []) == (summary["worlds"], summary["broken"])
    assert summary["events"] > 50


def test_a_journal_without_events_keeps_every_promise() -> None:
    """Forks alone, and a wake before there is a policy, break nothing."""
    feeder, violation = run_journal([Fork(), events.Woke(1, START), Fork()])

    assert violation is None
    assert 2 == feeder.forks
