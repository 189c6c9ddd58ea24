"""Invariants of the core after every event.

Some are checked on the events fed and the commands returned, the others on the core's records.
"""

from collections import Counter
from math import inf

from msgspec import structs
from tests.core import eligibility_checks
from tests.core.builders import Pool, of

from entraide.types import JobKind, JobState, NodeState
from entraide_scheduler.core import commands, events, wait_limits
from entraide_scheduler.core.accounting.ledger import UNITS
from entraide_scheduler.core.accounting.quotas import AT_PLACEMENT
from entraide_scheduler.core.carbon import RunLengths
from entraide_scheduler.core.carbon.batch_backlog import BatchBacklog
from entraide_scheduler.core.evaluation import evaluation, shape_of
from entraide_scheduler.core.evaluation.carbon_shifting import CAPACITY_RETRY_S
from entraide_scheduler.core.fleet import Fleet
from entraide_scheduler.core.leases.backoff import BACKOFF_MAX_S
from entraide_scheduler.core.leases.feedback import SHORTER_RECHECK_S
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.model_loading import is_reachable
from entraide_scheduler.core.policy import QuotaKind
from entraide_scheduler.core.records import (
    Changes,
    DeadlineKind,
    LeaseState,
    ModelLoadState,
    ReplicaState,
    kind_of_replica,
)
from entraide_scheduler.core.records.state_machines import JOB
from entraide_scheduler.core.rules import REPLICA_RULES, LoadedReplica
from entraide_scheduler.core.rules.rule import ReplicaFilter
from entraide_scheduler.core.state import State

# Conditions under which a replica's slots do not count as its own co-op's.
OUT_OF_SERVICE = [
    rule.filter.excludes
    for rule in REPLICA_RULES
    if isinstance(rule.filter, ReplicaFilter) and rule.filter.out_of_service
]
NODE_SILENCE, BACKOFF_END = DeadlineKind.NODE_SILENCE, DeadlineKind.BACKOFF_END


def check(pool: Pool) -> None:
    """Checks every invariant."""
    state = pool.core._state
    no_job_is_lost(pool)
    epochs_rise(pool)
    jobs_settle_once(pool)
    jobs_match_their_state(state)
    leases_are_on_reachable_nodes(state)
    loads_are_sums_of_leases(state)
    queue_counters_are_consistent(state)
    backlog_is_that_of_the_waiting_jobs(state)
    own_slots_match_own_nodes(state)
    ledger_sums_to_zero(pool)
    quotas_hold(state)
    lent_energy_covers_running_leases(pool)
    deadlines_are_in_the_future(state)
    model_loads_match_the_cards(state)
    pauses_end_in_the_future(state)
    exclusive_replicas_run_one_job(state)
    every_change_was_followed(state)
    shapes_follow_the_fleet(state)
    no_unservable_job_waits(state)
    stalls_follow_the_fleet(state)
    earlier_runs_are_those_of_open_answers(state)
    eligibility_checks.eligible_nodes_are_kept_up_to_date(state)
    restored = snapshots_restore_the_state(pool.core)
    indexes_equal_those_of(restored, pool.core)
    no_runnable_job_waits(restored)


def no_job_is_lost(pool: Pool) -> None:
    """Every requested job was refused, has ended once, or is open."""
    state = pool.core._state
    asked_for = {event.facts.job for event in of(pool.events, events.JobRequested)}
    refused = {command.job for command in of(pool.asked, commands.Refuse)}
    ends = of(pool.asked, commands.EndJob) + of(pool.asked, commands.EndStalledJob)
    ended = Counter(command.job for command in ends)

    assert asked_for == refused | set(ended) | set(state.jobs)
    assert not set(ended) & set(state.jobs)
    assert not refused & (set(ended) | set(state.jobs))
    assert all(times == 1 for times in ended.values())


