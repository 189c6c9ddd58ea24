"""People, sign-in links and sign-in sessions: queries as functions on a connection."""

import time
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from entraide_scheduler.store import trusted_time
from entraide_scheduler.store.browser_halves import (
    delete_halves,
    expire_halves,
    move_half,
)
from entraide_scheduler.store.person_rows import (
    LinkRefusal,
    PersonRow,
    SigninEvidence,
    SigninLinkRow,
    SigninSessionRow,
    SigninStartRow,
    SigninWay,
)
from entraide_scheduler.store.schema import (
    former_names,
    keys,
    people,
    signin_links,
    signin_sessions,
)
from entraide_scheduler.store.signin_starts import begin_start, end_others, list_starts

LINKS_PER_PERSON_MAX = 10  # unused; above, the oldest is deleted
SESSIONS_PER_PERSON_MAX = 50  # open; above, the oldest is ended
FORMER_NAMES_MAX = 100  # of one person; above, the oldest is dropped
ENDED_KEEP_S = 7 * 86_400.0  # links and sessions that are over
NULLABLE = ("email", "oidc_issuer", "oidc_subject")

_SESSION_COLUMNS = tuple(signin_sessions.c[name] for name in SigninSessionRow.__struct_fields__)


def add_person(connection: Connection, row: PersonRow, coop_max: int) -> bool | None:
    """Adds a person.

    Returns:
        False if the address of another person is the same; None if the co-op has ``coop_max``.
    """
    query = select(func.count()).select_from(people).where(people.c.coop == row.coop)
    if connection.execute(query).scalar_one() >= coop_max:
        return None
    if row.email and find_by_email(connection, row.email):  # else PostgreSQL would log the address
        return False
    try:
        with connection.begin_nested():
            connection.execute(insert(people).values(**_stored(msgspec.structs.asdict(row))))
    except IntegrityError:
        return False
    return True


def get_person(connection: Connection, person: str) -> PersonRow | None:
    """Returns a person."""
    row = connection.execute(select(people).where(people.c.person == person)).first()
    return _person(row) if row else None


def find_by_email(connection: Connection, email: str) -> PersonRow | None:
    """Returns the person with an address, which is in lower case."""
    row = connection.execute(select(people).where(people.c.email == email)).first()
    return _person(row) if row else None


def find_by_letter(connection: Connection, email: str) -> PersonRow | None:
    """Returns the person with an address, or who confirmed it and has a newer one unconfirmed."""
    row = find_by_email(connection, email)
    if row is not None or not email:
        return row
    confirmed = select(people).where(people.c.confirmed_email == email)
    rows = connection.execute(confirmed.limit(2)).all()
    return _person(rows[0]) if len(rows) == 1 else None


def find_by_subject(connection: Connection, issuer: str, subject: str) -> PersonRow | None:
    """Returns the person whom an identity provider knows by a subject."""
    is_known = (people.c.oidc_issuer == issuer) & (people.c.oidc_subject == subject)
    row = connection.execute(select(people).where(is_known)).first()
    return _person(row) if row else None


def link_subject(
    connection: Connection, person: str, issuer: str, subject: str
) -> PersonRow | None:
    """Notes by which subject a provider knows a person; returns None if one is noted already.

    One that is noted gives way if the person has confirmed the address, and that account has not
    shown to be the same person's: it signed in while somebody else had changed the address.
    """
    row = get_person(connection, person)
    if row is None:
        return None
    closed = {each.start for each in list_starts(connection, person) if each.is_new}
    if row.oidc_subject and not (row.has_confirmed and row.oidc_start in closed):
        return None
    noted = {"oidc_issuer": issuer, "oidc_subject": subject, "oidc_start": ""}
    connection.execute(update(people).where(people.c.person == person).values(noted))
    return get_person(connection, person)


def list_people(connection: Connection, coop: str = "") -> tuple[PersonRow, ...]:
    """Returns the people of a co-op, or all, by co-op and name."""
    query = select(people).order_by(people.c.coop, people.c.name, people.c.person)
    if coop:
        query = query.where(people.c.coop == coop)
    return tuple(map(_person, connection.execute(query)))


def list_machine_readers(connection: Connection, most: int) -> tuple[PersonRow, ...]:
    """Returns the first ``most`` persons who want letters about their co-op's machines."""
    query = select(people).where((people.c.machine_mail_at > 0.0) & (people.c.disabled_at == 0.0))
    return tuple(map(_person, connection.execute(query.order_by(people.c.person).limit(most))))


