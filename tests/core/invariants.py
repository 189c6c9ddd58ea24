"""Invariants: what must hold of a core after every event, whatever happened.

They are checked from outside, against the events that went in and the commands that came out, and
from inside, against the core's own records.
"""

from collections import Counter

from tests.core.builders import Pool, of

from entraide.types import JobState, NodeState
from entraide_scheduler.core import commands, evaluation, events
from entraide_scheduler.core.backoff import BACKOFF_MAX_S
from entraide_scheduler.core.ledger import UNITS
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.own_kinds import kind_of_replica
from entraide_scheduler.core.policy import QuotaKind
from entraide_scheduler.core.quotas import AT_PLACEMENT
from entraide_scheduler.core.state import State
from entraide_scheduler.core.state_machines import (
    JOB_ENDS,
    LeaseState,
    ModelLoadState,
    ReplicaState,
)


def check(pool: Pool) -> None:
    """Checks everything."""
    state = pool.core._state
    no_job_is_lost(pool)
    epochs_rise(pool)
    books_are_written_once(pool)
    jobs_stand_where_their_state_says(state)
    leases_stand_on_nodes_that_are_there(state)
    loads_are_what_the_leases_come_to(state)
    queue_counts_itself(state)
    nothing_idles_that_fits(pool.core)
    own_slots_are_what_own_nodes_give(state)
    ledger_sums_to_zero(pool)
    quotas_hold(state)
    lent_energy_is_what_was_promised_and_used(pool)
    deadlines_are_ahead(state)
    orders_stand_on_nodes_that_are_there(state)
    replicas_rest_until_a_moment_ahead(state)
    nobody_is_beside_a_run_that_is_alone(state)
    snapshot_is_the_state(pool.core)


def no_job_is_lost(pool: Pool) -> None:
    """Every job asked for was refused, has ended once, or is still there."""
    state = pool.core._state
    asked_for = {event.facts.job for event in of(pool.events, events.JobRequested)}
    refused = {command.job for command in of(pool.asked, commands.Refuse)}
    ended = Counter(command.job for command in of(pool.asked, commands.EndJob))

    assert asked_for == refused | set(ended) | set(state.jobs)
    assert not set(ended) & set(state.jobs)
    assert not refused & (set(ended) | set(state.jobs))
    assert all(times == 1 for times in ended.values())


def epochs_rise(pool: Pool) -> None:
    """No two placements of a job carry the same epoch, and a later one a higher."""
    last: dict[str, int] = {}
    for place in pool.places():
        assert place.epoch > last.get(place.job, 0)
        last[place.job] = place.epoch


def books_are_written_once(pool: Pool) -> None:
    """A job settles once at most, and only for the epoch of its lease then."""
    settled = Counter(command.job for command in of(pool.asked, commands.Settle))
    placed = {(place.job, place.epoch) for place in pool.places()}

    assert all(times == 1 for times in settled.values())
    assert {(s.job, s.terms.epoch) for s in of(pool.asked, commands.Settle)} <= placed


def jobs_stand_where_their_state_says(state: State) -> None:
    """A waiting job is in line and has no lease; a placed one has a lease of its epoch."""
    waiting = {job.facts.job for job in state.queue.jobs()}
    for name, job in state.jobs.items():
        lease = state.leases.get(name)
        if job.state is JobState.QUEUED:
            assert name in waiting
            assert lease is None
        else:
            assert lease is not None
            assert lease.terms.epoch == job.epoch
            assert lease.state.value == job.state.value
    assert waiting <= set(state.jobs)
    assert all(job.state in JOB_ENDS for job in state.ended.values())


def leases_stand_on_nodes_that_are_there(state: State) -> None:
    """No lease stands on a node that is lost or has left; each ends some day."""
    deadlines = {(kind, name) for kind, name, _ in state.deadlines.listed()}
    for name, lease in state.leases.items():
        node = state.fleet.nodes[lease.terms.node]
        assert node.state in (NodeState.LIVE, NodeState.SUSPECT)
        assert ("lease", name) in deadlines
        assert (name in state.jobs) == (lease.state is not LeaseState.STOPPING)


def loads_are_what_the_leases_come_to(state: State) -> None:
    """Each replica's load is the sum of its leases."""
    leases: Counter[tuple[str, str]] = Counter()
    reading: Counter[tuple[str, str]] = Counter()
    batch: Counter[tuple[str, str]] = Counter()
    foreign: Counter[tuple[str, str]] = Counter()
    for lease in state.leases.values():
        where = (lease.terms.node, lease.terms.model)
        leases[where] += 1
        reading[where] += not lease.output_tokens
        batch[where] += lease.batch
        foreign[where] += lease.foreign
    for name, node in state.fleet.nodes.items():
        for model, load in node.loads.items():
            where = (name, model)
            counted = (load.leases, load.reading, load.batch, load.foreign)
            assert counted == (leases[where], reading[where], batch[where], foreign[where])


