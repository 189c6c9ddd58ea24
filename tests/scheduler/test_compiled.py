"""Compiled statements: the same text and values on SQLite and PostgreSQL."""

import asyncio
from itertools import pairwise

import pytest
from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from tests.scheduler.rows import settle_row

from entraide_scheduler.store.compiled import CompiledStatement, insert_into
from entraide_scheduler.store.schema import journal, settled
from entraide_scheduler.store.settlements import SettledRunRow
from entraide_scheduler.store.store import Store


async def test_parameters_in_another_order_than_the_text_are_refused(store: Store) -> None:
    """A value can never come into another column."""
    swapped = CompiledStatement(insert(journal), ["event", "seq", "digest"])
    with pytest.raises(ValueError, match="not \\['event'"):
        await store.write(lambda c: swapped.execute(c, (b"event", 1, None)))


async def test_a_failure_is_an_error_of_sqlalchemy(store: Store) -> None:
    """The writer tells a duplicate row from a full disk by it."""
    append = insert_into(journal)
    with pytest.raises(IntegrityError):
        await store.write(lambda c: append.execute(c, [(1, b"one", None), (1, b"two", None)]))
    query = CompiledStatement(
        select(journal.c.seq).where(journal.c.seq == bindparam("event")), ["event"]
    )

    assert [] == await store.read(lambda c: query.execute(c, (1,)).all())


async def test_groups_of_any_size_know_what_is_settled(store: Store) -> None:
    """Each group repeats the last job of the one before, which alone is not new."""
    names = [f"job-{number}" for number in range(60)]
    sizes = (1, 2, 3, 4, 5, 7, 8, 9, 17)
    ends = [sum(sizes[:place]) for place in range(len(sizes) + 1)]
    groups = [names[max(0, first - 1) : last] for first, last in pairwise(ends)]
    written = [
        await asyncio.gather(*(store.write_settlement(settle_row(job)) for job in group))
        for group in groups
    ]

    assert [True] == written[0]
    assert [[False] + [True] * size for size in sizes[1:]] == written[1:]


def test_a_settled_run_has_the_columns_of_its_table() -> None:
    """Rows are passed by position."""
    assert [column.name for column in settled.columns] == list(SettledRunRow._fields)
