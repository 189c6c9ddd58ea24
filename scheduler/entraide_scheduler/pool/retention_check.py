"""Retention check: how many days journal and explanations hold, where it is fewer than promised.

In: the pool's directory. A number of rows bounds both, so that a busy pool cannot fill its disk;
the doctor then says how many days remain, and which limit is the reason.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from entraide.errors import EntraideError
from entraide_scheduler.findings import Finding, finding, passed
from entraide_scheduler.pool.config import PoolConfig, scheduler_config
from entraide_scheduler.store.dump import open_reading
from entraide_scheduler.store.journal import read_extent
from entraide_scheduler.store.settlements import (
    EXPLANATIONS_KEEP_S,
    EXPLANATIONS_MAX,
    read_explained,
)

DAY_S = 86_400.0
AGE_MIN_S = DAY_S  # of what is held, before its rate says anything


def check_retention(state: Path, config: PoolConfig) -> Iterator[Finding]:
    """Checks that journal and explanations can hold the days that are promised."""
    url = scheduler_config(config, state, bus_url="").effective_store_url
    try:
        with open_reading(url) as connection:
            extent, explained = read_extent(connection), read_explained(connection)
    except (EntraideError, SQLAlchemyError):
        return  # the store has a check of its own
    journal, now = config.journal, time.time()
    held = (
        ("journal", extent.since, extent.events, journal.events_max, journal.keep_days),
        ("explanations", *explained, EXPLANATIONS_MAX, EXPLANATIONS_KEEP_S / DAY_S),
    )
    is_short = False
    for name, since, rows, rows_max, promised_days in held:
        days = find_days(now - since, rows, rows_max)
        if days < promised_days:
            is_short = True
            yield finding(
                f"retention-{name}",
                days=round(days, 1),
                promised=round(promised_days, 1),
                rows_max=rows_max,
            )
    if not is_short:
        yield passed("retention-ok")


def find_days(age_s: float, rows: int, rows_max: int) -> float:
    """Returns the days that so many rows are, at the rate at which the present ones came.

    >>> find_days(4 * 86_400.0, 200_000, 200_000), find_days(86_400.0, 10, 1_000)
    (4.0, 100.0)
    """
    if age_s < AGE_MIN_S or not rows:
        return float("inf")
    return age_s / DAY_S * rows_max / rows
