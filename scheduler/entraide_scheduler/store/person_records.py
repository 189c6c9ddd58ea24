"""Person records: every row that is about a person, for an export. Queries, in pages.

Rows are dictionaries by column. Sealed columns and hashes of secrets are left out: the first are
read by who may, the second say nothing.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, LargeBinary, Select, Table, select, tuple_

from entraide_scheduler.store.booked import is_open
from entraide_scheduler.store.owners import is_owned, is_sent_by
from entraide_scheduler.store.people import list_former_names
from entraide_scheduler.store.schema import (
    batches,
    files,
    former_names,
    kept,
    keys,
    people,
    settled,
    signin_links,
    signin_sessions,
    signin_starts,
)

PAGE_ROWS = 500
SECRETS = frozenset({"token_hash", "secret_hash", "hash"})
_PERSON = {
    "names": former_names, "sessions": signin_sessions, "starts": signin_starts,
    "links": signin_links,
}  # fmt: skip
# Of what a person sent: in which order it is read.
_SENT = {
    "jobs": (kept, ("submitted_at", "job")),
    "files": (files, ("created_at", "file")),
    "batches": (batches, ("created_at", "batch")),
    "entries": (settled, ("settled_at", "job", "run")),
}
SECTIONS = (*_PERSON, "keys", *_SENT)


def read_person(connection: Connection, person: str) -> dict[str, Any]:
    """Returns a person's own row."""
    return dict(connection.execute(_all(people).where(people.c.person == person)).mappings().one())


def read_section(connection: Connection, section: str, person: dict[str, Any]) -> list[Any]:
    """Returns one of the short sections; its keys are those whose label has a name."""
    if section == "keys":
        own = connection.execute(_all(keys).where(keys.c.coop == person["coop"])).mappings()
        former = list_former_names(connection, person["person"])
        said = {text.lower() for text in (person["name"], person["email"], *former) if text}
        return [dict(row) for row in own if any(text in row["label"].lower() for text in said)]
    table = _PERSON[section]
    rows = connection.execute(_all(table).where(table.c.person == person["person"])).mappings()
    return [dict(row) for row in rows]


def read_page(
    connection: Connection,
    section: str,
    person: str,
    *,
    senders: tuple[str, ...] = (),
    after: tuple[Any, ...] = (),
) -> tuple[list[dict[str, Any]], tuple[Any, ...]]:
    """Returns a page of what a person sent, and where the next one begins; () after the last.

    Args:
        connection: of a reader.
        section: which.
        person: who sent it.
        senders: the person, in the starts that may be read; none for all of them.
        after: where the page begins.
    """
    table, names = _SENT[section]
    order = [table.c[name] for name in names]
    own = is_owned(table.c.key, senders) if senders else is_sent_by(table.c.key, person)
    query = _all(table).where(own)
    if table is settled:
        query = query.where(is_open())  # closed months are in their files
    if after:
        query = query.where(tuple_(*order) > tuple_(*after))
    rows = [
        dict(row) for row in connection.execute(query.order_by(*order).limit(PAGE_ROWS)).mappings()
    ]
    is_last = len(rows) < PAGE_ROWS
    return rows, () if is_last else tuple(rows[-1][name] for name in names)


def read_sealed(connection: Connection, section: str, name: str) -> Iterator[tuple[str, bytes]]:
    """Yields the sealed columns of a row of what was sent, by name."""
    table, _ = _SENT[section]
    (identifier, *_) = table.primary_key.columns
    sealed = [column for column in table.columns if column.name.startswith("sealed_")]
    row = connection.execute(select(*sealed).where(identifier == name)).mappings().first()
    yield from (row.items() if row is not None else ())


def _all(table: Table) -> Select[Any]:
    shown = [
        column
        for column in table.columns
        if not isinstance(column.type, LargeBinary) and column.name not in SECRETS
    ]
    return select(*shown)
