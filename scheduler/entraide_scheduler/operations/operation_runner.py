"""Operation runner: starts, holds and ends the operator's operations, each in a bounded process.

An operation is of one kind; the last of each kind is held in memory until the scheduler stops. Of
the kinds of one group, one operation runs at a time. ``replay_operation`` and ``pin_operation`` say
what an operation does.
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
FOLDER_PREFIX = ".operation-"


class OperationResult(Struct, frozen=True):
    """What an operation came to.

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


Work = Callable[[Path], Awaitable[OperationResult]]  # in a folder that is deleted afterwards


class OperationPlan(Struct, frozen=True):
    """An operation to start.

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


class HeldOperation(Struct):
    """An operation that runs or has ended. States: running, done, failed, cancelled."""

    plan: OperationPlan
    started_at: float
    state: str = "running"
    ended_at: float = 0.0
    result: OperationResult = OperationResult()
    running: asyncio.Task[None] | None = None


class OperationRunner:
    """The operations of a scheduler.

    Args:
        home: the pool's directory; folders of operations are made in it.
        now: seconds since the epoch.
    """

    def __init__(self, home: Path, *, now: Callable[[], float]) -> None:
        self._home = home
        self._now = now
        self._held: dict[str, HeldOperation] = {}
        self._log = structlog.get_logger("entraide.operations")
        for left in home.glob(f"{FOLDER_PREFIX}*"):  # of a scheduler that was killed
            shutil.rmtree(left, ignore_errors=True)

    def get(self, kind: str) -> HeldOperation | None:
        """Returns the last operation of a kind."""
        return self._held.get(kind)

    def find_running(self, kind: str) -> HeldOperation | None:
        """Returns the operation that runs of a kind's group."""
        group = GROUPS[kind]
        return next(
            (
                held
                for held in self._held.values()
                if held.state == "running" and GROUPS[held.plan.kind] == group
            ),
            None,
        )

    def start(self, plan: OperationPlan) -> HeldOperation:
        """Starts an operation; no other of its group may run."""
        assert self.find_running(plan.kind) is None
        held = self._held[plan.kind] = HeldOperation(plan, self._now())
        held.running = asyncio.create_task(self._run(held), name=f"operation-{plan.kind}")
        self._log.info("operation.started", kind=plan.kind, about=plan.about)
        return held

    async def cancel(self, kind: str) -> HeldOperation | None:
        """Ends the running operation of a kind; returns the last one of that kind."""
        held = self._held.get(kind)
        if held is not None and held.running is not None:
            held.running.cancel()
            await asyncio.wait({held.running})
        return held

    async def stop(self) -> None:
        """Ends all operations."""
        for kind in list(self._held):
            await self.cancel(kind)

    async def _run(self, held: HeldOperation) -> None:
        try:
            with tempfile.TemporaryDirectory(dir=self._home, prefix=FOLDER_PREFIX) as folder:
                held.result = await held.plan.work(Path(folder))
            held.state = "failed" if held.result.fault else "done"
        except asyncio.CancelledError:
            held.state = "cancelled"
        except Exception as problem:  # noqa: BLE001  (whatever an operation does, the pool goes on)
            self._log.exception("operation.failed", kind=held.plan.kind)
            held.state, held.result = "failed", OperationResult(fault=type(problem).__name__)
        finally:
            held.ended_at, held.running = self._now(), None
            self._log.info("operation.ended", kind=held.plan.kind, state=held.state)


def operation_message(
    kind: str, held: HeldOperation | None, *, report: bool = False
) -> admin_pb2.Operation:
    """Returns an operation's message; of a kind without an operation the state ``none``."""
    if held is None:
        return admin_pb2.Operation(kind=kind, state="none")
    message = admin_pb2.Operation(
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
