"""Own kinds: the properties of a replica that determine which of its owner's jobs it may run."""

from typing import NamedTuple

from entraide.types import Control, DataClass, NodeCard, Replica


class OwnKind(NamedTuple):
    """A kind of replica; kinds are ordered by these fields, in this order."""

    model: str
    zone: str
    context_tokens: int
    features: tuple[str, ...]
    data_classes: tuple[DataClass, ...]
    controlled_by: Control = Control.UNSTATED


def kind_of_replica(card: NodeCard, replica: Replica) -> OwnKind:
    """Returns the kind of a node's replica."""
    return OwnKind(
        replica.model,
        card.zone,
        replica.context_tokens,
        tuple(sorted(set(replica.features))),
        tuple(sorted(set(card.data_classes))),
        card.controlled_by,
    )
