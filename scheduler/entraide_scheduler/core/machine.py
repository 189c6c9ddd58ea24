"""Machine: the decision core as its drivers call it, one event in and its commands out.

The core is a deterministic state machine (Schneider, "Implementing fault-tolerant services using
the state machine approach", ACM Computing Surveys, 1990). Input: an event of ``events``. Output:
the commands of ``commands`` that follow from the event, and the next deadline at which the driver
sends a ``Woke``. The core reads no clock (``event.at`` is the time), does no input or output and
draws no random numbers, so the same events give the same commands, byte for byte: the live
scheduler, the simulator and a replay run the same code. For each event the core runs the deadlines
that are due, then the event's handler, then the plan to load models if it is due, then the dispatch
of waiting jobs. After each deadline, the handler and the plan, ``reconcile`` makes the rest of the
state follow what they changed. The tables below map each kind of event and deadline to its handler;
``snapshot`` encodes the state.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import structs

from entraide.models import ALIASES, Catalogue
from entraide.types import Basis, Explanation, JobClass, JobState, RequestFacts
from entraide_scheduler.core import (
    admission,
    evaluation,
    events,
    explanations,
    fault_isolation,
    forgotten_nodes,
    leases,
    model_loading,
    newcomers,
    node_lifecycle,
    overview,
    settlement,
    snapshot,
    views,
    wait_limits,
)
from entraide_scheduler.core.carbon import BatchExpectation, ZoneIntensity
from entraide_scheduler.core.commands import Command, PostCorrection
from entraide_scheduler.core.dispatch import (
    dispatch,
    place_or_enqueue,
    put_off,
    recheck_blocked,
    retry_skipped_shapes,
)
from entraide_scheduler.core.models import AliasMeaning
from entraide_scheduler.core.policy import Period, find_unusable
from entraide_scheduler.core.reconcile import reconcile
from entraide_scheduler.core.records import (
    DeadlineKind,
    EarlierRun,
    Quarantine,
    Sender,
    SenderKind,
)
from entraide_scheduler.core.state import State

Handler = Callable[[State, Any], None]


BASIS_BY_NAME: Mapping[str, Basis] = MappingProxyType({basis.value: basis for basis in Basis})


def _apply_policy(state: State, event: events.PolicyChanged) -> None:
    if find_unusable(event.policy):
        state.drop("unsound_policy")
        return
    if event.policy == structs.replace(state.policy, version=event.policy.version):
        state.policy = event.policy  # the same rules under another name cost and move nothing
        return
    evidence, quality = state.policy.evidence, state.policy.quality
    state.apply_policy(event.policy)
    if event.policy.quality != quality:
        state.changes.aliases = True
    if event.policy.evidence != evidence:
        node_lifecycle.reschedule_surplus_expiries(state)
    newcomers.apply_policy(state)


def _begin_period(state: State, event: events.PeriodBegan) -> None:
    state.quotas.begin_period(event.period, event.ends_at)
    state.changes.credits = True
    state.queue.unblock_all_shapes(lambda shape: shape.limited or event.period is Period.DAY)
    state.blocked_jobs.mark_all_due()


def _set_intensity(state: State, event: events.IntensityChanged) -> None:
    intensity = ZoneIntensity(
        event.direct_g_per_kwh,
        event.lifecycle_g_per_kwh,
        BASIS_BY_NAME.get(event.basis, Basis.DEFAULT),
        event.valid_until,
    )
    state.fleet.replica_index.set_intensity(event.zone, intensity, state.now)
    evaluation.handle_intensity(state, event)
    state.queue.unblock_all_shapes(lambda shape: shape.limited or bool(shape.green_h))


def _correct_ledger(state: State, event: events.LedgerCorrected) -> None:
    entries = state.ledger.correct(event)
    if entries is None:
        state.drop("corrected_before")
    else:
        state.emit(PostCorrection(state.cause, event.correction, event.reason, entries))


def _admit_job(state: State, event: events.JobRequested) -> None:
    job = admission.admit(state, event.facts)
    if job is not None:
        model_loading.record_request(state, job)
        place_or_enqueue(state, job)


def _do_nothing(_: State, __: events.Woke) -> None:
    """Does nothing: ``handle`` runs the due deadlines before the event's handler."""


def _drop_deadline(state: State, event: events.DeadlineDropped) -> None:
    state.deadlines.clear(event.kind, event.name)


