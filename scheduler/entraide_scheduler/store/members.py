"""Members: API keys, nodes and join tokens; queries as functions on a connection."""

import hashlib

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from entraide_scheduler.store.rows import JoinTokenRow, KeyRow, NodeRow, TokenRefusal
from entraide_scheduler.store.schema import join_tokens, keys, node_names, nodes

NODE_PREFIX = "node-"  # of a forgotten node's number

_KEY_COLUMNS = (keys.c.key, keys.c.coop, keys.c.project, keys.c.label, keys.c.revoked)
_TOKEN_COLUMNS = tuple(join_tokens.c[name] for name in JoinTokenRow.__struct_fields__)


def find_key(connection: Connection, digest: str) -> KeyRow | None:
    """Returns the key whose secret has this SHA-256."""
    row = connection.execute(select(*_KEY_COLUMNS).where(keys.c.hash == digest)).first()
    return KeyRow(*row) if row else None


def list_keys(connection: Connection, coop: str | None) -> tuple[KeyRow, ...]:
    """Returns the keys of a co-op, or all."""
    query = select(*_KEY_COLUMNS).order_by(keys.c.coop, keys.c.key)
    if coop is not None:
        query = query.where(keys.c.coop == coop)
    return tuple(KeyRow(*row) for row in connection.execute(query))


def create_key(connection: Connection, row: KeyRow, digest: str) -> None:
    """Adds a key."""
    connection.execute(insert(keys).values(**msgspec.structs.asdict(row), hash=digest))


def revoke_key(connection: Connection, key: str) -> KeyRow | None:
    """Revokes a key permanently; returns None if there is none."""
    connection.execute(update(keys).where(keys.c.key == key).values(revoked=True))
    row = connection.execute(select(*_KEY_COLUMNS).where(keys.c.key == key)).first()
    return KeyRow(*row) if row else None


def list_nodes(connection: Connection) -> tuple[NodeRow, ...]:
    """Returns the record of every node, sorted by name."""
    return tuple(NodeRow(*row) for row in connection.execute(select(nodes).order_by(nodes.c.node)))


def digest_name(node: str) -> str:
    """Returns the SHA-256 of a node's name, by which the store remembers a deleted record's."""
    return hashlib.sha256(node.encode()).hexdigest()


def number_node(public_key: str) -> str:
    """Returns the number that takes the place of a node's name when its record is deleted.

    >>> number_node("UBLG5YDTFBDFMNG35MOFIJLJIQPV2C5M3MMHBQMLHOEM3XEKSSZJKV2T")
    'node-8594bea0500f'
    """
    return f"{NODE_PREFIX}{hashlib.sha256(public_key.encode()).hexdigest()[:12]}"


def find_numbered(connection: Connection, number: str) -> list[str]:
    """Returns the names of the nodes that have a number; at most one, but for chance."""
    rows = connection.execute(select(nodes.c.node, nodes.c.public_key))
    return [row.node for row in rows if number_node(row.public_key) == number]


def list_names(connection: Connection) -> dict[str, str]:
    """Returns the digest of every name that was given to a node, with the node's public key."""
    return {row.digest: row.public_key for row in connection.execute(select(node_names))}


def put_node(connection: Connection, row: NodeRow) -> None:
    """Adds a node, or replaces its record.

    Raises:
        IntegrityError: its name was given to another key.
    """
    values = msgspec.structs.asdict(row)
    is_own = (nodes.c.node == row.node) & (nodes.c.public_key == row.public_key)
    changed = connection.execute(update(nodes).where(is_own).values(**values))
    if not changed.rowcount:
        name = {"digest": digest_name(row.node), "public_key": row.public_key}
        connection.execute(insert(node_names).values(**name))
        connection.execute(insert(nodes).values(**values))


def put_token(connection: Connection, digest: str, row: JoinTokenRow) -> None:
    """Adds a join token by its SHA-256."""
    connection.execute(insert(join_tokens).values(hash=digest, **msgspec.structs.asdict(row)))


def find_token(
    connection: Connection, digest: str, public_key: str, now: float
) -> JoinTokenRow | TokenRefusal:
    """Returns a token that a node's public key may show now; nothing is used up.

    The key that used a token may show it again until it expires.
    """
    query = select(*_TOKEN_COLUMNS).where(join_tokens.c.hash == digest)
    stored = connection.execute(query).first()
    if stored is None:
        return TokenRefusal.UNKNOWN
    row = JoinTokenRow(*stored)
    if row.used_by not in ("", public_key):
        return TokenRefusal.USED
    return TokenRefusal.EXPIRED if row.expires_at <= now else row


def enrol_node(
    connection: Connection, digest: str, row: NodeRow, now: float
) -> JoinTokenRow | TokenRefusal:
    """Uses a token up for a node and puts the node's record: both, or neither."""
    token = find_token(connection, digest, row.public_key, now)
    if isinstance(token, JoinTokenRow):
        is_free = (join_tokens.c.hash == digest) & join_tokens.c.used_at.is_(None)
        used = {"used_at": now, "used_by": row.public_key}
        connection.execute(update(join_tokens).where(is_free).values(**used))
        put_node(connection, row)
    return token


def delete_tokens(connection: Connection, coop: str) -> None:
    """Deletes the join tokens of a co-op."""
    connection.execute(delete(join_tokens).where(join_tokens.c.coop == coop))
