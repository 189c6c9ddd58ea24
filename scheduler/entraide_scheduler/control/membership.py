"""Membership: how machines and co-ops come into the pool and go out of it, for the operator.

In: calls of the Admin service. Out: changes of the pool's record and of the bus, and events for the
core. The books (journal, ledger, receipts, statements) stay whatever is removed.
"""

import secrets
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import structlog
from msgspec import Struct

from entraide.types import Control, DataClass, NodeState, SurplusEvidence
from entraide.v1 import admin_pb2
from entraide.wire import messages as m
from entraide.wire.enrolment import JoinSecret, write_link
from entraide_scheduler.control.vouching import VALID_DEFAULT_S, read_vouched
from entraide_scheduler.core import events as e
from entraide_scheduler.core.records import SenderKind
from entraide_scheduler.driver import LiveDriver
from entraide_scheduler.nats.tls import compute_fingerprint, compute_key_pin
from entraide_scheduler.nodes import REVOKED, NodeListener, NodeRegistry, hash_token
from entraide_scheduler.store import people
from entraide_scheduler.store.members import number_node
from entraide_scheduler.store.rows import JoinTokenRow, NodeRow
from entraide_scheduler.store.store import Store

CONNECTED = (NodeState.LIVE, NodeState.SUSPECT)


class WebAddress(Struct, frozen=True):
    """How members reach the pool over HTTP, and how they check it.

    Attributes:
        url: the address that members use.
        ca_pem: certificate of the pool's own CA; "" where the certificate is a public one.
        cert: file of the server's certificate, whose key is pinned; None without an own CA.
    """

    url: str
    ca_pem: str = ""
    cert: Path | None = None

    def make_secret(self, token: str) -> JoinSecret:
        """Returns the secret part of an invitation with this token."""
        if not self.ca_pem:
            return JoinSecret(token)
        pin = compute_key_pin(self.cert.read_bytes()) if self.cert is not None else ""
        return JoinSecret(token, compute_fingerprint(self.ca_pem), pin)


