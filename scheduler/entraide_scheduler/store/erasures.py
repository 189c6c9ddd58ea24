"""Erasures: what the store holds of a person, key, node, job or file goes; a number is noted.

The books keep their sums under the number, which is then nobody's. Where another row says a present
or former name or address of a person (the label of a key, who changed a policy and why, who vouched
for a node, the reason of a correction), the person's number stands in its place; for the name of a
node its number, in explanations and statements. Signed receipts and the register of incidents never
change.

A file that was deleted, and a question or a batch that was cancelled, are noted, too: an earlier
backup has them still, and a pool that is restored from it must neither keep nor run them.

A person who begins empty (``erase_closed``) stays, and so does what was sent in the start that goes
on: its sender is noted, after ``START_PREFIX``. All else that the person sent until then goes.

SQLite overwrites what it deletes with zeros (``secure_delete`` in ``database``), and its log, which
holds earlier pages, is emptied after an erasure (``Store.overwrite_log``).
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Table, delete, select, update

from entraide_scheduler.store import people as person_table
from entraide_scheduler.store.batches import CANCELLING
from entraide_scheduler.store.erasure_notes import (
    BATCH_PREFIX,
    FILE_PREFIX,
    JOB_PREFIX,
    is_noted,
    note,
)
from entraide_scheduler.store.files import delete_file
from entraide_scheduler.store.members import NODE_PREFIX, find_numbered
from entraide_scheduler.store.owners import PERSON_PREFIX, is_sent_by, person_of
from entraide_scheduler.store.schema import (
    batch_results,
    batches,
    browser_halves,
    corrections,
    erasures,
    explanations,
    files,
    former_names,
    kept,
    keys,
    nodes,
    people,
    policies,
    signin_links,
    signin_sessions,
    signin_starts,
)
from entraide_scheduler.store.settlements import rename_settled

KEY_PREFIX, START_PREFIX = "key-", "start-"
SIGNINS = (signin_links, signin_sessions, signin_starts, browser_halves)
_RESULTS = re.compile(rf"{FILE_PREFIX}([0-9a-f]+)-(output|errors)")  # files of a batch's results
_WORDS = (
    (keys, "label"), (policies, "author"), (policies, "reason"), (nodes, "vouched_by"),
    (corrections, "reason"),
)  # fmt: skip
# What is sent, with the column of its time.
_SENT = ((kept, "submitted_at"), (batches, "created_at"), (explanations, "at"),
         (files, "created_at"))  # fmt: skip


class Erasure(Struct, frozen=True):
    """What was erased, by its number, and when, in seconds.

    Attributes:
        subject: a person, a key, a node, a kept job, a file or a batch that was cancelled; or
            ``START_PREFIX`` and the sender whose things stayed as the person began empty.
        at: the moment.
    """

    subject: str
    at: float


def erase_person(connection: Connection, person: str, now: float) -> bool:
    """Erases a person; returns False if there is none and none was erased.

    Names and addresses, links and sessions, and all that the person sent and the pool keeps: jobs,
    files, batches and their results.
    """
    row = person_table.get_person(connection, person)
    if row is None and not is_noted(connection, person):
        return False
    if row is not None:
        former = person_table.list_former_names(connection, person)
        words = (row.name, row.email, row.confirmed_email, *former)
        connection.execute(delete(people).where(people.c.person == person))
        for table, column in _WORDS:
            _replace_words(connection, table, column, words, person)
    for table in (*SIGNINS, former_names):
        connection.execute(delete(table).where(table.c.person == person))
    _erase_sent(connection, person)
    note(connection, person, now)
    return True


def erase_key(connection: Connection, key: str, now: float) -> None:
    """Revokes a key for good, and erases its label and all that it sent and the pool keeps."""
    changed = update(keys).where(keys.c.key == key).values(revoked=True, label="")
    connection.execute(changed)
    _erase_sent(connection, key)
    note(connection, key, now)


def erase_node(connection: Connection, number: str, now: float) -> None:
    """Erases a node's record, and its name from explanations and statements."""
    for name in find_numbered(connection, number):
        connection.execute(delete(nodes).where(nodes.c.node == name))
        rename_settled(connection, name, number)
    note(connection, number, now)


def erase_job(connection: Connection, job: str, now: float) -> None:
    """Erases a kept job. The line of a batch is part of its batch and stays."""
    is_alone = (kept.c.job == job) & (kept.c.batch == "")
    connection.execute(delete(kept).where(is_alone))
    connection.execute(delete(explanations).where(explanations.c.job == job))
    note(connection, job, now)


