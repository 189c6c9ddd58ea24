"""Changes: what an event has changed so far that other parts of the state must follow.

Who changes something records it here, once; ``reconcile`` makes the other parts follow, in a fixed
order, and clears it. No caller has to know which parts depend on what it changed. What dispatch
changes follows in the next event, so a snapshot has it.
"""

from collections.abc import Iterable

from msgspec import Struct


class Changes(Struct, array_like=True):
    """What must follow before waiting jobs are dispatched.

    Attributes:
        credits: co-ops' weights, by the policy or by the decay of their credit.
        aliases: which models nodes serve or can load, or which the catalogue lists.
        shapes: what the shapes of jobs depend on: contexts, restricted nodes or the policy.
        servable: models of which a node that waiting jobs need may have gone.
        opened: nodes that may admit more than before, by name, in the order in which they opened.
        plan: a plan to load and unload models is due.
        service: models of which other nodes than before would accept jobs, once they have room.
        enqueued: jobs that have begun to wait, or have been visited after a change, by name.
    """

    credits: bool = False
    aliases: bool = False
    shapes: bool = False
    servable: dict[str, None] = {}
    opened: dict[str, None] = {}
    plan: bool = False
    service: dict[str, None] = {}
    enqueued: dict[str, None] = {}

    def note_service(self, models: Iterable[str]) -> None:
        """Notes models of which other nodes than before would accept jobs."""
        self.service.update(dict.fromkeys(models))

    def load(self, saved: "Changes") -> None:
        """Restores what a snapshot has, and forgets all else."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(saved, name))
