"""Quarantine: the senders whose messages the pool does not use, each with its reason.

A sender is a node, or an API key on whose behalf a gateway asks for jobs. The record survives the
sender's own comings and goings: only the operator takes a sender out of quarantine. What putting a
sender in quarantine does to its leases stands in ``fault_isolation``.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

# Stable codes of reasons; the catalogue has a sentence for each (``quarantine-CODE``).
EVENT_RAISED = "event_raised"  # the core failed on a message of the sender
ENGINES_ENDED = "engines_ended"  # requests with the key ended engines several times in an hour


class SenderKind(StrEnum):
    """What a sender is."""

    NODE = "node"
    KEY = "key"


class Sender(NamedTuple):
    """Who is accountable for an event: a node or an API key, by identifier."""

    kind: SenderKind
    name: str


class Quarantine(Struct, frozen=True):
    """Why and since when a sender is in quarantine.

    Attributes:
        reason: stable code.
        detail: what exactly, for instance the kind of event; or "".
        since: seconds since the epoch.
    """

    reason: str
    detail: str
    since: float


class Quarantines:
    """Senders in quarantine, in the order in which they came there.

    Attributes:
        senders: by kind, then by name.
    """

    def __init__(self) -> None:
        self.senders: dict[SenderKind, dict[str, Quarantine]] = {}

    def __bool__(self) -> bool:
        return bool(self.senders)

    def get(self, sender: Sender) -> Quarantine | None:
        """Returns a sender's quarantine; None when it is in none."""
        return self.senders.get(sender.kind, {}).get(sender.name)

    def add(self, sender: Sender, quarantine: Quarantine) -> None:
        """Puts a sender in quarantine; a later reason replaces an earlier one."""
        self.senders.setdefault(sender.kind, {})[sender.name] = quarantine

    def remove(self, sender: Sender) -> Quarantine | None:
        """Takes a sender out of quarantine; returns None when it was in none."""
        quarantine = self.senders.get(sender.kind, {}).pop(sender.name, None)
        if quarantine is not None and not self.senders[sender.kind]:
            del self.senders[sender.kind]
        return quarantine

    def listed(self) -> Iterator[tuple[Sender, Quarantine]]:
        """Yields the senders in quarantine, nodes and keys each by name."""
        for kind in sorted(self.senders):
            for name in sorted(self.senders[kind]):
                yield Sender(kind, name), self.senders[kind][name]
