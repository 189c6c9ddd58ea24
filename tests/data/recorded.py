"""Recorded pools: where the recordings are, how a test opens one, and what it must find in it.

A recording has a name (``record_state.py`` tells how it is made; ``base`` has the formats of the
first release), and files beside this module:

- ``state-NAME.tar.xz``: the state folder of a pool that was stopped, without logs, process files
  and checksums of weights. All of its keys are of a pool that no longer runs.
- ``journal-NAME.gz``: what ``entraide scheduler journal export`` gave for that folder.
  That of ``base`` is of a later life, recorded when late work was placed otherwise: a journal whose
  placements are no longer made tells little after the first of them.
- ``journal-NAME-busy.gz``: the part of the same journal that begins with a snapshot taken when
  most jobs waited and ran.
- ``golden-NAME.json``: what the code that recorded found in these files.

From the first release on, these files are never changed. One file is: ``decisions.json`` holds what
the present code decides when it is fed the recorded journals. A change that means to decide
otherwise writes that file again (``python -m tests.data.recorded``) and says why in its commit; any
other change leaves it as it is.
"""

import hashlib
import sqlite3
import tarfile
import tomllib
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import tomli_w
from alembic.script import ScriptDirectory
from msgspec import Struct
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.schema import CreateColumn
from tests.contract.receipts import is_signed_by

from entraide.types import Receipt, RequestFacts
from entraide.wire.nats import public_user_key
from entraide_node import keys
from entraide_scheduler.catalogue import PoolCatalogue
from entraide_scheduler.config import load_config
from entraide_scheduler.core.commands import Command
from entraide_scheduler.core.events import Event
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.recording import event_of, next_digest
from entraide_scheduler.driver import recover
from entraide_scheduler.gateway.jobs import Sealer
from entraide_scheduler.nats.identity import PoolIdentity, load_sealing_key
from entraide_scheduler.nats.receipt_keys import load_catalogue_key, load_receipt_keys
from entraide_scheduler.store.database import migration_config
from entraide_scheduler.store.rows import KeptJobRow
from entraide_scheduler.store.schema import metadata
from entraide_scheduler.store.store import Store
from entraide_sim.recordings.recording import read_head, read_lines, replay_exactly

DATA = Path(__file__).resolve().parent
NAMES = sorted(path.stem.removeprefix("golden-") for path in DATA.glob("golden-*.json"))
TOP = "pool"  # the one folder inside an archive
KEPT_MAX = 1_000
DECISIONS = DATA / "decisions.json"


class JournalFacts(Struct, frozen=True):
    """What a recorded journal holds and leads to.

    Attributes:
        events, commands: number of each kind.
        commands_sha256: over the MessagePack of each event's list of commands, in order.
        digest: end of the journal's own chain of digests, hexadecimal.
    """

    events: dict[str, int]
    commands: dict[str, int]
    commands_sha256: str
    digest: str


class StateFacts(Struct, frozen=True):
    """What a recorded state folder holds.

    Attributes:
        incarnation: how often the scheduler had started.
        event_id: of the last event.
        digest: end of the chain of digests, hexadecimal.
        shares: each co-op's, by the policy in force.
        quotas: number of each co-op's quotas.
        catalogue: its version and its number of models, as the core knows it.
        zones: each node's zone.
        api_keys: number of each co-op's keys, revoked ones too.
        settled: number of jobs in the ledger.
        jobs: number of the jobs that the core remembers, by state.
        waiting: number of each co-op's jobs in the fair queue.
        kept: number of kept jobs in the store, by state.
        results_sha256: over the decrypted requests and results of all kept jobs, by identifier.
        receipts: number of kept jobs' receipts that the pool's key has signed.
        balances: of each account in each unit, from the ledger's entries.
    """

    incarnation: int
    event_id: int
    digest: str
    shares: dict[str, float]
    quotas: dict[str, int]
    catalogue: tuple[int, int]
    zones: dict[str, str]
    api_keys: dict[str, int]
    settled: int
    jobs: dict[str, int]
    waiting: dict[str, int]
    kept: dict[str, int]
    results_sha256: str
    receipts: int
    balances: dict[str, dict[str, int]]


class Decisions(Struct, frozen=True):
    """What the present code decides when it is fed a recorded journal.

    Attributes:
        facts: the commands that came out.
        diverged: the first event whose commands differ from those of the recording version; None
            where every command is the same.
    """

    facts: JournalFacts
    diverged: int | None


class Golden(Struct, frozen=True):
    """What the code that made a recording found in it; ``journals`` by the file's name."""

    version: str
    state: StateFacts
    journals: dict[str, JournalFacts]


def golden(name: str) -> Golden:
    """Returns what must be found in a recording."""
    return msgspec.json.decode((DATA / f"golden-{name}.json").read_bytes(), type=Golden)


# The state folder.


