"""Stated batches: the lines of batches that are not yet requested, as work to plan.

A batch's gateway requests few of its lines at a time. A plan that knew only those would wait for
hours that cannot hold the rest. So the gateway states what is left of each batch, and the shift
planner's backlog holds that work beside the waiting jobs'.

Input: the state and ``BatchStated``. Output: ``State.batches`` and the backlog.
"""

from collections.abc import Iterable

from msgspec import structs

from entraide.types import RequestFacts
from entraide_scheduler.core.evaluation.carbon_shifting import deferrable_work, retry_deferred
from entraide_scheduler.core.events import BatchStated
from entraide_scheduler.core.records import BatchWork, DeadlineKind, StatedBatch
from entraide_scheduler.core.state import State

BATCHES_MAX = 4_096
LINES_MAX = 1_000_000


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
    for name in [name for name, batch in state.batches.items() if batch.facts.key == key]:
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
        work = BatchWork(work.hour, work.work_ms * lines)
    return StatedBatch(facts, lines, work)


def with_resolved_model(state: State, facts: RequestFacts) -> RequestFacts:
    """Returns facts with the model that an alias means now; unchanged if no model fits."""
    model = state.model_aliases.resolve(state.fleet, facts, state.now)
    return facts if model in ("", facts.model) else structs.replace(facts, model=model)
