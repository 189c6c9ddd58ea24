"""Roster: the nodes that joined, in memory as in the store.

It says whether a node may be heard at all. What a node does now is the core's to know.
"""

import re
import unicodedata
from collections.abc import Iterable

import msgspec

from entraide_scheduler.nats.claims import node_permissions
from entraide_scheduler.store.rows import NodeRow
from entraide_scheduler.store.store import Store

APPROVED = "approved"
REVOKED = "revoked"
NAME_MAX = 50  # leaves room for what comes before and after it


class NodeRegistry:
    """The pool's record of its nodes; one process, the scheduler, changes it."""

    def __init__(self, store: Store, rows: Iterable[NodeRow]) -> None:
        self._store = store
        self._rows = {row.node: row for row in rows}

    def get(self, node: str) -> NodeRow | None:
        """Returns the record of a node."""
        return self._rows.get(node)

    def get_approved(self, node: str) -> NodeRow | None:
        """Returns the record of a node that may be heard."""
        row = self._rows.get(node)
        return row if row is not None and row.approval == APPROVED else None

    def list_nodes(self) -> tuple[NodeRow, ...]:
        """Returns all records, by name."""
        return tuple(self._rows[node] for node in sorted(self._rows))

    async def put(self, row: NodeRow) -> None:
        """Adds or replaces a record; others see it at once, and it is on disk on return."""
        self._rows[row.node] = row
        await self._store.put_node(row)

    async def set_approval(self, node: str, approval: str) -> NodeRow | None:
        """Approves or revokes a node; None when there is none.

        Whoever approves approves the device, too: the one that the next hello names.
        """
        row = self._rows.get(node)
        if row is None:
            return None
        changed = msgspec.structs.replace(row, approval=approval, device="")
        await self.put(changed)
        return changed

    async def pin_device(self, row: NodeRow, device: str) -> str:
        """Returns the device with which a node is approved: the first that it names after that.

        A node cannot raise what its reports may claim by naming a larger device later on.
        """
        if not row.device:
            row = msgspec.structs.replace(self._rows.get(row.node, row), device=device)
            await self.put(row)
        return row.device

    def find_free_name(self, wished: str, coop: str) -> str:
        """Returns an identifier close to a wished name that no other node has.

        A revoked node of the same co-op gives its name back: its machine returns with a new key.

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
    """Whether the bus lets a node bear this name: some are its own."""
    try:
        node_permissions(name)
    except ValueError:
        return False
    return True