HANDLERS: Mapping[type, Handler] = MappingProxyType(
    {
        events.PolicyChanged: _apply_policy,
        events.PeriodBegan: _begin_period,
        events.IntensityChanged: _set_intensity,
        events.ForecastIssued: evaluation.handle_forecast,
        events.LedgerCorrected: _correct_ledger,
        events.CatalogueChanged: model_loading.handle_catalogue,
        events.LoadAsked: model_loading.handle_load_asked,
        events.UnloadAsked: model_loading.handle_unload_asked,
        events.NodeJoined: node_lifecycle.handle_joined,
        events.NodeChanged: node_lifecycle.handle_changed,
        events.NodesSeen: node_lifecycle.handle_seen,
        events.NodeBeat: node_lifecycle.handle_beat,
        events.NodeDisconnected: node_lifecycle.handle_disconnected,
        events.BusLost: node_lifecycle.handle_bus_lost,
        events.NodeLeft: node_lifecycle.handle_left,
        events.NodeForgotten: forgotten_nodes.handle_forgotten,
        events.NodeVouched: node_lifecycle.handle_vouched,
        events.GatewayLost: node_lifecycle.handle_gateway_lost,
        events.JobRequested: _admit_job,
        events.BatchStated: evaluation.state_batch,
        events.JobCancelled: leases.handle_cancelled,
        events.Woke: _do_nothing,
        events.RunAccepted: leases.handle_accepted,
        events.RunDeclined: leases.handle_declined,
        events.RunProgressed: leases.handle_progressed,
        events.RunReported: leases.handle_reported,
        events.RunExceeded: leases.handle_exceeded,
        events.JobAbandoned: leases.handle_abandoned,
        events.AnswerResumed: leases.handle_resumed,
        events.LoadFailed: model_loading.handle_load_failed,
        events.SenderQuarantined: fault_isolation.quarantine_sender,
        events.QuarantineCleared: fault_isolation.clear_sender,
        events.DeadlineDropped: _drop_deadline,
    }
)
ISOLATED_EVENTS = (events.SenderQuarantined, events.DeadlineDropped)


def _expire_job(state: State, name: str) -> None:
    """Ends a job whose deadline has passed."""
    leases.stop_job(state, state.jobs[name], "fail", "deadline_exceeded")


DEADLINE_HANDLERS: Mapping[DeadlineKind, Callable[[State, str], None]] = MappingProxyType(
    {
        DeadlineKind.NODE_FORGETTING: node_lifecycle.forget_node,
        DeadlineKind.GREENER_HOUR: evaluation.handle_greener_hour,
        DeadlineKind.JOB_EXPIRY: _expire_job,
        DeadlineKind.WAIT_LIMIT: wait_limits.end_stalled,
        DeadlineKind.BATCH_EXPIRY: evaluation.forget_batch,
        DeadlineKind.LEASE_EXPIRY: leases.expire_lease,
        DeadlineKind.RESUME_EXPIRY: leases.expire_wait,
        DeadlineKind.SKIPPED_SHAPES: retry_skipped_shapes,
        DeadlineKind.MODEL_PLAN: model_loading.mark_plan_due,
        DeadlineKind.NODE_SILENCE: node_lifecycle.handle_silence,
        DeadlineKind.PAUSE_END: leases.end_pause,
        DeadlineKind.BLOCKED_JOBS: recheck_blocked,
        DeadlineKind.BACKOFF_END: leases.end_backoff,
        DeadlineKind.SURPLUS_EXPIRY: node_lifecycle.handle_surplus_expired,
    }
)


