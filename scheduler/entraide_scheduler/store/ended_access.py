"""Ended access: what was taken away stays away when an earlier state of the store comes back."""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, delete, select, update

from entraide_scheduler.store.schema import keys, people, signin_links, signin_sessions

_MARKS = (
    (people, "disabled_at"), (keys, "revoked"), (signin_links, "used_at"),
    (signin_sessions, "ended_at"),
)  # fmt: skip


class EndedAccess(Struct, frozen=True):
    """The marks of people, keys, links and sessions that are over; the links that exist."""

    marks: dict[str, dict[str, Any]]
    links: frozenset[str]


def end_signins(connection: Connection, now: float) -> None:
    """Ends all sign-in sessions, and deletes all sign-in links."""
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
    return EndedAccess(marks, frozenset(links))


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
