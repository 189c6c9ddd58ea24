"""Starts: which sign-in sessions of a person read what, as functions on a connection.

Each session belongs to a start, and what it sends names it (``owners``). A person's first session
begins the first start. A session that nothing shows to be the same person's begins a new one: it
came by a link that somebody else made, or by an address that the person has not confirmed. It reads
nothing of the other starts, and their sessions read nothing of it: whoever was let in by somebody
else reads neither what was sent before nor what is sent afterwards.

To a start to which nothing is closed, sessions come back by what is bound to it: the account at the
identity provider that signed in in it, or an address. An address needs both of two things in one
session. A letter to it began that session, or whoever came first could name the person's address.
And the person has said there that it is the own one, or whoever wrote another address could pass a
letter on. The start is then hers who reads the letters: its sessions that none of them began end.

A new start ends in one of two ways. A session to which nothing is closed opens what it reads to
the session that asked for it, and both then belong to one start. Or the person erases all that
other starts hold.
"""

import secrets

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, exists, insert, select, update

from entraide_scheduler.store.browser_halves import (
    delete_halves,
    delete_others,
    delete_without_session,
)
from entraide_scheduler.store.owners import FIRST_START, sender_of
from entraide_scheduler.store.person_rows import (
    PersonRow,
    SigninEvidence,
    SigninSessionRow,
    SigninStartRow,
    SigninWay,
)
from entraide_scheduler.store.schema import people, signin_links, signin_sessions, signin_starts

STARTS_PER_PERSON_MAX = 100  # above, the oldest to which something is closed or that was opened

_COLUMNS = tuple(signin_starts.c[name] for name in SigninStartRow.__struct_fields__)


def list_starts(connection: Connection, person: str) -> tuple[SigninStartRow, ...]:
    """Returns the starts of a person, oldest first."""
    query = select(*_COLUMNS).where(signin_starts.c.person == person)
    ordered = query.order_by(signin_starts.c.made_at, signin_starts.c.start)
    return tuple(SigninStartRow(*row) for row in connection.execute(ordered))


def joined_senders(starts: tuple[SigninStartRow, ...], start: str) -> tuple[str, ...]:
    """Returns the other starts that a start's sessions read, as senders."""
    return tuple(
        sender_of(row.person, row.start)
        for row in starts
        if row.joined == start and row.start != start
    )


def begin_start(
    connection: Connection, person: PersonRow, evidence: SigninEvidence, present: str, now: float
) -> SigninStartRow:
    """Returns the start of a session that begins.

    Args:
        connection: of the writer.
        person: who signs in.
        evidence: by what.
        present: the start of the session in which the same browser is signed in as the person;
            "" for none. Its cookie shows that the browser is that person's, too. An account at
            the identity provider that is bound to no start goes on with this one only if nothing
            is closed to it. It is then not bound to it: the account may be somebody else's, to
            whom an address was changed, and the person has yet to confirm the address.
        now: seconds since the epoch.
    """
    known = {row.start: row for row in list_starts(connection, person.person)}
    begun, own = known.get(evidence.start), known.get(present)
    if begun is not None and own is not None and own.is_new and not begun.is_new:
        _join(connection, own, begun.start)
    is_account = evidence.way == SigninWay.OIDC
    if begun is None and own is not None and not (is_account and own.is_new):
        return own
    begun = begun or _add(connection, person.person, evidence, list(known.values()), now)
    if is_account and not person.oidc_start:
        account = update(people).where(people.c.person == person.person)
        connection.execute(account.values(oidc_start=begun.start))
    return begun


def ask_opening(connection: Connection, row: SigninStartRow, now: float) -> None:
    """Notes that a new start asks to be opened from an older session."""
    connection.execute(update(signin_starts).where(_is(row)).values(asked_at=now))


def open_session(connection: Connection, opener: SigninStartRow, session: SigninSessionRow) -> bool:
    """Makes a session that asked for it one of a start to which nothing is closed.

    What was sent in its own start is then that start's, too.

    Returns:
        False if it has not asked, or if something is closed to the opener.
    """
    known = {row.start: row for row in list_starts(connection, opener.person)}
    asking, into = known.get(session.start), known.get(opener.start)
    if asking is None or not asking.is_new or not asking.asked_at or into is None or into.is_new:
        return False
    _join(connection, asking, into.start)
    moved = update(signin_sessions).where(signin_sessions.c.session == session.session)
    connection.execute(moved.values(start=into.start))
    return True


