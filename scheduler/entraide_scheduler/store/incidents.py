"""Incidents: the register of confidentiality incidents. Queries as functions on a connection.

Entries are added and never changed or deleted; a later entry completes or corrects an earlier one.
"""

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, insert, select

from entraide_scheduler.store.schema import incidents


class ConfidentialityIncident(Struct, frozen=True):
    """An entry of the register; see the message of the same name."""

    number: int
    entered_at: float
    entered_by: str
    amends: int
    happened: str
    noticed: str
    circumstances: str
    information: str
    persons: int
    risk: str
    risk_reasons: str
    told: str
    measures: str


def add_incident(
    connection: Connection, row: ConfidentialityIncident
) -> ConfidentialityIncident | None:
    """Adds an entry with the next number; returns None if the one that it amends is unknown."""
    last = connection.execute(select(func.coalesce(func.max(incidents.c.number), 0))).scalar_one()
    if not 0 <= row.amends <= last:
        return None
    numbered = msgspec.structs.replace(row, number=last + 1)
    connection.execute(insert(incidents).values(**msgspec.structs.asdict(numbered)))
    return numbered


def list_incidents(connection: Connection) -> tuple[ConfidentialityIncident, ...]:
    """Returns all entries, the oldest first."""
    rows = connection.execute(select(incidents).order_by(incidents.c.number)).mappings()
    return tuple(ConfidentialityIncident(**row) for row in rows)
