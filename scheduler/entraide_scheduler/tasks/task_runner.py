"""Task runner: starts, holds and ends the operator's tasks, each in a bounded process.

A task is of one kind; the last of each kind is held in memory until the scheduler stops. Of the
kinds of one group, one task runs at a time. ``replay_task`` and ``pin_task`` say what a task does.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import structlog
from msgspec import Struct

from entraide.v1 import admin_pb2

POLICY, DEMAND, PIN = "policy", "demand", "pin"
GROUPS: Mapping[str, str] = MappingProxyType({POLICY: "replay", DEMAND: "replay", PIN: "pin"})
FOLDER_PREFIX = ".task-"


class TaskResult(Struct, frozen=True):
    """What a task came to.

    Attributes:
        fault: why it failed, a sentence; "" if it did not.
        said: what its command printed.
        replayed: of a replay.
        report: HTML.
    """

    fault: str = ""
    said: str = ""
    replayed: admin_pb2.Replayed | None = None
    report: bytes = b""


Work = Callable[[Path], Awaitable[TaskResult]]  # in a folder that is deleted afterwards


class TaskPlan(Struct, frozen=True):
    """A task to start.

    Attributes:
        kind: a key of ``GROUPS``.
        about: what it is about: a version or a model; or "".
        wall_s: until it is ended.
        work: does it.
    """

    kind: str
    about: str
    wall_s: float
    work: Work


class HeldTask(Struct):
    """A task that runs or has ended. States: running, done, failed, cancelled."""

    plan: TaskPlan
    started_at: float
    state: str = "running"
    ended_at: float = 0.0
    result: TaskResult = TaskResult()
    running: asyncio.Task[None] | None = None


class TaskRunner:
    """The tasks of a scheduler.

    Args:
        home: the pool's directory; folders of tasks are made in it.
        now: seconds since the epoch.
    """

    def __init__(self, home: Path, *, now: Callable[[], float]) -> None:
        self._home = home
        self._now = now
        self._held: dict[str, HeldTask] = {}
        self._log = structlog.get_logger("entraide.tasks")
        for left in home.glob(f"{FOLDER_PREFIX}*"):  # of a scheduler that was killed
            shutil.rmtree(left, ignore_errors=True)

    def get(self, kind: str) -> HeldTask | None:
        """Returns the last task of a kind."""
        return self._held.get(kind)

    def find_running(self, kind: str) -> HeldTask | None:
        """Returns the task that runs of a kind's group."""
        group = GROUPS[kind]
        return next(
            (
                held
                for held in self._held.values()
                if held.state == "running" and GROUPS[held.plan.kind] == group
            ),
            None,
        )

    def start(self, plan: TaskPlan) -> HeldTask:
        """Starts a task; no other of its group may run."""
        assert self.find_running(plan.kind) is None
        held = self._held[plan.kind] = HeldTask(plan, self._now())
        held.running = asyncio.create_task(self._run(held), name=f"task-{plan.kind}")
        self._log.info("task.started", kind=plan.kind, about=plan.about)
        return held

    async def cancel(self, kind: str) -> HeldTask | None:
        """Ends the running task of a kind; returns the last one of that kind."""
        held = self._held.get(kind)
        if held is not None and held.running is not None:
            held.running.cancel()
            await asyncio.wait({held.running})
        return held

    async def stop(self) -> None:
        """Ends all tasks."""
        for kind in list(self._held):
            await self.cancel(kind)

    async def _run(self, held: HeldTask) -> None:
        try:
            with tempfile.TemporaryDirectory(dir=self._home, prefix=FOLDER_PREFIX) as folder:
                held.result = await held.plan.work(Path(folder))
            held.state = "failed" if held.result.fault else "done"
        except asyncio.CancelledError:
            held.state = "cancelled"
        except Exception as problem:  # noqa: BLE001  (whatever a task does, the pool goes on)
            self._log.exception("task.failed", kind=held.plan.kind)
            held.state, held.result = "failed", TaskResult(fault=type(problem).__name__)
        finally:
            held.ended_at, held.running = self._now(), None
            self._log.info("task.ended", kind=held.plan.kind, state=held.state)


def task_message(kind: str, held: HeldTask | None, *, report: bool = False) -> admin_pb2.Task:
    """Returns a task's message; of a kind without a task the state ``none``."""
    if held is None:
        return admin_pb2.Task(kind=kind, state="none")
    message = admin_pb2.Task(
        kind=kind,
        state=held.state,
        about=held.plan.about,
        started_at=held.started_at,
        ended_at=held.ended_at,
        ends_by=held.started_at + held.plan.wall_s,
        fault=held.result.fault,
        said=held.result.said,
        report=held.result.report if report else b"",
    )
    if held.result.replayed is not None:
        message.replayed.CopyFrom(held.result.replayed)
    return message
