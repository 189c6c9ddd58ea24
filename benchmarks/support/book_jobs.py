"""Jobs for the books: a day of settled jobs drawn at random, and copies for each day of a month.

The scheduler's code settles the drawn jobs and makes their rows. A copy of a row has another job
and other times; nothing else of it changes. A file's compression looks back 32 KiB, some 30 jobs,
so that copies a day apart make no file smaller.
"""

import struct
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from entraide.types import Basis, JobClass, JobState, ServerPlace, Terms, Usage
from entraide_scheduler.core.accounting import ledger
from entraide_scheduler.core.carbon import make_receipt, settle
from entraide_scheduler.store.compiled import insert_into
from entraide_scheduler.store.counts import add_to_count
from entraide_scheduler.store.rows import SettlementRow
from entraide_scheduler.store.schema import entries, settled
from entraide_scheduler.store.settlements import SETTLED, count_settled, write_settlements
from entraide_scheduler.store.store import Store

COOPS, KEYS_OF_COOP, NODES_OF_COOP = 20, 10, 2
MODELS = ("qwen3-8b", "gpt-oss-20b", "smollm2-135m")
CLASSES = tuple(JobClass)
CLASS_WEIGHTS = (8, 1, 1)
ZONES = (("CA-QC", 1.7, 31.0), ("CA-ON", 42.0, 70.0), ("CA-AB", 390.0, 460.0))
DRAWN_AT = 1_700_000_000.25  # when the drawn jobs were booked, seconds since the epoch
ROWS_AT_ONCE = 1_000
COPIES_AT_ONCE = 5_000

_INSERT_SETTLED, _INSERT_ENTRIES = insert_into(settled), insert_into(entries)


class Sender(Struct, frozen=True):
    """A key and what it asks for.

    Attributes:
        coop, key: number of its co-op, and of the key in it.
        model, job_class: of its requests.
    """

    coop: int
    key: int
    model: str
    job_class: JobClass


class DrawnJob(Struct, frozen=True):
    """The rows of a job: of its run, and of its lines in the ledger."""

    run: tuple[Any, ...]
    lines: tuple[tuple[Any, ...], ...]


def list_senders() -> list[Sender]:
    """Returns the keys, each with a model and a class of its own."""
    senders = []
    for number in range(COOPS * KEYS_OF_COOP):
        key, coop = divmod(number, COOPS)
        model = MODELS[(coop + key) % len(MODELS)]
        job_class = CLASSES[max(0, key - KEYS_OF_COOP + len(CLASSES))]  # two keys of ten: others
        senders.append(Sender(coop, key, model, job_class))
    return senders


def draw_senders(random: Random, number: int, *, independent: bool) -> Iterator[Sender]:
    """Yields who sends some requests: a key the more often the lower its number is.

    Args:
        random: draws.
        number: of requests.
        independent: each request draws its key, model and class anew, all as likely as each other.
    """
    if not independent:
        senders = list_senders()
        weights = [1.0 / (rank + 1) for rank in range(len(senders))]
        yield from random.choices(senders, weights, k=number)
        return
    for _ in range(number):
        job_class = random.choices(CLASSES, CLASS_WEIGHTS)[0]
        yield Sender(
            random.randrange(COOPS), random.randrange(KEYS_OF_COOP), random.choice(MODELS),
            job_class,
        )  # fmt: skip