class Core:
    """The decision core. Not for several threads at once."""

    def __init__(self) -> None:
        self._state = State()

    def handle(self, event: events.Event) -> list[Command]:
        """Processes one event and returns the commands that follow from it, in order.

        Deadlines that are due at the event's time are run first; at a start of the scheduler, after
        the event, because no scheduler could hear the nodes before. Time never goes back: an event
        dated before the last one takes the last one's time.

        An event of ``ISOLATED_EVENTS`` runs its own handler only, so that a deadline or placement
        that raises cannot make it raise; the rest is put off.
        """
        state = self._state
        state.now = max(state.now, event.at)
        state.cause = event.id
        state.commands = []
        state.deadline, state.placing = None, ""
        state.job_sweep.visits_left = state.job_sweep.visits_per_event
        state.alias_sweep.visits_left = state.alias_sweep.visits_per_event
        if isinstance(event, ISOLATED_EVENTS):
            self._run(HANDLERS[type(event)], event)
            put_off(state)
            return state.commands
        if isinstance(event, events.SchedulerStarted):
            self._run(node_lifecycle.handle_started, event)
            self._run_due_deadlines()
        else:
            self._run_due_deadlines()
            if not (state.quarantines and fault_isolation.is_ignored(state, event)):
                self._run(HANDLERS[type(event)], event)
        if state.changes.plan:
            model_loading.apply_plan(state)
            reconcile(state)
        dispatch(state)
        settlement.forget_old_jobs(state)
        return state.commands

    def _run(self, handler: Handler, subject: Any) -> None:
        """Runs a handler of an event or a deadline, and makes the state follow its changes."""
        handler(self._state, subject)
        reconcile(self._state)

    def _run_due_deadlines(self) -> None:
        state = self._state
        while (due := state.deadlines.pop(state.now)) is not None:
            state.deadline = due
            kind, name = due
            self._run(DEADLINE_HANDLERS[kind], name)
        state.deadline = None

    @property
    def active_deadline(self) -> tuple[DeadlineKind, str] | None:
        """The deadline (kind, name) whose handler raised in the last event, or None."""
        return self._state.deadline

    @property
    def active_job(self) -> str:
        """The waiting job whose placement raised during the last event; "" if none did."""
        return "" if self._state.deadline else self._state.placing

    def sender_of(self, event: events.Event) -> Sender | None:
        """Returns the node or API key that is accountable for an event; None if neither is."""
        return fault_isolation.sender_of(self._state, event)

    def next_deadline(self) -> float | None:
        """Returns the earliest deadline, at which the driver sends a ``Woke``, as a Unix time."""
        return self._state.deadlines.next()

    def snapshot(self) -> bytes:
        """Returns the core's state as bytes; a core restored from them gives the same commands."""
        return snapshot.write(self._state)

    @classmethod
    def restore(cls, data: bytes) -> "Core":
        """Returns a core with the state of a snapshot.

        Raises:
            msgspec.DecodeError: the bytes are not a snapshot of this version.
        """
        core = cls()
        core._state = snapshot.read(data)
        return core

    # Queries: they change nothing.

    def explain(self, job: str, at: float) -> Explanation | None:
        """Returns why a job waits (evaluated now), or why it was placed or refused.

        Args:
            job: identifier.
            at: now, seconds since the epoch.

        Returns:
            None when the job or its explanation is unknown or forgotten.
        """
        state = self._state
        record = state.job(job)
        if record is None or record.state is not JobState.QUEUED:
            return None if record is None else record.explanation
        request = evaluation.make_request(state, record, max(at, state.now))
        result = evaluation.evaluate_nodes(state, record, request)
        return explanations.explain_wait(state, record, result, request)

    def expect_batch(self, facts: RequestFacts, lines: int, at: float) -> BatchExpectation | None:
        """Returns when lines of a batch are expected to run, and its grams then and at once.

        Args:
            facts: of a typical line, as ``BatchStated`` has them.
            lines: number of lines that are not yet requested.
            at: now, seconds since the epoch.

        Returns:
            None if no node can run them now.
        """
        return evaluation.expect_batch_of(self._state, facts, lines, max(at, self._state.now))

    def job(self, job: str) -> views.JobView | None:
        """Returns a job, ended or not; None if it is unknown or forgotten."""
        record = self._state.job(job)
        return None if record is None else views.job_view(self._state, record)

    def submitter_of(self, job: str) -> tuple[str, str]:
        """Returns the API key and the project that sent a job; "" twice for a forgotten job."""
        record = self._state.job(job)
        return ("", "") if record is None else (record.facts.key, record.facts.project)

    def jobs(self, coop: str = "") -> list[views.JobView]:
        """Returns the jobs of a co-op, or of all co-ops if "": open jobs first, then ended ones."""
        state = self._state
        jobs = [*state.jobs.values(), *state.ended.values()]
        return [views.job_view(state, job) for job in jobs if coop in ("", job.facts.coop)]

    def open_jobs(self) -> list[views.JobView]:
        """Returns the jobs that have not ended, in order of arrival."""
        return [views.job_view(self._state, job) for job in self._state.jobs.values()]

    def count_jobs(self) -> Counter[tuple[JobState, JobClass, str]]:
        """Returns the number of jobs that have not ended, by state, class and co-op."""
        jobs = self._state.jobs.values()
        return Counter((job.state, job.facts.job_class, job.facts.coop) for job in jobs)

    def count_running(self) -> int:
        """Returns the number of jobs that a node has been offered or runs."""
        running = (JobState.OFFERED, JobState.ACTIVE)
        return sum(job.state in running for job in self._state.jobs.values())

    def count_leases(self) -> int:
        """Returns the number of runs that nodes hold."""
        return len(self._state.leases)

    def holds_run(self, node: str, job: str, epoch: int) -> bool:
        """Whether a node holds the run of this job and epoch."""
        lease = self._state.leases.get(job)
        return lease is not None and (lease.terms.node, lease.terms.epoch) == (node, epoch)

    def may_complete(self, node: str, job: str, epoch: int) -> bool:
        """Whether the answer of a run that was given up would complete its job, which waits."""
        return leases.find_given_up_run(self._state, job, epoch, node) is not None

    def earlier_runs(self, job: str) -> tuple[EarlierRun, ...]:
        """Returns the lost runs of a job whose answer is to be continued, oldest first.

        Empty if its next run may be on a node that cannot continue an answer.
        """
        record = self._state.jobs.get(job)
        return record.earlier_runs if record is not None and record.revision else ()

    def awaits_continuation(self, job: str) -> bool:
        """Whether a job waits for a node that continues its answer."""
        return job in self._state.begun_answers

    def peak_w(self, node: str) -> float:
        """Returns the maximum power of a node's device, watts; 0 if unknown."""
        record = self._state.fleet.nodes.get(node)
        return 0.0 if record is None else record.peak_w

    def nodes(self) -> list[views.NodeView]:
        """Returns the fleet view, by node."""
        nodes = self._state.fleet.nodes
        return [views.node_view(self._state, nodes[name]) for name in sorted(nodes)]

    def awaits_runs(self, node: str) -> bool:
        """Whether a node's last heartbeat listed runs, which each of its next ones has to list."""
        known = self._state.fleet.nodes.get(node)
        return known is not None and known.busy

    def quarantines(self) -> list[views.QuarantineView]:
        """Returns the senders in quarantine, keys then nodes, each by name."""
        return views.quarantines(self._state)

    def quarantine(self, kind: SenderKind, name: str) -> Quarantine | None:
        """Returns why a node or key is in quarantine; None when it is not."""
        return self._state.quarantines.get(Sender(kind, name))

    def knows_model(self, model: str) -> bool:
        """Tells whether a node, the catalogue or an alias gives a model this name."""
        state = self._state
        return model in ALIASES or model in state.model_aliases.entries or state.fleet.offers(model)

    def models(self) -> list[views.ModelView]:
        """Returns the models that known nodes serve, by name."""
        return views.models(self._state)

    def loadable_models(self) -> list[views.ModelView]:
        """Returns the models that known nodes could load and do not serve, by name."""
        return views.loadable(self._state)

    def alias_meanings(self) -> list[AliasMeaning]:
        """Returns the model that each alias means now for a request without special needs."""
        return views.meanings(self._state)

    def plan(self) -> list[model_loading.PlanStep]:
        """Returns the loads and unloads that are due now, in order, without doing them."""
        return model_loading.plan_models(self._state)

    def model_loads(self) -> list[views.ModelLoadView]:
        """Returns the models that nodes load, or have loaded, on the pool's instruction."""
        return views.model_loads(self._state)

    def preview_load(self, model: str, node: str) -> model_loading.PlanStep | str:
        """Returns the step that would load a model at the operator's request, or an error code.

        Args:
            model: public name.
            node: name of the node; "" for the best node.
        """
        return model_loading.preview_load(self._state, model, node)

    def catalogue(self) -> Catalogue:
        """Returns the pool's catalogue of models."""
        return self._state.model_aliases.catalogue

    def queue_lengths(self) -> dict[str, int]:
        """Returns the number of waiting jobs of each co-op that has any."""
        counters = self._state.counters.coops
        return {name: counters[name].queued for name in sorted(counters) if counters[name].queued}

    def balances(self) -> dict[str, dict[str, int]]:
        """Returns each co-op's balance in each unit; they sum to zero."""
        balances = self._state.ledger.balances
        return {coop: dict(balances[coop]) for coop in sorted(balances)}

    def quota_left(self, coop: str) -> list[views.QuotaView]:
        """Returns a co-op's quotas and what is left of them."""
        return views.quotas(self._state, coop)

    def machines(self, at: float) -> list[overview.MachineView]:
        """Returns the nodes that have not left, with their sites' own energy, by name."""
        return overview.machines(self._state, max(at, self._state.now))

    def count_waiting(self, at: float) -> list[overview.WaitingCount]:
        """Returns how many jobs wait for each reason, by reason and class."""
        return overview.count_waiting(self._state, max(at, self._state.now))

    def live_waits(self, at: float, start: int) -> tuple[list[overview.WaitView], int]:
        """Returns why live jobs wait, some of them at once, and their number."""
        return overview.live_waits(self._state, max(at, self._state.now), start)

    def outlooks(self, at: float) -> list[overview.ZoneOutlook]:
        """Returns the present and expected intensities of all known zones."""
        return overview.outlooks(self._state, max(at, self._state.now))

    def planned_work(self, at: float) -> list[overview.PlannedWork]:
        """Returns the work that waits for greener hours, by the hours expected for it."""
        return overview.planned_work(self._state, max(at, self._state.now))

    def coop(self, name: str, at: float) -> overview.CoopView | None:
        """Returns a co-op's quotas, balance and fair share; None if the policy lacks it."""
        return overview.coop(self._state, name, max(at, self._state.now))
