"""Node registry: the nodes that joined and their approval, in memory and in the store.

A machine is its key: its record is found by the key, and its name was given to no other key, not
even after the record was deleted. A pool that was restored from a backup does not know which names
were given since that backup, so that its new names end with a number of the restore.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Self

import msgspec

from entraide_scheduler.store.erasures import erase_node
from entraide_scheduler.store.members import digest_name, list_names
from entraide_scheduler.store.rows import JoinTokenRow, NodeRow, TokenRefusal
from entraide_scheduler.store.store import Store
from entraide_scheduler.store.writer import WhenFull

APPROVED = "approved"
WAITING = "waiting"  # the operator must approve it
NAME_MAX = 48  # leaves room for what find_free_name adds: a restore's number, and a count
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class NodeRegistry:
    """The pool's record of its nodes; only the scheduler's process changes it.

    Args:
        store: holds the records.
        rows: the records in the store.
        names: the digests of all names that were given, with the key of each.
        restored_at: when the pool was restored from a backup, seconds since the epoch; 0 if never.

    Attributes:
        restored_at: likewise.
    """

    def __init__(
        self,
        store: Store,
        rows: Iterable[NodeRow],
        *,
        names: Mapping[str, str] | None = None,
        restored_at: float = 0.0,
    ) -> None:
        self._store = store
        self.restored_at = restored_at
        self._rows = {row.node: row for row in rows}
        self._by_key = {row.public_key: row for row in self._rows.values()}
        given = {digest_name(row.node): row.public_key for row in self._rows.values()}
        self._names = given | dict(names or {})
        self._named_keys = set(self._names.values())
        self._suffix = f"-{to_base36(int(restored_at))}" if restored_at else ""

    @classmethod
    async def load(cls, store: Store, *, restored_at: float) -> Self:
        """Returns the registry of a store."""
        names = await store.read(list_names)
        return cls(store, await store.list_nodes(), names=names, restored_at=restored_at)

    def get(self, node: str) -> NodeRow | None:
        """Returns the record of a node."""
        return self._rows.get(node)

    def find_by_key(self, public_key: str) -> NodeRow | None:
        """Returns the record of the node that has a public key."""
        return self._by_key.get(public_key)

    def find_approved(self, public_key: str) -> NodeRow | None:
        """Returns the record of the approved node that has a public key."""
        row = self._by_key.get(public_key)
        return row if row is not None and row.approval == APPROVED else None

    def knows_key(self, public_key: str) -> bool:
        """Whether a node with this key joined this pool, even if its record was deleted since."""
        return public_key in self._named_keys

    def get_public_key(self, node: str) -> str:
        """Returns the public key of an approved node, or ""."""
        row = self._rows.get(node)
        return row.public_key if row is not None and row.approval == APPROVED else ""

    def get_coop(self, node: str) -> str:
        """Returns the co-op of an approved node, or ""."""
        row = self._rows.get(node)
        return row.coop if row is not None and row.approval == APPROVED else ""

    def list_nodes(self) -> tuple[NodeRow, ...]:
        """Returns all records, sorted by name."""
        return tuple(self._rows[node] for node in sorted(self._rows))

    def list_approved_keys(self) -> list[str]:
        """Returns the public keys of the approved nodes."""
        return [row.public_key for row in self.list_nodes() if row.approval == APPROVED]

    async def put(self, row: NodeRow) -> None:
        """Adds or replaces a record, in memory at once and on disk on return."""
        self._keep(row)
        await self._store.put_node(row)

    async def enrol(self, row: NodeRow, token_hash: str, now: float) -> TokenRefusal | None:
        """Puts a record like ``put`` and uses up the token that let it in; or neither, and why.

        Raises:
            PoolError: no node may join now; see ``Store.open``. Or the store takes nothing now.
        """
        before, written = self._rows.get(row.node), self._store.enrol_node(token_hash, row, now)
        self._keep(row)
        token: JoinTokenRow | TokenRefusal | None = None
        try:
            token = await written
        finally:
            if not isinstance(token, JoinTokenRow) and self._rows.get(row.node) is row:
                self._forget(row.node)
                if before is not None:
                    self._keep(before)
                else:
                    del self._names[digest_name(row.node)]
                    self._named_keys.remove(row.public_key)
        return token if isinstance(token, TokenRefusal) else None

    def take_vouched_by(self, rows: Iterable[NodeRow]) -> None:
        """Takes over who vouched for each node from the store, where a name was erased."""
        for row in rows:
            if (own := self._rows.get(row.node)) is not None:
                changed = msgspec.structs.replace(own, vouched_by=row.vouched_by)
                self._rows[row.node] = changed

    async def erase(self, node: str, number: str, now: float) -> None:
        """Erases a record, in memory at once and on disk on return; its name stays its key's."""
        self._forget(node)
        await self._store.write(partial(erase_node, number=number, now=now), WhenFull.WAIT)
        await self._store.overwrite_log()

    def _keep(self, row: NodeRow) -> None:
        given_to = self._names.setdefault(digest_name(row.node), row.public_key)
        assert given_to == row.public_key, "a name is given to one key only"
        self._named_keys.add(row.public_key)
        self._rows[row.node] = self._by_key[row.public_key] = row

    def _forget(self, node: str) -> None:
        del self._by_key[self._rows.pop(node).public_key]

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
        """Returns an identifier that was given to no node, derived from the requested name.

        >>> NodeRegistry(None, ()).find_free_name("Mac mini d'Élise", "boreale")
        'mac-mini-d-elise'
        >>> NodeRegistry(None, (), restored_at=1_796_117_220).find_free_name("Mac mini", "boreale")
        'mac-mini-tpd0x0'
        """
        plain = unicodedata.normalize("NFKD", wished).encode("ascii", "ignore").decode().lower()
        name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:NAME_MAX].strip("-")
        name = f"{name or f'{coop[: NAME_MAX - 5]}-node'}{self._suffix}"
        number, candidate = 1, name
        while digest_name(candidate) in self._names:
            number += 1
            candidate = f"{name}-{number}"
        return candidate


def to_base36(number: int) -> str:
    """Returns a whole number above 0 in base 36.

    >>> to_base36(35), to_base36(36)
    ('z', '10')
    """
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
