"""Enrolment: a machine exchanges a one-time token for its name and its identity on the bus.

``Enrolment.join`` is the one way in: ``POST /v1/enrolment`` of every gateway and the gRPC service
``Enrolment`` call it. A request counts only with the signature of the key that it names. The token
carries what the operator vouches for; what it leaves out stays as the pool's record has it, and no
joiner's word replaces it. The store has only the token's SHA-256.
"""

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable, Sequence

import msgspec
import structlog
from msgspec import Struct

from entraide.errors import PoolError
from entraide.wire import enrolment_signature
from entraide.wire.enrolment import JoinRequest, JoinResponse
from entraide.wire.messages import EnrolmentReply
from entraide.wire.nats import expires_at
from entraide_scheduler.address_failures import FailuresPerAddress
from entraide_scheduler.core.policy import Approval
from entraide_scheduler.nats.claims import is_user_key
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nodes.node_registry import APPROVED, WAITING, NodeRegistry
from entraide_scheduler.store.rows import REVOKED, JoinTokenRow, NodeRow, TokenRefusal
from entraide_scheduler.store.store import Store

ZONE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,6}){0,3}")
SEALING_KEY_BYTES = 32
REFUSED_MAX = 10  # requests per address in REFUSED_WINDOW_S; above, none is considered
REFUSED_WINDOW_S = 60.0


def hash_token(token: str) -> str:
    """Returns the SHA-256 of a token's secret part, hexadecimal, by which the store knows it.

    A token may end with ``.`` and what the node checks the pool by.
    """
    return hashlib.sha256(token.partition(".")[0].encode()).hexdigest()


class PoolFacts(Struct, frozen=True):
    """What every node that joins is told.

    Attributes:
        nats_urls: addresses of the bus, in the order in which a node tries them.
        ca_pem: certificate of the CA of bus and pool; "" without TLS.
        pool: name of the pool.
        signing_key: the pool's public Ed25519 key, base64.
    """

    nats_urls: Sequence[str]
    ca_pem: str
    pool: str
    signing_key: str