def change_person(connection: Connection, person: str, **changes: Any) -> PersonRow | None:
    """Changes fields of a person; returns None if another person has the same address.

    A former name or address is kept until the person is erased with it.
    """
    former, changed_at = get_person(connection, person), time.time()
    same = find_by_email(connection, changes["email"]) if changes.get("email") else None
    if same is not None and same.person != person:
        return None
    changed = update(people).where(people.c.person == person).values(**_stored(changes))
    try:
        with connection.begin_nested():
            connection.execute(changed)
    except IntegrityError:
        return None
    row = get_person(connection, person)
    if former is not None and row is not None:
        for name in {former.name, former.email} - {row.name, row.email, ""}:
            _add_former_name(connection, person, name, changed_at)
    return row


def _add_former_name(connection: Connection, person: str, name: str, now: float) -> None:
    table = former_names.c
    own = (table.person == person) & (table.name == name)
    connection.execute(delete(former_names).where(own))
    connection.execute(insert(former_names).values(person=person, name=name, at=now))
    newest = select(table.name).where(table.person == person).order_by(table.at.desc())
    surplus = connection.execute(newest.offset(FORMER_NAMES_MAX)).scalars().all()
    over = (table.person == person) & table.name.in_(surplus)
    connection.execute(delete(former_names).where(over))


def list_former_names(connection: Connection, person: str) -> tuple[str, ...]:
    """Returns the names and addresses that a person had."""
    own = select(former_names.c.name).where(former_names.c.person == person)
    return tuple(connection.execute(own.order_by(former_names.c.at)).scalars())


def disable_person(connection: Connection, person: str, now: float) -> PersonRow | None:
    """Disables a person: ends the sessions, deletes the links; returns the person."""
    is_enabled = (people.c.person == person) & (people.c.disabled_at == 0.0)
    connection.execute(update(people).where(is_enabled).values(disabled_at=now))
    connection.execute(delete(signin_links).where(signin_links.c.person == person))
    end_sessions(connection, person, now)
    return get_person(connection, person)


def disable_coop(connection: Connection, coop: str, now: float) -> tuple[PersonRow, ...]:
    """Disables the people of a co-op that is no member any more; returns those who were not."""
    enabled = [row for row in list_people(connection, coop) if not row.disabled_at]
    for row in enabled:
        disable_person(connection, row.person, now)
    return tuple(enabled)


def list_projects(connection: Connection, coop: str) -> tuple[str, ...]:
    """Returns the projects of a co-op's keys and people, sorted."""
    queries = (
        select(keys.c.project).where((keys.c.coop == coop) & ~keys.c.revoked),
        select(people.c.project).where(people.c.coop == coop),
    )
    return tuple(sorted({name for query in queries for (name,) in connection.execute(query)}))


# Sign-in links.


def put_letter(
    connection: Connection, token_hash: str, row: SigninLinkRow, *, most: int, since: float
) -> bool:
    """Adds the link of a letter; returns False if a person had ``most`` letters since a moment."""
    table = signin_links.c
    recent = (table.person == row.person) & (table.email != "") & (table.made_at > since)
    if connection.execute(select(func.count()).where(recent)).scalar_one() >= most:
        return False
    put_link(connection, token_hash, row)
    return True


def put_link(connection: Connection, token_hash: str, row: SigninLinkRow) -> None:
    """Adds a link by the SHA-256 of its token."""
    table = signin_links.c
    unused = (table.person == row.person) & (table.used_at == 0.0)
    query = select(table.token_hash).where(unused).order_by(table.made_at.desc())
    surplus = connection.execute(query.offset(LINKS_PER_PERSON_MAX - 1)).scalars().all()
    connection.execute(delete(signin_links).where(table.token_hash.in_(surplus)))
    connection.execute(
        insert(signin_links).values(token_hash=token_hash, **msgspec.structs.asdict(row))
    )


def use_link(
    connection: Connection, token_hash: str, now: float
) -> tuple[PersonRow, SigninEvidence] | LinkRefusal:
    """Consumes a link; returns who signs in with it, and what it shows."""
    table = signin_links.c
    link = connection.execute(select(signin_links).where(table.token_hash == token_hash)).first()
    if link is None:
        return LinkRefusal.UNKNOWN
    if link.used_at:
        return LinkRefusal.USED
    if link.expires_at <= now:
        return LinkRefusal.EXPIRED
    row = get_person(connection, link.person)
    if row is None or row.disabled_at:
        return LinkRefusal.UNKNOWN
    is_free = (table.token_hash == token_hash) & (table.used_at == 0.0)
    used = connection.execute(update(signin_links).where(is_free).values(used_at=now))
    if not used.rowcount:
        return LinkRefusal.USED
    way = SigninWay.EMAIL if link.email else SigninWay.LINK
    return row, SigninEvidence(way.value, link.start, link.made_by, link.email)


# Sign-in sessions.

FoundSession = tuple[SigninSessionRow, PersonRow, tuple[SigninStartRow, ...]]


