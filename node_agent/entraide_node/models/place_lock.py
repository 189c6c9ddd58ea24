"""Place lock: one process of this machine at a time fills a place of the model store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from entraide.catalogue.model_store import LOCKS_FOLDER
from entraide_node.file_lock import acquire_lock, open_lock


@asynccontextmanager
async def lock_place(store_folder: Path, place: str) -> AsyncIterator[None]:
    """Holds the lock of a place, across all processes of this machine.

    Args:
        store_folder: folder of the store.
        place: folder of the weights below it.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = store_folder / LOCKS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{place.replace('/', '_')}.lock"
    async with open_lock(path) as descriptor:
        await acquire_lock(descriptor)
        yield
