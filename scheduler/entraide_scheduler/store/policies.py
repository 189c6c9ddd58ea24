"""Policies: every version of the policy, with its author, moment and reason.

Queries are functions on a connection. The newest version is in force; none is ever changed.
"""

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, select

from entraide.coop_names import names_of
from entraide.decoding import JsonDecoder
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.store.rows import PolicyRow
from entraide_scheduler.store.schema import policies

_policy = JsonDecoder[Policy](Policy)


class _NamedCoop(Struct, frozen=True):
    coop: str
    name: str = ""


class _NamedCoops(Struct, frozen=True):
    coops: tuple[_NamedCoop, ...] = ()


_named_coops = JsonDecoder[_NamedCoops](_NamedCoops)
_COLUMNS = (policies.c.version, policies.c.at, policies.c.author, policies.c.reason)


def get_newest(connection: Connection) -> Policy | None:
    """Returns the policy in force."""
    query = select(policies.c.document).order_by(policies.c.number.desc()).limit(1)
    document = connection.execute(query).scalar()
    return None if document is None else _policy.decode(document)


def get_coop_names(connection: Connection) -> dict[str, str]:
    """Returns what people read in place of co-ops' identifiers, for those that have a name."""
    query = select(policies.c.document).order_by(policies.c.number.desc()).limit(1)
    document = connection.execute(query).scalar()
    return {} if document is None else names_of(_named_coops.decode(document).coops)


def get_version(connection: Connection, version: str) -> Policy | None:
    """Returns a version's document, or None."""
    query = select(policies.c.document).where(policies.c.version == version)
    document = connection.execute(query).scalar()
    return None if document is None else _policy.decode(document)


def list_versions(connection: Connection) -> tuple[PolicyRow, ...]:
    """Returns all versions without their documents, newest first."""
    query = select(*_COLUMNS).order_by(policies.c.number.desc())
    return tuple(PolicyRow(*row) for row in connection.execute(query))


def put_version(connection: Connection, policy: Policy, row: PolicyRow) -> None:
    """Adds a version, which is in force from now on; each name is used once."""
    newest = connection.execute(select(func.max(policies.c.number))).scalar() or 0
    values = {**msgspec.structs.asdict(row), "document": msgspec.json.encode(policy)}
    connection.execute(insert(policies).values(**values, number=newest + 1))


def withdraw_version(connection: Connection, version: str) -> None:
    """Deletes a version that could not come into force."""
    connection.execute(delete(policies).where(policies.c.version == version))
