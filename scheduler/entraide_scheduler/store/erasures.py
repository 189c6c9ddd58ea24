"""Erasures: what the store holds of a person, a key or a kept job goes, and its number is noted.

The books keep their sums under the number, which is then nobody's. Where another row says the
name or the address of a person (the label of a key, who changed a policy and why, who vouched for a
node, the reason of a correction), the person's number stands in its place. The register of
incidents never changes.

SQLite overwrites what it deletes with zeros (``secure_delete`` in ``database``), and its log, which
holds earlier pages, is emptied after an erasure (``Store.overwrite_log``).
"""

import re
from collections.abc import Iterable

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select, update

from entraide_scheduler.store import people as person_table
from entraide_scheduler.store.files import delete_file
from entraide_scheduler.store.owners import PERSON_PREFIX, is_sent_by
from entraide_scheduler.store.schema import (
    batch_results,
    batches,
    corrections,
    erasures,
    explanations,
    files,
    kept,
    keys,
    nodes,
    people,
    policies,
    signin_links,
    signin_sessions,
    signin_starts,
)

KEY_PREFIX, JOB_PREFIX = "key-", "kept-"
SIGNINS = (signin_links, signin_sessions, signin_starts)
JOBS_MAX = 100_000  # noted kept jobs; above, the oldest are forgotten first
_WORDS = (
    (keys, "label"), (policies, "author"), (policies, "reason"), (nodes, "vouched_by"),
    (corrections, "reason"),
)  # fmt: skip


class Erasure(Struct, frozen=True):
    """What was erased: the number of a person, a key or a kept job; and when, in seconds."""

    subject: str
    at: float


def erase_person(connection: Connection, person: str, now: float) -> bool:
    """Erases a person; returns False if there is none and none was erased.

    Name and address, links and sessions, and all that the person sent and the pool keeps: jobs,
    files, batches and their results.
    """
    row = person_table.get_person(connection, person)
    if row is None and not is_erased(connection, person):
        return False
    if row is not None:
        connection.execute(delete(people).where(people.c.person == person))
        for table, column in _WORDS:
            words = (row.name, row.email, row.confirmed_email)
            _replace_words(connection, table, column, words, person)
    for table in SIGNINS:
        connection.execute(delete(table).where(table.c.person == person))
    _erase_sent(connection, person)
    _note(connection, person, now)
    return True


def erase_key(connection: Connection, key: str, now: float) -> None:
    """Revokes a key for good, and erases its label and all that it sent and the pool keeps."""
    changed = update(keys).where(keys.c.key == key).values(revoked=True, label="")
    connection.execute(changed)
    _erase_sent(connection, key)
    _note(connection, key, now)


def erase_job(connection: Connection, job: str, now: float) -> None:
    """Erases a kept job. The line of a batch is part of its batch and stays."""
    is_alone = (kept.c.job == job) & (kept.c.batch == "")
    connection.execute(delete(kept).where(is_alone))
    connection.execute(delete(explanations).where(explanations.c.job == job))
    _note(connection, job, now)


def is_erased(connection: Connection, subject: str) -> bool:
    """Whether a person, a key or a kept job was erased."""
    query = select(erasures.c.subject).where(erasures.c.subject == subject)
    return connection.execute(query).first() is not None


def list_erasures(connection: Connection, since: float = 0.0) -> tuple[Erasure, ...]:
    """Returns the erasures since a moment, oldest first."""
    query = select(erasures.c.subject, erasures.c.at).where(erasures.c.at >= since)
    ordered = query.order_by(erasures.c.at, erasures.c.subject)
    return tuple(Erasure(*row) for row in connection.execute(ordered))


def find_left(connection: Connection, listed: Iterable[Erasure]) -> list[Erasure]:
    """Returns the erasures of which the store has something left."""
    return [erasure for erasure in listed if _has_rows(connection, erasure.subject)]


def repeat(connection: Connection, listed: Iterable[Erasure]) -> int:
    """Repeats erasures, after a restore for instance; returns how many found something to erase."""
    count = 0
    for erasure in listed:
        count += _has_rows(connection, erasure.subject)
        if erasure.subject.startswith(PERSON_PREFIX):
            _note(connection, erasure.subject, erasure.at)
            erase_person(connection, erasure.subject, erasure.at)
        elif erasure.subject.startswith(KEY_PREFIX):
            erase_key(connection, erasure.subject, erasure.at)
        else:
            erase_job(connection, erasure.subject, erasure.at)
    return count


def _has_rows(connection: Connection, subject: str) -> bool:
    if subject.startswith(JOB_PREFIX):
        places: list[ColumnElement[bool]] = [(kept.c.job == subject) & (kept.c.batch == "")]
    else:
        is_labelled = (keys.c.key == subject) & ((keys.c.label != "") | ~keys.c.revoked)
        places = [people.c.person == subject, is_labelled]
        places += [is_sent_by(table.c.key, subject) for table in (kept, files, batches)]
        places += [table.c.person == subject for table in SIGNINS]
    return any(connection.execute(select(1).where(place).limit(1)).first() for place in places)


def _erase_sent(connection: Connection, sender: str) -> None:
    """Erases the jobs, files and batches of a person or a key."""
    own = select(batches.c.batch).where(is_sent_by(batches.c.key, sender))
    connection.execute(delete(batch_results).where(batch_results.c.batch.in_(own)))
    for table in (kept, batches, explanations):
        connection.execute(delete(table).where(is_sent_by(table.c.key, sender)))
    sent = select(files.c.file).where(is_sent_by(files.c.key, sender))
    for file in connection.execute(sent).scalars().all():
        delete_file(connection, file)


def _note(connection: Connection, subject: str, now: float) -> None:
    if is_erased(connection, subject):
        return
    connection.execute(insert(erasures).values(subject=subject, at=now))
    if subject.startswith(JOB_PREFIX):
        jobs = select(erasures.c.subject).where(erasures.c.subject.startswith(JOB_PREFIX))
        surplus = jobs.order_by(erasures.c.at.desc()).offset(JOBS_MAX).limit(1)
        oldest = connection.execute(surplus).scalars().all()
        connection.execute(delete(erasures).where(erasures.c.subject.in_(oldest)))


def _replace_words(
    connection: Connection, table: Table, column: str, words: tuple[str, ...], number: str
) -> None:
    """Puts a number in the place of words, wherever a column has them."""
    known = sorted(filter(None, words), key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, known))})(?!\w)", re.IGNORECASE)
    (name,) = table.primary_key.columns
    for identifier, text in connection.execute(select(name, table.c[column])).all():
        said = pattern.sub(number, text)
        if said != text:
            chosen = update(table).where(name == identifier)
            connection.execute(chosen.values({column: said}))
