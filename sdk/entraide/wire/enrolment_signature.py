"""Enrolment signature: proves that the machine that asks to join holds the key that it names.

The key of the node's identity on the bus signs a purpose, then name and value of each other field
of ``JoinRequest`` that is not empty, in order of names, each after its length in four bytes: no two
requests have the same bytes, and a field of a later version, left empty, changes none. The seed
never leaves the machine. A request shown again is the same request: what it gives is the pool's to
bound (``entraide_scheduler.nodes.enrolment``).
"""

import base64
import binascii

import msgspec
import nkeys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from entraide.wire.enrolment import JoinRequest

# Prefix of the signed bytes, so that a signature for another purpose cannot serve here.
PURPOSE = b"entraide enrolment 1"
SIGNATURE = "signature"


def sign(request: JoinRequest, *, seed: str) -> JoinRequest:
    """Returns a request with the signature of its node's key.

    Args:
        request: the request; its ``node_public_key`` is that of the seed.
        seed: seed of the node's identity on the bus.
    """
    signature = nkeys.from_seed(seed.encode("ascii")).sign(_signed(request))
    text = base64.b64encode(signature).decode("ascii")
    return msgspec.structs.replace(request, signature=text)


def is_genuine(request: JoinRequest) -> bool:
    """Whether the key that a request names has signed it."""
    try:
        raw = base64.b32decode(request.node_public_key.encode("ascii"))[1:33]
        signature = base64.b64decode(request.signature, validate=True)
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, _signed(request))
    except (InvalidSignature, binascii.Error, ValueError):  # also of text outside ASCII
        return False
    return True


def _signed(request: JoinRequest) -> bytes:
    fields = msgspec.structs.asdict(request)
    words = [
        word.encode("utf-8", "surrogatepass")
        for name in sorted(fields)
        if name != SIGNATURE and fields[name]
        for word in (name, fields[name])
    ]
    return b"".join((PURPOSE, *(len(word).to_bytes(4, "big") + word for word in words)))
