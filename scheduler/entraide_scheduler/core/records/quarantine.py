"""Quarantine: the senders whose messages the core ignores, each with its reason.

A sender is a node, or an API key for which a gateway requests jobs. A quarantine outlasts the
sender's departure and return: only the operator ends it. ``fault_isolation`` applies its effects.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

# Stable codes of reasons; the catalogue has a sentence for each (``quarantine-CODE``).
EVENT_RAISED = "event_raised"  # the core failed on a message of the sender
ENGINES_ENDED = "engines_ended"  # requests with the key ended engines several times in an hour


class SenderKind(StrEnum):
    """Kind of a sender."""

    NODE = "node"
    KEY = "key"


class Sender(NamedTuple):
    """The node or API key that is accountable for an event, by identifier."""

    kind: SenderKind
    name: str


class Quarantine(Struct, frozen=True):
    """Reason and start of a sender's quarantine.

    Attributes:
        reason: stable code.
        detail: for instance the kind of event; or "".
        since: seconds since the epoch.
    """

    reason: str
    detail: str
    since: float


class Quarantines:
    """Senders in quarantine, oldest first.

    Attributes:
        senders: by kind, then by name.
    """

    def __init__(self) -> None:
        self.senders: dict[SenderKind, dict[str, Quarantine]] = {}

    def __bool__(self) -> bool:
        return bool(self.senders)

    def get(self, sender: Sender) -> Quarantine | None:
        """Returns a sender's quarantine; None when there is none."""
        return self.senders.get(sender.kind, {}).get(sender.name)

    def add(self, sender: Sender, quarantine: Quarantine) -> None:
        """Puts a sender in quarantine; a later reason replaces an earlier one."""
        self.senders.setdefault(sender.kind, {})[sender.name] = quarantine

    def remove(self, sender: Sender) -> Quarantine | None:
        """Ends and returns a sender's quarantine; returns None when there was none."""
        quarantine = self.senders.get(sender.kind, {}).pop(sender.name, None)
        if quarantine is not None and not self.senders[sender.kind]:
            del self.senders[sender.kind]
        return quarantine

    def listed(self) -> Iterator[tuple[Sender, Quarantine]]:
        """Yields the senders in quarantine, sorted by kind and name."""
        for kind in sorted(self.senders):
            for name in sorted(self.senders[kind]):
                yield Sender(kind, name), self.senders[kind][name]