def epochs_rise(pool: Pool) -> None:
    """Each placement of a job has a higher epoch than the one before."""
    last: dict[str, int] = {}
    for place in pool.places():
        assert place.epoch > last.get(place.job, 0)
        last[place.job] = place.epoch


def jobs_settle_once(pool: Pool) -> None:
    """A job settles at most once, each run once, for epochs in which it was placed."""
    settled = Counter(command.job for command in of(pool.asked, commands.Settle))
    settled.update(command.job for command in of(pool.asked, commands.SettleResumed))
    runs = [(command.job, command.terms.epoch) for command in of(pool.asked, commands.Settle)]
    runs += [
        (command.job, run.terms.epoch)
        for command in of(pool.asked, commands.SettleResumed)
        for run in command.runs
    ]
    placed = {(place.job, place.epoch) for place in pool.places()}

    assert all(times == 1 for times in settled.values())
    assert len(runs) == len(set(runs))
    assert set(runs) <= placed


def jobs_match_their_state(state: State) -> None:
    """A queued job is in the queue without a lease; a placed job has a lease of its epoch."""
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
    assert all(job.state in JOB.ends for job in state.ended.values())


def leases_are_on_reachable_nodes(state: State) -> None:
    """No lease is on a node that is lost or has left; each has a deadline."""
    deadlines = {(kind, name) for kind, name, _ in state.deadlines.listed()}
    for name, lease in state.leases.items():
        node = state.fleet.nodes[lease.terms.node]
        assert node.state in (NodeState.LIVE, NodeState.SUSPECT)
        assert (DeadlineKind.LEASE_EXPIRY, name) in deadlines
        assert (name in state.jobs) == (lease.state is not LeaseState.STOPPING)


def loads_are_sums_of_leases(state: State) -> None:
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


def queue_counters_are_consistent(state: State) -> None:
    """The lines' counts are those of the jobs that wait and run."""
    jobs = state.queue.jobs()
    for coop, line in state.counters.coops.items():
        assert line.queued == sum(job.facts.coop == coop for job in jobs)
        shapes = {job.shape for job in jobs if job.facts.coop == coop}
        assert line.shape_count == len(shapes)
        assert line.running == sum(lease.bill.coop == coop for lease in state.leases.values())
        tokens = sum(
            lease.bill.in_flight_tokens()
            for lease in state.leases.values()
            if lease.bill.coop == coop
        )
        assert line.in_flight_tokens == tokens
    assert Counter(state.queue.shapes) == Counter({job.shape: 1 for job in jobs})
    assert {*state.queue.blocked_shapes} <= {*state.queue.shapes}
    blocked = state.blocked_jobs
    assert len(blocked.jobs()) == sum(job in blocked for job in jobs)
    assert all(job.shape.limited for job in blocked.jobs())
    assert not blocked or state.deadlines.is_set(DeadlineKind.BLOCKED_JOBS, "")


def backlog_is_that_of_the_waiting_jobs(state: State) -> None:
    """The deferred work is, by model, that of the jobs that wait and of the stated batches."""
    jobs, rebuilt = state.queue.jobs(), BatchBacklog()
    for job in jobs:
        if job.wait is not None:
            rebuilt.add(job.shape.model, job.facts.coop, job.wait)
    for batch in state.batches.values():
        if batch.work is not None:
            rebuilt.add_lines(batch.facts.model, batch.work)
    backlog = state.shift_planner.backlog
    models = {*state.fleet.contexts, *(job.shape.model for job in jobs),
              *(batch.facts.model for batch in state.batches.values())}  # fmt: skip
    lengths = RunLengths(1.0, 1.0, 1.0)

    assert [rebuilt.work(model, lengths) for model in models] == [
        backlog.work(model, lengths) for model in models
    ]
    assert [rebuilt.jobs(coop) for coop in state.coops] == [
        backlog.jobs(coop) for coop in state.coops
    ]


