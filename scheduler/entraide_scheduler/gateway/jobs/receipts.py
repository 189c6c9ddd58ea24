"""Receipts: signs them with the pool's key, and lists the keys by which they are verified.

``entraide.receipts`` has their canonical form. The core computes a receipt's content.
"""

import base64
from pathlib import Path
from typing import Self

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from entraide.receipts import ReceiptKey, encode_canonical
from entraide.types import Receipt
from entraide_scheduler.nats.receipt_keys import describe_key, load_receipt_keys


class ReceiptSigner:
    """Signs receipts with the pool's key.

    Args:
        key: the key.
        since: first time of its use, seconds since the epoch; 0 where it is not known.
        retired: the keys that signed receipts before.
    """

    def __init__(
        self, key: Ed25519PrivateKey, *, since: float = 0.0, retired: tuple[ReceiptKey, ...] = ()
    ) -> None:
        self._key = key
        self.public_key = describe_key(key, since=since)
        self.retired_keys = retired

    @property
    def keys(self) -> dict[str, ReceiptKey]:
        """All of its keys, present and retired, by identifier."""
        return {key.id: key for key in (self.public_key, *self.retired_keys)}

    @classmethod
    def load(cls, state: Path) -> Self:
        """Returns a signer with the keys in a pool's state directory.

        Raises:
            PoolError: see ``load_receipt_keys``.
        """
        keys = load_receipt_keys(state)
        return cls(keys.signing, since=keys.since, retired=keys.retired)

    def sign(self, receipt: Receipt) -> Receipt:
        """Returns a receipt with its signature and key identifier."""
        signature = base64.b64encode(self._key.sign(encode_canonical(receipt))).decode("ascii")
        return msgspec.structs.replace(receipt, key=self.public_key.id, signature=signature)
