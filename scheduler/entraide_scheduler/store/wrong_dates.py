"""Wrong dates: which records carry dates of a time when the pool's clock was ahead.

Input: the right time. Output: for each column of the schema that says when something happened, the
rows dated later. Columns that lie in the future by nature are left out.
"""

from msgspec import Struct
from sqlalchemy import Column, Connection, Double, Table, cast, func, select
from sqlalchemy.types import String

from entraide_scheduler.store.schema import metadata

FUTURE = frozenset({"expires_at", "deadline_at", "jwt_expires_at"})
NOT_SHOWN = frozenset({"snapshots", "trusted_time"})  # no records of a person or of the books
# Records that have a public name; other keys would outlive the erasure of a person.
NAMED = {
    "settled": "job", "corrections": "correction", "kept": "job", "batches": "batch",
    "policies": "version", "incidents": "number",
}  # fmt: skip
NAMES_MAX = 1_000


class WrongDates(Struct, frozen=True):
    """Records with a wrong date in one column.

    Attributes:
        table, column: of the store.
        records: their number.
        first_at, last_at: the wrong dates, seconds since the epoch.
        names: of the records, at most ``NAMES_MAX``, where a record has a name.
    """

    table: str
    column: str
    records: int
    first_at: float
    last_at: float
    names: list[str] = []


def find_wrong_dates(connection: Connection, at: float) -> list[WrongDates]:
    """Returns the records that are dated later than the right time, seconds since the epoch."""
    records = []
    for table in metadata.sorted_tables:
        for column in table.c if table.name not in NOT_SHOWN else ():
            if _is_date(column):
                wrong = _find_in(connection, table, column, at)
                if wrong is not None:
                    records.append(wrong)
    return records


def _is_date(column: Column[float]) -> bool:
    named = column.name == "at" or column.name.endswith("_at")
    return isinstance(column.type, Double) and named and column.name not in FUTURE


def _find_in(
    connection: Connection, table: Table, column: Column[float], at: float
) -> WrongDates | None:
    counted = select(func.count(), func.min(column), func.max(column)).where(column > at)
    number, first, last = connection.execute(counted).one()
    if not number:
        return None
    names: list[str] = []
    if table.name in NAMED:
        name = cast(table.c[NAMED[table.name]], String)
        listed = select(name).where(column > at).distinct().order_by(name).limit(NAMES_MAX)
        names = list(connection.execute(listed).scalars())
    return WrongDates(str(table.name), str(column.name), number, first, last, names)
