"""Grid zones: what the operator imported and chose; queries as functions on a connection."""

import msgspec
from sqlalchemy import Connection, insert, select, update

from entraide_scheduler.store.rows import GridZoneRow
from entraide_scheduler.store.schema import grid_zones


def list_zones(connection: Connection) -> tuple[GridZoneRow, ...]:
    """Returns the zones, sorted by name."""
    query = select(grid_zones).order_by(grid_zones.c.zone)
    return tuple(GridZoneRow(*row) for row in connection.execute(query))


def put_zone(connection: Connection, row: GridZoneRow) -> None:
    """Adds a zone, or replaces its record."""
    values = msgspec.structs.asdict(row)
    query = update(grid_zones).where(grid_zones.c.zone == row.zone).values(**values)
    if not connection.execute(query).rowcount:
        connection.execute(insert(grid_zones).values(**values))
