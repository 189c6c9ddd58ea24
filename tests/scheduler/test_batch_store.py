"""Files and batches in the store: on SQLite and on PostgreSQL alike."""

from functools import partial

import msgspec
from sqlalchemy import select
from tests.core.builders import facts
from tests.scheduler.rows import kept_row, settle_row

from entraide_scheduler.store import batch_results, batches, files
from entraide_scheduler.store.files import SealedPart
from entraide_scheduler.store.rows import BatchProgress, BatchResultRow, BatchRow, FileRow
from entraide_scheduler.store.schema import batch_results as results_table
from entraide_scheduler.store.schema import file_parts
from entraide_scheduler.store.store import Store

RUNNING = ("in_progress",)


def file_row(file: str = "file-1", coop: str = "alpha", **changes) -> FileRow:
    values = {
        "file": file,
        "coop": coop,
        "project": "main",
        "key": f"key-{coop}",
        "purpose": "batch",
        "sealed_name": b"sealed",
        "created_at": 100.0,
        "expires_at": 1_000.0,
    }
    return FileRow(**{**values, **changes})


def batch_row(batch: str = "batch_1", coop: str = "alpha", **changes) -> BatchRow:
    values = {
        "batch": batch,
        "coop": coop,
        "project": "main",
        "key": f"key-{coop}",
        "endpoint": "/v1/chat/completions",
        "input_file": "file-1",
        "options": b"",
        "sealed_metadata": b"",
        "lang": "fr",
        "created_at": 100.0,
        "deadline_at": 1_000.0,
        "keep_s": 50.0,
        "state": "in_progress",
    }
    return BatchRow(**{**values, **changes})


async def add_file(store: Store, row: FileRow, *parts: bytes, most: int = 100) -> list[bool]:
    """Sends a file in parts; returns which parts were taken."""
    assert await store.write(lambda c: files.create_file(c, row, 10))
    taken = [
        await store.write(
            partial(
                files.add_part, file=row.file, coop=row.coop, coop_bytes_max=most,
                part=SealedPart(number, part, len(part)),
            )
        )
        for number, part in enumerate(parts)
    ]  # fmt: skip
    await store.write(lambda c: files.complete_file(c, row))
    return taken


async def create(store: Store, row: BatchRow, most: int = 10) -> bool:
    return await store.write(
        lambda c: batches.create_batch(c, row, unended_states=RUNNING, unended_max=most)
    )


async def read_batch(store: Store, batch: str = "batch_1") -> BatchRow | None:
    return await store.read(lambda c: batches.get_batch(c, batch))


def line_job(line: int, batch: str = "batch_1"):
    """The kept job of a line."""
    name = b"name-%d" % line
    return kept_row(f"kept-{line:08x}", batch=batch, line=line, sealed_name=name)


async def request(store: Store, *lines: int, batch: str = "batch_1") -> bool:
    progress = BatchProgress(line=max(lines), part=1, offset=7, facts=facts("batch_1"))
    jobs = [line_job(line, batch) for line in lines]
    return await store.write(
        lambda c: batches.request_lines(c, batch, only_in=RUNNING, progress=progress, jobs=jobs)
    )


async def end(store: Store, line: int, code: str = "") -> bool:
    return await store.end_kept(
        f"kept-{line:08x}", state="completed", code=code, sealed_result=b"" if code else b"answer",
        receipt_json=b"{}", ended_at=200.0,
    )  # fmt: skip


async def test_a_file_comes_back_in_parts_once_it_is_complete(store: Store) -> None:
    """An unfinished file is nobody's; a complete one has its size, its parts and an end."""
    row = file_row()
    await store.write(lambda c: files.create_file(c, row, 10))
    early = await store.read(lambda c: files.get_file(c, "file-1"))
    await store.write(lambda c: files.delete_file(c, "file-1"))
    await add_file(store, row, b"abc", b"de")
    parts = [
        await store.read(partial(files.read_part, file="file-1", number=number))
        for number in range(3)
    ]

    assert early is None
    assert msgspec.structs.replace(row, bytes=5, complete=True) == await store.read(
        lambda c: files.get_file(c, "file-1")
    )
    assert [b"abc", b"de", None] == parts


async def test_files_of_a_coop_are_bounded(store: Store) -> None:
    """The part that would exceed the co-op's bytes is refused, and so is one file too many."""
    assert [True, False] == await add_file(store, file_row(), b"abc", b"defg", most=6)
    assert [True] == await add_file(store, file_row("file-2", "beta"), b"abcdef", most=6)
    assert not await store.write(lambda c: files.create_file(c, file_row("file-3"), 1))
    assert ["file-1"] == [
        row.file for row in await store.read(lambda c: files.list_files(c, "alpha"))
    ]


async def test_files_expire_but_not_under_a_batch(store: Store) -> None:
    """After its time a file goes with its parts, unless an unended batch reads it; an upload that
    broke off goes too."""
    await add_file(store, file_row("file-1"), b"abc")
    await add_file(store, file_row("file-2"), b"abc")
    await store.write(lambda c: files.create_file(c, file_row("file-3", created_at=1.0), 10))
    await create(store, batch_row(input_file="file-1"))
    refused = await store.write(lambda c: files.delete_file(c, "file-1", RUNNING))
    expired = await store.write(lambda c: files.expire_files(c, 20_000.0, RUNNING))
    left = await store.read(lambda c: c.execute(select(file_parts.c.file)).scalars().all())

    assert not refused
    assert 2 == expired
    assert ["file-1"] == left

    await store.write(lambda c: batches.change_batch(c, "batch_1", RUNNING, state="completed"))

    assert await store.write(lambda c: files.delete_file(c, "file-1", RUNNING))


