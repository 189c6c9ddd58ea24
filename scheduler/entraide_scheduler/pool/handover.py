"""Handover: takes a running pool over to another version while it goes on serving.

In: the environment of the other version, in ``DIR/upgrade/handover.json``, which ``pool upgrade``
writes before it signals the pool's process. Out: the same file, with how far it is and how it
ended. In this order:

1. The other version's parts load their code, and wait. An interim gateway of the present version
   starts for each gateway, on the same listening sockets: no connection is refused, and none is
   lost in a queue.
2. The present gateways leave: they listen no longer and end the answers that they have begun. The
   scheduler serves the interim gateways until its own gateway has ended its answers, then it ends.
   From now on new requests wait at the interim gateways, whose answers go on.
3. The trial is recorded, the way back is written (``trial``), and the other version's parts begin.
4. Once all are ready the trial ends, and the interim gateways leave. If they do not get ready, the
   files and rows of before are put back and the present version's parts start again.

The upgrade's lock is held by this process meanwhile: if it is killed, the next start takes the lock
and goes back, wherever it was.
"""

import asyncio
import itertools
import socket
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct, structs

from entraide.decoding import decode_json
from entraide.errors import EntraideError
from entraide.files import PRIVATE_DIRECTORY_MODE, write_private
from entraide_scheduler.config import INTERIM
from entraide_scheduler.nats.keyfiles import lock_home
from entraide_scheduler.pool.parts import Commands, answer
from entraide_scheduler.pool.trial import Undo, begin_trial, end_trial
from entraide_scheduler.pool.versions import (
    FOLDER as VERSIONS,
)
from entraide_scheduler.pool.versions import (
    UPGRADE_LOCK,
    python_of,
    remove_others,
    set_current,
)
from entraide_scheduler.supervision.children import Child
from entraide_scheduler.supervision.processes import PoolProcesses
from entraide_scheduler.upgrade_trial import FOLDER

RECORD = "handover.json"
PARTS = "entraide_scheduler.pool.parts"  # of every version that a running pool can go over to
READY_TIMEOUT_S = 240.0
POLL_S = 0.05
PROBLEM_CHARS_MAX = 300
ENDS = ("done", "failed")
FOLLOWING = "following-"  # before the name of a part of the other version that waits

log = structlog.get_logger("entraide.pool")
Sockets = Mapping[str, Sequence[socket.socket]]  # by name of the part that has listened on them


class HandoverRecord(Struct, frozen=True):
    """What is asked, and how far it is.

    Attributes:
        environment: of the other version, a name in ``DIR/versions``.
        previous: of the present one; "" for that of the command.
        version: the other version.
        step: ``asked``, ``leaving``, ``trial``, ``back``, ``ending``, ``done`` or ``failed``.
        problem: why it failed.
    """

    environment: str
    previous: str
    version: str
    step: str = "asked"
    problem: str = ""


class _Failed(Exception):
    """The other version does not come up; the text says why."""


def write_record(state: Path, record: HandoverRecord) -> None:
    """Writes the record of a handover."""
    (state / FOLDER).mkdir(mode=PRIVATE_DIRECTORY_MODE, exist_ok=True)
    write_private(state / FOLDER / RECORD, msgspec.json.encode(record))


def read_record(state: Path) -> HandoverRecord | None:
    """Returns the record of a handover; None without one."""
    try:
        return decode_json((state / FOLDER / RECORD).read_bytes(), type=HandoverRecord)
    except (OSError, msgspec.MsgspecError):
        return None


def delete_record(state: Path) -> None:
    """Deletes the record: no handover is asked for."""
    (state / FOLDER / RECORD).unlink(missing_ok=True)


