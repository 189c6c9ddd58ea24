"""Watchers: check the store and the processes of a run from outside.

The store is read only. Its promises: the amounts of each unit in the ledger sum to zero; a job is
settled once; a kept job that was accepted is there until its client has its answer.
"""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
from msgspec import Struct
from tests.chaos.fair_clock import FairClock
from tests.chaos.pool import ChaosPool
from tests.chaos.run_folder import RunFolder

from entraide_node.engines.llamacpp_child import MODULE as ENGINE_MODULE

MARK = "ENTRAIDE_CHAOS_RUN"
GHOST_S = 10.0
BUSY_S = 30.0


class Sample(Struct, frozen=True):
    """The processes at one time.

    Attributes:
        at: seconds since the epoch.
        run_s: time of the run.
        rss_mb: resident memory by part, without engines.
        descriptors: open file descriptors by part.
        slowdown: see ``fair_clock``.
        store_mb: size of the store.
    """

    at: float
    run_s: float
    rss_mb: dict[str, float]
    descriptors: dict[str, int]
    slowdown: float
    store_mb: float


class StoreWatcher:
    """Reads the store of a pool that runs."""

    def __init__(self, path: Path, folder: RunFolder) -> None:
        self._path = path
        self._folder = folder

    def rows(self, query: str) -> list[Any]:
        """What a query gives now."""
        with closing(
            sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=BUSY_S)
        ) as store:
            return store.execute(query).fetchall()

    def check(self) -> None:
        """Checks what must hold at any time."""
        for unit, amount in self.rows("SELECT unit, sum(amount) FROM entries GROUP BY unit"):
            if amount:
                self._folder.broken("ledger", unit, f"sums to {amount}")
        twice = "SELECT job FROM settled WHERE run = 0 GROUP BY job HAVING count(*) > 1"
        for (job,) in self.rows(twice):
            self._folder.broken("settled_once", job, "two settlements")

    def check_end(self) -> dict[str, int]:
        """Checks what must hold once nothing runs; returns counts."""
        self.check()
        queries = {
            "kept_open": "SELECT count(*) FROM kept WHERE ended_at = 0",
            "answered": "SELECT count(*) FROM answered",
            "settled": "SELECT count(*) FROM settled WHERE run = 0",
            "entries": "SELECT count(*) FROM entries",
        }
        counts = {name: int(self.rows(query)[0][0]) for name, query in queries.items()}
        for name in ("kept_open", "answered"):
            if counts[name]:
                self._folder.broken(name, "store", f"{counts[name]} left at the end")
        return counts


class ProcessWatcher:
    """Watches memory and descriptors, and looks for engines without an agent."""

    def __init__(self, pool: ChaosPool, folder: RunFolder, clock: FairClock) -> None:
        self._pool, self._folder, self._clock = pool, folder, clock
        self._orphans: dict[int, float] = {}

    def sample(self, run_s: float) -> Sample:
        """Measures, and adds the sample to the run's file."""
        rss_mb, descriptors = {}, {}
        for name, part in self._pool.parts.items():
            try:
                process = psutil.Process(part.pid) if part.pid else None
                if process is not None:
                    rss_mb[name] = round(process.memory_info().rss / 1e6, 1)
                    descriptors[name] = process.num_fds()
            except psutil.Error:
                continue
        store = self._folder.pool / "store.db"
        size_mb = store.stat().st_size / 1e6 if store.exists() else 0.0
        sample = Sample(
            time.time(), run_s, rss_mb, descriptors, round(self._clock.slowdown, 2), size_mb
        )
        self._folder.add("samples", sample)
        return sample

    def look_for_ghosts(self) -> int:
        """Finds engines whose agent has gone; one that stays too long breaks a promise."""
        orphans = {}
        agents = {part.pid for part in self._pool.parts.values()}
        for process in psutil.process_iter():
            try:
                if ENGINE_MODULE not in process.cmdline() or process.ppid() in agents:
                    continue
                if process.environ().get(MARK) == os.environ[MARK]:
                    orphans[process.pid] = self._orphans.get(process.pid, self._clock())
            except psutil.Error:
                continue
        for pid, since_s in orphans.items():
            if self._clock() - since_s > GHOST_S:
                self._folder.broken("ghost", str(pid), "an engine without its agent")
        self._orphans = orphans
        return len(orphans)
