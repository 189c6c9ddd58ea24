"""Erasure notes: the numbers of what was erased, which a restore of an earlier backup repeats."""

from sqlalchemy import Connection, delete, insert, select

from entraide_scheduler.store.schema import erasures

JOB_PREFIX, FILE_PREFIX, BATCH_PREFIX = "kept-", "file-", "batch_"
NOTED_MAX = 100_000  # of kept jobs, files and batches each; above, the oldest are forgotten first


def is_noted(connection: Connection, subject: str) -> bool:
    """Whether what has this number was erased."""
    query = select(erasures.c.subject).where(erasures.c.subject == subject)
    return connection.execute(query).first() is not None


def note(connection: Connection, subject: str, now: float) -> None:
    """Notes that what has a number was erased, if it is not noted yet."""
    if is_noted(connection, subject):
        return
    connection.execute(insert(erasures).values(subject=subject, at=now))
    for prefix in (JOB_PREFIX, FILE_PREFIX, BATCH_PREFIX):
        if subject.startswith(prefix):
            of_kind = select(erasures.c.subject).where(erasures.c.subject.startswith(prefix))
            surplus = of_kind.order_by(erasures.c.at.desc()).offset(NOTED_MAX).limit(1)
            oldest = connection.execute(surplus).scalars().all()
            connection.execute(delete(erasures).where(erasures.c.subject.in_(oldest)))
