"""Setting: moves a recovered pool back to the right time, after its clock has been ahead.

The journal is kept. Its snapshots of later dates count as of the right time; the pool goes on from
a new snapshot, in which no time is later than it was told. No recording spans a setting.
"""

import time
from functools import partial
from pathlib import Path

import msgspec
import structlog
from msgspec import structs
from sqlalchemy import Connection

import entraide
from entraide_scheduler.clock_check.decision import Setting, add_setting, forget_decision
from entraide_scheduler.config import SchedulerConfig
from entraide_scheduler.core import clock_setting
from entraide_scheduler.core.machine import Core
from entraide_scheduler.driver import ClockState, DriverSnapshot, RecoveredState
from entraide_scheduler.store import journal, trusted_time
from entraide_scheduler.store.journal import Retention
from entraide_scheduler.store.store import Store
from entraide_scheduler.store.writer import WhenFull
from entraide_scheduler.store.wrong_dates import find_wrong_dates


async def act_on_decision(
    clock: ClockState, recovered: RecoveredState, store: Store, config: SchedulerConfig
) -> RecoveredState:
    """Returns a recovered pool as the operator decided.

    Args:
        clock: what ``wait_until_decided`` returned.
        recovered: the pool.
        store: its store.
        config: of its scheduler.
    """
    state = Path(config.dir)
    if clock is ClockState.BACK:
        retention = config.journal.retention
        recovered = await set_back(recovered, store, state, retention=retention)
    elif recovered.at:  # a store that has no trusted time yet trusts its last event, not the clock
        await store.write(partial(trusted_time.advance, now=recovered.at), WhenFull.DROP)
    if clock is not ClockState.AHEAD:  # a start that breaks off before its first event goes on
        forget_decision(state)
    return recovered


async def set_back(
    recovered: RecoveredState, store: Store, state: Path, *, retention: Retention
) -> RecoveredState:
    """Returns a recovered pool at the system clock's time; its snapshot is on disk.

    Args:
        recovered: the pool, whose time is later.
        store: of the pool.
        state: its directory, where the records with wrong dates are noted.
        retention: of the journal.

    Raises:
        StorageFull: the snapshot cannot be written.
    """
    now = time.time()
    setting = Setting(now, recovered.at, await store.read(partial(find_wrong_dates, at=now)))
    add_setting(state, setting)
    frame = DriverSnapshot(
        core=clock_setting.set_clock(recovered.core.snapshot(), now),
        event_id=recovered.event_id,
        at=now,
        incarnation=recovered.incarnation,
        digest=recovered.digest,
        version=entraide.__version__,
        clock_settings=recovered.clock_settings + 1,
    )
    await store.write(partial(_write, frame=frame, retention=retention))
    structlog.get_logger("entraide.clock").warning(
        "clock.set_back",
        by_s=round(recovered.at - now),
        wrong={f"{each.table}.{each.column}": each.records for each in setting.records},
    )
    return structs.replace(
        recovered,
        core=Core.restore(frame.core),
        at=now,
        periods={},
        base=frame.core,
        since=[],
        clock_settings=frame.clock_settings,
    )


def _write(connection: Connection, frame: DriverSnapshot, retention: Retention) -> None:
    journal.date_no_later(connection, frame.at)
    trusted_time.advance(connection, frame.at)
    state = msgspec.msgpack.encode(frame)
    journal.put_snapshot(connection, frame.event_id, state, at=frame.at, retention=retention)