def queue_counts_itself(state: State) -> None:
    """The lines' counts are those of the jobs that wait and run."""
    waiting = [job.facts for job in state.queue.jobs()]
    for coop, line in state.queue.counters.coops.items():
        assert line.queued == sum(facts.coop == coop for facts in waiting)
        assert line.running == sum(lease.bill.coop == coop for lease in state.leases.values())
        tokens = sum(
            lease.bill.in_flight_tokens()
            for lease in state.leases.values()
            if lease.bill.coop == coop
        )
        assert line.in_flight_tokens == tokens
    shapes = Counter(job.shape for job in state.queue.jobs())
    assert dict(shapes) == state.queue.shapes
    assert set(state.queue.blocked_shapes) <= set(shapes)
    blocked = state.queue.blocked
    assert len(blocked.jobs()) == sum(job in blocked for job in state.queue.jobs())
    assert all(job.shape.limited for job in blocked.jobs())
    assert not blocked or state.deadlines.is_set("recalls", "")


def nothing_idles_that_fits(core: Core) -> None:
    """No job waits while a node could run it, unless a moment is set to look at it.

    Looked at on a restored core, so that looking changes nothing.
    """
    state = Core.restore(core.snapshot())._state
    queue, known = state.queue, set()
    for job in queue.jobs():
        if job.shape in queue.unexamined_shapes or queue.blocked.is_due(job):
            assert state.deadlines.is_set("looks", "")
        elif job.shape.limited or job.shape not in known:
            known.add(job.shape)
            wanted = evaluation.make_request(state, job, state.now)
            assert evaluation.evaluate_nodes(state, job, wanted).best is None


def own_slots_are_what_own_nodes_give(state: State) -> None:
    """What a co-op is owed is counted by kind: its live replicas' slots, and the runs booked there.

    Each run that a kind could run is booked, whenever it began.
    """
    slots: Counter[tuple] = Counter()
    for node in state.fleet.nodes.values():
        for model, replica in node.replicas.items():
            backoff, load = node.backoffs.get(model), node.loads.get(model)
            resting = backoff is not None and backoff.state is ReplicaState.RESTING
            if node.state is NodeState.LIVE and node.accepting and not (load.paused or resting):
                kind = kind_of_replica(node.card, replica)
                slots[node.card.coop, kind, "slots"] += replica.slots
                slots[node.card.coop, kind, "batch"] += load.batch_slots
    for lease in state.leases.values():
        if lease.bill.own is not None:
            work = "batch_runs" if lease.batch else "other_runs"
            slots[lease.bill.coop, lease.bill.own, work] += 1
        else:
            own = state.queue.counters.coops[lease.bill.coop].own.get(lease.terms.model)
            assert own is None or own.kind_to_book(lease.shape) is None
    counted: Counter[tuple] = Counter()
    for coop, line in state.queue.counters.coops.items():
        for own in line.own.values():
            for kind, count in own.counts():
                counted[coop, kind, "slots"] = count.slots
                counted[coop, kind, "batch"] = count.batch_slots
                counted[coop, kind, "other_runs"] = count.other_runs
                counted[coop, kind, "batch_runs"] = count.batch_runs
            gone = [count for _, count in own.counts() if not count.slots]
            assert own.orphans.batch_runs == sum(count.batch_runs for count in gone)
            assert own.orphans.other_runs == sum(count.other_runs for count in gone)
    assert +slots == +counted


def ledger_sums_to_zero(pool: Pool) -> None:
    """The balances sum to zero in each unit, and are the sum of the lines written."""
    balances = pool.core.balances()
    written: Counter[tuple[str, str]] = Counter()
    posted = of(pool.asked, commands.Settle) + of(pool.asked, commands.PostCorrection)
    for command in posted:
        for line in command.entries:
            written[line.account, line.unit] += line.amount
    for unit in UNITS:
        assert sum(account[unit] for account in balances.values()) == 0
        for coop, account in balances.items():
            assert account[unit] == written[coop, unit]


