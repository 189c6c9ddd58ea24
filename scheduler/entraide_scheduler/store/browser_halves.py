"""Browser halves: the pool's part of the keys under which browsers keep conversations.

A browser keeps a person's conversations encrypted under a key that is derived from two secrets of
256 bits: one that only the browser has, and this half, which only the store has. The half is given
to a session of that browser while it is open, and to a later one of the same start. It is deleted
when that session is ended by somebody, when the person is disabled or erased, when a new start
begins and no session of its browser is open, and ``UNUSED_KEEP_S`` after its last use. From then on
nobody can read what the browser keeps. No dump of the store has these rows, so no restore brings a
deleted half back.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from entraide_scheduler.store.person_rows import SigninSessionRow
from entraide_scheduler.store.schema import browser_halves, signin_sessions

HALF_BYTES = 32
UNUSED_KEEP_S = 30 * 86_400.0
HALVES_PER_PERSON_MAX = 50  # above, those that were used longest ago are deleted


def claim_half(
    connection: Connection, session: SigninSessionRow, browser: str, fresh: bytes, now: float
) -> tuple[bytes, bool] | None:
    """Returns the half of a session's browser, and whether it is new.

    A half that belongs to another start is deleted, and a new one takes its place. A session has
    one browser: the half of another browser that it named before is deleted.

    Args:
        connection: of the writer.
        session: that asks.
        browser: identifier that the browser chose.
        fresh: the half to store if there is none, ``HALF_BYTES`` long.
        now: seconds since the epoch.

    Returns:
        None if the session has ended meanwhile.
    """
    sessions, halves = signin_sessions.c, browser_halves.c
    is_open = (sessions.session == session.session) & (sessions.ended_at == 0.0)
    start = connection.execute(select(sessions.start).where(is_open)).scalar()
    if start is None:
        return None
    own = (halves.person == session.person) & (halves.browser == browser)
    same = or_(halves.session == session.session, halves.start == start)
    half = connection.execute(select(halves.half).where(own & same)).scalar()
    named = (halves.session == session.session) & (halves.browser != browser)
    connection.execute(delete(browser_halves).where(named))
    changes = {"session": session.session, "start": start, "used_at": now}
    if half is not None:
        connection.execute(update(browser_halves).where(own).values(changes))
        return bytes(half), False
    connection.execute(delete(browser_halves).where(own))
    connection.execute(
        insert(browser_halves).values(person=session.person, browser=browser, half=fresh, **changes)
    )
    newest = select(halves.browser).where(halves.person == session.person)
    ordered = newest.order_by(halves.used_at.desc(), halves.browser).offset(HALVES_PER_PERSON_MAX)
    surplus = connection.execute(ordered).scalars().all()
    over = (halves.person == session.person) & halves.browser.in_(surplus)
    connection.execute(delete(browser_halves).where(over))
    return fresh, True


def move_half(connection: Connection, replaced: str, session: SigninSessionRow) -> None:
    """Gives the half of a session to the one that replaces it in the same browser."""
    changes = {"session": session.session, "start": session.start}
    chosen = update(browser_halves).where(browser_halves.c.session == replaced)
    connection.execute(chosen.values(changes))


def delete_halves(connection: Connection, person: str, sessions: Collection[str] = ()) -> None:
    """Deletes the halves of a person's sessions; without sessions, all of the person's."""
    chosen = browser_halves.c.person == person
    if sessions:
        chosen &= browser_halves.c.session.in_(sessions)
    connection.execute(delete(browser_halves).where(chosen))


def delete_others(connection: Connection, session: SigninSessionRow) -> None:
    """Deletes the halves of a person but that of one session."""
    others = (browser_halves.c.person == session.person) & (
        browser_halves.c.session != session.session
    )
    connection.execute(delete(browser_halves).where(others))


def delete_without_session(connection: Connection, person: str, now: float) -> None:
    """Deletes the halves of a person whose session is over, as a new start begins."""
    sessions = signin_sessions.c
    is_open = (sessions.person == person) & (sessions.ended_at == 0.0) & (sessions.expires_at > now)
    still = select(sessions.session).where(is_open)
    gone = (browser_halves.c.person == person) & browser_halves.c.session.not_in(still)
    connection.execute(delete(browser_halves).where(gone))


def expire_halves(connection: Connection, at: float) -> None:
    """Deletes the halves that have not been used for ``UNUSED_KEEP_S`` at a moment."""
    unused = browser_halves.c.used_at <= at - UNUSED_KEEP_S
    connection.execute(delete(browser_halves).where(unused))


def read_halves(connection: Connection) -> list[dict[str, Any]]:
    """Returns all rows, for a store that takes this one's place."""
    return [dict(row) for row in connection.execute(select(browser_halves)).mappings()]


def replace_halves(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Makes these rows the only ones."""
    connection.execute(delete(browser_halves))
    if rows:
        connection.execute(insert(browser_halves), rows)
