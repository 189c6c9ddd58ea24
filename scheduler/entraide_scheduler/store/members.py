"""Members: API keys, nodes and join tokens; queries as functions on a connection."""

import msgspec
from sqlalchemy import Connection, insert, select, update

from entraide_scheduler.store.rows import KeyRow, NodeRow
from entraide_scheduler.store.schema import join_tokens, keys, nodes

_KEY_COLUMNS = (keys.c.key, keys.c.coop, keys.c.project, keys.c.label, keys.c.revoked)


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
    """Returns every node that ever joined, sorted by name."""
    return tuple(NodeRow(*row) for row in connection.execute(select(nodes).order_by(nodes.c.node)))


def put_node(connection: Connection, row: NodeRow) -> None:
    """Adds a node, or replaces its record."""
    values = msgspec.structs.asdict(row)
    changed = connection.execute(update(nodes).where(nodes.c.node == row.node).values(**values))
    if not changed.rowcount:
        connection.execute(insert(nodes).values(**values))


def put_token(connection: Connection, digest: str, coop: str, expires_at: float) -> None:
    """Adds a join token by its SHA-256."""
    connection.execute(insert(join_tokens).values(hash=digest, coop=coop, expires_at=expires_at))


def use_token(connection: Connection, digest: str, now: float) -> str | None:
    """Consumes a token; returns its co-op, or None if it is unknown, used or expired."""
    usable = (
        (join_tokens.c.hash == digest)
        & join_tokens.c.used_at.is_(None)
        & (join_tokens.c.expires_at > now)
    )
    if not connection.execute(update(join_tokens).where(usable).values(used_at=now)).rowcount:
        return None
    query = select(join_tokens.c.coop).where(join_tokens.c.hash == digest)
    coop: str = connection.execute(query).scalar_one()
    return coop
