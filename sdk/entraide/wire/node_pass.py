"""Node pass: how a node shows over HTTP who it is, with the key of its identity on the bus.

The pass is a value of ``Authorization``: scheme, node, seconds since the epoch, and the signature
over both and the path that is asked for. It is good for an hour around its time, for that path
only, and only while the pool approves the node. The seed never leaves the node.
"""

import base64
import binascii

import nkeys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

SCHEME = "Entraide-Node"
VALID_S = 3_600.0
HEADER_CHARS_MAX = 512

# What is signed begins so, lest a signature for another purpose be taken for a pass.
PURPOSE = b"entraide node pass 1"


class NodePass(Struct, frozen=True):
    """A pass as it came; nothing of it is believed before ``is_genuine``."""

    node: str
    at: int
    signature: bytes


def write(node: str, *, seed: str, path: str, now: float) -> str:
    """Returns the value of ``Authorization`` for a path.

    Args:
        node: identifier of the node.
        seed: of its identity on the bus.
        path: that is asked for.
        now: seconds since the epoch.
    """
    at = int(now)
    signature = nkeys.from_seed(seed.encode("ascii")).sign(_signed(node, at, path))
    return f"{SCHEME} {node} {at} {base64.b64encode(signature).decode('ascii')}"


def read(header: str) -> NodePass | None:
    """Reads a value of ``Authorization``; None when it is no pass."""
    words = header.split(" ") if len(header) <= HEADER_CHARS_MAX else []
    if len(words) != 4 or words[0] != SCHEME or not words[2].isascii():
        return None
    if not words[2].isdecimal() or len(words[2]) > 12:
        return None
    try:
        signature = base64.b64decode(words[3], validate=True)
    except (binascii.Error, ValueError):
        return None
    return NodePass(words[1], int(words[2]), signature)


def is_genuine(shown: NodePass, *, public_key: str, path: str, now: float) -> bool:
    """Whether a pass is the node's own, for that path, and of this hour.

    Args:
        shown: the pass.
        public_key: of the node's identity, as the pool knows it.
        path: that is asked for.
        now: seconds since the epoch.
    """
    if abs(now - shown.at) > VALID_S:
        return False
    try:
        raw = base64.b32decode(public_key.encode("ascii"))[1:33]
        key = Ed25519PublicKey.from_public_bytes(raw)
        key.verify(shown.signature, _signed(shown.node, shown.at, path))
    except (InvalidSignature, binascii.Error, UnicodeEncodeError, ValueError):
        return False
    return True


def _signed(node: str, at: int, path: str) -> bytes:
    return b"\n".join((PURPOSE, node.encode(), str(at).encode(), path.encode()))