def quotas_hold(state: State) -> None:
    """No quota is exceeded, and what is reserved is what jobs hold."""
    held: Counter[int] = Counter()
    for job in state.jobs.values():
        for hold in job.holds:
            held[hold.serial] += hold.amount
    for lease in state.leases.values():
        for hold in lease.holds:
            held[hold.serial] += hold.amount
    for coop in state.coops:
        for quota, book in state.quotas.of(coop):
            assert book.reserved == held[book.serial]
            assert book.used >= 0
            if quota.kind not in AT_PLACEMENT:
                assert book.used + book.reserved <= quota.limit
            if quota.kind is QuotaKind.JOBS_IN_FLIGHT:
                assert book.used == 0


def lent_energy_is_what_was_promised_and_used(pool: Pool) -> None:
    """What a co-op lent today is no less than what it promised to runs that go on."""
    lent = pool.core._state.quotas.lent
    promised: Counter[str] = Counter()
    for lease in pool.core._state.leases.values():
        if lease.lent_day == lent.day:
            promised[lease.terms.lender] += lease.expected.energy_uwh
    for coop, energy_uwh in promised.items():
        assert lent.lent_uwh.get(coop, 0) >= energy_uwh
    assert all(energy_uwh > 0 for energy_uwh in lent.lent_uwh.values())


def deadlines_are_ahead(state: State) -> None:
    """What is due was done; nodes that are there are watched."""
    due = state.deadlines.next()
    watched = {name for kind, name, _ in state.deadlines.listed() if kind == "node"}

    assert due is None or due > state.now
    assert watched == {
        name
        for name, node in state.fleet.nodes.items()
        if node.state in (NodeState.LIVE, NodeState.SUSPECT)
    }


def replicas_rest_until_a_moment_ahead(state: State) -> None:
    """What rests has a deadline at which it is probed, and only one run at a time then."""
    due = {name: at for kind, name, at in state.deadlines.listed() if kind == "rest"}
    for name, node in state.fleet.nodes.items():
        rests = [one for one in node.backoffs.values() if one.state is ReplicaState.RESTING]
        assert (name in due) == bool(rests)
        assert not rests or due[name] == min(one.until for one in rests)
        assert all(one.until <= state.now + BACKOFF_MAX_S for one in rests)


def nobody_is_beside_a_run_that_is_alone(state: State) -> None:
    """A replica is kept for the job that has it, which then runs there with nothing beside it."""
    kept = {
        load.reserved: (name, model)
        for name, node in state.fleet.nodes.items()
        for model, load in node.loads.items()
        if load.reserved
    }
    assert (
        kept.items()
        <= {job: (one.node, one.model) for job, one in state.exclusive_replicas.items()}.items()
    )
    coops = Counter(one.coop for one in state.exclusive_replicas.values())
    assert all(count == 1 for count in coops.values())
    for name, lease in state.leases.items():
        job = state.job(name)
        if job is not None and job.alone:
            assert kept.get(name) == (lease.terms.node, lease.terms.model)
            assert state.fleet.nodes[lease.terms.node].loads[lease.terms.model].leases == 1


def orders_stand_on_nodes_that_are_there(state: State) -> None:
    """What could be loaded is what the cards say; who has left loads nothing; who should go rests.

    The plan is looked at again while a model is on its way or jobs wait that it may help.
    """
    shelf, pending = state.fleet.loadable_index, False
    for name, node in state.fleet.nodes.items():
        gone = node.state is NodeState.LEFT
        could = {model for model, there in shelf.by_model.items() if name in there}
        assert could == (set() if gone else set(node.loadable))
        assert not (gone and node.orders)
        assert (name in shelf.nodes) == (not gone and bool(node.orders or node.loadable))
        for model, order in node.orders.items():
            load = node.loads.get(model)
            if order.state is ModelLoadState.UNLOADING and load is not None:
                assert load.paused
            pending = pending or order.state is not ModelLoadState.LOADED
    waits = any(job.facts.model in shelf.by_model for job in state.queue.jobs())
    watched = ("models", "") in {(kind, name) for kind, name, _ in state.deadlines.listed()}
    assert watched or not (waits or pending)
    assert not state.demand.plan_due


def snapshot_is_the_state(core: Core) -> None:
    """A restored core gives the same snapshot and the same next deadline."""
    data = core.snapshot()
    restored = Core.restore(data)

    assert restored.snapshot() == data
    assert restored.next_deadline() == core.next_deadline()
    assert restored._state.queue.blocked_shapes == core._state.queue.blocked_shapes
    assert restored._state.queue.unexamined_shapes == core._state.queue.unexamined_shapes
    assert restored._state.queue.blocked.dump() == core._state.queue.blocked.dump()
    assert restored._state.queue.shapes == core._state.queue.shapes
    assert restored._state.fleet.contexts == core._state.fleet.contexts
