"""Sweep: runs many cases on this machine's processors or on a Ray cluster.

Each result is stored in a file under its case's key as soon as it arrives, so an interrupted sweep
resumes where it stopped. The order in which cases finish does not change the results.
"""

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Container, Iterator, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import Struct

from entraide.decoding import decode_msgpack
from entraide.files import write_atomically
from entraide_sim.runs.process_pool import ProcessPool
from entraide_sim.runs.simulate import Case, simulate
from entraide_sim.scenario import RunResult, Scenario, version

PARALLEL_MAX = 64
RAY_RETRIES = 10  # of a case whose cluster node was lost
RAY_PENDING_MAX = 1_000


class CaseTask(Struct, frozen=True):
    """A case to run, with its files where it is sent to another machine."""

    case: Case
    table: bool = False
    files: dict[str, bytes] = {}


class CaseOutcome(Struct, frozen=True):
    """The result of a case, and its jobs as Parquet if requested."""

    result: RunResult
    table: bytes = b""


def run_task(parcel: CaseTask, progress: Callable[[float], None] | None = None) -> CaseOutcome:
    """Runs one case in this process.

    Raises:
        ValueError: a file of the scenario is invalid.
    """
    if not parcel.files:
        return _run_task(parcel, progress)
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, content) in enumerate(sorted(parcel.files.items())):
            (Path(folder) / _unpacked_name(number, name)).write_bytes(content)
        scenario = with_file_names(
            parcel.case.scenario,
            {
                name: _unpacked_name(number, name)
                for number, name in enumerate(sorted(parcel.files))
            },
        )
        case = msgspec.structs.replace(parcel.case, scenario=scenario, home=folder)
        return _run_task(msgspec.structs.replace(parcel, case=case), progress)


def _run_task(parcel: CaseTask, progress: Callable[[float], None] | None) -> CaseOutcome:
    result, table = simulate(parcel.case, clock=time.perf_counter, progress=progress)
    if not parcel.table:
        return CaseOutcome(result)
    import polars as pl  # noqa: PLC0415 - only needed for the table of jobs

    file = BytesIO()
    pl.DataFrame({name: table[name] for name in sorted(table)}).write_parquet(file)
    return CaseOutcome(result, file.getvalue())


def local_parallelism(wanted: int = 0) -> int:
    """Returns the number of parallel cases: ``wanted``, or the number of processors."""
    return min(PARALLEL_MAX, wanted or len(os.sched_getaffinity(0)))


# Running cases.


