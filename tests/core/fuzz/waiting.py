"""Waiting: tells whether a job waits although a machine could surely run it.

A job waits for ``WAIT_S`` at most, and for ``WAIT_TICKS`` heartbeats, while the same machine is
free for it all the time. Only jobs count that nothing but machines keeps waiting: no cap, no quota
that is checked at placement, no greener hour, no answer that was begun, no engine of its own.
"""

from collections.abc import Iterator
from math import inf
from typing import Any

from tests.core.fuzz.knowledge import Job, Machine, Violation, broken_border

from entraide.models import ALIASES
from entraide.types import DataClass, JobClass, Lending, RequestFacts

WAIT_S, WAIT_TICKS = 2.0, 4
CONTEXT_MIN = 4_096  # a shorter context may be too short, as nodes with a longer one come and go
NEWCOMERS_NEVER = 200  # runs that no machine of a fuzzed world ends


def check_waiting(oracle: Any) -> None:
    """Checks the waiting jobs at a heartbeat."""
    kept = {
        job.facts.model
        for job in oracle.open.values()
        if job.alone or job.facts.account in oracle.doubtful_keys
    }
    any_kept = not kept.isdisjoint(ALIASES)  # of which model an alias does not say
    free: dict[tuple[object, ...], str] = {}
    for name, job in oracle.open.items():
        node, facts = "", job.facts
        is_kept = any_kept or facts.model in kept
        if job.run is None and not is_kept and is_plain(oracle, job):
            key = (
                facts.coop, facts.model, facts.jurisdiction, facts.data_class, facts.controlled_by,
                facts.features, facts.input_tokens_est,
            )  # fmt: skip
            if key not in free:
                free[key] = find_open(oracle, facts)
            node = free[key]
        if not node or node != job.open_at:
            job.open_at, job.open_since, job.open_ticks = node, oracle.now if node else inf, 0
            continue
        job.open_ticks += 1
        oracle.checks["waiting"] += 1
        if job.open_ticks >= WAIT_TICKS and oracle.now - job.open_since > WAIT_S:
            text = f"{name} could run on {node} since {job.open_since}"
            raise Violation("waits_though_it_could_run", text)


def is_plain(oracle: Any, job: Job) -> bool:
    """Whether nothing but machines keeps a job waiting."""
    facts = job.facts
    return not (
        facts.model in ALIASES
        or facts.job_class is JobClass.BATCH
        or facts.max_carbon_ug is not None
        or job.pinned
        or oracle.books.is_metered(facts)
    )


def find_open(oracle: Any, facts: RequestFacts) -> str:
    """Returns a machine that is surely free for a job; "" if none is."""
    for name, machine in oracle.machines.items():
        replica = machine.replica(facts.model)
        if (
            replica is not None
            and machine.is_there(oracle.now, oracle.books.policy.timing)
            and machine.paused.get(facts.model, 0.0) <= oracle.now
            and facts.model not in machine.doubtful
            and may_ever_run(oracle, machine, facts)
            and len(machine.held(facts.model, sure=False)) < replica.slots
            and has_lent_slot(oracle, machine, facts)
        ):
            return str(name)
    return ""


def may_ever_run(oracle: Any, machine: Machine, facts: RequestFacts) -> bool:
    """Whether only its present state can keep a machine from a job."""
    replica, policy = machine.replica(facts.model), oracle.books.policy
    if replica is None or replica.context_tokens < CONTEXT_MIN:
        return False
    if broken_border(machine.card, replica, facts):
        return False
    if machine.card.coop == facts.coop:
        return True
    if facts.data_class is DataClass.INTERNAL and 0 < policy.newcomer.runs < NEWCOMERS_NEVER:
        return False
    lend = oracle.books.lend_of(machine.card.coop)
    return int(lend.part * replica.slots) > 0 and lend.energy_wh_per_day is None


def has_lent_slot(oracle: Any, machine: Machine, facts: RequestFacts) -> bool:
    """Whether a slot is free for another co-op, where the job is of one."""
    if machine.card.coop == facts.coop:
        return True
    held = machine.held(facts.model, sure=False)
    replica, lend = machine.replica(facts.model), oracle.books.lend_of(machine.card.coop)
    if replica is None or machine.lending is not Lending.ALL:
        return False
    return sum(run.foreign for run in held) < int(lend.part * replica.slots)


def overdue_jobs(oracle: Any) -> Iterator[Job]:
    """Yields the open jobs that a long calm, in which all machines were there, has to end."""
    for job in oracle.open.values():
        facts = job.facts
        is_limited = facts.max_carbon_ug is not None or oracle.books.is_metered(facts)
        if is_limited or facts.model in (*ALIASES, *oracle.loaded):
            continue
        if any(may_ever_run(oracle, machine, facts) for machine in oracle.machines.values()):
            yield job
