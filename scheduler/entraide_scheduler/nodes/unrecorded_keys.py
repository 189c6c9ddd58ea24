"""Unrecorded keys: revokes the keys that the bus accepts although no node of the record has them.

In: keys of which a message or a connection came. Out: their revocation on the bus, which closes
their connections. A key has an identity and no record if its machine joined after the backup from
which the pool was restored; ``POST /v1/enrolment`` then tells the machine so. The key of a node
that was revoked goes the same way, should the bus still accept it.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable

import structlog

from entraide.errors import EntraideError
from entraide_scheduler.nodes.node_registry import NodeRegistry
from entraide_scheduler.store.rows import REVOKED

REPEAT_AFTER_S = 1.0  # what a key sent before its connection was closed may still come


class UnrecordedKeys:
    """Revokes keys in the background, those of one moment together.

    Args:
        registry: the pool's record of its nodes.
        revoke_keys: revokes keys on the bus; returns whether the bus confirmed it.
    """

    def __init__(
        self, registry: NodeRegistry, revoke_keys: Callable[[Iterable[str]], Awaitable[bool]]
    ) -> None:
        self._registry = registry
        self._revoke_keys = revoke_keys
        self._due: set[str] = set()
        self._revoked_at: dict[str, float] = {}  # on the monotonic clock, seconds
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("entraide.nodes")

    def refuse(self, key: str) -> None:
        """Revokes a key that the bus has accepted, unless a node of the pool has it."""
        row = self._registry.find_by_key(key)
        if row is not None and row.approval != REVOKED:
            return
        if time.monotonic() - self._revoked_at.get(key, -REPEAT_AFTER_S) < REPEAT_AFTER_S:
            return
        self._due.add(key)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._revoke_due(), name="unrecorded-keys")

    async def stop(self) -> None:
        """Stops; a key that is left is revoked at its next message."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _revoke_due(self) -> None:
        while self._due:
            keys, self._due = sorted(self._due), set()
            now = time.monotonic()
            recent = self._revoked_at.items()
            self._revoked_at = {key: at for key, at in recent if now - at < REPEAT_AFTER_S}
            self._revoked_at |= dict.fromkeys(keys, now)
            try:
                confirmed = await self._revoke_keys(keys)
            except EntraideError as problem:  # too many revocations: the operator must act
                self._log.error("node.not_cut_off", keys=keys, code=problem.code)
            else:
                self._log.warning("node.key_revoked", keys=keys, confirmed=confirmed)
