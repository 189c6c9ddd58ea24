"""A plugin of pytest: a test's new SQLite store begins as a copy of one that was migrated before.

The migrations of an empty file take a tenth of a second, and most tests begin with an empty file.
Each process runs them once; the store then looks at the copy as at any other and finds nothing to
do. Stores of an older version and on PostgreSQL, and schedulers in processes of their own, migrate
as ever.
"""

import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

STORE = "entraide_scheduler.store.store"


def pytest_collection_finish() -> None:
    """Lets the store begin with the copy, where a collected test has imported it."""
    store = sys.modules.get(STORE)
    if store is not None:
        store.upgrade = begin_with_copy(store.upgrade)  # type: ignore[attr-defined]


def begin_with_copy(upgrade: Callable[[Any], None]) -> Callable[[Any], None]:
    """Returns the migration of a store, which gives a file that is absent the copy first."""

    @cache
    def migrated() -> bytes:
        from entraide_scheduler.store.database import database_url, make_engines

        with tempfile.TemporaryDirectory(prefix="entraide-store-") as folder:
            file = Path(folder) / "store.db"
            engines = make_engines(database_url(f"sqlite:///{file}"))
            upgrade(engines[0])
            for engine in engines:
                engine.dispose()
            return file.read_bytes()

    def upgrade_copy(engine: Any) -> None:
        url = engine.url
        file = Path(url.database or "")
        if url.drivername == "sqlite" and file.parent.is_dir() and not file.exists():
            content = migrated()
            try:
                file.write_bytes(content)
            except OSError:  # a full disk, or a folder that is not writable: as without the copy
                file.unlink(missing_ok=True)
        upgrade(engine)

    return upgrade_copy
