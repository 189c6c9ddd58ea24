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

``queue`` is the queue; ``counters`` the service counters, the charges and what is owed; ``backlog``
the waiting jobs by model; ``blocked_jobs`` those that a limit of their own keeps from running;
``lazy_heap`` the ordered sets; ``queue_state`` writes and reads the queue for a snapshot.
"""

from entraide_scheduler.core.fair_queue.queue import FairQueue
from entraide_scheduler.core.fair_queue.queue_state import QueueState, dump, load

__all__ = [
    "FairQueue", "QueueState", "dump", "load",
]  # fmt: skip
