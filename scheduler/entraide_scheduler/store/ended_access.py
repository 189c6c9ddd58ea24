"""Ended access: what was taken away stays away when an earlier state of the store comes back."""

from collections.abc import Collection
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, delete, select, update

from entraide_scheduler.store.browser_halves import read_halves, replace_halves
from entraide_scheduler.store.members import number_node
from entraide_scheduler.store.rows import REVOKED
from entraide_scheduler.store.schema import keys, nodes, people, signin_links, signin_sessions

_MARKS = (
    (people, "disabled_at"), (keys, "revoked"), (signin_links, "used_at"),
    (signin_sessions, "ended_at"),
)  # fmt: skip


class EndedAccess(Struct, frozen=True):
    """The marks of people, keys, links and sessions that are over; the links that exist.

    With them the browsers' halves, which no copy of the store has.
    """

    marks: dict[str, dict[str, Any]]
    links: frozenset[str]
    halves: list[dict[str, Any]]


class Revocation(Struct, frozen=True):
    """What was revoked: the number of a key, a node or a disabled person.

    Attributes:
        subject: the number.
        at: when a person was disabled, seconds since the epoch; 0 for keys and nodes, whose
            revocation is permanent.
    """

    subject: str
    at: float = 0.0


def list_revocations(connection: Connection) -> tuple[Revocation, ...]:
    """Returns what is revoked: keys, nodes, people."""
    revoked = select(keys.c.key).where(keys.c.revoked)
    left_out = select(nodes.c.public_key).where(nodes.c.approval == REVOKED)
    disabled = select(people.c.person, people.c.disabled_at).where(people.c.disabled_at > 0.0)
    return (
        *map(Revocation, connection.execute(revoked).scalars()),
        *(Revocation(number_node(key)) for key in connection.execute(left_out).scalars()),
        *(Revocation(*row) for row in connection.execute(disabled)),
    )


def repeat_revocations(
    connection: Connection, revocations: Collection[Revocation], since: float
) -> tuple[int, list[str]]:
    """Revokes again, in a store of before, what was revoked after it.

    Args:
        connection: of the writer.
        revocations: what was revoked, also of other pools.
        since: the moment of which the store is. Whoever was disabled before and let in again
            stays in.

    Returns:
        How many had an effect, and the public keys of the nodes among them.
    """
    numbers = {each.subject for each in revocations}
    count = 0
    for row in connection.execute(select(keys.c.key).where(~keys.c.revoked)).all():
        if row.key in numbers:
            connection.execute(update(keys).where(keys.c.key == row.key).values(revoked=True))
            count += 1
    for each in revocations:
        if each.at >= since:
            count += connection.execute(
                update(people)
                .where((people.c.person == each.subject) & (people.c.disabled_at == 0.0))
                .values(disabled_at=each.at)
            ).rowcount
    approved = select(nodes.c.public_key).where(nodes.c.approval != REVOKED)
    own = [key for key in connection.execute(approved).scalars() if number_node(key) in numbers]
    for key in own:
        chosen = update(nodes).where(nodes.c.public_key == key)
        connection.execute(chosen.values(approval=REVOKED, device=""))
    return count + len(own), own


def end_signins(connection: Connection, now: float) -> None:
    """Ends all sign-in sessions, and deletes all sign-in links and browsers' halves."""
    replace_halves(connection, [])
    connection.execute(delete(signin_links))
    is_open = signin_sessions.c.ended_at == 0.0
    connection.execute(update(signin_sessions).where(is_open).values(ended_at=now))


def read_ended(connection: Connection) -> EndedAccess:
    """Returns what is over in a store."""
    marks = {}
    for table, column in _MARKS:
        (name,) = table.primary_key.columns
        rows = connection.execute(select(name, table.c[column])).all()
        marks[table.name] = {identifier: mark for identifier, mark in rows if mark}
    links = connection.execute(select(signin_links.c.token_hash)).scalars().all()
    return EndedAccess(marks, frozenset(links), read_halves(connection))


def repeat_ended(connection: Connection, ended: EndedAccess) -> None:
    """Ends the same in a store of before, and deletes the links that were deleted since."""
    for table, column in _MARKS:
        (name,) = table.primary_key.columns
        for identifier, mark in ended.marks[table.name].items():
            chosen = update(table).where(name == identifier)
            connection.execute(chosen.values({column: mark}))
    token = signin_links.c.token_hash
    for link in set(connection.execute(select(token)).scalars().all()) - ended.links:
        connection.execute(delete(signin_links).where(token == link))
    replace_halves(connection, ended.halves)
