"""Node pass: authenticates a node over HTTP with the key of its identity on the bus.

The pass is a value of ``Authorization``: scheme, node, seconds since the epoch, and a signature
over node, time and requested path. It is valid for one hour around its time, for that path only,
and only while the pool approves the node. The seed never leaves the node.
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

# Prefix of the signed bytes, so that a signature for another purpose cannot serve as a pass.
PURPOSE = b"entraide node pass 1"


class NodePass(Struct, frozen=True):
    """A pass as received; untrusted until ``is_genuine`` accepts it."""

    node: str
    at: int
    signature: bytes


def write(node: str, *, seed: str, path: str, now: float) -> str:
    """Returns the value of ``Authorization`` for a path.

    Args:
        node: identifier of the node.
        seed: seed of its identity on the bus.
        path: requested path.
        now: seconds since the epoch.
    """
    at = int(now)
    signature = nkeys.from_seed(seed.encode("ascii")).sign(_signed(node, at, path))
    return f"{SCHEME} {node} {at} {base64.b64encode(signature).decode('ascii')}"


def read(header: str) -> NodePass | None:
    """Parses a value of ``Authorization``; None where it is not a pass."""
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


def is_genuine(node_pass: NodePass, *, public_key: str, path: str, now: float) -> bool:
    """Whether a pass is signed by the node, for that path, and not expired.

    Args:
        node_pass: the pass.
        public_key: public key of the node's identity, from the pool's records.
        path: requested path.
        now: seconds since the epoch.
    """
    if abs(now - node_pass.at) > VALID_S:
        return False
    try:
        raw = base64.b32decode(public_key.encode("ascii"))[1:33]
        key = Ed25519PublicKey.from_public_bytes(raw)
        key.verify(node_pass.signature, _signed(node_pass.node, node_pass.at, path))
    except (InvalidSignature, binascii.Error, UnicodeEncodeError, ValueError):
        return False
    return True


def _signed(node: str, at: int, path: str) -> bytes:
    return b"\n".join((PURPOSE, node.encode(), str(at).encode(), path.encode()))