class Membership:
    """Invitations, and the end of nodes and co-ops.

    Args:
        store: the pool's store.
        driver: receives the events.
        registry: the pool's record of its nodes.
        node_listener: holds the sessions of nodes.
        revoke_bus_keys: revokes keys on the bus and closes their connections.
        broadcast_revocation: tells every gateway of a revoked key or node.
        web_address: returns how members reach the pool.
    """

    def __init__(
        self,
        *,
        store: Store,
        driver: LiveDriver,
        registry: NodeRegistry,
        node_listener: NodeListener,
        revoke_bus_keys: Callable[[Iterable[str]], Awaitable[bool]],
        broadcast_revocation: Callable[[m.Revocation], None],
        web_address: Callable[[], WebAddress],
    ) -> None:
        self._store = store
        self._driver = driver
        self._registry = registry
        self._listener = node_listener
        self._revoke_bus_keys = revoke_bus_keys
        self._broadcast_revocation = broadcast_revocation
        self._web_address = web_address
        self._log = structlog.get_logger("entraide.membership")

    async def create_token(self, request: admin_pb2.CreateJoinTokenRequest) -> admin_pb2.JoinToken:
        """Creates a one-time token for a co-op; ``find_token_fault`` has accepted the request."""
        secret, now = f"join_{secrets.token_urlsafe(24)}", self._driver.now()
        row = JoinTokenRow(
            coop=request.coop,
            expires_at=now + (request.valid_s or VALID_DEFAULT_S),
            site=request.site,
            zone=request.zone,
            controlled_by=Control(request.controlled_by),
            data_classes=tuple(map(DataClass, request.data_classes)),
            surplus_evidence=SurplusEvidence(request.evidence),
            evidence_document=request.document,
            created_at=now,
        )
        await self._store.put_token(hash_token(secret), row)
        address = self._web_address()
        parts = address.make_secret(secret)
        # Without the pin: an agent of an earlier version reads a fingerprint and nothing more.
        return admin_pb2.JoinToken(
            token=JoinSecret(secret, parts.ca_fingerprint).write(),
            expires_at=row.expires_at,
            link=write_link(address.url, parts),
        )

    async def vouch_for(self, row: NodeRow, request: admin_pb2.VouchNodeRequest) -> NodeRow | None:
        """Changes what the operator vouches for a node, in the fleet and in its record.

        Args:
            row: the node's record.
            request: what changes; ``find_vouching_fault`` has accepted it.

        Returns:
            The new record, which is on disk with the event; None if the core raised on the event.
        """
        changed = read_vouched(row, request, now=self._driver.now())
        if not self._driver.feed(
            e.NodeVouched(
                *e.UNNUMBERED,
                node=row.node,
                controlled_by=changed.controlled_by,
                surplus_evidence=changed.surplus_evidence,
                zone=changed.zone,
                site=changed.site,
            )
        ):
            return None
        await self._registry.put(changed)
        if changed.zone != row.zone:
            self._listener.request_hello(row)  # so that it can tell its owner
        await self._driver.committed()
        self._log.warning(
            "node.vouched",
            node=row.node,
            zone=changed.zone,
            site=changed.site,
            controlled_by=changed.controlled_by.value,
            surplus_evidence=changed.surplus_evidence.value,
            evidence_document=changed.evidence_document,
        )
        return changed

    async def revoke_node(self, row: NodeRow) -> NodeRow:
        """Revokes a node at once; its jobs are placed again on other nodes."""
        changed = await self._registry.set_approval(row.node, REVOKED)
        assert changed is not None
        self._listener.remove_session(row.node)
        taken = self._driver.feed(e.NodeLeft(*e.UNNUMBERED, node=row.node, reason="revoked"))
        self._broadcast_revocation(m.NodeRevoked(row.node))
        if taken and self._driver.core.quarantine(SenderKind.NODE, row.node) is not None:
            # Its name never comes back, so that nobody would end the quarantine.
            self._driver.feed(
                e.QuarantineCleared(*e.UNNUMBERED, kind=SenderKind.NODE, name=row.node)
            )
        confirmed = await self.revoke_key(row.public_key)
        self._log.warning("node.revoked", node=row.node, confirmed=confirmed)
        return changed

    async def revoke_key(self, public_key: str) -> bool:
        """Revokes a key on the bus, whether a node has it or not; returns whether it confirmed."""
        return await self._revoke_bus_keys([public_key])

    def is_connected(self, row: NodeRow) -> bool:
        """Whether a node is in use, so that it must be revoked before it can be forgotten."""
        views = {view.card.node: view.state for view in self._driver.core.nodes()}
        return row.approval != REVOKED and views.get(row.node) in CONNECTED

    async def forget_node(self, row: NodeRow) -> None:
        """Erases a node that is not connected, whose key is revoked; its number stays."""
        if row.approval != REVOKED:
            await self.revoke_node(row)
        number = number_node(row.public_key)
        self._driver.feed(e.NodeForgotten(*e.UNNUMBERED, node=row.node, number=number))
        await self._driver.committed()
        await self._registry.erase(row.node, number, self._driver.now())
        self._log.warning("node.forgotten", number=number, coop=row.coop)

    async def remove_coop(self, coop: str) -> admin_pb2.RemovedCoop:
        """Ends keys, nodes, unused tokens and people of a co-op that is no member any more."""
        await self._store.delete_tokens(coop)
        now = self._driver.now()
        for person in await self._store.write(lambda c: people.disable_coop(c, coop, now)):
            self._broadcast_revocation(m.SigninEnded(person.person))
        keys = [row.key for row in await self._store.list_keys(coop) if not row.revoked]
        for key in keys:
            await self._store.revoke_key(key)
            self._broadcast_revocation(m.KeyRevoked(key))
        rows = [
            row
            for row in self._registry.list_nodes()
            if row.coop == coop and row.approval != REVOKED
        ]
        for row in rows:
            await self.revoke_node(row)
        self._log.warning("coop.removed", coop=coop, keys=len(keys), nodes=len(rows))
        return admin_pb2.RemovedCoop(coop=coop, keys=keys, nodes=[row.node for row in rows])