def no_runnable_job_waits(restored: Core) -> None:
    """No job waits while a node could run it, unless a deadline for its evaluation is set.

    The core was restored from a snapshot for this check, so that evaluation changes nothing.
    """
    state = restored._state
    queue, known = state.queue, set()
    retries = [at for kind, _, at in state.deadlines.listed() if kind == DeadlineKind.GREENER_HOUR]
    retry_at = min(retries, default=inf)
    rechecks = [at for kind, _, at in state.deadlines.listed() if kind == DeadlineKind.BLOCKED_JOBS]
    recheck_at = min(rechecks, default=inf)
    for job in queue.jobs():
        if (
            job.shape in queue.unexamined_shapes
            or queue.blocked.is_due(job)
            or state.job_sweep.ranges
        ):
            assert state.deadlines.is_set(DeadlineKind.SKIPPED_SHAPES, "")
        elif (job.wait is not None and retry_at <= state.now + CAPACITY_RETRY_S) or (
            job in queue.blocked and recheck_at <= state.now + SHORTER_RECHECK_S
        ):
            continue
        elif job.shape.limited or job.shape not in known:
            known.add(job.shape)
            request = evaluation.make_request(state, job, state.now)
            assert evaluation.evaluate_nodes(state, job, request).best is None


def own_slots_match_own_nodes(state: State) -> None:
    """A co-op's own slots, by kind, are its live replicas' slots and the runs counted on them.

    Each run that a kind could run is counted, whenever it began.
    """
    slots: Counter[tuple] = Counter()
    for node in state.fleet.nodes.values():
        for model, replica in node.replicas.items():
            if node.state is NodeState.LEFT:
                continue
            load = node.loads[model]
            loaded = LoadedReplica(node, replica, load, 0)
            if not any(excludes(loaded, state.policy) for excludes in OUT_OF_SERVICE):
                kind = kind_of_replica(node.card, replica)
                slots[node.card.coop, kind, "slots"] += replica.slots
                slots[node.card.coop, kind, "batch"] += load.batch_slots
    for lease in state.leases.values():
        if lease.bill.own is not None:
            work = "batch_runs" if lease.batch else "other_runs"
            slots[lease.bill.coop, lease.bill.own, work] += 1
        else:
            own = state.counters.coops[lease.bill.coop].own.get(lease.terms.model)
            assert own is None or own.kind_to_book(lease.shape) is None
    counted: Counter[tuple] = Counter()
    for coop, counter in state.counters.coops.items():
        for own in counter.own.values():
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
    """The balances sum to zero in each unit, and equal the sum of the posted entries."""
    balances = pool.core.balances()
    written: Counter[tuple[str, str]] = Counter()
    posted = of(pool.asked, commands.Settle) + of(pool.asked, commands.PostCorrection)
    posted += [run for command in of(pool.asked, commands.SettleResumed) for run in command.runs]
    for command in posted:
        for entry in command.entries:
            written[entry.account, entry.unit] += entry.amount
    for unit in UNITS:
        assert sum(account[unit] for account in balances.values()) == 0
        for coop, account in balances.items():
            assert account[unit] == written[coop, unit]


def quotas_hold(state: State) -> None:
    """No quota is exceeded, and reservations equal the jobs' holds."""
    held: Counter[int] = Counter()
    holders = [*state.jobs.values(), *state.leases.values()]
    earlier = [run.lease for holder in holders for run in holder.earlier_runs]
    for holder in (*holders, *earlier):
        for hold in holder.holds:
            held[hold.serial] += hold.amount
    for coop in state.coops:
        for quota, book in state.quotas.of(coop):
            assert book.reserved == held[book.serial]
            assert book.used >= 0
            if quota.kind not in AT_PLACEMENT:
                assert book.used + book.reserved <= quota.limit
            if quota.kind is QuotaKind.JOBS_IN_FLIGHT:
                assert book.used == 0