async def test_lines_are_requested_with_the_progress(store: Store) -> None:
    """Kept jobs and progress come together, and only while the batch is in progress."""
    await create(store, batch_row())
    taken = await request(store, 1, 2)
    pending = [row.job for row in await store.list_pending_kept()]
    await store.write(lambda c: batches.change_batch(c, "batch_1", RUNNING, state="cancelling"))
    late = await request(store, 3)
    row = await read_batch(store)

    assert (True, False) == (taken, late)
    assert ["kept-00000001", "kept-00000002"] == pending
    assert row is not None
    assert BatchProgress(line=2, part=1, offset=7, facts=facts("batch_1")) == row.progress
    assert () == await store.list_kept("alpha", 10)


async def test_a_line_ends_once(store: Store) -> None:
    """The job of a line becomes a result, counted once, in the order of the ends."""
    await create(store, batch_row())
    await request(store, 1, 2, 3)
    ends = [await end(store, 3), await end(store, 1, "engine_failed"), await end(store, 3)]
    await end(store, 2)
    row = await read_batch(store)
    listed = partial(batch_results.list_results, batch="batch_1", limit=10)
    answers = await store.read(partial(listed, failed=False, after=0))
    later = await store.read(partial(listed, failed=False, after=1))
    errors = await store.read(partial(listed, failed=True, after=0))

    assert [True, True, False] == ends
    assert row is not None
    assert (2, 1) == (row.completed, row.failed)
    assert [(3, 1, b"name-3"), (2, 3, b"name-2")] == [
        (result.line, result.position, result.sealed_name) for result in answers
    ]
    assert [2] == [result.line for result in later]
    assert [(1, 2, "engine_failed")] == [
        (result.line, result.position, result.code) for result in errors
    ]
    assert [("", 2, 12, 12), ("engine_failed", 1, 6, 0)] == list(
        await store.read(lambda c: batch_results.group_results(c, "batch_1"))
    )
    assert () == await store.list_pending_kept()


async def test_a_job_that_was_not_admitted_gets_another_identifier(store: Store) -> None:
    """The line's new job takes the place of the old one, unless that has ended."""
    await create(store, batch_row())
    await request(store, 1)
    new = msgspec.structs.replace(line_job(1), job="kept-00100001")
    replaced = await store.write(lambda c: batches.replace_job(c, "kept-00000001", new))
    again = await store.write(lambda c: batches.replace_job(c, "kept-00000001", new))

    assert (True, False) == (replaced, again)
    assert ["kept-00100001"] == [row.job for row in await store.list_pending_kept()]


async def test_lines_that_end_without_a_job_are_results(store: Store) -> None:
    """What is left of a batch that ends early gets an error each."""
    await create(store, batch_row())
    left = [BatchResultRow("batch_1", line, "", "batch_expired", b"n") for line in (4, 5)]
    await store.write(
        lambda c: batches.request_lines(
            c, "batch_1", only_in=RUNNING, progress=BatchProgress(line=5), results=left
        )
    )
    row = await read_batch(store)

    assert row is not None
    assert (0, 2) == (row.completed, row.failed)


async def test_batches_of_a_coop_are_bounded_and_listed(store: Store) -> None:
    """Too many that have not ended are refused; a list begins after the last of the page before."""
    made = [await create(store, batch_row(f"batch_{number}"), 2) for number in range(3)]
    await create(store, batch_row("batch_9", "beta"))

    def page(after: str = "", limit: int = 10):
        return partial(batches.list_of_coop, coop="alpha", after=after, limit=limit)

    first = await store.read(page(limit=1))
    second = await store.read(page(after=first[0].batch))

    assert [True, True, False] == made
    assert [["batch_1"], ["batch_0"]] == [[row.batch for row in rows] for rows in (first, second)]
    assert 3 == len(await store.read(lambda c: batches.list_in(c, RUNNING)))


async def test_what_a_batch_used_is_the_sum_of_its_settled_lines(store: Store) -> None:
    """Jobs whose identifiers begin like the batch's count, others do not."""
    for job in ("kept-aa00000001", "kept-aa00000002", "kept-ab00000001", "job-aa00000001"):
        await store.write_settlement(settle_row(job))
    used = await store.read(lambda c: batches.sum_settled(c, "kept-aa"))

    assert (2, 280, 64_000) == (used.jobs, used.tokens, used.energy_uwh)
    assert used.carbon_lifecycle_ug > used.carbon_direct_ug > 0


async def test_answers_without_a_settlement_are_found(store: Store) -> None:
    """A start finds the answered lines that are not in the books; errors were never to be."""
    await create(store, batch_row())
    await request(store, 1, 2, 3, 4)
    for line, code in ((1, ""), (2, ""), (3, "engine_failed")):
        await end(store, line, code)
    await store.write_settlement(settle_row("kept-00000002"))

    assert ("kept-00000001",) == await store.list_answered_kept()


async def test_results_go_with_their_batch(store: Store) -> None:
    """After its time a batch is deleted with its results; those of others stay."""
    for batch in ("batch_1", "batch_2"):
        await create(store, batch_row(batch))
    await request(store, 1)
    await request(store, 2, batch="batch_2")
    await end(store, 1)
    await end(store, 2)
    ended = {"state": "completed", "expires_at": 300.0}
    await store.write(lambda c: batches.change_batch(c, "batch_1", RUNNING, **ended))
    expired = [await store.write(partial(batches.expire_batches, now=at)) for at in (299.0, 300.0)]
    left = await store.read(lambda c: c.execute(select(results_table.c.line)).scalars().all())

    assert [0, 1] == expired
    assert [2] == left
    assert await read_batch(store) is None