def begin_session(
    connection: Connection,
    secret_hash: str,
    row: SigninSessionRow,
    *,
    evidence: SigninEvidence,
    present: str,
    replaced: str = "",
) -> tuple[FoundSession | None, tuple[str, ...]]:
    """Adds a session in the start that its evidence decides; see ``begin_start``.

    Unless it begins a new start, it takes over the browser's half of the session that it replaces.

    Returns:
        What ``find_session`` finds of it, and the other sessions that it ended.
    """
    person = get_person(connection, row.person)
    if person is None:
        return None, ()
    known = {each.start for each in list_starts(connection, row.person)}
    begun = begin_start(connection, person, evidence, present, row.made_at)
    row = msgspec.structs.replace(
        row,
        start=begun.start,
        proven_email=evidence.email,
        way=evidence.way,
        made_by=evidence.made_by,
    )
    if replaced and begun.start in known:
        move_half(connection, replaced, row)
    surplus = add_session(connection, secret_hash, row)
    if evidence.way == SigninWay.OIDC and not evidence.start and begun.start == present:
        surplus += end_others(connection, row, row.made_at)  # an account's session is its own
    return find_session(connection, secret_hash, row.made_at), surplus


def add_session(connection: Connection, secret_hash: str, row: SigninSessionRow) -> tuple[str, ...]:
    """Adds a session by the SHA-256 of its secret; returns the surplus ones, which it ended."""
    table = signin_sessions.c
    query = select(table.session).where(_is_open(row.person, row.made_at))
    ordered = query.order_by(table.seen_at.desc()).offset(SESSIONS_PER_PERSON_MAX - 1)
    surplus = tuple(connection.execute(ordered).scalars())
    ended = update(signin_sessions).where(table.session.in_(surplus))
    connection.execute(ended.values(ended_at=row.made_at))
    if surplus:
        delete_halves(connection, row.person, surplus)
    connection.execute(
        insert(signin_sessions).values(secret_hash=secret_hash, **msgspec.structs.asdict(row))
    )
    return surplus


def find_session(connection: Connection, secret_hash: str, now: float) -> FoundSession | None:
    """Returns the open session whose secret has this SHA-256, its person, and the starts."""
    table = signin_sessions.c
    is_open = (table.secret_hash == secret_hash) & (table.ended_at == 0.0)
    query = select(*_SESSION_COLUMNS).where(is_open & (table.expires_at > now))
    stored = connection.execute(query).first()
    if stored is None:
        return None
    row = SigninSessionRow(*stored)
    person = get_person(connection, row.person)
    if person is None or person.disabled_at:
        return None
    return row, person, list_starts(connection, row.person)


def renew_session(
    connection: Connection, session: str, *, seen_at: float, expires_at: float
) -> None:
    """Records a use of a session that has not ended."""
    is_open = (signin_sessions.c.session == session) & (signin_sessions.c.ended_at == 0.0)
    changed = update(signin_sessions).where(is_open)
    connection.execute(changed.values(seen_at=seen_at, expires_at=expires_at))


def list_sessions(connection: Connection, person: str, now: float) -> tuple[SigninSessionRow, ...]:
    """Returns a person's open sessions, the last used first."""
    query = select(*_SESSION_COLUMNS).where(_is_open(person, now))
    ordered = query.order_by(signin_sessions.c.seen_at.desc(), signin_sessions.c.session)
    return tuple(SigninSessionRow(*row) for row in connection.execute(ordered))


def end_sessions(connection: Connection, person: str, now: float, session: str = "") -> bool:
    """Ends a session of a person, or all, with their halves; returns whether one was open."""
    chosen = _is_open(person, now)
    if session:
        chosen &= signin_sessions.c.session == session
    ended = connection.execute(update(signin_sessions).where(chosen).values(ended_at=now))
    delete_halves(connection, person, (session,) if session else ())
    return ended.rowcount > 0


def expire_signins(connection: Connection, now: float) -> None:
    """Deletes links and sessions that have been over for ``ENDED_KEEP_S``, and unused halves."""
    limit = trusted_time.limit(connection, now)
    expire_halves(connection, limit)
    before = limit - ENDED_KEEP_S
    links, sessions = signin_links.c, signin_sessions.c
    connection.execute(delete(signin_links).where(links.expires_at <= before))
    ended = (sessions.ended_at > 0.0) & (sessions.ended_at <= before)
    connection.execute(delete(signin_sessions).where(or_(ended, sessions.expires_at <= before)))


def _is_open(person: str, now: float) -> Any:
    table = signin_sessions.c
    return (table.person == person) & (table.ended_at == 0.0) & (table.expires_at > now)


def _stored(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: (value or None) if name in NULLABLE else value for name, value in fields.items()}


def _person(row: Row[Any]) -> PersonRow:
    stored = row._mapping  # noqa: SLF001  (public in SQLAlchemy, in spite of its name)
    values: dict[str, Any] = {
        name: "" if value is None else value for name, value in stored.items()
    }
    return PersonRow(**values)
