"""Own kinds: the properties of a replica that determine which of its owner's jobs it may run.

They are what the rules on offers read (``rules``): each field has the name of the replica's or the
card's.
"""

from typing import NamedTuple

from entraide.types import Control, DataClass, NodeCard, Replica, Sandbox


class OwnKind(NamedTuple):
    """A kind of replica; kinds are ordered by these fields, in this order."""

    model: str
    zone: str
    context_tokens: int
    features: tuple[str, ...]
    data_classes: tuple[DataClass, ...]
    controlled_by: Control = Control.UNSTATED
    revision: str = ""
    sandbox: Sandbox = Sandbox.NONE


_OF_REPLICA = frozenset(Replica.__struct_fields__)


def kind_of_replica(card: NodeCard, replica: Replica) -> OwnKind:
    """Returns the kind of a node's replica; the order of a list makes no other kind."""
    values = (getattr(replica if name in _OF_REPLICA else card, name) for name in OwnKind._fields)
    return OwnKind._make(
        tuple(sorted(set(value))) if isinstance(value, tuple) else value for value in values
    )
