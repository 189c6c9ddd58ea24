"""Changes: what an event has changed so far that other parts of the state must follow.

Who changes something records it here, once; ``reconcile`` makes the other parts follow, in a fixed
order, and clears it. No caller has to know which parts depend on what it changed.
"""

from msgspec import Struct

from entraide_scheduler.core.records.records import Job


class Changes(Struct):
    """What must follow before waiting jobs are dispatched.

    Attributes:
        credits: co-ops' weights, by the policy or by the decay of their credit.
        aliases: which models nodes serve or can load, or which the catalogue lists.
        shapes: what the shapes of jobs depend on: contexts, restricted nodes or the policy.
        servable: models or nodes that waiting jobs need may have gone.
        opened: nodes that may admit more than before, by name, in the order in which they opened.
        plan: a plan to load and unload models is due.
        service: which nodes would accept jobs, once they have room.
        enqueued: jobs that have begun to wait.
    """

    credits: bool = False
    aliases: bool = False
    shapes: bool = False
    servable: bool = False
    opened: dict[str, None] = {}
    plan: bool = False
    service: bool = False
    enqueued: list[Job] = []

    def clear(self) -> None:
        """Forgets all changes, because a restored state is consistent."""
        self.credits = self.aliases = self.shapes = self.servable = self.plan = False
        self.service = False
        self.opened.clear()
        self.enqueued.clear()
