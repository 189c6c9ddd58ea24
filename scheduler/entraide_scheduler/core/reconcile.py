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
6. Jobs that wait for greener hours are tried again soon after nodes close or open.
7. Waiting jobs are stalled, or no longer, as nodes close and open (``wait_limits``).

Steps 4, 5 and 7 examine the shapes of the models whose nodes have changed. An event visits a
bounded number of jobs (``job_sweep``); steps 2 to 4 and 7 go on with the others in the next events.

``Core.handle`` runs it after each deadline and after the event, and again after a plan to load
models, so that the next step sees a consistent state.
"""

from entraide_scheduler.core import (
    evaluation,
    job_visits,
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
    if changes.aliases or state.alias_sweep.ranges:
        model_loading.refresh_aliases(state)
    if changes.shapes:
        changes.shapes = False
        state.job_sweep.begin(state.arrivals, shapes=True)
    if state.job_sweep.ranges:
        job_visits.visit_jobs(state)
    if changes.servable:
        job_visits.end_unservable_jobs(state)
    while changes.opened:
        name = next(iter(changes.opened))
        del changes.opened[name]
        leases.retry_node(state, state.fleet.nodes[name])
    if changes.service:
        evaluation.follow_capacity(state)
    if changes.service or changes.enqueued:
        wait_limits.note_stalls(state)
