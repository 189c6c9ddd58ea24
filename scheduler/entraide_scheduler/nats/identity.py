"""Pool identity: the pool's keys in ``DIR/identity``; issues and revokes JWTs with them.

The keys are made once, at the first start, and the directory is created atomically. A missing file
is never recreated: a new account key would lock out every node, and an empty revocation list would
admit every revoked key. ``claims`` defines the permissions of each JWT.
"""

import asyncio
import base64
import binascii
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from os import urandom
from pathlib import Path

import msgspec
import nkeys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from msgspec import Struct
from nats import errors as nats_errors

from entraide.decoding import decode_json
from entraide.errors import EntraideError, PoolError
from entraide.files import write_private
from entraide.wire.nats import Identity, connect, new_user_key
from entraide_scheduler.nats import claims
from entraide_scheduler.nats.keyfiles import make_private_directory, read_private, unreadable_error

DAY_S = 86_400
NODE_LIFE_S = 30 * DAY_S
GATEWAY_LIFE_S = 30 * DAY_S
SCHEDULER_LIFE_S = 30 * DAY_S
SYSTEM_LIFE_S = 300
LONGEST_LIFE_S = max(NODE_LIFE_S, GATEWAY_LIFE_S, SCHEDULER_LIFE_S)

# In the names of JWTs; no identifier has a space.
NODE_LABEL, GATEWAY_LABEL = "node ", "gateway "
REVOCATIONS_MAX = 50_000  # the account JWT with all revocations must fit in one message
PUSH_ATTEMPTS_MAX = 3
PUSH_TIMEOUT_S = 5.0

_OPERATOR_FILE = "operator.seed"
_ACCOUNT_FILE = "account.seed"
_SYSTEM_FILE = "system.seed"
SIGNING_FILE = "receipts.pem"
_SEALING_FILE = "sealing.key"
_REVOCATIONS_FILE = "revocations.json"


class ServerClaims(Struct, frozen=True):
    """Claims that a server needs to check identities; they contain no secret.

    Attributes:
        operator_jwt: the trusted operator.
        account, account_jwt: the pool's account, with the present revocations.
        system, system_jwt: the system account, which may update the pool's account.
    """

    operator_jwt: str
    account: str
    account_jwt: str
    system: str
    system_jwt: str


def load_sealing_key(state: Path) -> bytes:
    """Returns the 32-byte key that encrypts kept jobs; creates the identity at the first start.

    Raises:
        PoolError: see ``PoolIdentity``.
    """
    path = identity_directory(state) / _SEALING_FILE
    try:
        key = base64.b64decode(read_private(path).strip(), validate=True)
    except binascii.Error as problem:
        raise unreadable_error(path, "not base64") from problem
    if len(key) != 32:
        raise unreadable_error(path, "not 32 bytes")
    return key