def unpack(name: str, folder: Path) -> Path:
    """Unpacks a recorded state folder and returns where it lies.

    The scheduler's config names the folder in which the pool ran: it is replaced.
    """
    with tarfile.open(DATA / f"state-{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    state = folder / TOP
    config = state / "scheduler.toml"
    values = tomllib.loads(config.read_text("utf-8")) | {"dir": str(state)}
    config.write_text(tomli_w.dumps(values), "utf-8")
    _complete_schema(state)
    return state


def _complete_schema(state: Path) -> None:
    """Gives a recording the tables, columns and number that the base schema has today.

    Until the first release, the base schema changes without a migration.
    """
    engine = create_engine(f"sqlite:///{state / 'store.db'}")
    with engine.begin() as connection:
        metadata.create_all(connection)
        for table in metadata.sorted_tables:
            present = {column["name"] for column in inspect(connection).get_columns(table.name)}
            for column in table.columns:
                if column.name not in present:
                    added = CreateColumn(column).compile(dialect=engine.dialect)
                    connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {added}"))
            for name in present - {column.name for column in table.columns}:
                connection.execute(text(f"ALTER TABLE {table.name} DROP COLUMN {name}"))
        head = ScriptDirectory.from_config(migration_config()).get_current_head()
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": head})
    engine.dispose()


def renew_identities(state: Path) -> None:
    """Gives each node a new identity on the bus for its own key, as the scheduler does daily.

    An identity holds for 30 days; a node that was off for longer must join again.
    """
    pool = PoolIdentity(state)
    for home in sorted((state / "nodes").iterdir()):
        stored = keys.read_identity(home)
        jwt = pool.issue_node_jwt(stored.node, public_user_key(stored.seed))
        assert jwt is not None, "the pool has revoked this node"
        keys.save_identity(home, msgspec.structs.replace(stored, jwt=jwt))


def pending(state: Path) -> list[RequestFacts]:
    """Returns the kept jobs that had not ended when the pool stopped."""
    with closing(sqlite3.connect(state / "store.db")) as connection:
        rows = connection.execute("SELECT facts FROM kept WHERE ended_at = 0 ORDER BY job")
        return [msgspec.msgpack.decode(facts, type=RequestFacts) for (facts,) in rows]


def keep_oldest_snapshot(state: Path) -> int:
    """Removes all snapshots but the oldest from a store; returns how many were removed."""
    oldest = "SELECT min(seq) FROM snapshots"
    with closing(sqlite3.connect(state / "store.db")) as connection, connection:
        return connection.execute(f"DELETE FROM snapshots WHERE seq > ({oldest})").rowcount


async def state_facts(state: Path) -> StateFacts:
    """Opens a state folder with the present code and returns what it holds."""
    store = await Store.open(load_config(state / "scheduler.toml").effective_store_url)
    try:
        recovered = await recover(store)
        policy = await store.get_policy()
        assert policy is not None
        catalogue = recovered.core.catalogue()
        assert catalogue == PoolCatalogue(state, load_catalogue_key(state), now=float).catalogue
        rows = {coop.coop: await store.list_kept(coop.coop, KEPT_MAX) for coop in policy.coops}
        kept = sorted(
            (row for source_rows in rows.values() for row in source_rows), key=lambda row: row.job
        )
        return StateFacts(
            incarnation=recovered.incarnation,
            event_id=recovered.event_id,
            digest=recovered.digest.hex(),
            shares={coop.coop: coop.shares for coop in policy.coops},
            quotas={coop.coop: len(coop.quotas) for coop in policy.coops},
            catalogue=(catalogue.version, len(catalogue.models)),
            zones={node.node: node.zone for node in await store.list_nodes()},
            api_keys=counted(key.coop for key in await store.list_keys()),
            settled=await store.count_settled(),
            jobs=counted(str(job.state) for job in recovered.core.jobs()),
            waiting=recovered.core.queue_lengths(),
            kept=counted(row.state for row in kept),
            results_sha256=_results_sha256(kept, Sealer(load_sealing_key(state))),
            receipts=_genuine(kept, state),
            balances=await store.get_balances(),
        )
    finally:
        await store.close()


def counted(names: Any) -> dict[str, int]:
    """Returns how often each name occurs, by name."""
    return dict(sorted(Counter(names).items()))


def _results_sha256(rows: list[KeptJobRow], seal: Sealer) -> str:
    digest = hashlib.sha256()
    for row in rows:
        if row.sealed_body:
            digest.update(seal.unseal(row.job, "request", row.sealed_body))
        if row.sealed_result:
            digest.update(seal.unseal(row.job, "result", row.sealed_result))
    return digest.hexdigest()


def _genuine(rows: list[KeptJobRow], state: Path) -> int:
    public = load_receipt_keys(state).signing.public_key()
    receipts = [
        msgspec.json.decode(row.receipt_json, type=Receipt) for row in rows if row.receipt_json
    ]
    return sum(is_signed_by(receipt, public) for receipt in receipts)


# The journal.


def journals(name: str) -> list[Path]:
    """Returns the journals of a recording."""
    return [DATA / file for file in sorted(golden(name).journals)]


def journal_facts(
    file: Path, watch: Callable[[Core, Event], None] = lambda _core, _event: None
) -> JournalFacts:
    """Replays a journal through the core and returns what came out.

    Args:
        file: the journal.
        watch: is called with the core and each event after it.
    """
    head = read_head(file)
    core, digest = Core.restore(head.core), head.digest
    events: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    commands_digest = hashlib.sha256()
    for line in read_lines(file):
        event = event_of(line)
        commands: list[Command] = core.handle(event)
        events[type(event).__name__] += 1
        asked.update(type(command).__name__ for command in commands)
        commands_digest.update(msgspec.msgpack.encode(commands))
        digest = next_digest(digest, line.event, commands)
        watch(core, event)
    return JournalFacts(
        events=dict(sorted(events.items())),
        commands=dict(sorted(asked.items())),
        commands_sha256=commands_digest.hexdigest(),
        digest=digest.hex(),
    )


def decisions(file: Path) -> Decisions:
    """Returns what the present code decides when it is fed a journal."""
    diverged = replay_exactly(file, read_head(file))[0].diverged
    return Decisions(journal_facts(file), None if diverged is None else diverged.event)


def pinned_decisions() -> dict[str, Decisions]:
    """Returns the decisions on record, by the journal's file name."""
    return msgspec.json.decode(DECISIONS.read_bytes(), type=dict[str, Decisions])


if __name__ == "__main__":
    made = {file.name: decisions(file) for name in NAMES for file in journals(name)}
    DECISIONS.write_bytes(msgspec.json.format(msgspec.json.encode(made)) + b"\n")
