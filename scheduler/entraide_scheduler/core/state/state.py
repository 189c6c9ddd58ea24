"""State: everything the core knows, and the commands of the current event.

The other modules of the core are functions over it; ``machine`` calls them, ``snapshot`` encodes
the state.
"""

from collections import OrderedDict
from collections.abc import Iterable

from entraide.types import JobClass
from entraide_scheduler.core.accounting import Credits, Ledger, Quotas
from entraide_scheduler.core.carbon import ShiftPlanner
from entraide_scheduler.core.commands import Command, Dropped
from entraide_scheduler.core.estimation import LengthPredictor, excess_scale
from entraide_scheduler.core.fair_queue import FairQueue
from entraide_scheduler.core.fleet import Fleet
from entraide_scheduler.core.models import Demand, ModelAliases
from entraide_scheduler.core.policy import ClassTerms, CoopTerms, Policy, QuotaKind
from entraide_scheduler.core.records import (
    Changes,
    DeadlineKind,
    ExclusiveReplica,
    Job,
    KeyExits,
    Lease,
    Probation,
    Quarantines,
    StatedBatch,
)
from entraide_scheduler.core.state.deadlines import Deadlines
from entraide_scheduler.core.state.job_sweep import JobSweep

EPOCHS_PER_INCARNATION = 2**20
JOBS_PER_EVENT = 256  # waiting jobs that an event visits, of a change that concerns many
ALIASES_PER_EVENT = 64  # of those that named an alias, which is resolved again


