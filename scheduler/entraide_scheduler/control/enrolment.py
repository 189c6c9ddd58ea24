"""Enrolment: a machine exchanges a one-time token for its name and its identity on the bus.

The operator created the token for one co-op, so the node is approved at once. The store has only
the token's SHA-256. The site and the zone are taken from this request only; later the pool's
record is used, not the node's reports.
"""

import hashlib
import re
from collections.abc import Callable, Sequence

import structlog

from entraide.v1 import enrolment_pb2, enrolment_pb2_grpc
from entraide.wire.nats import expires_at
from entraide_scheduler.control.errors import Context, abort
from entraide_scheduler.nats.claims import is_user_key
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.node_registry import APPROVED, NodeRegistry
from entraide_scheduler.store.rows import NodeRow
from entraide_scheduler.store.store import Store

ZONE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,6}){0,3}")
SITE_MAX = 80
NAME_MAX = 200


def hash_token(token: str) -> str:
    """Returns the SHA-256 of a token's secret part, hexadecimal, by which the store knows it.

    A token may end with ``.`` and the fingerprint of the pool's CA, which the node checks.
    """
    return hashlib.sha256(token.partition(".")[0].encode()).hexdigest()


class EnrolmentService(enrolment_pb2_grpc.EnrolmentServicer):
    """The Enrolment service."""

    def __init__(
        self,
        *,
        store: Store,
        registry: NodeRegistry,
        identity: PoolIdentity,
        now: Callable[[], float],
        nats_urls: Sequence[str],
        ca_pem: str,
        pool: str,
        lang: str,
        signing_key: str = "",
    ) -> None:
        self._store = store
        self._registry = registry
        self._identity = identity
        self._now = now
        self._nats_urls = tuple(nats_urls)
        self._ca_pem = ca_pem
        self._pool = pool
        self._lang = lang
        self._signing_key = signing_key
        self._log = structlog.get_logger("entraide.enrolment")

    async def Join(  # noqa: N802  (gRPC's names)
        self, request: enrolment_pb2.JoinRequest, context: Context
    ) -> enrolment_pb2.JoinResponse:
        """Enrols a machine; the token is consumed only if the request is valid.

        A known public key is the same node again (the reply was lost, or its identity expired): it
        keeps its name, if the new token is of the same co-op.
        """
        fault = self._find_fault(request)
        if fault:
            await abort(
                context, "invalid_request", default_lang=self._lang, param=fault, fault="unusable"
            )
        coop = await self._store.use_token(hash_token(request.token), self._now())
        row = self._find_node_by_key(request.node_public_key)
        if coop is None or (row is not None and row.coop != coop):
            self._log.warning("join.refused", peer=context.peer())
            await abort(context, "join_token_refused", default_lang=self._lang)
        node = (
            row.node if row is not None else self._registry.find_free_name(request.node_name, coop)
        )
        jwt = self._identity.issue_node_jwt(node, request.node_public_key)
        assert jwt is not None, "a revoked key was refused above"
        await self._registry.put(
            NodeRow(
                node=node,
                coop=coop,
                site=request.site or coop,
                zone=request.zone,
                public_key=request.node_public_key,
                approval=APPROVED,
                jwt_issued_at=self._now(),
                jwt_expires_at=expires_at(jwt),
            )
        )
        self._log.info("node.enrolled", node=node, coop=coop, zone=request.zone)
        return enrolment_pb2.JoinResponse(
            node=node,
            coop=coop,
            jwt=jwt,
            nats_urls=self._nats_urls,
            ca_pem=self._ca_pem,
            pool=self._pool,
            signing_key=self._signing_key,
        )

    def _find_node_by_key(self, public_key: str) -> NodeRow | None:
        rows = (row for row in self._registry.list_nodes() if row.public_key == public_key)
        return next(rows, None)

    def _find_fault(self, request: enrolment_pb2.JoinRequest) -> str:
        if not is_user_key(request.node_public_key):
            return "node_public_key"
        if self._identity.is_revoked(request.node_public_key):
            return "node_public_key"
        if not ZONE.fullmatch(request.zone):
            return "zone"
        if len(request.node_name) > NAME_MAX:
            return "node_name"
        plain = len(request.site) <= SITE_MAX and request.site.isprintable()
        return "" if plain else "site"
