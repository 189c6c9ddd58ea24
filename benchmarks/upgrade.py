"""Upgrade of a running pool under load: how long new requests wait, and what becomes of streams.

A founded pool of two gateways, with a real node whose engine writes numbers at a fixed pace, goes
over to a wheel of this checkout with a later version number and a later schema. Clients ask all the
time over connections that they keep: long streams of 8 s, short ones, whole answers, and whole
answers over gRPC; none but the last repeats what fails. Linux or macOS.

    python -m benchmarks.upgrade [--json] [--clients N] [--store-mb N] [--stopping]

``--store-mb`` makes the store so much larger. ``--stopping`` takes the other way, which stops the
pool: for a version without a handover. Columns: ``way, store_mb, clients, requests, failed,
longest_wait_s`` (until the first text, or the whole answer, of a request that did not fail),
``longest_gap_s`` (between the first texts of any two requests, one after the other),
``streams_finished, streams_resumed, streams_broken`` (of those that ran at any time of the upgrade;
a broken one had begun to arrive) and, as context, ``handover_s`` (from the trial's begin until the
other version serves; 0 with ``--stopping``), ``total_s`` (of the command) and ``load``.
"""

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.support.common import make_parser, print_rows
from msgspec import Struct
from sqlalchemy import insert
from tests.pool.support import RunningPool, pool_config
from tests.pool.upgrade_load import KINDS, Asked, Load, counting_node, wait_for_model
from tests.pool.wheelhouse import add_migration, build_version, repack_installed

from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.pool.handover import read_record
from entraide_scheduler.store.database import database_url, make_engines
from entraide_scheduler.store.schema import file_parts

VERSION = "9.1.0"
PART_BYTES = 1_000_000
BEFORE = 3  # requests of each client before the upgrade, and after it
POLL_S = 0.05
COMMAND = """
import sys
from entraide.cli import main
from entraide_scheduler.pool import upgrade

if sys.argv.pop(1) == "stopping":
    upgrade._has_parts = lambda environment: False
main(sys.argv[1:])
"""


class Row(Struct, frozen=True):
    """One upgrade; see the module."""

    way: str
    store_mb: int
    clients: int
    requests: int
    failed: int
    longest_wait_s: float
    longest_gap_s: float
    streams_finished: int
    streams_resumed: int
    streams_broken: int
    handover_s: float
    total_s: float
    load: float


def enlarge_store(state: Path, megabytes: int) -> None:
    """Adds parts of a file that no one has to a store."""
    engines = make_engines(database_url(f"sqlite:///{state / 'store.db'}"))
    with engines[0].begin() as connection:
        for number in range(megabytes):
            part = {"file": "file-0", "number": number, "sealed": os.urandom(PART_BYTES)}
            connection.execute(insert(file_parts), [part])
    for engine in engines:
        engine.dispose()


def upgrade(pool: RunningPool, wheel: Path, wheels: Path, way: str) -> tuple[float, float]:
    """Upgrades a pool; returns the seconds of the handover and of the whole command."""
    words = ("pool", "upgrade", str(wheel), "--state", str(pool.state), "--wheels", str(wheels))
    began_at = time.monotonic()
    trial_at = ending_at = 0.0
    command = [sys.executable, "-c", COMMAND, way, *words]
    with subprocess.Popen(command, stdout=sys.stderr) as running:
        while running.poll() is None:
            record = read_record(pool.state)
            step = record.step if record is not None else ""
            now = time.monotonic()
            trial_at = trial_at or (now if step == "trial" else 0.0)
            ending_at = ending_at or (now if step == "ending" else 0.0)
            time.sleep(POLL_S)
    if running.returncode:
        raise RuntimeError(f"the upgrade ended with {running.returncode}\n{pool.logs()}")
    return ending_at - trial_at, time.monotonic() - began_at


def row_of(asked: Sequence[Asked], began_at: float, ended_at: float) -> dict[str, float]:
    """What the clients saw of an upgrade between two moments, on the monotonic clock."""
    during = [each for each in asked if each.ended_at > began_at and each.began_at < ended_at]
    whole = [each for each in during if not each.problem]
    first_texts = sorted(each.began_at + each.waited_s for each in asked if not each.problem)
    streams = [each for each in during if each.kind in {"long", "short"}]
    return {
        "requests": len(during),
        "failed": len(during) - len(whole),
        "longest_wait_s": round(max(each.waited_s for each in whole), 2),
        "longest_gap_s": round(max(b - a for a, b in itertools.pairwise(first_texts)), 2),
        "streams_finished": sum(not each.problem and not each.seams for each in streams),
        "streams_resumed": sum(not each.problem and bool(each.seams) for each in streams),
        "streams_broken": sum(bool(each.problem and each.waited_s) for each in streams),
    }


def measure(clients: int, store_mb: int, way: str) -> Row:
    """Makes everything, and measures one upgrade."""
    with tempfile.TemporaryDirectory() as name:
        folder, config = Path(name), pool_config(gateways=2)
        wheel = build_version(folder, VERSION, add_migration)
        wheels = repack_installed(folder / "wheels", "scheduler")
        state = folder / "pool"
        create_pool(state, config)
        pool = RunningPool(state, config)
        try:
            pool.wait_until_ready()
            enlarge_store(state, store_mb)
            with counting_node(pool, folder):
                wait_for_model(pool)
                with Load(pool, clients) as load:
                    load.wait_for(BEFORE * clients * len(KINDS))
                    began_at = time.monotonic()
                    handover_s, total_s = upgrade(pool, wheel, wheels, way)
                    ended_at = time.monotonic()
                    load.wait_for(len(load.asked) + BEFORE * clients * len(KINDS))
            counts = row_of(load.asked, began_at, ended_at)
        finally:
            pool.stop()
    return Row(
        way=way, store_mb=store_mb, clients=clients, handover_s=round(handover_s, 2),
        total_s=round(total_s, 1), load=round(os.getloadavg()[0], 1), **counts,  # type: ignore[arg-type]
    )  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Measures and prints the row."""
    parser = make_parser(__doc__)
    parser.add_argument("--clients", type=int, default=3, help="of each kind")
    parser.add_argument("--store-mb", type=int, default=0, help="that the store is larger")
    parser.add_argument("--stopping", action="store_true", help="stop the pool, the other way")
    options = parser.parse_args(arguments)
    way = "stopping" if options.stopping else "handover"
    print_rows([measure(options.clients, options.store_mb, way)], as_json=options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