def lent_energy_covers_running_leases(pool: Pool) -> None:
    """The energy that a co-op lent today covers the predictions of its running leases."""
    lent = pool.core._state.quotas.lent
    promised: Counter[str] = Counter()
    for lease in pool.core._state.leases.values():
        if lease.lent_day == lent.day:
            promised[lease.terms.lender] += lease.expected.energy_uwh
    for coop, energy_uwh in promised.items():
        assert lent.lent_uwh.get(coop, 0) >= energy_uwh
    assert all(energy_uwh > 0 for energy_uwh in lent.lent_uwh.values())


def deadlines_are_in_the_future(state: State) -> None:
    """Due deadlines were handled; each reachable node has a silence deadline."""
    due = state.deadlines.next()
    watched = {
        name for kind, name, _ in state.deadlines.listed() if kind == DeadlineKind.NODE_SILENCE
    }

    assert due is None or due > state.now
    assert watched == {
        name
        for name, node in state.fleet.nodes.items()
        if node.state in (NodeState.LIVE, NodeState.SUSPECT)
    }


def pauses_end_in_the_future(state: State) -> None:
    """Each paused replica has a deadline at which its pause ends, within the maximum pause."""
    due = {
        name: at for kind, name, at in state.deadlines.listed() if kind == DeadlineKind.BACKOFF_END
    }
    for name, node in state.fleet.nodes.items():
        rests = [
            backoff for backoff in node.backoffs.values() if backoff.state is ReplicaState.RESTING
        ]
        assert (name in due) == bool(rests)
        assert not rests or due[name] == min(backoff.until for backoff in rests)
        assert all(backoff.until <= state.now + BACKOFF_MAX_S for backoff in rests)


def exclusive_replicas_run_one_job(state: State) -> None:
    """A replica reserved for a job runs no other job, and a co-op has at most one."""
    kept = {
        load.reserved: (name, model)
        for name, node in state.fleet.nodes.items()
        for model, load in node.loads.items()
        if load.reserved
    }
    assert (
        kept.items()
        <= {
            job: (replica.node, replica.model) for job, replica in state.exclusive_replicas.items()
        }.items()
    )
    coops = Counter(replica.coop for replica in state.exclusive_replicas.values())
    assert all(count == 1 for count in coops.values())
    for name, lease in state.leases.items():
        job = state.job(name)
        if job is not None and job.alone:
            assert kept.get(name) == (lease.terms.node, lease.terms.model)
            assert state.fleet.nodes[lease.terms.node].loads[lease.terms.model].leases == 1


def model_loads_match_the_cards(state: State) -> None:
    """The index equals the cards' offers; nodes that left load nothing; leaving replicas pause.

    A plan is scheduled while a load is pending or jobs wait for a loadable model.
    """
    index, pending = state.fleet.loadable_index, False
    for name, node in state.fleet.nodes.items():
        gone = node.state is NodeState.LEFT
        offered = {model for model, there in index.by_model.items() if name in there}
        assert offered == (set() if gone else set(node.loadable))
        assert not (gone and node.orders)
        assert (name in index.nodes) == (not gone and bool(node.orders or node.loadable))
        for model, order in node.orders.items():
            load = node.loads.get(model)
            if order.state is ModelLoadState.UNLOADING and load is not None:
                assert load.paused
            pending = pending or order.state is not ModelLoadState.LOADED
    waits = any(job.facts.model in index.by_model for job in state.queue.jobs())
    watched = (DeadlineKind.MODEL_PLAN, "") in {
        (kind, name) for kind, name, _ in state.deadlines.listed()
    }
    assert watched or not (waits or pending)


def every_change_was_followed(state: State) -> None:
    """``reconcile`` and the plan have cleared all that the event had changed."""
    assert state.changes == Changes()


def shapes_follow_the_fleet(state: State) -> None:
    """A waiting job has the shape that it would get now; only its latest start was rounded then."""
    if state.job_sweep.shapes:
        return  # those that are not visited yet have an earlier one
    for job in state.queue.jobs():
        now = structs.replace(shape_of(state, job), green_h=job.shape.green_h)

        assert now == job.shape


