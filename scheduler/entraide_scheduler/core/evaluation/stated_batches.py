"""Stated batches: the lines of batches that are not yet requested, as work to plan.

A batch's gateway requests few of its lines at a time. A plan that knew only those would wait for
hours that cannot hold the rest. So the gateway states what is left of each batch, and the shift
planner's backlog holds that work beside the waiting jobs'.

Input: the state and ``BatchStated``. Output: ``State.batches`` and the backlog; and, asked for a
batch, when it is expected to run.
"""

from collections.abc import Iterable

from msgspec import structs

from entraide.models import THINKING_BUDGET
from entraide.types import Basis, DataClass, JobState, RequestFacts
from entraide_scheduler.core.carbon import (
    STEP_S,
    BatchExpectation,
    BatchWorkload,
    RunLengths,
    expect_batch,
    latest_start_hour,
)
from entraide_scheduler.core.evaluation.carbon_shifting import (
    deferrable_work,
    retry_deferred,
    slots_and_lengths,
)
from entraide_scheduler.core.evaluation.shape import shape_of
from entraide_scheduler.core.events import BatchStated
from entraide_scheduler.core.records import BatchWork, DeadlineKind, Job, Shape, StatedBatch
from entraide_scheduler.core.state import State

BATCHES_MAX = 4_096
LINES_MAX = 1_000_000
NO_SHAPE = Shape("", (), "", DataClass.PUBLIC, "", 0)


def state_batch(state: State, event: BatchStated) -> None:
    """Replaces what was stated of a batch; if its work grew, deferred jobs are tried again."""
    name = event.facts.job
    before = state.batches.get(name)
    forget_batch(state, name)
    deadline_at = event.facts.deadline_at
    if event.lines < 1 or deadline_at is None or deadline_at <= state.now:
        return
    if len(state.batches) >= BATCHES_MAX:
        state.drop("batches_full", job=name)
        return
    batch = _make_batch(state, event)
    state.batches[name] = batch
    state.shift_planner.add_lines(batch)
    state.deadlines.set(DeadlineKind.BATCH_EXPIRY, name, deadline_at)
    if before is None or before.lines < batch.lines:
        retry_deferred(state)


def forget_batch(state: State, name: str) -> None:
    """Deletes what was stated of a batch, if anything was."""
    batch = state.batches.pop(name, None)
    if batch is not None:
        state.shift_planner.remove_lines(batch)
        state.deadlines.clear(DeadlineKind.BATCH_EXPIRY, name)


def forget_batches_of(state: State, key: str) -> None:
    """Deletes what was stated of an API key's batches."""
    for name in [name for name, batch in state.batches.items() if batch.facts.account == key]:
        forget_batch(state, name)


def restore_batches(state: State, batches: Iterable[StatedBatch]) -> None:
    """Restores the stated batches from a snapshot; their deadlines are restored with the others."""
    for batch in batches:
        state.batches[batch.facts.job] = batch
        state.shift_planner.add_lines(batch)


def _make_batch(state: State, event: BatchStated) -> StatedBatch:
    facts, lines = with_resolved_model(state, event.facts), min(event.lines, LINES_MAX)
    work = deferrable_work(state, facts, state.now)
    if work is not None:
        work = BatchWork(work.due, lines, lines * work.input_tokens, lines * work.output_tokens_max)
    return StatedBatch(facts, lines, work)


def with_resolved_model(state: State, facts: RequestFacts) -> RequestFacts:
    """Returns facts with the model that an alias means now; unchanged if no model fits."""
    model = state.model_aliases.resolve(state.fleet, facts, state.now)
    return facts if model in ("", facts.model) else structs.replace(facts, model=model)


