"""Authentication: from a bearer key to a key identifier, a co-op and a project.

Replies of the store are cached for ``CACHE_S`` seconds. A secret is hashed on arrival; it is never
stored or logged.
"""

import hashlib
import time
from typing import Protocol

from entraide_scheduler.gateway.jobs import Caller
from entraide_scheduler.gateway.refusals import refused
from entraide_scheduler.store.rows import KeyRow

CACHE_S = 2.0
CACHED_MAX = 10_000
SECRET_MAX = 512


class KeyStore(Protocol):
    """The part of the store that authentication needs."""

    async def find_key(self, key_hash: str) -> KeyRow | None:
        """Returns the key whose secret has this SHA-256, or None."""


def hash_key(secret: str) -> str:
    """Returns the SHA-256 of a secret, hexadecimal, by which the store knows it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _bearer_secret(authorization: str) -> str:
    """Returns the bearer key of an ``Authorization`` header, or ""."""
    scheme, _, secret = authorization.partition(" ")
    secret = secret.strip()
    return secret if scheme.lower() == "bearer" and len(secret) <= SECRET_MAX else ""


class Authenticator:
    """Authenticates callers, with a cache of ``CACHE_S`` seconds."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._cache: dict[str, tuple[float, Caller | None]] = {}

    def cached_caller(self, authorization: str) -> Caller | None:
        """Returns the cached caller of an ``Authorization`` header, or None."""
        entry = self._cache.get(hash_key(_bearer_secret(authorization)))
        return entry[1] if entry is not None and entry[0] > time.monotonic() else None

    async def authenticate(self, authorization: str) -> Caller:
        """Returns the caller of an ``Authorization`` header.

        Raises:
            Refused: ``unauthorised``: the key is missing, unknown or revoked.
        """
        secret = _bearer_secret(authorization)
        if not secret:
            raise refused("unauthorised")
        hashed = hash_key(secret)
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
        """Clears the cache, after a key was created or revoked."""
        self._cache.clear()
