"""Trusted time: the time up to which what is old is deleted, and the clock by which it moves.

A clock that jumps by days may be wrong, and a deletion cannot be undone. The scheduler therefore
moves the trusted time towards its own by at most ``STEP_S`` a minute, 24 times the speed of a
clock: a clock that is 400 days ahead for two minutes ages nothing by more than 49 minutes, and a
pool that stood still for a day has caught up in an hour. All deletions by age ask ``limit``. Beside
it stands the scheduler's clock at the last step, by which a gateway whose clock is far ``correct``s
the dates of what it keeps. A store whose scheduler has never run follows the clock.
"""

from sqlalchemy import Connection, insert, select, update

from entraide_scheduler.store.schema import trusted_time

EVERY_S = 60.0  # between two steps
STEP_S = 24 * EVERY_S
FAR_AHEAD_S = 7 * 86_400.0  # a pool that stood still for longer is rare, a wrong clock is not
FAR_BACK_S = 600.0


def is_far(offset_s: float) -> bool:
    """Whether a clock that differs by some seconds may be wrong, and is not believed."""
    return not -FAR_BACK_S <= offset_s <= FAR_AHEAD_S


def limit(connection: Connection, now: float) -> float:
    """Returns the time that counts for deletions by age, at most ``now``.

    The trusted time is that of the last step, a minute ago at most; that minute is given.
    """
    trusted = connection.execute(select(trusted_time.c.at)).scalar()
    return now if trusted is None else min(now, trusted + EVERY_S)


def correct(connection: Connection, now: float) -> float:
    """Returns the time of a clock, or that of the scheduler if the clock is far from it."""
    clock_at = connection.execute(select(trusted_time.c.clock_at)).scalar()
    return now if clock_at is None or not is_far(now - clock_at) else float(clock_at)


def advance(connection: Connection, now: float) -> float:
    """Moves the trusted time a step towards the scheduler's, or back to it; returns it."""
    trusted = connection.execute(select(trusted_time.c.at)).scalar()
    if trusted is None:
        connection.execute(insert(trusted_time).values(id=1, at=now, clock_at=now))
        return now
    moved: float = min(now, trusted + STEP_S)
    connection.execute(update(trusted_time).values(at=moved, clock_at=now))
    return moved
