"""Answered runs: kept jobs whose answers are stored and not settled yet.

Written in the transaction that stores the answer, and deleted in that of the settlement. What a
start finds here is settled by the usage that came with the answer, whether or not the node still
reports it.
"""

from collections.abc import Collection

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, exists, insert, select

from entraide.decoding import MsgpackDecoder
from entraide.types import Usage
from entraide_scheduler.store.compiled import CompiledStatement
from entraide_scheduler.store.schema import answered, settled

_usage = MsgpackDecoder[Usage](Usage)
_encode = msgspec.msgpack.Encoder().encode
# ``EXISTS`` reads this short table and looks each job up; ``IN`` would read all of ``settled``.
_DELETE_SETTLED = CompiledStatement(
    delete(answered).where(exists().where(settled.c.job == answered.c.job)), ()
)


class AnsweredRun(Struct, frozen=True):
    """A run whose answer is stored.

    Attributes:
        job, epoch, node: the lease.
        usage: of the run, as the answer's end had it.
    """

    job: str
    epoch: int
    node: str
    usage: Usage


def add_run(connection: Connection, run: AnsweredRun) -> None:
    """Adds a run, unless its job is settled already."""
    known = select(settled.c.job).where(settled.c.job == run.job)
    if connection.execute(known).first() is None:
        values = {"job": run.job, "epoch": run.epoch, "node": run.node}
        connection.execute(insert(answered).values(**values, usage=_encode(run.usage)))


def delete_settled(connection: Connection) -> None:
    """Deletes the runs of settled jobs; the table is short, and most settlements find it empty."""
    _DELETE_SETTLED.execute(connection, ())


def delete_runs(connection: Connection, jobs: Collection[str]) -> None:
    """Deletes runs that cannot be settled."""
    connection.execute(delete(answered).where(answered.c.job.in_(jobs)))


def list_runs(connection: Connection) -> tuple[AnsweredRun, ...]:
    """Returns all runs; there are at most as many as jobs ran at once."""
    columns = (answered.c.job, answered.c.epoch, answered.c.node, answered.c.usage)
    return tuple(
        AnsweredRun(job, epoch, node, _usage.decode(usage))
        for job, epoch, node, usage in connection.execute(select(*columns))
    )