def draw_job(random: Random, job: str, sender: Sender) -> SettlementRow:
    """Returns the settlement of one job, booked at ``DRAWN_AT``."""
    lender, node = random.randrange(COOPS), random.randrange(NODES_OF_COOP)
    zone, direct, lifecycle = ZONES[lender % len(ZONES)]
    names = f"coop-{sender.coop:02}", f"coop-{lender:02}"
    terms = Terms(
        job=job, epoch=random.randrange(1, 400), borrower=names[0], node=f"{names[1]}-{node}",
        lender=names[1], site=f"site-{lender}", zone=zone, engine="llama.cpp/b7000",
        model=sender.model, revision="sha256:" + "4f" * 8, job_class=sender.job_class,
        objective_ttft_s=2.0, intensity_direct_g_per_kwh=direct * random.uniform(0.8, 1.2),
        intensity_lifecycle_g_per_kwh=lifecycle * random.uniform(0.8, 1.2),
        intensity_basis=Basis.MEASURED, surplus_basis=None, requested_at=DRAWN_AT - 5.0,
        placed_at=DRAWN_AT - 4.9, policy_version="7", at_risk=False,
        places=(ServerPlace("CA-QC", "member"),),
        node_key=f"U{lender:02}{node}" + "BLG5YDTFBDFMNG35MOFIJLJIQPV2C5M3MMHBQMLHOEM3XEKSSZJ2",
        lender_name=f"Coopérative {lender}",
    )  # fmt: skip
    read, written = random.randint(30, 4_000), random.randint(5, 900)
    usage = Usage(
        read, random.choice((0, read // 2)), written, Basis.MEASURED, read * 3, written * 260,
        random.choice((Basis.MEASURED, Basis.ESTIMATED)), random.uniform(0.1, 3.0),
        random.uniform(1.0, 40.0),
    )  # fmt: skip
    settlement = settle(terms, usage)
    return SettlementRow(
        job=job,
        coop=terms.borrower,
        state=JobState.COMPLETED,
        terms=terms,
        usage=usage,
        settlement=settlement,
        receipt=make_receipt(terms, usage, settlement, settled=True, issued_at=DRAWN_AT),
        entries=ledger.entries(terms, usage, settlement),
        key=f"key-{sender.coop:06x}{sender.key:06x}",
        project="main",
    )


async def draw_day(random: Random, number: int, *, independent: bool) -> list[DrawnJob]:
    """Returns the rows of some jobs, as the scheduler writes them into a store."""
    senders = draw_senders(random, number, independent=independent)
    names = (_name_job(DRAWN_AT, 0, count) for count in range(number))
    rows = [draw_job(random, *pair) for pair in zip(names, senders, strict=True)]
    with tempfile.TemporaryDirectory(prefix="entraide-drawn-") as folder:
        store = await Store.open(f"sqlite:///{Path(folder) / 'drawn.db'}")
        try:
            for first in range(0, number, ROWS_AT_ONCE):
                part = rows[first : first + ROWS_AT_ONCE]
                await store.write(partial(write_settlements, rows=part))
            return await store.read(_read_drawn)
        finally:
            await store.close()


def _read_drawn(connection: Connection) -> list[DrawnJob]:
    lines: dict[str, list[tuple[Any, ...]]] = {}
    for row in connection.execute(select(entries).order_by(entries.c.job, entries.c.line)):
        lines.setdefault(row.job, []).append(tuple(row))
    runs = connection.execute(select(settled).order_by(settled.c.job)).all()
    return [DrawnJob(tuple(run), tuple(lines[run.job])) for run in runs]


async def write_month(
    store: Store, drawn: list[DrawnJob], start_at: float, end_at: float, *, number: int
) -> None:
    """Writes the jobs of a month into a store: each day repeats the drawn ones.

    Args:
        store: of the pool.
        drawn: jobs of a day.
        start_at: begin of the month, seconds since the epoch.
        end_at: its end.
        number: of its jobs.
    """
    random, boot = Random(start_at), int(start_at)
    for first in range(0, number, COPIES_AT_ONCE):
        runs, lines = [], []
        for count in range(first, min(number, first + COPIES_AT_ONCE)):
            at = start_at + (count + random.random()) * (end_at - start_at) / number
            job = drawn[count % len(drawn)]
            name = _name_job(at, boot, count)
            runs.append(copy_run(job.run, name, at))
            lines += [(name, *line[1:]) for line in job.lines]
        await store.write(partial(_write_copies, runs=runs, lines=lines))


def copy_run(run: tuple[Any, ...], name: str, at: float) -> tuple[Any, ...]:
    """Returns a row of another job, booked at another time.

    The job's name and its three times are replaced in the documents, where both have fixed lengths.
    """
    before = run[0].encode(), *map(_pack_time, (DRAWN_AT - 5.0, DRAWN_AT - 4.9, DRAWN_AT))
    after = name.encode(), *map(_pack_time, (at - 5.0, at - 4.9, at))
    values = dict(zip(settled.columns.keys(), run, strict=True))
    for column in ("terms", "receipt"):
        for old, new in zip(before, after, strict=True):
            values[column] = values[column].replace(old, new)
    values["job"], values["settled_at"] = name, at
    return tuple(values.values())


def _write_copies(
    connection: Connection, runs: list[tuple[Any, ...]], lines: list[tuple[Any, ...]]
) -> None:
    _INSERT_SETTLED.execute(connection, runs)
    _INSERT_ENTRIES.execute(connection, lines)
    add_to_count(connection, SETTLED, len(runs), count_settled)


def _pack_time(at: float) -> bytes:
    return struct.pack(">d", at)


def _name_job(at: float, boot: int, count: int) -> str:
    """Returns an identifier of the form and the length of the scheduler's."""
    return f"job-{int(at * 1_000):012x}{boot:010x}{count:08x}"