def list_closed_work(
    connection: Connection, sender: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the kept jobs and batches of a person's other starts that have not ended."""
    jobs = _is_closed(kept, sender) & (kept.c.ended_at == 0.0) & (kept.c.batch == "")
    open_batches = _is_closed(batches, sender) & (batches.c.ended_at == 0.0)
    return (
        tuple(connection.execute(select(kept.c.job).where(jobs)).scalars()),
        tuple(connection.execute(select(batches.c.batch).where(open_batches)).scalars()),
    )


def erase_closed(connection: Connection, sender: str, unless_in: Sequence[str], now: float) -> None:
    """Erases what a person sent in other starts; what is under way goes with its end.

    Args:
        connection: of the writer.
        sender: the person, in the start that goes on.
        unless_in: states of batches whose input stays until they end.
        now: seconds since the epoch.
    """
    ended = _is_closed(kept, sender) & (kept.c.ended_at > 0.0) & (kept.c.batch == "")
    connection.execute(delete(kept).where(ended))
    own = _is_closed(batches, sender)
    over = select(batches.c.batch).where(own & (batches.c.ended_at > 0.0))
    connection.execute(delete(batch_results).where(batch_results.c.batch.in_(over)))
    connection.execute(delete(batches).where(own & (batches.c.ended_at > 0.0)))
    connection.execute(update(batches).where(own).values(keep_s=0.0))
    sent = select(files.c.file).where(_is_closed(files, sender))
    for file in connection.execute(sent).scalars().all():
        if not delete_file(connection, file, unless_in):
            expired = update(files).where(files.c.file == file)
            connection.execute(expired.values(expires_at=now))
    connection.execute(delete(explanations).where(_is_closed(explanations, sender)))
    subject = START_PREFIX + sender
    connection.execute(delete(erasures).where(erasures.c.subject == subject))
    note(connection, subject, now)


def list_erasures(connection: Connection, since: float = 0.0) -> tuple[Erasure, ...]:
    """Returns the erasures since a moment, oldest first."""
    query = select(erasures.c.subject, erasures.c.at).where(erasures.c.at >= since)
    ordered = query.order_by(erasures.c.at, erasures.c.subject)
    return tuple(Erasure(*row) for row in connection.execute(ordered))


def find_left(connection: Connection, listed: Iterable[Erasure]) -> list[Erasure]:
    """Returns the erasures of which the store has something left."""
    return [erasure for erasure in listed if _has_rows(connection, erasure)]


def repeat(connection: Connection, listed: Iterable[Erasure]) -> int:
    """Repeats erasures, after a restore for instance; returns how many found something to erase."""
    count = 0
    for erasure in listed:
        subject, at = erasure.subject, erasure.at
        count += _has_rows(connection, erasure)
        if subject.startswith(PERSON_PREFIX):
            note(connection, subject, at)
            erase_person(connection, subject, at)
        elif subject.startswith(KEY_PREFIX):
            erase_key(connection, subject, at)
        elif subject.startswith(NODE_PREFIX):
            erase_node(connection, subject, at)
        elif subject.startswith(START_PREFIX):
            _erase_rows(connection, {table: _is_earlier(table, erasure) for table, _ in _SENT})
            note(connection, subject, at)
        elif subject.startswith(FILE_PREFIX):
            _erase_file(connection, erasure)
        elif subject.startswith(BATCH_PREFIX):
            _cancel_batch(connection, erasure)
        else:
            erase_job(connection, subject, at)
    return count


def _has_rows(connection: Connection, erasure: Erasure) -> bool:
    subject = erasure.subject
    if subject.startswith(NODE_PREFIX):
        return bool(find_numbered(connection, subject))
    if subject.startswith(JOB_PREFIX):
        has_text = (kept.c.sealed_body != b"") | (kept.c.sealed_result != b"")
        is_alone = (kept.c.job == subject) & (kept.c.batch == "")
        places: list[ColumnElement[bool]] = [is_alone & has_text]
    elif subject.startswith(FILE_PREFIX):
        is_kept = (files.c.file == subject) & (files.c.expires_at > erasure.at)
        places = [is_kept, *_find_results(subject)]
    elif subject.startswith(BATCH_PREFIX):
        places = [_is_running(subject) & (batches.c.state != CANCELLING)]
    elif subject.startswith(START_PREFIX):
        places = [_is_earlier(table, erasure) for table in (kept, files, batches)]
    else:
        is_labelled = (keys.c.key == subject) & ((keys.c.label != "") | ~keys.c.revoked)
        places = [people.c.person == subject, is_labelled]
        places += [is_sent_by(table.c.key, subject) for table in (kept, files, batches)]
        places += [table.c.person == subject for table in SIGNINS]
    return any(connection.execute(select(1).where(place).limit(1)).first() for place in places)


def _find_results(file: str) -> tuple[ColumnElement[bool], ...]:
    """Returns the conditions of what a file of results is made of, now or later; () for others."""
    parts = _RESULTS.fullmatch(file)
    if parts is None:
        return ()
    batch = BATCH_PREFIX + parts[1]
    is_error = batch_results.c.code != ""
    lines = (batch_results.c.batch == batch) & (is_error if parts[2] == "errors" else ~is_error)
    return lines, _is_running(batch) & (batches.c.keep_s > 0.0)


def _is_running(batch: str) -> ColumnElement[bool]:
    return (batches.c.batch == batch) & (batches.c.ended_at == 0.0)


def _erase_file(connection: Connection, erasure: Erasure) -> None:
    """Erases a file; what a batch reads or writes that has not ended goes with its end."""
    file = erasure.subject
    if results := _find_results(file):
        lines, running = results
        connection.execute(update(batches).where(running).values(keep_s=0.0))
        connection.execute(delete(batch_results).where(lines))
    reading = (batches.c.input_file == file) & (batches.c.ended_at == 0.0)
    if connection.execute(select(1).where(reading).limit(1)).first():
        expired = update(files).where(files.c.file == file)
        connection.execute(expired.values(expires_at=erasure.at))
    else:
        delete_file(connection, file)
    note(connection, file, erasure.at)


def _cancel_batch(connection: Connection, erasure: Erasure) -> None:
    """Begins to cancel a batch that had been cancelled."""
    cancelled = {"state": CANCELLING, "cancelling_at": erasure.at}
    connection.execute(update(batches).where(_is_running(erasure.subject)).values(cancelled))
    note(connection, erasure.subject, erasure.at)


def _is_closed(table: Table, sender: str) -> ColumnElement[bool]:
    """Returns the condition that a row is of another start of a sender's person."""
    return is_sent_by(table.c.key, person_of(sender)) & (table.c.key != sender)


def _is_earlier(table: Table, erasure: Erasure) -> ColumnElement[bool]:
    """Returns the condition that a person who began empty had sent a row before."""
    (at,) = (table.c[name] for each, name in _SENT if each is table)
    return _is_closed(table, erasure.subject.removeprefix(START_PREFIX)) & (at <= erasure.at)


def _erase_sent(connection: Connection, sender: str) -> None:
    """Erases the jobs, files and batches of a person or a key."""
    _erase_rows(connection, {table: is_sent_by(table.c.key, sender) for table, _ in _SENT})


def _erase_rows(connection: Connection, chosen: dict[Table, Any]) -> None:
    """Erases rows of what is sent, with all that is part of them."""
    own = select(batches.c.batch).where(chosen[batches])
    connection.execute(delete(batch_results).where(batch_results.c.batch.in_(own)))
    for table in (kept, batches, explanations):
        connection.execute(delete(table).where(chosen[table]))
    for file in connection.execute(select(files.c.file).where(chosen[files])).scalars().all():
        delete_file(connection, file)


def _replace_words(
    connection: Connection, table: Table, column: str, words: tuple[str, ...], number: str
) -> None:
    """Puts a number in the place of words, with and without accents, wherever a column has them."""
    known = [_accents_optional(word) for word in sorted(filter(None, words), key=len, reverse=True)]
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(known)})(?!\w)", re.IGNORECASE)
    (name,) = table.primary_key.columns
    for identifier, text in connection.execute(select(name, table.c[column])).all():
        said, count = pattern.subn(number, unicodedata.normalize("NFD", text))
        if count:
            chosen = update(table).where(name == identifier)
            connection.execute(chosen.values({column: unicodedata.normalize("NFC", said)}))


def _accents_optional(word: str) -> str:
    """Returns a pattern of a word in decomposed text, in which its accents may be missing."""
    bare = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    return "".join(re.escape(character) + "[\u0300-\u036f]*" for character in bare)