class State:
    """All that the core remembers between events.

    Attributes:
        now, cause: time and identifier of the current event.
        policy, coops, classes: the policy in force, and its terms by co-op and by class.
        incarnation: number of starts of the scheduler.
        arrivals, placements: number of jobs admitted and placed so far, used as serial numbers.
        scales: by class, multiplier that turns the p90 margin into the margin of its confidence.
        fleet, model_aliases, demand, queue, quotas, ledger, credits, length_predictor,
        shift_planner, deadlines: see their modules.
        counters, blocked_jobs: the fair queue's service counters and blocked jobs.
        quarantines: the senders whose messages do not count.
        jobs: those not ended, by id, in order of arrival; changed by ``add_job``, ``remove_job``.
        gateway_jobs: the same, by gateway.
        ended: the recently ended, oldest first.
        explained: ended jobs whose explanation is kept, oldest first.
        batches: batches with lines that are not yet requested, by identifier.
        begun_answers: waiting jobs whose answers are to be continued, by job, in order of the loss.
        exclusive_replicas: replicas reserved for a single job, by job.
        key_exits: engine exits within the last hour, by API key.
        leases: by job, one at most for each, also while its run is being stopped.
        changes: what the current event has changed and ``reconcile`` must follow.
        has_established: whether a node has ended the policy's number of runs; see ``newcomers``.
        job_sweep, alias_sweep: the same in order of arrival, and those that named an alias, with
            the passes over those of them that wait.
        probations: those of forgotten nodes, by node, oldest first.
        commands: emitted during the current event.
        deadline, placing: the deadline being handled and the waiting job being placed; None and ""
            if none. They tell the driver which one raised.
    """

    def __init__(self) -> None:
        self.now, self.cause = 0.0, 0
        self.incarnation = self.arrivals = self.placements = 0
        self.policy = Policy(version="none")
        self.coops: dict[str, CoopTerms] = {}
        self.classes: dict[JobClass, ClassTerms] = {}
        self.scales: dict[JobClass, float] = {}
        self.changes = Changes()
        self.fleet = Fleet(self.changes)
        self.demand = Demand()
        self.queue = FairQueue()
        self.counters = self.queue.counters
        self.blocked_jobs = self.queue.blocked
        self.quotas = Quotas()
        self.ledger = Ledger()
        self.credits = Credits()
        self.length_predictor = LengthPredictor()
        self.model_aliases = ModelAliases(self.length_predictor)
        self.shift_planner = ShiftPlanner()
        self.deadlines = Deadlines()
        self.quarantines = Quarantines()
        self.jobs: dict[str, Job] = {}
        self.gateway_jobs: dict[str, dict[str, Job]] = {}
        self.job_sweep = JobSweep(JOBS_PER_EVENT)
        self.alias_sweep = JobSweep(ALIASES_PER_EVENT)
        self.ended: OrderedDict[str, Job] = OrderedDict()
        self.explained: OrderedDict[str, None] = OrderedDict()
        self.batches: dict[str, StatedBatch] = {}
        self.leases: dict[str, Lease] = {}
        self.begun_answers: dict[str, Job] = {}
        self.exclusive_replicas: dict[str, ExclusiveReplica] = {}
        self.key_exits: dict[str, KeyExits] = {}
        self.has_established = False
        self.probations: dict[str, Probation] = {}
        self.commands: list[Command] = []
        self.deadline: tuple[DeadlineKind, str] | None = None
        self.placing = ""
        self.fleet.replica_index.watched = self.blocked_jobs.models
        self.apply_policy(self.policy)

    def apply_policy(self, policy: Policy) -> None:
        """Puts a policy in force."""
        limited = {terms.coop for terms in policy.coops if self._has_new_limit(terms)}
        self.policy = policy
        self.coops = {terms.coop: terms for terms in policy.coops}
        self.classes = {terms.job_class: terms for terms in policy.classes}
        self.scales = {terms.job_class: excess_scale(terms.confidence) for terms in policy.classes}
        self.model_aliases.grades.set_terms(policy.quality)
        self.queue.apply_policy(policy)
        self.shift_planner.forecast.apply_policy(policy.carbon.basis, policy.deferral)
        self.fleet.apply_policy(policy, self.now)
        self.quotas.apply_policy(policy.coops)
        for job in self.jobs.values() if limited else ():
            if job.facts.coop in limited:
                job.holds += self.quotas.reserve_missing(job.facts, job.holds)
        self.changes.credits = True

    def _has_new_limit(self, terms: CoopTerms) -> bool:
        """Tells whether a co-op's terms limit jobs in flight otherwise than those in force."""
        before = self.coops.get(terms.coop)
        old, new = (
            [quota for quota in quotas if quota.kind is QuotaKind.JOBS_IN_FLIGHT]
            for quotas in (() if before is None else before.quotas, terms.quotas)
        )
        return old != new

    def add_job(self, job: Job) -> None:
        """Adds a job that has not ended."""
        facts = job.facts
        self.jobs[facts.job] = job
        self.gateway_jobs.setdefault(facts.gateway, {})[facts.job] = job
        self.job_sweep.add(job)
        if job.alias:
            self.alias_sweep.add(job)

    def remove_job(self, job: Job) -> None:
        """Removes a job that has ended."""
        facts = job.facts
        del self.jobs[facts.job]
        self.job_sweep.remove(job)
        if job.alias:
            self.alias_sweep.remove(job)
        jobs = self.gateway_jobs[facts.gateway]
        del jobs[facts.job]
        if not jobs:
            del self.gateway_jobs[facts.gateway]

    def enqueue(self, job: Job) -> None:
        """Adds a job to the waiting jobs: to the fair queue, and to the backlog if it may defer."""
        self.shift_planner.add_job(job)
        self.queue.add(job)
        self.changes.enqueued[job.facts.job] = None

    def dequeue(self, job: Job) -> None:
        """Removes a job from the waiting jobs."""
        self.shift_planner.remove_job(job)
        self.queue.remove(job)
        if job.stalled_at:
            job.stalled_at, job.is_capped = 0.0, False
            self.deadlines.clear(DeadlineKind.WAIT_LIMIT, job.facts.job)

    def end_resume_wait(self, job: str) -> None:
        """Ends the wait of a job, if it waits for a node that continues its answer."""
        if self.begun_answers.pop(job, None) is not None:
            self.deadlines.clear(DeadlineKind.RESUME_EXPIRY, job)

    def restore_begun_answers(self) -> None:
        """Finds the jobs that wait for a node which continues their answers, by their deadlines."""
        for kind, job, _ in self.deadlines.listed():
            if kind is DeadlineKind.RESUME_EXPIRY:
                self.begun_answers[job] = self.jobs[job]

    def emit(self, *commands: Command) -> None:
        """Adds commands to those of the current event."""
        self.commands.extend(commands)

    def drop(self, what: str, *, job: str = "", node: str = "") -> None:
        """Emits ``Dropped`` for a message that was not used."""
        self.commands.append(Dropped(self.cause, what, job, node))

    def job(self, name: str) -> Job | None:
        """Returns a job, ended or not; None if it is unknown or forgotten."""
        return self.jobs.get(name) or self.ended.get(name)

    def jobs_of(self, gateway: str) -> Iterable[Job]:
        """Returns a gateway's jobs that have not ended, in order of arrival."""
        return list(self.gateway_jobs.get(gateway, {}).values())
