# mypy: implicit-reexport
"""State: all that the core remembers between events, and its deadlines.

Input: the structures of the packages below, empty at the start. Output: one ``State`` that every
handler receives and that ``snapshot`` encodes.

The packages below know nothing of the state: they are given what they need. The packages above
are functions over it, called by ``machine`` and by each other, from high to low only. Commands of
the current event are collected here in order, each with the event that caused it, and so are its
``Changes``, which ``reconcile`` follows. A job enters and leaves the waiting jobs by ``enqueue``
and ``dequeue``.

``state`` is the state; ``deadlines`` the earliest moments at which something is due;
``job_sweep`` a pass over waiting jobs, a bounded number of them per event.
"""

from entraide_scheduler.core.state.job_sweep import SweepState
from entraide_scheduler.core.state.state import EPOCHS_PER_INCARNATION, State