class Enrolment:
    """Takes machines into the pool.

    Args:
        store: holds the tokens.
        registry: the pool's record of its nodes.
        identity: issues the identities.
        now: returns the time, seconds since the epoch.
        approval: returns how the policy in force approves a node.
        facts: what every node is told.
    """

    def __init__(
        self,
        *,
        store: Store,
        registry: NodeRegistry,
        identity: PoolIdentity,
        now: Callable[[], float],
        approval: Callable[[], Approval],
        facts: PoolFacts,
    ) -> None:
        self._store = store
        self._registry = registry
        self._identity = identity
        self._now = now
        self._approval = approval
        self._facts = facts
        self._refused = FailuresPerAddress(most=REFUSED_MAX, window_s=REFUSED_WINDOW_S)
        self._admitting = asyncio.Lock()  # one machine at a time: nothing changes meanwhile
        self._log = structlog.get_logger("entraide.enrolment")

    async def join(self, request: JoinRequest, address: str) -> EnrolmentReply:
        """Enrols a machine, or refuses it; a token is used up only by a machine that is accepted.

        A known public key is the same node again (its folder was kept, or its identity expired): it
        keeps its name, if the token is of the same co-op. The key that used a token may show it
        again until it expires, because the reply may have been lost; the record stays then as it
        is, so that a request sent again takes back nothing that the operator said since. A token of
        before a restore from a backup may have been used since, and is refused. A node whose
        identity the bus refuses asks without a token, and is told why.

        Args:
            request: the machine's request.
            address: its address; an address with many refused requests must wait.
        """
        wait_s = self._refused.wait_s(address, self._now())
        if wait_s:
            return EnrolmentReply(None, "too_many_joins", {}, wait_s)
        reply = self._find_fault(request)
        if reply is None:
            async with self._admitting:
                reply = await self._admit(request)
        if reply.response is None:
            self._refused.count(address, self._now())
            self._log.warning("join.refused", peer=address, code=reply.code, values=reply.values)
        return reply

    async def _admit(self, request: JoinRequest) -> EnrolmentReply:
        key, digest, now = request.node_public_key, hash_token(request.token), self._now()
        token = await self._store.find_token(digest, key, now)
        if not isinstance(token, JoinTokenRow):
            return EnrolmentReply(None, "join_token_refused", {"why": token.value})
        if token.created_at < self._registry.restored_at:  # it may have been used since the backup
            return EnrolmentReply(None, "join_token_refused", {"why": TokenRefusal.RESTORED.value})
        known = self._registry.find_by_key(key)
        if known is not None and known.coop != token.coop:
            name = (await self._store.get_coop_names()).get(token.coop, "")
            whose = {"coop": token.coop, "coop_name": name}
            return EnrolmentReply(None, "join_token_refused", {"why": "coop", **whose})
        if token.used_by and known is None:
            return EnrolmentReply(None, "join_token_refused", {"why": TokenRefusal.USED.value})
        row = known if known and token.used_by else self._make_row(request, token, known)
        jwt = self._identity.issue_node_jwt(row.node, key)
        if jwt is None:  # revoked since it was looked at
            return EnrolmentReply(None, "node_key_revoked")
        row = msgspec.structs.replace(row, jwt_issued_at=now, jwt_expires_at=expires_at(jwt))
        try:
            refusal = await self._registry.enrol(row, digest, now)
        except PoolError as problem:  # an upgrade is being tried, and may go back
            return EnrolmentReply(None, problem.code, {}, problem.retry_after_s)
        if refusal is not None:
            return EnrolmentReply(None, "join_token_refused", {"why": refusal.value})
        self._log.info(
            "node.enrolled", node=row.node, coop=row.coop, zone=row.zone, approval=row.approval
        )
        self._log_contradictions(request, row)
        names = await self._store.get_coop_names()
        return EnrolmentReply(self._describe(row, jwt, names.get(row.coop, "")))

    def _describe(self, row: NodeRow, jwt: str, coop_name: str) -> JoinResponse:
        return JoinResponse(
            node=row.node,
            coop=row.coop,
            jwt=jwt,
            nats_urls=tuple(self._facts.nats_urls),
            ca_pem=self._facts.ca_pem,
            pool=self._facts.pool,
            signing_key=self._facts.signing_key,
            site=row.site,
            zone=row.zone,
            controlled_by=row.controlled_by,
            data_classes=row.data_classes,
            approval=row.approval,
            coop_name=coop_name,
        )

    def _make_row(
        self, request: JoinRequest, token: JoinTokenRow, known: NodeRow | None
    ) -> NodeRow:
        """Returns the record of a node: the token's word, else what the record has.

        Of a machine that has no record, the joiner names the site. Nobody but the operator names
        its zone: until then it is in no jurisdiction.
        """
        row = known or NodeRow(
            node=self._registry.find_free_name(request.node_name, token.coop),
            coop=token.coop,
            site=request.site or token.coop,
            zone="",
            public_key=request.node_public_key,
            approval=WAITING,
        )
        changes: dict[str, object] = {
            name: getattr(token, name) or getattr(row, name)
            for name in ("site", "zone", "controlled_by", "data_classes")
        }
        if token.surplus_evidence:
            changes["surplus_evidence"] = token.surplus_evidence
            changes["evidence_document"] = token.evidence_document
        if token.vouches or known is None:
            changes |= {"vouched_at": self._now(), "vouched_by": ""}
        if self._approval() is Approval.TOKEN:
            changes["approval"] = APPROVED
        return msgspec.structs.replace(
            row,
            said_zone=request.zone or row.said_zone,
            sealing_key=request.sealing_public_key or row.sealing_key,
            **changes,
        )

    def _log_contradictions(self, request: JoinRequest, row: NodeRow) -> None:
        for field in ("site", "zone"):
            said, counts = getattr(request, field), getattr(row, field)
            if said and counts not in ("", said):
                self._log.warning(
                    "join.contradicted", node=row.node, field=field, said=said, counts=counts
                )

    def _find_fault(self, request: JoinRequest) -> EnrolmentReply | None:
        field = _find_unusable_field(request)
        if field:
            return EnrolmentReply(None, "invalid_request", {"param": field, "fault": "unusable"})
        if not enrolment_signature.is_genuine(request):
            return EnrolmentReply(None, "join_signature_refused")
        key = request.node_public_key
        known, is_named = self._registry.find_by_key(key), self._registry.knows_key(key)
        if not is_named and (not request.token or self._identity.is_revoked(key)):
            return EnrolmentReply(None, "node_record_gone")  # it joined after the restored backup
        if self._identity.is_revoked(key) or (known is not None and known.approval == REVOKED):
            return EnrolmentReply(None, "node_key_revoked")
        return None


def _find_unusable_field(request: JoinRequest) -> str:
    """Returns the first field whose value cannot be used, or ""."""
    if not is_user_key(request.node_public_key):
        return "node_public_key"
    if request.zone and not ZONE.fullmatch(request.zone):
        return "zone"
    if not request.site.isprintable():
        return "site"
    return "" if _is_sealing_key(request.sealing_public_key) else "sealing_public_key"


def _is_sealing_key(text: str) -> bool:
    """Whether a text is a public X25519 key in base64, or empty."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one; text outside ASCII raises another
        return False
    return not text or (len(raw) == SEALING_KEY_BYTES and any(raw))
