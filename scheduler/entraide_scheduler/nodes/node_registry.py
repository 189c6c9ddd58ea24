"""Node registry: the nodes that joined and their approval, in memory and in the store."""

import re
import unicodedata
from collections.abc import Iterable

import msgspec

from entraide_scheduler.nats.claims import node_permissions
from entraide_scheduler.store.rows import JoinTokenRow, NodeRow, TokenRefusal
from entraide_scheduler.store.store import Store

APPROVED = "approved"
WAITING = "waiting"  # the operator must approve it
REVOKED = "revoked"
NAME_MAX = 50  # leaves room for the prefix and the suffix that find_free_name adds


class NodeRegistry:
    """The pool's record of its nodes; only the scheduler's process changes it."""

    def __init__(self, store: Store, rows: Iterable[NodeRow]) -> None:
        self._store = store
        self._rows = {row.node: row for row in rows}
        self._names = {row.public_key: row.node for row in self._rows.values()}

    def get(self, node: str) -> NodeRow | None:
        """Returns the record of a node."""
        return self._rows.get(node)

    def get_approved(self, node: str) -> NodeRow | None:
        """Returns the record of an approved node, or None."""
        row = self._rows.get(node)
        return row if row is not None and row.approval == APPROVED else None

    def get_public_key(self, node: str) -> str:
        """Returns the public key of an approved node, or ""."""
        row = self.get_approved(node)
        return row.public_key if row is not None else ""

    def find_by_key(self, public_key: str) -> str:
        """Returns the approved node that has a public key, or ""."""
        node = self._names.get(public_key, "")
        return node if self.get_public_key(node) == public_key else ""

    def get_coop(self, node: str) -> str:
        """Returns the co-op of an approved node, or ""."""
        row = self.get_approved(node)
        return row.coop if row is not None else ""

    def list_nodes(self) -> tuple[NodeRow, ...]:
        """Returns all records, sorted by name."""
        return tuple(self._rows[node] for node in sorted(self._rows))

    async def put(self, row: NodeRow) -> None:
        """Adds or replaces a record, in memory at once and on disk on return."""
        self._keep(row)
        await self._store.put_node(row)

    async def enrol(self, row: NodeRow, token_hash: str, now: float) -> TokenRefusal | None:
        """Puts a record like ``put`` and uses up the token that let it in; or neither, and why."""
        before = self._rows.get(row.node)
        self._keep(row)
        token = await self._store.enrol_node(token_hash, row, now)
        if isinstance(token, JoinTokenRow):
            return None
        if self._rows.get(row.node) is row:
            self._forget(row.node)
            if before is not None:
                self._keep(before)
        return token

    async def remove(self, node: str) -> None:
        """Deletes a record, in memory at once and on disk on return."""
        self._forget(node)
        await self._store.delete_node(node)

    def _keep(self, row: NodeRow) -> None:
        self._rows[row.node] = row
        self._names[row.public_key] = row.node

    def _forget(self, node: str) -> None:
        self._names.pop(self._rows[node].public_key, None)
        del self._rows[node]

    async def set_approval(self, node: str, approval: str) -> NodeRow | None:
        """Approves or revokes a node; returns None if there is none.

        The approval covers the device that the node's next hello names.
        """
        row = self._rows.get(node)
        if row is None:
            return None
        changed = msgspec.structs.replace(row, approval=approval, device="")
        await self.put(changed)
        return changed

    async def pin_device(self, row: NodeRow, device: str) -> str:
        """Returns a node's approved device: the first that it named after its approval.

        A node cannot raise the limit on its reported energy by naming a larger device later.
        """
        if not row.device:
            row = msgspec.structs.replace(self._rows.get(row.node, row), device=device)
            await self.put(row)
        return row.device

    def find_free_name(self, wished: str, coop: str) -> str:
        """Returns an unused identifier derived from the requested name.

        The name of a revoked node of the same co-op is free: its machine rejoins with a new key.

        >>> NodeRegistry(None, ()).find_free_name("Mac mini d'Élise", "boreale")
        'mac-mini-d-elise'
        """
        plain = unicodedata.normalize("NFKD", wished).encode("ascii", "ignore").decode().lower()
        name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:NAME_MAX].strip("-")
        name = name or f"{coop[: NAME_MAX - 5]}-node"
        if not _is_allowed_name(name):
            name = f"node-{name}"
        number, candidate = 1, name
        while not self._is_free_name(candidate, coop):
            number += 1
            candidate = f"{name}-{number}"
        return candidate

    def _is_free_name(self, name: str, coop: str) -> bool:
        row = self._rows.get(name)
        return row is None or (row.coop == coop and row.approval == REVOKED)


def _is_allowed_name(name: str) -> bool:
    """Whether a node may have this name: some are reserved on the bus."""
    try:
        node_permissions(name)
    except ValueError:
        return False
    return True