def expect_batch_of(
    state: State, facts: RequestFacts, lines: int, at: float, *, queued: int = 0
) -> BatchExpectation | None:
    """Returns when lines of a batch are expected to run; None if no node can run them now.

    Args:
        state: the core's.
        facts: of a typical line, as ``BatchStated`` has them.
        lines: number of lines that are not yet requested.
        at: now, seconds since the epoch.
        queued: number of these lines that wait in the queue already, as jobs.
    """
    facts = with_resolved_model(state, with_policy_defaults(state, facts))
    job = Job(facts, JobState.QUEUED, state.arrivals, at, 0, 0, NO_SHAPE)
    job.shape = shape_of(state, job)
    work = deferrable_work(state, facts, at)
    most = facts.output_tokens_max or state.policy.limits.output_tokens_default
    output_tokens = state.length_predictor.output_tokens(facts.coop, facts.model, at_most=most)
    slots, lengths = slots_and_lengths(state, job.shape, at)
    line = BatchWork(0, 1, facts.input_tokens_est, 0 if facts.embeds else most)
    run_s, latest_hour, other_s = lengths.expected_s(line), 0, 0.0
    if work is not None:
        latest_hour = latest_start_hour(work.due * STEP_S, lengths.upper_line_s(work))
        other_s = _other_work_s(state, facts, latest_hour, lengths, own_s=queued * run_s)
    workload = BatchWorkload(
        lines=lines,
        run_s=run_s,
        input_tokens=float(facts.input_tokens_est),
        output_tokens=0.0 if facts.embeds else output_tokens,
        latest_hour=latest_hour,
        other_s=other_s,
    )
    return expect_batch(
        workload,
        slots.zones,
        state.shift_planner.forecast,
        at=at,
        terms=state.policy.deferral,
        basis=state.policy.carbon.basis,
    )


def _other_work_s(
    state: State, facts: RequestFacts, latest_hour: int, lengths: RunLengths, *, own_s: float
) -> float:
    """Returns the slot time of the model's other work up to an hour of latest start, seconds."""
    backlog = state.shift_planner.backlog.work(facts.model, lengths)
    work_s = sum(seconds for hour, seconds in backlog if hour <= latest_hour) - own_s
    own = state.batches.get(facts.job)
    if own is not None and own.work is not None:
        hour = latest_start_hour(own.work.due * STEP_S, lengths.upper_line_s(own.work))
        work_s -= lengths.expected_s(own.work) if hour <= latest_hour else 0.0
    return max(0.0, work_s)


def with_policy_defaults(state: State, facts: RequestFacts) -> RequestFacts:
    """Returns a request's facts with the policy's defaults where it states nothing itself."""
    policy, openness = state.policy, facts.openness
    jurisdiction = facts.jurisdiction or policy.jurisdiction
    controlled_by = facts.controlled_by or policy.controlled_by
    if openness is not policy.openness and openness.rank < policy.openness.rank:
        openness = policy.openness
    facts = _with_coop_language(state, _with_thinking(state, facts))
    sandboxed = facts.data_class in policy.sandboxed
    own = facts.jurisdiction, facts.controlled_by, facts.openness, facts.sandboxed
    if (jurisdiction, controlled_by, openness, sandboxed) == own:
        return facts
    return structs.replace(
        facts, jurisdiction=jurisdiction, controlled_by=controlled_by, openness=openness,
        sandboxed=sandboxed,
    )  # fmt: skip


def _with_coop_language(state: State, facts: RequestFacts) -> RequestFacts:
    """Returns facts with the co-op's language where the text of the request does not show one."""
    terms = state.coops.get(facts.coop)
    if facts.language_basis is not Basis.DEFAULT or terms is None or not terms.language:
        return facts
    return structs.replace(facts, language=terms.language)


def _with_thinking(state: State, facts: RequestFacts) -> RequestFacts:
    """Returns facts with the policy's effort and budget; unchanged where no thought is asked for.

    A thought cannot be continued on another machine, and its budget needs an engine that keeps it.
    """
    default, limit = state.policy.reasoning.terms_of(facts.coop, facts.job_class)
    effort = facts.effort or default
    if not effort.thinks or facts.embeds:
        return facts
    budgets = [n for n in (facts.thinking_budget_tokens, limit) if n]
    features = {*facts.features, THINKING_BUDGET} if budgets else {*facts.features}
    return structs.replace(
        facts,
        effort=effort,
        thinking_budget_tokens=min(budgets, default=0),
        features=tuple(sorted(features)),
        resumable=False,
    )