def no_unservable_job_waits(state: State) -> None:
    """A reachable node serves, or can load, what each waiting live job needs."""
    if state.job_sweep.ranges:
        return  # those that are not visited yet may
    live = {job.shape for job in state.queue.jobs() if job.facts.kind is JobKind.LIVE}

    assert all(is_reachable(state, shape) for shape in live)


def stalls_follow_the_fleet(state: State) -> None:
    """The waiting jobs that no node would accept are marked, and have their deadline."""
    if state.job_sweep.ranges:
        return  # those that are not visited yet may not
    stalled = {
        shape: wait_limits.is_stalled(state, shape)
        for shape in state.queue.shapes
        if not state.fleet.eligible_nodes(shape).could_load  # a load's pause ends by itself
    }
    for job in state.queue.jobs():
        is_stalled = job.is_capped or stalled.get(job.shape, bool(job.stalled_at))
        assert bool(job.stalled_at) == is_stalled
        is_limited = bool(job.stalled_at) and wait_limits.limit_of(state, job) > 0.0
        assert is_limited == state.deadlines.is_set(DeadlineKind.WAIT_LIMIT, job.facts.job)


def earlier_runs_are_those_of_open_answers(state: State) -> None:
    """Only resumable answers have earlier runs, whose leases are over; no ended job has any.

    A job of which its client has a part waits for a limited time, for its revision only.
    """
    limited = {
        name for kind, name, _ in state.deadlines.listed() if kind == DeadlineKind.RESUME_EXPIRY
    }
    waiting = {job.facts.job for job in state.queue.jobs() if job.revision and job.shape.revision}

    assert limited == waiting
    assert not any(job.earlier_runs for job in state.ended.values())
    for holder in (*state.jobs.values(), *state.leases.values()):
        for run in holder.earlier_runs:
            assert run.lease.state is LeaseState.OVER
            assert state.job(run.lease.terms.job).facts.resumable


def indexes_equal_a_rebuild(core: Core) -> None:
    """Views, contexts and offers are those of a fleet that is built anew from the nodes."""
    indexes_equal_those_of(Core.restore(core.snapshot()), core)


def indexes_equal_those_of(restored: Core, core: Core) -> None:
    """Views, contexts and offers are those of a core that was restored just now."""
    fleet, rebuilt = core._state.fleet, restored._state.fleet

    assert rebuilt.contexts == fleet.contexts
    assert rebuilt.loadable_index.contexts == fleet.loadable_index.contexts
    assert rebuilt.loadable_index.nodes.keys() == fleet.loadable_index.nodes.keys()
    assert rebuilt.replica_index.restricted_nodes == fleet.replica_index.restricted_nodes
    assert rebuilt.newcomers == fleet.newcomers
    assert fleet.newcomers == {
        name: node for name, node in fleet.nodes.items() if node.probation.limited
    }
    assert _views(rebuilt) == _views(fleet)


def _views(fleet: Fleet) -> dict[tuple[str, str], tuple[object, ...]]:
    return {
        (model, name): (view.effective, view.cost, view.blocked_bits, view.counted_slots)
        for model, views in fleet.replica_index.by_model.items()
        for name, view in views.items()
    }


def snapshots_restore_the_state(core: Core) -> Core:
    """A restored core has the same snapshot, next deadline and indices; returns it."""
    data = core.snapshot()
    restored = Core.restore(data)

    assert restored.snapshot() == data
    assert restored.next_deadline() == core.next_deadline()
    assert restored._state.queue.blocked_shapes == core._state.queue.blocked_shapes
    assert restored._state.queue.unexamined_shapes == core._state.queue.unexamined_shapes
    assert restored._state.blocked_jobs.dump() == core._state.blocked_jobs.dump()
    assert {*restored._state.queue.shapes} == {*core._state.queue.shapes}
    assert restored._state.fleet.contexts == core._state.fleet.contexts
    return restored
