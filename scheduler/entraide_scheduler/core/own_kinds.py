"""Own kinds: what decides which jobs a replica of a co-op's own may ever run."""

from typing import NamedTuple

from entraide.types import DataClass, NodeCard, Replica


class OwnKind(NamedTuple):
    """A kind of replica; its fields are compared in this order where kinds are."""

    model: str
    zone: str
    context_tokens: int
    features: tuple[str, ...]
    data_classes: tuple[DataClass, ...]


def kind_of_replica(card: NodeCard, replica: Replica) -> OwnKind:
    """Returns the kind of a node's replica."""
    return OwnKind(
        replica.model,
        card.zone,
        replica.context_tokens,
        tuple(sorted(set(replica.features))),
        tuple(sorted(set(card.data_classes))),
    )
