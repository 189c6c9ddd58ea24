"""The pool's signature on its catalogue: Ed25519 over the document's bytes.

It decides when a document is the pool's own. The key is the one that signs receipts, whose public
half a node learned when it joined; so a catalogue may come from anybody.
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

# What is signed begins so, lest another thing that this key signs be taken for a catalogue.
PURPOSE = b"entraide catalogue 1\n"


def sign(document: bytes, key: Ed25519PrivateKey) -> bytes:
    """Returns the signature of a document."""
    return key.sign(PURPOSE + document)


def verify_catalogue(document: bytes, signature: bytes, public_base64: str) -> Catalogue | None:
    """Returns the catalogue that a document holds; None when the pool did not sign it.

    Args:
        document: of ``CatalogueReply``.
        signature: likewise.
        public_base64: the pool's public key, 32 bytes in base64.
    """
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_base64, validate=True))
        public.verify(signature, PURPOSE + document)
        return read(document)
    except (InvalidSignature, binascii.Error, ValueError, InvalidCatalogue):
        return None
