"""Books check: whether each closed month has its file, as the pool's doctor asks.

In: the pool's directory. The signature and the root of each file are checked, and that it names the
root of the month before; ``entraide receipts verify`` reads all of its records.
"""

from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from entraide.closed_months import MonthFault
from entraide.errors import EntraideError
from entraide_scheduler.findings import Finding, finding, listed, passed
from entraide_scheduler.nats.receipt_keys import describe_key, load_receipt_keys
from entraide_scheduler.pool.config import PoolConfig, scheduler_config
from entraide_scheduler.store.closed_files import open_closed
from entraide_scheduler.store.closed_months import list_months
from entraide_scheduler.store.dump import open_reading


def check_books(state: Path, config: PoolConfig) -> Finding:
    """Checks that the file of each closed month is there, and signed by this pool."""
    url = scheduler_config(config, state, bus_url="").effective_store_url
    try:
        with open_reading(url) as connection:
            months = [row for row in list_months(connection) if row.closed_at]
        present = load_receipt_keys(state)
    except (EntraideError, SQLAlchemyError):
        return passed("books-unasked")  # the store and the keys have checks of their own
    keys = {key.id: key for key in (describe_key(present.signing), *present.retired)}
    missing, altered, previous = [], [], ""
    for row in months:
        try:
            with open_closed(state, row, keys) as month:
                if month.head.previous != previous:
                    altered.append(row.month)
        except OSError:
            missing.append(row.month)
        except MonthFault:
            altered.append(row.month)
        previous = row.root
    if missing or altered:
        code = "books-missing" if missing else "books-altered"
        return finding(code, months=listed(missing + altered), path=str(state))
    size_mb = round(sum(row.bytes for row in months) / 1e6, 1)
    return passed("books-ok", number=len(months), size_mb=size_mb)
