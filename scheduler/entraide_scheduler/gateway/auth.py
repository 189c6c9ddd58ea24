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

    async def find_key(self, key_hash: str) -> KeyRow | None:
        """Returns the key with this SHA-256, if any."""


def key_hash(secret: str) -> str:
    """Returns what the store knows a secret by: its SHA-256, hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _bearer_secret(authorization: str) -> str:
    """Returns the bearer key of an ``Authorization`` header, or ""."""
    scheme, _, secret = authorization.partition(" ")
    secret = secret.strip()
    return secret if scheme.lower() == "bearer" and len(secret) <= SECRET_MAX else ""


class Authenticator:
    """Callers by key, believed for ``CACHE_S`` seconds."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._cache: dict[str, tuple[float, Caller | None]] = {}

    def cached_caller(self, authorization: str) -> Caller | None:
        """Returns who shows this ``Authorization`` header, where that is known without asking."""
        entry = self._cache.get(key_hash(_bearer_secret(authorization)))
        return entry[1] if entry is not None and entry[0] > time.monotonic() else None

    async def authenticate(self, authorization: str) -> Caller:
        """Returns who shows this ``Authorization`` header.

        Raises:
            Refused: ``unauthorised``: it is missing, unknown or revoked.
        """
        secret = _bearer_secret(authorization)
        if not secret:
            raise refused("unauthorised")
        hashed = key_hash(secret)
        entry = self._cache.get(hashed)
        now = time.monotonic()
        if entry is None or entry[0] <= now:
            row = await self._store.find_key(hashed)
            valid = row is not None and not row.revoked
            caller = Caller(row.key, row.coop, row.project) if valid and row else None
            if len(self._cache) >= CACHED_MAX:
                self._cache.clear()
            self._cache[hashed] = entry = (now + CACHE_S, caller)
        if entry[1] is None:
            raise refused("unauthorised")
        return entry[1]

    def clear_cache(self) -> None:
        """Forgets what was believed: a key was revoked."""
        self._cache.clear()
