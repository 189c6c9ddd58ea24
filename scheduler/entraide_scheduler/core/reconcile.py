"""Reconcile: makes the rest of the state follow what an event or a deadline has changed.

Input: ``Changes``, which the owners of the data record. Output: weights, the models and shapes of
waiting jobs, and unblocked shapes that agree with the fleet again, and the end of jobs that no node
can serve any more.

The order is fixed, since each step uses the result of those before it:

1. Co-ops' weights follow the policy and the decay of credit.
2. Waiting jobs that named an alias get the model that the alias means now.
3. Waiting jobs get their shapes for the present contexts and policy.
4. Live jobs that no reachable node serves or can load a model for end.
5. Shapes that a node which opened may admit are unblocked.
6. Waiting jobs are stalled, or no longer, as nodes close and open (``wait_limits``).

``Core.handle`` runs it after each deadline and after the event, and again after a plan to load
models, so that the next step sees a consistent state.
"""

from entraide.types import JobKind
from entraide_scheduler.core import (
    admission,
    evaluation,
    leases,
    model_loading,
    settlement,
    wait_limits,
)
from entraide_scheduler.core.state import State


def reconcile(state: State) -> None:
    """Makes the state follow its recorded changes; a due plan stays recorded."""
    changes = state.changes
    if changes.credits:
        changes.credits = False
        settlement.refresh_credits(state)
    if changes.aliases:
        model_loading.refresh_aliases(state)
    if changes.shapes:
        changes.shapes = False
        evaluation.reshape_jobs(state)
    if changes.servable:
        changes.servable = False
        _end_unservable_jobs(state)
    while changes.opened:
        name = next(iter(changes.opened))
        del changes.opened[name]
        leases.retry_node(state, state.fleet.nodes[name])
    if changes.service or changes.enqueued:
        wait_limits.note_stalls(state)


def _end_unservable_jobs(state: State) -> None:
    """Fails the waiting live jobs that no reachable node serves or can load the model for.

    Admission would refuse them now. Kept jobs go on waiting.
    """
    served = {shape: model_loading.is_reachable(state, shape) for shape in state.queue.shapes}
    if all(served.values()):
        return
    for job in state.queue.jobs():
        if job.facts.kind is JobKind.LIVE and not served[job.shape]:
            code, values, _ = admission.unreachable_reason(state, job.shape)
            if job.revision:
                code, values = leases.STREAM_BROKEN, {}
            settlement.end_waiting_job(
                state, job, "fail", code=code, epoch=job.epoch, values=values
            )
