"""Receipts: canonical form, signature and verification.

The canonical form is JSON with sorted keys, no spaces, the shortest numbers that round-trip, and
without ``signature``, ``key``, and an empty ``smaller`` or ``controlled_by``. The signature is
Ed25519 (RFC 8032), base64. The key's identifier is the first 16 hexadecimal digits of the public
key's SHA-256. The public key is published at ``/.well-known/entraide``. The core computes a
receipt's content.
"""

import base64
import binascii
import hashlib

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from entraide.types import Receipt

_ENCODER = msgspec.json.Encoder(order="sorted")
KEY_ID_DIGITS = 16


def encode_canonical(receipt: Receipt) -> bytes:
    """Returns the bytes that are signed."""
    facts = msgspec.to_builtins(receipt)
    del facts["key"], facts["signature"]
    for name in ("smaller", "controlled_by"):  # older receipts were signed without these fields
        if not facts[name]:
            del facts[name]
    return _ENCODER.encode(facts)


def compute_key_id(public: Ed25519PublicKey) -> str:
    """Returns the identifier of a public key."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:KEY_ID_DIGITS]


class ReceiptSigner:
    """Signs receipts with the pool's key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        public = key.public_key()
        self.key_id = compute_key_id(public)
        self.public_base64 = base64.b64encode(public.public_bytes_raw()).decode("ascii")

    def sign(self, receipt: Receipt) -> Receipt:
        """Returns a receipt with its signature and key identifier."""
        signature = base64.b64encode(self._key.sign(encode_canonical(receipt))).decode("ascii")
        return msgspec.structs.replace(receipt, key=self.key_id, signature=signature)


def is_genuine(receipt: Receipt, public: Ed25519PublicKey) -> bool:
    """Whether a receipt's signature is valid for a public key."""
    try:
        public.verify(base64.b64decode(receipt.signature, validate=True), encode_canonical(receipt))
    except (InvalidSignature, binascii.Error):
        return False
    return receipt.key == compute_key_id(public)
