"""Faults: carries out the schedule on the pool, and undoes each fault in its time.

``tick`` is called often. A process that is down is started again when its time has come; one that
ended by itself is started again at once, as a service manager does. If the target of a kill is down
already, another process of its kind is killed; if there is none, the fault waits.
"""

import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct
from tests.chaos import schedule
from tests.chaos.pool import ChaosPool
from tests.chaos.run_folder import Exit, RunFolder
from tests.chaos.schedule import Fault
from tests.small_disk import SmallDisk
from tests.testbed.network import Network

WAIT_MAX_S = 20.0  # a fault that waits longer is left out
SERVICE_MANAGER_S = 0.5  # until an ended process is started again

DONE, MISSED = "done", "missed"


class Executed(Struct, frozen=True):
    """A fault that has happened, or could not.

    Attributes:
        index: in the schedule.
        kind, target: as in the schedule; another target if that one was down.
        at: seconds since the epoch.
        run_s: time of the run.
        lasts_s: as in the schedule.
        result: ``done`` or ``missed``.
    """

    index: int
    kind: str
    target: str
    at: float
    run_s: float
    lasts_s: float
    result: str = DONE


class FaultMaker:
    """Makes the faults of one run.

    Args:
        faults: the schedule.
        begin: index of the first fault that has not happened yet.
        pool: whose parts are killed.
        network: whose links are cut.
        disk: that is filled.
        folder: of the run.
    """

    def __init__(
        self, faults: Sequence[Fault], begin: int, *, pool: ChaosPool, network: Network,
        disk: SmallDisk, folder: RunFolder,
    ) -> None:  # fmt: skip
        self._faults, self._next = faults, begin
        self._pool, self._network, self._disk, self._folder = pool, network, disk, folder
        self._late: deque[tuple[int, Fault]] = deque()
        self._undo: dict[str, tuple[float, Callable[[], None]]] = {}

    @property
    def is_over(self) -> bool:
        """Whether every fault has happened and is undone."""
        return self._next >= len(self._faults) and not self._late and not self._undo

    @property
    def done(self) -> int:
        """Faults of the schedule that have happened or were left out, without a gap."""
        return min((index for index, _ in self._late), default=self._next)

    def tick(self, run_s: float) -> None:
        """Does what is due at a time of the run."""
        self._keep_parts()
        now = time.monotonic()
        for name, (at, undo) in list(self._undo.items()):
            if now >= at:
                del self._undo[name]
                undo()
        while self._next < len(self._faults) and self._faults[self._next].at_s <= run_s:
            self._late.append((self._next, self._faults[self._next]))
            self._next += 1
        for _ in range(len(self._late)):
            index, fault = self._late.popleft()
            self._try(index, fault, run_s)

    def undo_all(self) -> None:
        """Ends all faults now, and starts all parts."""
        for _, undo in self._undo.values():
            undo()
        self._undo.clear()
        self._late.clear()

    def _try(self, index: int, fault: Fault, run_s: float) -> None:
        target = self._make(fault)
        result = DONE if target else MISSED
        if not target and run_s - fault.at_s < WAIT_MAX_S:
            self._late.append((index, fault))
            return
        self._folder.add("faults", Executed(
            index, fault.kind, target or fault.target, time.time(), run_s, fault.lasts_s, result,
        ))  # fmt: skip

    def _make(self, fault: Fault) -> str:
        """Makes a fault; returns its target, "" if it cannot happen now."""
        match fault.kind:
            case schedule.AGENT_KILLED:
                return self._kill(_from(fault.target, schedule.NODES), fault.lasts_s)
            case schedule.GATEWAY_KILLED:
                return self._kill(_from(fault.target, schedule.GATEWAYS), fault.lasts_s)
            case schedule.SCHEDULER_KILLED | schedule.BUS_KILLED:
                return self._kill([fault.target], fault.lasts_s)
            case schedule.ENGINE_KILLED:
                return self._kill_engine(_from(fault.target, schedule.NODES))
            case schedule.LINK_CUT:
                return self._cut(_from(fault.target, schedule.SITES), fault.lasts_s)
            case schedule.CLOCK_MOVED | schedule.CLOCK_DAYS:
                return self._move_clock(fault)
            case schedule.CLOCK_AT_START:
                return self._start_wrong(fault)
            case schedule.ALL_SILENT:
                return self._silence(fault.lasts_s)
            case _:
                return self._fill(fault.lasts_s)

    def _kill(self, names: Sequence[str], again_in_s: float) -> str:
        parts = self._pool.parts
        return next((name for name in names if name in parts and parts[name].kill(again_in_s)), "")

    def _silence(self, lasts_s: float) -> str:
        """Has every agent stand still; those that are killed meanwhile start as always."""
        if schedule.ALL_NODES in self._undo:
            return ""
        parts = [self._pool.parts[name] for name in self._pool.nodes]

        def send(number: signal.Signals) -> None:
            for part in parts:
                part.send(number)

        send(signal.SIGSTOP)
        self._later(schedule.ALL_NODES, lasts_s, lambda: send(signal.SIGCONT))
        return schedule.ALL_NODES

    def _kill_engine(self, names: Sequence[str]) -> str:
        for name in filter(self._pool.parts.__contains__, names):
            pid = self._pool.engine_pid(name)
            if pid is not None:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                return name
        return ""

    def _cut(self, sites: Sequence[str], lasts_s: float) -> str:
        for site in sites:
            if f"link {site}" not in self._undo:
                self._network.cut(site)
                self._later(f"link {site}", lasts_s, lambda site=site: self._network.heal(site))
                return site
        return ""

    def _move_clock(self, fault: Fault) -> str:
        name = fault.target
        if f"clock {name}" in self._undo:
            return ""
        self._pool.move_clock(name, fault.by_s)
        self._later(f"clock {name}", fault.lasts_s, lambda: self._pool.move_clock(name, 0.0))
        return name

    def _start_wrong(self, fault: Fault) -> str:
        """Kills a process, which is started again at once, and whose clock is wrong then."""
        if f"clock {fault.target}" in self._undo or not self._kill([fault.target], 0.0):
            return ""
        return self._move_clock(fault)

    def _fill(self, lasts_s: float) -> str:
        if schedule.DISK in self._undo:
            return ""
        self._disk.fill()
        self._later(schedule.DISK, lasts_s, self._disk.empty)
        return schedule.DISK

    def _later(self, name: str, after_s: float, undo: Callable[[], None]) -> None:
        self._undo[name] = (time.monotonic() + after_s, undo)

    def _keep_parts(self) -> None:
        """Starts every part again that is down and whose time has come."""
        now = time.monotonic()
        for name, part in self._pool.parts.items():
            if part.pid is not None:
                continue
            if not part.restart_at:
                self._folder.add("exits", Exit(name, part.status or 0, time.time()))
                part.restart_at = now + SERVICE_MANAGER_S
            elif now >= part.restart_at:
                part.restart_at = now + SERVICE_MANAGER_S  # until it is started
                with contextlib.suppress(OSError):  # the disk is full: it is tried again
                    self._pool.start(name)


def _from(first: str, names: Sequence[str]) -> list[str]:
    """The names in their order, beginning with one of them."""
    begin = list(names).index(first)
    return [*names[begin:], *names[:begin]]
