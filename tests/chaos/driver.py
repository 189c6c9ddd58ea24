"""Driver: runs one chaos test from its folder, from its begin or from where it was stopped.

Schedule, pool, clients and watchers come together here: the driver starts the pool and the
clients, makes the faults, looks at store and processes now and then, and after the last fault
waits until everything that was begun has ended.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from tests.chaos import schedule
from tests.chaos.clients import OVER
from tests.chaos.fair_clock import FairClock
from tests.chaos.faults import FaultMaker
from tests.chaos.parts import Part, PartSpec
from tests.chaos.pool import ChaosPool
from tests.chaos.run_folder import RunFolder, Setting
from tests.chaos.watchers import GHOST_S, MARK, ProcessWatcher, Sample, StoreWatcher
from tests.small_disk import SmallDisk, mount_memory
from tests.testbed.network import Network

from entraide.v1 import admin_pb2

TICK_S = 0.05
SAMPLE_S, GHOSTS_S, PROGRESS_S = 10.0, 10.0, 5.0
READY_S = 240.0
END_S = 180.0  # fair seconds for all that was begun, after the last fault
QUIET_S = 30.0
RESTART_S = 3.0  # after a restart, until a run that should not be has begun
CLONE_NEWNET = 0x40000000


class Stopped(Exception):
    """The run was asked to stop; it can go on later."""


class Driver:
    """One run.

    Args:
        folder: of the run.
        setting: what it is.
        network: of the test bed.
        disk: on which the pool's state lies.
    """

    def __init__(
        self, folder: RunFolder, setting: Setting, *, network: Network, disk: SmallDisk
    ) -> None:
        self._folder, self._setting = folder, setting
        self._network, self._disk = network, disk
        os.environ[MARK] = str(folder.path)
        sites = {site: network.namespace(f"site-{site}") for site in schedule.SITES}
        self._pool = ChaosPool(folder, sites, setting.nodes)
        self._clock = FairClock()
        self._store = StoreWatcher(folder.pool / "store.db", folder)
        self._processes = ProcessWatcher(self._pool, folder, self._clock)
        self._clients = self._helper("clients")
        self._bus_watcher = self._helper("bus_watcher")
        self.is_stopped = False

    def run(self) -> None:
        """Runs to the end.

        Raises:
            Stopped: the run was stopped before its end.
        """
        progress = self._folder.document("progress.json") or {"run_s": 0.0, "next": 0}
        try:
            self._start()
            first = self._processes.sample(progress["run_s"])
            if self._folder.document("first_sample.json") is None:
                self._folder.write("first_sample.json", first)
            (self._folder.path / OVER).unlink(missing_ok=True)
            self._bus_watcher.start()
            self._clients.start()
            self._until(lambda: self._running() > 0, "answers run", self._clients)
            self._make_faults(progress["run_s"], progress["next"])
            last = self._end()
            self._folder.write("last_sample.json", last)
        finally:
            self._clients.kill(0.0)
            self._bus_watcher.terminate()
            self._bus_watcher.wait()
            self._pool.stop()
            self._clock.stop()

    def _helper(self, module: str) -> Part:
        """A process of the test's own, not started."""
        command = (sys.executable, "-m", f"tests.chaos.{module}", str(self._folder.path))
        return Part(PartSpec(module, command, self._folder.logs / f"{module}.log"))

    def _start(self) -> None:
        self._pool.start_center()
        scheduler = self._pool.parts[schedule.SCHEDULER]
        self._until(lambda: self._status() is not None, "the scheduler is ready", scheduler)
        if not self._pool.is_made:
            self._pool.make()
        self._pool.start_edges()
        self._until(lambda: self._live() == len(self._pool.nodes), "all nodes are live", scheduler)

    def _make_faults(self, run_s: float, begin: int) -> None:
        """Makes the faults from one of them on, and watches."""
        setting = self._setting
        kinds = tuple(setting.only) or tuple(schedule.KINDS)
        faults = schedule.make_schedule(setting.seed, setting.minutes, kinds)
        self._folder.write("schedule.json", faults)
        maker = FaultMaker(
            faults, begin, pool=self._pool, network=self._network, disk=self._disk,
            folder=self._folder,
        )  # fmt: skip
        length_s = 60.0 * self._setting.minutes
        started = time.monotonic() - run_s
        due = dict.fromkeys(("sample", "ghosts", "progress"), 0.0)
        try:
            while run_s < length_s or not maker.is_over:
                maker.tick(run_s)
                self._watch(run_s, maker, due)
                time.sleep(TICK_S)
                run_s = time.monotonic() - started
                if self._clients.status is not None:
                    raise RuntimeError(f"the clients ended\n{self._clients.log_tail()}")
        finally:
            self._folder.write("progress.json", {"run_s": run_s, "next": maker.done})
            maker.undo_all()
        while not maker.is_over or any(part.pid is None for part in self._pool.parts.values()):
            maker.tick(run_s)
            time.sleep(TICK_S)

    def _watch(self, run_s: float, maker: FaultMaker, due: dict[str, float]) -> None:
        self._check_stop()
        now = time.monotonic()
        if now >= due["sample"]:
            due["sample"] = now + SAMPLE_S
            self._processes.sample(run_s)
            self._store.check()
        if now >= due["ghosts"]:
            due["ghosts"] = now + GHOSTS_S
            self._processes.look_for_ghosts()
        if now >= due["progress"]:
            due["progress"] = now + PROGRESS_S
            self._folder.write("progress.json", {"run_s": run_s, "next": maker.done})

    def _end(self) -> Sample:
        """Lets all that was begun end, then looks for what is left."""
        (self._folder.path / OVER).touch()
        if not self._within(END_S, lambda: self._clients.status is not None):
            self._folder.broken("end", "clients", f"not over after {END_S:g} s")
        elif self._clients.status:
            self._folder.broken("end", "clients", self._clients.log_tail(5))
        if not self._within(QUIET_S, self._is_quiet):
            status = self._status()
            left = f"running {status.running}, queued {status.queued}" if status else "no answer"
            self._folder.broken("ghost", "scheduler", left)
        self._await_no_ghost()
        status = self._status()
        alarms = sum(node.false_alarms for node in status.nodes) if status else 0
        self._folder.write("end.json", {**self._store.check_end(), "false_alarms": alarms})
        last = self._processes.sample(60.0 * self._setting.minutes)
        self._check_restart()
        return last

    def _await_no_ghost(self) -> None:
        self._within(GHOST_S + 1.0, lambda: not self._processes.look_for_ghosts())

    def _check_restart(self) -> None:
        """Kills scheduler and agents once all is over: nothing of what has ended runs again."""
        before = self._runs_started()
        names = (schedule.SCHEDULER, *self._pool.nodes)
        for name in names:
            self._pool.parts[name].kill(0.0)
        for name in names:
            self._pool.start(name)
        scheduler = self._pool.parts[schedule.SCHEDULER]
        self._until(lambda: self._live() == len(self._pool.nodes), "all nodes are back", scheduler)
        self._within(RESTART_S, lambda: self._runs_started() > before)
        again = self._runs_started() - before
        if again:
            self._folder.broken("ghost", "scheduler", f"{again} runs began after a restart")
        if not self._within(QUIET_S, self._is_quiet):
            self._folder.broken("ghost", "scheduler", "runs or waiting jobs after a restart")
        self._await_no_ghost()

    def _runs_started(self) -> int:
        return int((self._folder.document("bus.json") or {}).get("StartRun", 0))

    def _is_quiet(self) -> bool:
        status = self._status()
        if status is None:
            return False
        return not (status.running or status.queued or any(n.running for n in status.nodes))

    def _status(self) -> admin_pb2.Status | None:
        try:
            return self._pool.ask("GetStatus", admin_pb2.GetStatusRequest())
        except grpc.RpcError:
            return None

    def _live(self) -> int:
        status = self._status()
        if status is None:
            return 0
        return sum(node.state == "live" and bool(node.models) for node in status.nodes)

    def _running(self) -> int:
        status = self._status()
        return 0 if status is None else status.running

    def _within(self, limit_s: float, condition: Callable[[], bool]) -> bool:
        """Waits for a condition for some fair seconds; returns whether it holds."""
        until_s = self._clock() + limit_s
        while not (holds := condition()) and self._clock() < until_s:
            self._check_stop()
            time.sleep(0.25)
        return holds

    def _until(self, condition: Callable[[], bool], what: str, part: Part) -> None:
        if not self._within(READY_S, condition):
            raise RuntimeError(f"not in time: {what}\n{part.log_tail()}")

    def _check_stop(self) -> None:
        if self.is_stopped:
            raise Stopped


@contextmanager
def inside_namespace(name: str) -> Iterator[None]:
    """Moves this thread, and all that it starts meanwhile, to a network namespace."""
    with Path("/proc/self/ns/net").open("rb") as before:
        with Path("/run/netns", name).open("rb") as file:
            enter_namespace(file.fileno())
        try:
            yield
        finally:
            enter_namespace(before.fileno())


def enter_namespace(handle: int) -> None:
    """Moves this thread to an open namespace."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(handle, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot enter the namespace")


class MountedDisk:
    """A small file system in memory whose content stays in the run's folder between two runs."""

    SIZE_MB = 384

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder.pool
        self._saved = folder.path / "pool.saved"

    def __enter__(self) -> SmallDisk:
        self._folder.mkdir(exist_ok=True)
        if not os.path.ismount(self._folder):
            mount_memory(self._folder, size=f"{self.SIZE_MB}m")
            if self._saved.exists():
                shutil.copytree(self._saved, self._folder, dirs_exist_ok=True)
        (self._folder / "filler").unlink(missing_ok=True)
        return SmallDisk(self._folder)

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._saved, ignore_errors=True)
        shutil.copytree(self._folder, self._saved)
        subprocess.run(["umount", "--lazy", str(self._folder)], check=True)
