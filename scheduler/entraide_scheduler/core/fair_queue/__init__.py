# mypy: implicit-reexport
"""Fair queue: in which order waiting jobs of co-ops, projects and classes are served.

Input: jobs that wait, runs that begin and end, weights of the policy, credit, and the slots of
each co-op's own nodes. Output: the next job, and the jobs that a replica of their own co-op owes
them.

Each co-op has a service counter in virtual tokens, as in the Virtual Token Counter of Sheng et al.,
"Fairness in Serving Large Language Models" (OSDI 2024): the co-op with the lowest counter divided
by its weight goes first, then its project, then the class. A co-op that was absent is lifted to
the counters of those that wait, so it neither catches up nor is punished. A co-op whose own
machines are lent has a right to that capacity at once. ``docs/concepts/fairness.md`` gives the
definition and the bounds.

The specification is ``tests/core/fair_queue_definition.py``: the same queue, computed from scratch
at each call. Tests compare both over random histories.

``queue`` decides who is next, and owns which jobs take turns. ``counters`` owns the service:
counters, charges, booked slots. ``backlog`` has the waiting jobs as queues by model, shape, co-op,
project and class; ``blocked_jobs`` the order in which jobs that a limit of their own keeps from
running are checked again. ``formulas`` is what the specification and the fast code share;
``lazy_heap`` and ``sorted_keys`` the ordered sets; ``queue_state`` writes and reads the queue for a
snapshot.
"""

from entraide_scheduler.core.fair_queue.backlog import ShapeQueue
from entraide_scheduler.core.fair_queue.queue import SHAPES_PER_EVENT, FairQueue
from entraide_scheduler.core.fair_queue.queue_state import QueueState, dump, load
