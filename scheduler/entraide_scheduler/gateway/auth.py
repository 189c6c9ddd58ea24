"""Who asks: from a bearer key to a co-op and a project.

It decides how long an answer of the store is believed. A secret is hashed as it comes in and is
never kept, logged or compared.
"""

import hashlib
import time
from typing import Protocol

from entraide_scheduler.gateway.options import Caller
from entraide_scheduler.gateway.refusals import refused
from entraide_scheduler.store.rows import KeyRow

CACHE_S = 2.0
CACHED_MAX = 10_000
SECRET_MAX = 512


class KeyStore(Protocol):
    """What is needed of the store."""

    async def key_by_hash(self, key_hash: str) -> KeyRow | None:
        """Returns the key with this SHA-256, if any."""


def key_hash(secret: str) -> str:
    """Returns what the store knows a secret by: its SHA-256, hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _secret(authorization: str) -> str:
    """Returns the bearer key of an ``Authorization`` header, or ""."""
    scheme, _, secret = authorization.partition(" ")
    secret = secret.strip()
    return secret if scheme.lower() == "bearer" and len(secret) <= SECRET_MAX else ""


class Keys:
    """Callers by key, believed for ``CACHE_S`` seconds."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._known: dict[str, tuple[float, Caller | None]] = {}

    def believed(self, authorization: str) -> Caller | None:
        """Returns who shows this ``Authorization`` header, where that is known without asking."""
        found = self._known.get(key_hash(_secret(authorization)))
        return found[1] if found is not None and found[0] > time.monotonic() else None

    async def caller(self, authorization: str) -> Caller:
        """Returns who shows this ``Authorization`` header.

        Raises:
            Refused: ``unauthorised``: it is missing, unknown or revoked.
        """
        secret = _secret(authorization)
        if not secret:
            raise refused("unauthorised")
        hashed = key_hash(secret)
        found = self._known.get(hashed)
        now = time.monotonic()
        if found is None or found[0] <= now:
            row = await self._store.key_by_hash(hashed)
            valid = row is not None and not row.revoked
            caller = Caller(row.key, row.coop, row.project) if valid and row else None
            if len(self._known) >= CACHED_MAX:
                self._known.clear()
            self._known[hashed] = found = (now + CACHE_S, caller)
        if found[1] is None:
            raise refused("unauthorised")
        return found[1]

    def invalidate(self) -> None:
        """Forgets what was believed: a key was revoked."""
        self._known.clear()
