"""Signature of the pool's catalogue: Ed25519 over the document's bytes.

The pool signs with the key that signs receipts, and a node receives its public half on joining. So
a node can accept a catalogue from any source.
"""

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from entraide.catalogue import InvalidCatalogue, read
from entraide.models import Catalogue

# Prefix of the signed bytes, so that no other signature by this key can serve for a catalogue.
PURPOSE = b"entraide catalogue 1\n"


def sign(document: bytes, key: Ed25519PrivateKey) -> bytes:
    """Returns the signature of a document."""
    return key.sign(PURPOSE + document)


def verify_catalogue(document: bytes, signature: bytes, public_base64: str) -> Catalogue | None:
    """Returns the catalogue in a document; None where the pool did not sign the document.

    Args:
        document: the field of ``CatalogueReply``.
        signature: the field of ``CatalogueReply``.
        public_base64: the pool's public key, 32 bytes in base64.
    """
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_base64, validate=True))
        public.verify(signature, PURPOSE + document)
        return read(document)
    except (InvalidSignature, binascii.Error, ValueError, InvalidCatalogue):
        return None