class SweepRunner:
    """Runs cases; a context manager that terminates its processes on exit.

    Args of the constructor:
        keep: folder of finished results.
        resume: take finished results from there.
        at_once: number of parallel cases on this machine; 0 for all processors.
        ray: address of a Ray cluster; "" to run here, ``local`` to start one here.
        progress: called with the progress of a single case, from 0 to 1.
    """

    def __init__(
        self,
        *,
        keep: Path,
        resume: bool = False,
        at_once: int = 0,
        ray: str = "",
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self.parallel = local_parallelism(at_once)
        self._cache_folder = keep
        self._resume = resume
        self._ray = ray
        self._progress = progress
        self._pool: ProcessPool | None = None

    def __enter__(self) -> Self:
        if self._ray:
            _connect_ray(self._ray)
        return self

    def __exit__(self, *_: object) -> None:
        if self._ray:
            _disconnect_ray()
        if self._pool is not None:
            self._pool.terminate()

    def __call__(
        self, cases: Sequence[Case], *, tables: Container[int] = ()
    ) -> Iterator[tuple[int, CaseOutcome]]:
        """Runs cases, and yields each outcome with the index of its case as it finishes.

        Args:
            cases: to run.
            tables: indices of the cases whose tables of jobs to include.

        Raises:
            ValueError: a file of a scenario is invalid.
        """
        left: dict[int, CaseTask] = {}
        for number, case in enumerate(cases):
            cached = (
                load_outcome(self._cache_folder, cache_key(case), tables=number in tables)
                if self._resume
                else None
            )
            if cached is None:
                left[number] = CaseTask(case, number in tables)
            else:
                yield number, cached
        run = _run_on_ray(left) if self._ray else self._run_locally(left)
        for number, outcome in run:
            store_outcome(self._cache_folder, cache_key(cases[number]), outcome)
            yield number, outcome

    def _run_locally(self, parcels: dict[int, CaseTask]) -> Iterator[tuple[int, CaseOutcome]]:
        if self.parallel == 1 or (len(parcels) <= 1 and self._pool is None):
            for number, parcel in parcels.items():
                yield number, run_task(parcel, self._progress)
            return
        if self._pool is None:
            self._pool = ProcessPool(run_task, self.parallel)
        yield from self._pool.map_unordered(parcels)


# Ray is imported where it is used: only cluster sweeps need it, and its import is slow.


def _connect_ray(address: str) -> None:
    import ray  # noqa: PLC0415

    ray.init(
        address=None if address == "local" else address,
        logging_level=logging.ERROR,
        log_to_driver=False,
        include_dashboard=False,
    )


def _disconnect_ray() -> None:
    import ray  # noqa: PLC0415

    ray.shutdown()


def _run_on_ray(parcels: dict[int, CaseTask]) -> Iterator[tuple[int, CaseOutcome]]:
    """Runs tasks on the cluster; a task whose node is lost is run again elsewhere."""
    import ray  # noqa: PLC0415

    remote = ray.remote(max_retries=RAY_RETRIES, retry_exceptions=False)(_run_remote_task)
    waiting = iter(parcels.items())
    pending: dict[Any, int] = {}
    while True:
        for number, parcel in islice(waiting, RAY_PENDING_MAX - len(pending)):
            packed = msgspec.structs.replace(parcel, files=_read_files(parcel.case))
            pending[remote.remote(msgspec.msgpack.encode(packed))] = number
        if not pending:
            return
        done, _ = ray.wait(list(pending), num_returns=1)
        for reference in done:
            outcome = decode_msgpack(ray.get(reference), type=CaseOutcome)
            yield pending.pop(reference), outcome


def _run_remote_task(packed: bytes) -> bytes:
    """Runs an encoded task on a cluster node that has this package."""
    return msgspec.msgpack.encode(run_task(decode_msgpack(packed, type=CaseTask)))


# Files that a scenario names.


def scenario_files(scenario: Scenario) -> list[str]:
    """Returns the files that a scenario names, relative to its folder, each once."""
    names = {workload.trace for workload in scenario.workloads}
    for site in scenario.sites:
        names |= {site.intensity, site.forecast, site.surplus}
    return sorted(names - {""})


def _read_files(case: Case) -> dict[str, bytes]:
    return {name: (Path(case.home) / name).read_bytes() for name in scenario_files(case.scenario)}


def _unpacked_name(number: int, name: str) -> str:
    return f"{number}{Path(name).suffix}"


def with_file_names(scenario: Scenario, new: dict[str, str]) -> Scenario:
    """Returns a scenario with other file names."""
    replace = msgspec.structs.replace
    return replace(
        scenario,
        sites=tuple(
            replace(
                site,
                intensity=new.get(site.intensity, ""),
                forecast=new.get(site.forecast, ""),
                surplus=new.get(site.surplus, ""),
            )
            for site in scenario.sites
        ),
        workloads=tuple(
            replace(workload, trace=new.get(workload.trace, "")) for workload in scenario.workloads
        ),
    )


# Stored outcomes.


def cache_key(case: Case) -> str:
    """Returns the key of a case: a digest of everything that its result depends on."""
    digest = hashlib.sha256(version().encode())
    digest.update(msgspec.json.encode((case.scenario, case.seed, case.label)))
    for name in scenario_files(case.scenario):
        digest.update((Path(case.home) / name).read_bytes())
    return digest.hexdigest()[:24]


def load_outcome(folder: Path, key: str, *, tables: bool) -> CaseOutcome | None:
    """Returns a stored outcome; None if there is none, or no table although requested."""
    try:
        outcome = decode_msgpack((folder / f"{key}.run").read_bytes(), type=CaseOutcome)
    except (OSError, msgspec.MsgspecError):
        return None
    return outcome if outcome.table or not tables else None


def store_outcome(folder: Path, key: str, outcome: CaseOutcome) -> None:
    """Stores an outcome atomically: the file is complete or absent."""
    write_atomically(folder / f"{key}.run", msgspec.msgpack.encode(outcome))
