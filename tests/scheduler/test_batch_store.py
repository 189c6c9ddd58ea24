"""Files and batches in the store: on SQLite and on PostgreSQL alike."""

from functools import partial

import msgspec

from entraide_scheduler.store import files
from entraide_scheduler.store.files import SealedPart
from entraide_scheduler.store.rows import FileRow
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