class PoolIdentity:
    """Issues, renews and revokes identities on the bus.

    Only the scheduler revokes keys; other processes may read the directory, as the supervisor of
    the NATS server does for ``build_server_claims``.

    Args:
        state: the pool's state directory; ``state/identity`` is created at the first start.
        now: returns the time, seconds since the epoch.

    Raises:
        PoolError: ``identity_file_open``: other users may read a key; ``identity_incomplete``: a
            file is missing; ``identity_unreadable``: a file is damaged.
    """

    def __init__(self, state: Path, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._pushing = asyncio.Lock()
        self._directory = identity_directory(state)
        self._operator = self._read_key_pair(_OPERATOR_FILE, nkeys.PREFIX_BYTE_OPERATOR)
        self._account = self._read_key_pair(_ACCOUNT_FILE, nkeys.PREFIX_BYTE_ACCOUNT)
        self._system = self._read_key_pair(_SYSTEM_FILE, nkeys.PREFIX_BYTE_ACCOUNT)
        self.read_revocations()

    def issue_node_jwt(
        self, node: str, public_key: str, *, life_s: float = NODE_LIFE_S
    ) -> str | None:
        """Issues a node's first JWT, or a renewed JWT.

        Args:
            node: the node's identifier, which the JWT only shows.
            public_key: public user key of the node (``U…``); the node keeps its seed.
            life_s: validity, seconds; at most ``LONGEST_LIFE_S``.

        Returns:
            The JWT; None if the key was revoked.

        Raises:
            ValueError: the key is malformed.
        """
        permissions = claims.node_permissions(public_key)
        return self._issue_jwt(f"{NODE_LABEL}{node}", public_key, permissions, life_s)

    def make_scheduler_identity(self) -> Identity:
        """Makes an identity for the scheduler's own connection, with a new key.

        Pass the method itself to ``entraide.wire.nats.connect``: each reconnection then uses a new
        identity, so that no identity expires.
        """
        return self._make_identity("scheduler", claims.scheduler_permissions(), SCHEDULER_LIFE_S)

    def make_gateway_identity(self, gateway: str) -> Identity:
        """Makes an identity for a gateway of this process, with a new key."""
        return self._make_identity(
            f"{GATEWAY_LABEL}{gateway}", claims.gateway_permissions(gateway), GATEWAY_LIFE_S
        )

    def make_watcher_identity(self) -> Identity:
        """Makes an identity for hearing of connections, with a new key."""
        return self._make_identity(
            "system watcher", claims.watcher_permissions(self.account), SCHEDULER_LIFE_S
        )

    @property
    def account(self) -> str:
        """Public key of the account of all nodes, gateways and the scheduler."""
        return claims.public_key(self._account)

    def build_server_claims(self) -> ServerClaims:
        """Returns the claims for the server, with the revocations on disk."""
        now = int(self._now())
        system = claims.Account(public=claims.public_key(self._system), label="system")
        return ServerClaims(
            operator_jwt=claims.make_operator_jwt(self._operator, system=system.public),
            account=claims.public_key(self._account),
            account_jwt=self._account_jwt(),
            system=system.public,
            system_jwt=claims.make_account_jwt(self._operator, system, issued_at=now),
        )

    def is_revoked(self, public_key: str) -> bool:
        """Whether a user key was revoked; a revocation is permanent."""
        return public_key in self.read_revocations()

    def read_revocations(self) -> dict[str, float]:
        """Returns the revoked keys with their times, from disk: another process may write them."""
        path = self._directory / _REVOCATIONS_FILE
        try:
            return decode_json(read_private(path), type=dict[str, float])
        except msgspec.MsgspecError as problem:
            raise unreadable_error(path, "not a list of revocations") from problem

    def record_revocations(self, public_keys: Iterable[str]) -> None:
        """Writes revocations to disk; ``push_claims`` tells the server.

        Raises:
            ValueError, PoolError: as ``revoke_keys``.
        """
        revoked = self.read_revocations()
        new = set(public_keys) - revoked.keys()
        for public_key in new:
            if not claims.is_user_key(public_key):
                raise ValueError(f"not a NATS user key: {public_key!r}")
        if not new:
            return
        now = self._now()
        if len(revoked) + len(new) > REVOCATIONS_MAX:  # the server refuses expired JWTs in any case
            revoked = {
                key: revoked_at
                for key, revoked_at in revoked.items()
                if revoked_at + LONGEST_LIFE_S >= now
            }
        if len(revoked) + len(new) > REVOCATIONS_MAX:
            raise PoolError("revocations_full", values={"max": REVOCATIONS_MAX})
        revoked |= dict.fromkeys(new, now)
        data = msgspec.json.encode(revoked, order="sorted")
        write_private(self._directory / _REVOCATIONS_FILE, data)

    async def revoke_keys(
        self,
        public_keys: Iterable[str],
        *,
        servers: str | Sequence[str],
        tls: ssl.SSLContext | None = None,
        timeout_s: float = PUSH_TIMEOUT_S,
    ) -> bool:
        """Revokes user keys and closes their connections at once; idempotent.

        The revocation is on disk before the server receives it, so that a crash cannot lose it.

        Args:
            public_keys: the keys to revoke (``U…``).
            servers: address or addresses of the bus.
            tls: from ``entraide.wire.nats.client_context``.
            timeout_s: timeout for the connection and for each reply, seconds.

        Returns:
            Whether a server confirmed the revocation. If not, call ``push_claims`` after the next
            connection.

        Raises:
            ValueError: one is not the public key of a NATS user.
            PoolError: ``revocations_full``.
        """
        self.record_revocations(public_keys)
        return await self.push_claims(servers, tls=tls, timeout_s=timeout_s)

    async def push_claims(
        self,
        servers: str | Sequence[str],
        *,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = PUSH_TIMEOUT_S,
    ) -> bool:
        """Sends the account's present claims to the server; called at each connection.

        Returns:
            Whether a server confirmed the claims.
        """
        async with self._pushing:  # so that an older state never follows a newer one
            return await self._push_claims(servers, tls, timeout_s)

    async def _push_claims(
        self, servers: str | Sequence[str], tls: ssl.SSLContext | None, timeout_s: float
    ) -> bool:
        try:
            connection = await connect(
                servers,
                identity=self._make_identity("system", claims.system_permissions(), SYSTEM_LIFE_S),
                name="system",
                tls=tls,
                deadline_s=timeout_s,
            )
        except EntraideError:
            return False
        try:
            for _ in range(PUSH_ATTEMPTS_MAX):
                try:
                    reply = await connection.request(
                        "$SYS.REQ.CLAIMS.UPDATE",
                        self._account_jwt().encode("ascii"),
                        timeout=timeout_s,
                    )
                except nats_errors.Error:
                    continue
                if _is_confirmation(reply.data):
                    return True
            return False
        finally:
            await connection.close()

    def _issue_jwt(
        self, label: str, public_key: str, permissions: claims.SubjectPermissions, life_s: float
    ) -> str | None:
        assert 0 < life_s <= LONGEST_LIFE_S, "revocations are kept for the longest life only"
        if self.is_revoked(public_key):
            return None
        now = self._now()
        return claims.make_user_jwt(
            self._account,
            public_key,
            label=label,
            permissions=permissions,
            issued_at=int(now),
            expires_at=int(now + life_s),
        )

    def _make_identity(
        self, label: str, permissions: claims.SubjectPermissions, life_s: int
    ) -> Identity:
        seed, public_key = new_user_key()
        now = int(self._now())
        jwt = claims.make_user_jwt(
            self._system if label.startswith("system") else self._account,
            public_key,
            label=label,
            permissions=permissions,
            issued_at=now,
            expires_at=now + life_s,
        )
        return Identity(jwt=jwt, seed=seed, inbox_prefix=permissions.inbox)

    def _account_jwt(self) -> str:
        account = claims.Account(
            public=claims.public_key(self._account),
            label="pool",
            revoked=tuple(sorted(self.read_revocations())),
        )
        return claims.make_account_jwt(self._operator, account, issued_at=int(self._now()))

    def _read_key_pair(self, name: str, prefix: int) -> nkeys.KeyPair:
        path = self._directory / name
        seed = read_private(path).strip()
        try:
            seed_prefix, raw_seed = nkeys.decode_seed(seed)
            # decode_seed does not check the checksum
            is_intact = nkeys.encode_seed(raw_seed, seed_prefix) == seed
        except (nkeys.NkeysError, ValueError) as problem:
            raise unreadable_error(path, "not a seed") from problem
        if not is_intact or seed_prefix != prefix:
            raise unreadable_error(path, "damaged, or a seed of another kind")
        return nkeys.from_seed(seed)


def identity_directory(state: Path) -> Path:
    """Returns the directory of the pool's keys; creates it with all keys at the first start."""
    directory = state / "identity"
    if not directory.exists():
        signing = Ed25519PrivateKey.generate()
        pem = signing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        files = {
            _OPERATOR_FILE: nkeys.encode_seed(urandom(32), nkeys.PREFIX_BYTE_OPERATOR),
            _ACCOUNT_FILE: nkeys.encode_seed(urandom(32), nkeys.PREFIX_BYTE_ACCOUNT),
            _SYSTEM_FILE: nkeys.encode_seed(urandom(32), nkeys.PREFIX_BYTE_ACCOUNT),
            SIGNING_FILE: pem,
            _SEALING_FILE: base64.b64encode(urandom(32)) + b"\n",
            _REVOCATIONS_FILE: b"{}",
        }
        make_private_directory(directory, files)
    return directory


def _is_confirmation(reply: bytes) -> bool:
    """Whether the server's reply confirms the claims."""

    class Data(Struct, frozen=True):
        code: int = 0

    class Reply(Struct, frozen=True):
        data: Data = Data()

    try:
        return decode_json(reply, type=Reply).data.code == 200
    except msgspec.MsgspecError:
        return False
