"""Settlements: how much the database does for each does not grow with those before it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine
from tests.core.builders import usage
from tests.scheduler.rows import settle_row

from entraide_scheduler.store.answered import AnsweredRun, add_run, list_runs
from entraide_scheduler.store.schema import metadata
from entraide_scheduler.store.settlements import write_settlements

GROUP = 8
MANY = 4_000  # settlements between the two measurements


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A connection to a database in memory, with the schema."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        metadata.create_all(connection)
        yield connection
    engine.dispose()


def count_steps(connection: Connection, jobs: range) -> int:
    """Settles jobs in one group; returns the instructions of SQLite's virtual machine, in tens."""
    steps = 0

    def add_step() -> int:
        nonlocal steps
        steps += 1
        return 0

    driver = connection.connection.driver_connection
    assert driver is not None
    rows = [settle_row(f"job-{number}") for number in jobs]
    driver.set_progress_handler(add_step, 10)
    write_settlements(connection, rows)
    driver.set_progress_handler(None, 0)
    return steps


def test_settlement_after_many_others_takes_as_many_steps(connection: Connection) -> None:
    """A group of settlements takes the same steps after some thousand others as before them."""
    count_steps(connection, range(GROUP))
    before = count_steps(connection, range(GROUP, 2 * GROUP))
    write_settlements(connection, [settle_row(f"job-{number}") for number in range(100, MANY)])
    after = count_steps(connection, range(MANY, MANY + GROUP))

    assert after <= 1.1 * before


def test_only_settled_runs_are_no_longer_answered(connection: Connection) -> None:
    """A settlement deletes the answered run of its own job and of no other."""
    used = usage()
    for job in ("job-1", "job-2"):
        add_run(connection, AnsweredRun(job, 1, "n1", used))
    write_settlements(connection, [settle_row("job-1")])

    assert list_runs(connection) == (AnsweredRun("job-2", 1, "n1", used),)
