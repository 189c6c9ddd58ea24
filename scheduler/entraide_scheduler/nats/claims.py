"""NATS JWTs: what each identity may do on the bus, written down and signed.

Pure: keys, times and identifiers come in, text goes out. The format is that of NATS's JWT v2
(algorithm ``ed25519-nkey``); the claims used here are few, which is why they are written out
rather than taken from a library. Who holds a key, and where, is ``identity``'s business.
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

# The end of the year 9999: a revoked key stays revoked, whatever a clock said when a JWT was made.
REVOKED_FOR_EVER = 253_402_300_799

_UNLIMITED = -1
_ACCOUNT_LIMITS = {
    "subs": _UNLIMITED,  # each identity has its own limit
    "data": _UNLIMITED,
    "payload": MESSAGE_BYTES_MAX,
    "imports": 0,
    "exports": 0,
    "wildcards": True,
    "conn": _UNLIMITED,  # the server has one
    "leaf": 0,
}
# Names that would make one identity's subjects or inbox read as another's.
_RESERVED = frozenset({"all", "scheduler", "system"})
_RESERVED_PREFIX = "gw-"
_SYSTEM_INBOX = "_INBOX.system"


class SubjectPermissions(Struct, frozen=True):
    """The subjects that one identity may use.

    Attributes:
        publish: subjects that it may publish to.
        subscribe: subjects that it may subscribe to.
        inbox: prefix under which answers to its requests come.
        subscriptions_max: how many subscriptions it may hold at once.
    """

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    inbox: str
    subscriptions_max: int


class Account(Struct, frozen=True):
    """Public half of an account, and the keys that it does not accept any more.

    Attributes:
        public: the account's public key.
        label: its name in the server's log.
        revoked: public user keys that are refused.
    """

    public: str
    label: str
    revoked: tuple[str, ...] = ()


def node_permissions(node: str) -> SubjectPermissions:
    """Returns what a node may do: speak upwards, and hear what is sent down to it."""
    _check_identifier(node)
    inbox = subjects.node_inbox(node)
    return SubjectPermissions(
        publish=(f"node.{node}.up.>",),
        subscribe=(f"node.{node}.down.>", f"{inbox}.>"),
        inbox=inbox,
        subscriptions_max=32,
    )


def gateway_permissions(gateway: str) -> SubjectPermissions:
    """Returns what a gateway may do: ask the scheduler, send bodies in, hear answers out."""
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
    """Returns what the scheduler may do: all that is the pool's, nothing of the server's own."""
    inbox = subjects.SCHEDULER_INBOX
    return SubjectPermissions(
        publish=("node.>", "gw.>", "_INBOX.>"),  # it answers requests of nodes and gateways
        subscribe=("node.>", "gw.>", f"{inbox}.>"),
        inbox=inbox,
        subscriptions_max=256,
    )


def system_permissions() -> SubjectPermissions:
    """Returns what it takes to hand a new account JWT to the server, and no more."""
    return SubjectPermissions(
        publish=("$SYS.REQ.CLAIMS.UPDATE",),
        subscribe=(f"{_SYSTEM_INBOX}.>",),
        inbox=_SYSTEM_INBOX,
        subscriptions_max=8,
    )


def operator_jwt(operator: nkeys.KeyPair, *, system: str) -> str:
    """Makes the JWT that a server trusts: the pool's operator, and its system account.

    It has no date, since a running server refuses any configuration in which it differs.
    """
    nats = {"type": "operator", "system_account": system}
    return _sign(operator, public_key(operator), "entraide", nats, issued_at=1)


def account_jwt(operator: nkeys.KeyPair, account: Account, *, issued_at: int) -> str:
    """Makes an account's JWT, with the user keys that it refuses."""
    nats = {
        "type": "account",
        "limits": _ACCOUNT_LIMITS,
        "revocations": dict.fromkeys(account.revoked, REVOKED_FOR_EVER),
    }
    return _sign(operator, account.public, account.label, nats, issued_at=issued_at)


def user_jwt(
    account: nkeys.KeyPair,
    public: str,
    *,
    label: str,
    grant: SubjectPermissions,
    issued_at: int,
    expires_at: int,
) -> str:
    """Makes the JWT with which the holder of a user key may connect, until it expires.

    Raises:
        ValueError: the public key is not one of a NATS user.
    """
    if not is_user_key(public):
        raise ValueError(f"not a NATS user key: {public!r}")
    nats = {
        "type": "user",
        "pub": {"allow": list(grant.publish)},
        "sub": {"allow": list(grant.subscribe)},
        "subs": grant.subscriptions_max,
        "data": _UNLIMITED,
        "payload": MESSAGE_BYTES_MAX,
        "allowed_connection_types": ["STANDARD"],
    }
    return _sign(account, public, label, nats, issued_at=issued_at, expires_at=expires_at)


def is_user_key(public: str) -> bool:
    """Whether a text is the public key of a NATS user: right kind, length and checksum."""
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