def keep_only(connection: Connection, session: SigninSessionRow, now: float) -> tuple[str, ...]:
    """Ends a person's other sessions, starts and links; to this session's start nothing is closed.

    Returns:
        The sessions that it ended.
    """
    person, start = session.person, session.start
    own = (signin_sessions.c.person == person) & (signin_sessions.c.ended_at == 0.0)
    others = own & (signin_sessions.c.session != session.session)
    ended = tuple(connection.execute(select(signin_sessions.c.session).where(others)).scalars())
    connection.execute(update(signin_sessions).where(others).values(ended_at=now))
    delete_others(connection, session)
    unused = (signin_links.c.person == person) & (signin_links.c.used_at == 0.0)
    connection.execute(delete(signin_links).where(unused))
    starts = signin_starts.c
    connection.execute(
        delete(signin_starts).where((starts.person == person) & (starts.start != start))
    )
    this = update(signin_starts).where((starts.person == person) & (starts.start == start))
    connection.execute(this.values(joined=start, asked_at=0.0))
    table = update(people).where(people.c.person == person)
    connection.execute(
        table.where(people.c.confirmed_start != start).values(
            confirmed_email="", confirmed_start=""
        )
    )
    connection.execute(
        table.where(people.c.oidc_start != start).values(
            oidc_issuer=None, oidc_subject=None, oidc_start=""
        )
    )
    return ended


def confirm_email(
    connection: Connection, session: SigninSessionRow, email: str, now: float
) -> tuple[str, ...] | None:
    """Binds an address to a session's start, and ends the start's sessions that it did not begin.

    Returns:
        The sessions that it ended; None unless the address is the person's and began the session.
    """
    table = signin_sessions.c
    is_open = (table.person == session.person) & (table.ended_at == 0.0)
    proven = exists().where(
        is_open & (table.session == session.session) & (table.proven_email == email)
    )
    present = (people.c.person == session.person) & (people.c.email == email) & proven
    changes = {"confirmed_email": email, "confirmed_start": session.start}
    if not connection.execute(update(people).where(present).values(changes)).rowcount:
        return None
    return _end(connection, session, table.proven_email != email, now)


def end_others(connection: Connection, session: SigninSessionRow, now: float) -> tuple[str, ...]:
    """Ends the other sessions of a session's start, and returns them."""
    return _end(connection, session, signin_sessions.c.session != session.session, now)


def _end(
    connection: Connection, session: SigninSessionRow, which: ColumnElement[bool], now: float
) -> tuple[str, ...]:
    """Ends open sessions of a session's start, and returns them."""
    table = signin_sessions.c
    own = (table.person == session.person) & (table.start == session.start)
    others = own & (table.ended_at == 0.0) & which
    ended = tuple(connection.execute(select(table.session).where(others)).scalars())
    connection.execute(update(signin_sessions).where(others).values(ended_at=now))
    if ended:
        delete_halves(connection, session.person, ended)
    return ended


def _add(
    connection: Connection,
    person: str,
    evidence: SigninEvidence,
    known: list[SigninStartRow],
    now: float,
) -> SigninStartRow:
    start = secrets.token_hex(4) if known else FIRST_START
    joined = "" if known else start
    row = SigninStartRow(person, start, joined, evidence.way, evidence.made_by, now)
    connection.execute(insert(signin_starts).values(**msgspec.structs.asdict(row)))
    if known:
        delete_without_session(connection, person, now)
    others = [each for each in known if each.is_new]
    for each in others[: max(0, len(known) + 1 - STARTS_PER_PERSON_MAX)]:
        connection.execute(delete(signin_starts).where(_is(each)))
    return row


def _join(connection: Connection, row: SigninStartRow, start: str) -> None:
    connection.execute(update(signin_starts).where(_is(row)).values(joined=start))


def _is(row: SigninStartRow) -> ColumnElement[bool]:
    return (signin_starts.c.person == row.person) & (signin_starts.c.start == row.start)
