"""Sealer: encrypts what clients sent and what they get before it is stored.

Data are encrypted with ChaCha20-Poly1305 (RFC 8439), with a random nonce each. The associated data
are the name of the job, file or batch and the purpose, so that stored bytes cannot be exchanged for
others.
"""

import os

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

NONCE_BYTES = 12
TAG_BYTES = 16
SEAL_BYTES = NONCE_BYTES + TAG_BYTES  # by which sealed data are longer


class Sealer:
    """Encrypts and decrypts stored data, with the pool's sealing key (32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)

    def seal(self, name: str, what: str, data: bytes) -> bytes:
        """Returns data encrypted, bound to the name of a job, file or batch, and to a purpose."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, f"{name}/{what}".encode())

    def unseal(self, name: str, what: str, sealed: bytes) -> bytes:
        """Returns encrypted data decrypted.

        Raises:
            InvalidTag: the data was altered, or encrypted for another purpose or with another key.
        """
        nonce, data = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        return self._cipher.decrypt(nonce, data, f"{name}/{what}".encode())