class Handover:
    """One handover of a running pool.

    Args:
        state: the pool's directory.
        processes: its running parts, which are replaced.
        restart: stops all parts and starts this process's command anew.
    """

    def __init__(
        self,
        state: Path,
        processes: PoolProcesses,
        restart: Callable[[], None],
    ) -> None:
        self._state = state
        self._restart = restart
        self._has_left = False
        self._processes = processes
        self._sockets: Sockets = {}
        self._previous: Path | None = None  # environment; None for that of the command

    async def run(self, record: HandoverRecord) -> None:
        """Hands the pool over, or leaves it as it was; the record says which."""
        problem = "?"
        try:
            with lock_home(self._state, UPGRADE_LOCK):
                problem = await self._run(record)
        except Exception as error:
            log.exception("pool.handover_failed")
            problem = _sentence(error)
        finally:
            self._close_sockets()
        step = "failed" if problem else "done"
        write_record(self._state, structs.replace(record, step=step, problem=problem))
        if self._has_left:  # parts are missing: the next start of this process goes back
            self._restart()

    async def _run(self, record: HandoverRecord) -> str:
        """Returns why the other version does not come up, or ""."""
        present = dict(self._processes.children)
        self._previous = self._state / VERSIONS / record.previous if record.previous else None
        self._sockets = {name: await child.share_sockets() for name, child in present.items()}
        interim: list[Child] = []
        try:
            following = await self._load_following(record)
            await self._start_interim(present, interim)
        except BaseException:
            await self._end_following()
            await asyncio.gather(*(self._end_interim(child) for child in interim))
            raise
        self._note(record, "leaving")
        self._has_left = True
        await asyncio.gather(*(child.leave() for child in present.values()))
        self._note(record, "trial")
        problem = await self._try(record, following)
        if problem:
            self._note(record, "back")
            await self._return()
        self._has_left = False
        self._note(record, "ending")
        self._close_sockets()
        await asyncio.gather(*(self._end_interim(child) for child in interim))
        return problem

    def _close_sockets(self) -> None:
        """Keeps no socket here: a part that starts again listens by itself."""
        for child in self._processes.children.values():
            child.keep_no_sockets()
        for listening in itertools.chain.from_iterable(self._sockets.values()):
            listening.close()

    def _note(self, record: HandoverRecord, step: str) -> None:
        log.info("pool.handover", step=step, version=record.version)
        write_record(self._state, structs.replace(record, step=step))

    async def _load_following(self, record: HandoverRecord) -> dict[str, Child]:
        """Starts the other version's parts, which load their code and wait."""
        environment = self._state / VERSIONS / record.environment
        commands = await self._ask_commands(environment, "parts")
        following = {}
        for name, command in commands.items():
            sockets, key = self._sockets.get(name, ()), f"{FOLLOWING}{name}"
            child = await self._processes.start_child(name, command, sockets=sockets, key=key)
            following[name] = child
        await self._wait_for(following.values(), lambda child: child.is_loaded)
        return following

    async def _end_following(self) -> None:
        names = [name for name in self._processes.children if name.startswith(FOLLOWING)]
        await asyncio.gather(*(self._processes.children.pop(name).stop() for name in names))

    async def _start_interim(self, present: Mapping[str, Child], started: list[Child]) -> None:
        """Starts a gateway beside each of the present ones."""
        commands = await self._ask_commands(self._previous, "interim")
        for number, (name, child) in enumerate(present.items(), 1):
            if not self._sockets[name]:
                raise _Failed(f"{name}: {_last_line(child.read_log_tail())}")
            interim, sockets = f"{INTERIM}{number}", self._sockets[name]
            started.append(
                await self._processes.start_child(interim, commands[name], sockets=sockets)
            )
        await self._wait_for(started, lambda child: bool(child.version))

    async def _end_interim(self, child: Child) -> None:
        name = child.spec.name
        await child.leave()
        self._processes.children.pop(name, None)
        (self._state / f"{name}.toml").unlink(missing_ok=True)

    async def _try(self, record: HandoverRecord, following: Mapping[str, Child]) -> str:
        """Lets the other version's parts begin; returns why they do not come up, or ""."""
        environment = self._state / VERSIONS / record.environment
        previous = self._previous
        begin_trial(self._state, environment, previous, Undo.NOTHING)
        try:
            undo = decode_json(await self._ask(previous, "save", str(self._state)), type=Undo)
            begin_trial(self._state, environment, previous, undo)
            set_current(self._state, environment)
            for name, child in following.items():  # the scheduler first
                self._processes.children[name] = self._processes.children.pop(f"{FOLLOWING}{name}")
                child.begin()
                await self._wait_for([child], lambda child: bool(child.version))
                if child.version != record.version:
                    raise _Failed(f"{child.version} ≠ {record.version}")
        except Exception as error:  # noqa: BLE001  (whatever the other version does, this one returns)
            log.warning("pool.version_refused", version=record.version, problem=str(error))
            return _sentence(error)
        end_trial(self._state)
        remove_others(self._state, (environment, previous, Path(sys.prefix)))
        return ""

    async def _ask_commands(self, environment: Path | None, which: str) -> Commands:
        """Has a version write its parts' configuration; returns their commands."""
        reply = await self._ask(environment, which, str(self._state), self._processes.nats.url)
        return decode_json(reply, type=dict[str, tuple[str, ...]])

    async def _ask(self, environment: Path | None, *words: str) -> bytes:
        """Returns what the version of an environment answers; see ``parts``."""
        if environment is None or _is_own(environment):
            return msgspec.json.encode(await asyncio.to_thread(answer, *words))
        asked = await asyncio.create_subprocess_exec(
            str(python_of(environment)), "-P", "-m", PARTS, *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        reply, problem = await asked.communicate()
        if asked.returncode:
            raise _Failed(_last_line(problem.decode(errors="replace")))
        return reply

    async def _wait_for(
        self, children: Collection[Child], condition: Callable[[Child], bool]
    ) -> None:
        """Waits until a condition holds for each child; one that ends before has failed."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while late := [child for child in children if not condition(child)]:
            for child in late:
                if child.starts > 1 or child.pid is None or time.monotonic() > deadline:
                    raise _Failed(f"{child.spec.name}: {_last_line(child.read_log_tail())}")
            await asyncio.sleep(POLL_S)

    async def _return(self) -> None:
        """Ends the other version's parts, undoes what they wrote, and starts the present ones."""
        await self._end_following()
        names = [name for name in self._sockets if name in self._processes.children]
        await asyncio.gather(*(self._processes.children[name].stop() for name in names))
        await self._ask(self._previous, "back", str(self._state))
        commands = await self._ask_commands(self._previous, "parts")
        for name, command in commands.items():
            sockets = self._sockets[name]
            child = await self._processes.start_child(name, command, sockets=sockets)
            await self._wait_for([child], lambda child: bool(child.version))


def _is_own(environment: Path) -> bool:
    """Whether this process runs in an environment."""
    return environment.resolve() == Path(sys.prefix).resolve()


def _sentence(error: Exception) -> str:
    text = error.message if isinstance(error, EntraideError) else str(error) or repr(error)
    return _last_line(text)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:PROBLEM_CHARS_MAX] if lines else "?"
