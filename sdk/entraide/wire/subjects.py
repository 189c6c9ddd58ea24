"""Subjects of NATS: which process publishes and subscribes to which subject.

``up`` is towards the pool, ``down`` towards the node or gateway. Planes: ``ctl`` (control, no
text), ``in`` (requests towards a node), ``out`` (answers towards one gateway). A node's subjects
contain its public key, so that whoever has another key neither speaks for it nor reads what it is
sent, whatever its name. ``docs/reference/protocol.md`` has the table.
"""

import re
from typing import TypeGuard

ID_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
KEY_PATTERN = re.compile(r"U[A-Z2-7]{55}")  # a NATS user's public key, as text
SCHEDULER_INBOX = "_INBOX.scheduler"
SCHEDULER_CLAIMS = "gw.all.down.claim"  # a scheduler's term, for other schedulers on the bus


def checked(identifier: str) -> str:
    """Returns an identifier that is safe inside a subject.

    Raises:
        ValueError: the identifier is not 1 to 63 of a-z, 0-9 and '-'.
    """
    if not ID_PATTERN.fullmatch(identifier):
        raise ValueError(f"identifier {identifier!r}: 1 to 63 of a-z, 0-9 and '-' are allowed")
    return identifier


def is_key(text: object) -> TypeGuard[str]:
    """Whether a value has the form of a node's public key, so that a subject may contain it."""
    return isinstance(text, str) and KEY_PATTERN.fullmatch(text) is not None


def node_ctl_up(key: str) -> str:
    """Node to scheduler: hello, heartbeat, accept, decline, progress, usage, goodbye."""
    return f"node.{key}.up.ctl"


def node_out(key: str, gateway: str) -> str:
    """Node to the gateway that holds the job: tokens and the end of a run."""
    return f"node.{key}.up.out.{gateway}"


def node_ctl_down(key: str) -> str:
    """Scheduler to node: welcome, usage acknowledged, stop, renewed identity."""
    return f"node.{key}.down.ctl"


def node_in(key: str) -> str:
    """Gateway to node: run and cancel."""
    return f"node.{key}.down.in"


def node_inbox(key: str) -> str:
    """Prefix of a node's own inbox."""
    return f"_INBOX.{key}"


def gateway_up(gateway: str) -> str:
    """Gateway to scheduler: heartbeat, submit, cancel, abandon, requests (request-reply)."""
    return f"gw.{gateway}.up.ctl"


def gateway_down(gateway: str) -> str:
    """Scheduler to gateway: place, refuse, ended."""
    return f"gw.{gateway}.down.ctl"


def gateway_inbox(gateway: str) -> str:
    """Prefix of a gateway's own inbox."""
    return f"_INBOX.gw-{gateway}"


ALL_NODES_CTL = "node.*.up.ctl"
ALL_GATEWAYS_UP = "gw.*.up.ctl"


def out_of_all_nodes(gateway: str) -> str:
    """Subscription of a gateway: the answers of every node to it."""
    return f"node.*.up.out.{gateway}"


def sender(subject: str) -> str:
    """Returns the sender in a subject, a node's key or a gateway; the server's permissions hold."""
    return subject.split(".", 2)[1]
