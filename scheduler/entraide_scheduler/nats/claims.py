"""NATS JWTs: permissions of each identity on the bus, as signed tokens. Pure.

In: keys, times and identifiers. Out: JWTs in the format of NATS JWT v2 (algorithm
``ed25519-nkey``), with the few claims that the pool uses. ``identity`` holds the keys.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping

import msgspec
import nkeys
from msgspec import Struct

from entraide.wire import subjects
from entraide.wire.messages import MESSAGE_BYTES_MAX

JWT_VERSION = 2

# The end of the year 9999: a revocation covers JWTs of any issue time, also of a wrong clock.
REVOKED_FOR_EVER = 253_402_300_799

_UNLIMITED = -1
_ACCOUNT_LIMITS = {
    "subs": _UNLIMITED,  # limited per identity
    "data": _UNLIMITED,
    "payload": MESSAGE_BYTES_MAX,
    "imports": 0,
    "exports": 0,
    "wildcards": True,
    "conn": _UNLIMITED,  # limited by the server
    "leaf": 0,
}
# Names of gateways that would be another's subject, or read as another identity's.
_RESERVED = frozenset({"all", "scheduler", "system", "watcher"})
_RESERVED_PREFIX = "gw-"
_SYSTEM_INBOX = "_INBOX.system"


class SubjectPermissions(Struct, frozen=True):
    """Subjects that one identity may use.

    Attributes:
        publish: subjects that it may publish to.
        subscribe: subjects that it may subscribe to.
        inbox: subject prefix of replies to its requests.
        subscriptions_max: how many subscriptions it may hold at once.
    """

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    inbox: str
    subscriptions_max: int


class Account(Struct, frozen=True):
    """Public key of an account, and its revoked user keys.

    Attributes:
        public: the account's public key.
        label: its name in the server's log.
        revoked: revoked public user keys.
    """

    public: str
    label: str
    revoked: tuple[str, ...] = ()


def node_permissions(key: str) -> SubjectPermissions:
    """Returns a node's permissions: publish on its up subjects, subscribe to its down subjects."""
    inbox = subjects.node_inbox(key)
    return SubjectPermissions(
        publish=(f"node.{key}.up.>",),
        subscribe=(f"node.{key}.down.>", f"{inbox}.>"),
        inbox=inbox,
        subscriptions_max=32,
    )


def gateway_permissions(gateway: str) -> SubjectPermissions:
    """Returns a gateway's permissions: ask the scheduler, send runs, receive answers."""
    _check_identifier(gateway)
    inbox = subjects.gateway_inbox(gateway)
    return SubjectPermissions(
        publish=(f"gw.{gateway}.up.>", subjects.node_in("*")),
        subscribe=(
            f"gw.{gateway}.down.>",
            "gw.all.down.>",
            subjects.out_of_all_nodes(gateway),
            f"{inbox}.>",
        ),
        inbox=inbox,
        subscriptions_max=256,
    )


def scheduler_permissions() -> SubjectPermissions:
    """Returns the scheduler's permissions: all subjects of the pool, none of the server."""
    inbox = subjects.SCHEDULER_INBOX
    return SubjectPermissions(
        publish=("node.>", "gw.>", "_INBOX.>"),  # it answers requests of nodes and gateways
        subscribe=("node.>", "gw.>", f"{inbox}.>"),
        inbox=inbox,
        subscriptions_max=256,
    )


def system_permissions() -> SubjectPermissions:
    """Returns the permissions needed to update the account JWT on the server."""
    return SubjectPermissions(
        publish=("$SYS.REQ.CLAIMS.UPDATE",),
        subscribe=(f"{_SYSTEM_INBOX}.>",),
        inbox=_SYSTEM_INBOX,
        subscriptions_max=8,
    )


def advisory_subjects(account: str) -> tuple[str, str]:
    """Returns where the server tells of an account's new connections, and of its closed ones."""
    return f"$SYS.ACCOUNT.{account}.CONNECT", f"$SYS.ACCOUNT.{account}.DISCONNECT"


def watcher_permissions(account: str) -> SubjectPermissions:
    """Returns the permissions needed to hear of an account's connections; sends nothing."""
    inbox = "_INBOX.watcher"
    return SubjectPermissions(
        publish=(f"{inbox}.none",),  # an empty list would allow all
        subscribe=(*advisory_subjects(account), f"{inbox}.>"),
        inbox=inbox,
        subscriptions_max=8,
    )


def make_operator_jwt(operator: nkeys.KeyPair, *, system: str) -> str:
    """Makes the JWT of the pool's operator, which names the system account.

    Its issue time is constant, because a running server refuses a changed operator JWT.
    """
    nats = {"type": "operator", "system_account": system}
    return _sign(operator, public_key(operator), "entraide", nats, issued_at=1)


def make_account_jwt(operator: nkeys.KeyPair, account: Account, *, issued_at: int) -> str:
    """Makes an account's JWT, with its revoked user keys."""
    nats = {
        "type": "account",
        "limits": _ACCOUNT_LIMITS,
        "revocations": dict.fromkeys(account.revoked, REVOKED_FOR_EVER),
    }
    return _sign(operator, account.public, account.label, nats, issued_at=issued_at)


def make_user_jwt(
    account: nkeys.KeyPair,
    public: str,
    *,
    label: str,
    permissions: SubjectPermissions,
    issued_at: int,
    expires_at: int,
) -> str:
    """Makes the JWT with which the holder of a user key may connect until ``expires_at``.

    Raises:
        ValueError: the public key is not one of a NATS user.
    """
    if not is_user_key(public):
        raise ValueError(f"not a NATS user key: {public!r}")
    nats = {
        "type": "user",
        "pub": {"allow": list(permissions.publish)},
        "sub": {"allow": list(permissions.subscribe)},
        "subs": permissions.subscriptions_max,
        "data": _UNLIMITED,
        "payload": MESSAGE_BYTES_MAX,
        "allowed_connection_types": ["STANDARD", "WEBSOCKET"],
    }
    return _sign(account, public, label, nats, issued_at=issued_at, expires_at=expires_at)


def is_user_key(public: str) -> bool:
    """Whether a text is a NATS user's public key, by prefix, length and checksum."""
    try:
        raw = base64.b32decode(public.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        return False
    if len(raw) != 35 or raw[0] != nkeys.PREFIX_BYTE_USER:
        return False
    return int.from_bytes(raw[33:], "little") == int(nkeys.crc16(bytearray(raw[:33])))


def public_key(pair: nkeys.KeyPair) -> str:
    """Returns the public half of a key pair as text."""
    return str(pair.public_key.decode("ascii"))


def _check_identifier(name: str) -> None:
    subjects.checked(name)
    if name in _RESERVED or name.startswith(_RESERVED_PREFIX):
        raise ValueError(f"identifier {name!r} is reserved")


def _sign(
    issuer: nkeys.KeyPair,
    subject: str,
    label: str,
    nats: Mapping[str, object],
    *,
    issued_at: int,
    expires_at: int | None = None,
) -> str:
    body: dict[str, object] = {
        "iat": issued_at,
        "iss": public_key(issuer),
        "sub": subject,
        "name": label,
        "nats": {**nats, "version": JWT_VERSION},
    }
    if expires_at is not None:
        body["exp"] = expires_at
    body["jti"] = hashlib.sha256(msgspec.json.encode(body)).hexdigest()[:32]
    header = msgspec.json.encode({"typ": "JWT", "alg": "ed25519-nkey"})
    signed = f"{_text(header)}.{_text(msgspec.json.encode(body))}"
    return f"{signed}.{_text(issuer.sign(signed.encode('ascii')))}"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
