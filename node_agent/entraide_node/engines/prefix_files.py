"""Prefix files: states of idle partitions, at rest in a file system that is only in memory.

Input: states that the engine saved. Output: which are there, and files that are removed when they
have expired, are forgotten, or must give room by the rule of shares (``core.prefix_slots``). The
folder is new for each process of an engine, belongs to the agent's account (mode 0700), and is
removed at its end. A folder whose agent was killed is removed when the next one starts.
"""

import ctypes
import os
import shutil
import sys
import tempfile
from itertools import count
from math import inf
from pathlib import Path

from msgspec import Struct

from entraide_node.core.prefix_slots import Held, pick_victim

FOLDER_PREFIX = "entraide-states-"
PLACES = ("/dev/shm", "/run/shm")  # noqa: S108 - a folder of our own in them, made by mkdtemp
RESERVE_BYTES = 64 * 1024**2  # of the file system, that states leave free
# Of ``statfs``: file systems whose files are only in memory, and in swap where there is one.
_MEMORY_KINDS = frozenset({0x01021994, 0x858458F6})  # tmpfs, ramfs
_STATFS_BYTES = 256  # more than any system's struct


class RestingState(Struct, frozen=True):
    """A state at rest.

    Attributes:
        name: of its file: the partition, and a number, so that a save that comes late writes to
            no file that counts.
        size: of its file, bytes.
        tokens: that it has.
        job: the last run of its partition.
        used_at: when that run ended.
        expires_at: when its time is over.
    """

    name: str
    size: int
    tokens: int
    job: str
    used_at: float
    expires_at: float


class PrefixFiles:
    """The states at rest of one process of an engine.

    Attributes:
        folder: where the engine saves them.
        limit_bytes: how much they may have together.
    """

    def __init__(self, folder: Path, lock: int) -> None:
        """Has none yet.

        Args:
            folder: of its own; see ``make_prefix_files``.
            lock: open file of the folder, locked for as long as it is used.
        """
        self.folder = folder
        self._lock = lock
        self._numbers = count()
        self.limit_bytes = 0
        self._states: dict[bytes, RestingState] = {}
        self._bytes_per_token = 0.0  # of the largest seen

    @property
    def size(self) -> int:
        """How much they have together."""
        return sum(state.size for state in self._states.values())

    def has(self, partition: bytes) -> bool:
        """Whether a partition has a state at rest."""
        return partition in self._states

    def jobs(self) -> dict[bytes, tuple[float, str, int]]:
        """Returns the time, the last run and the tokens of each partition's state."""
        return {
            partition: (state.used_at, state.job, state.tokens)
            for partition, state in self._states.items()
        }

    def limit(self, limit_bytes: int) -> None:
        """Sets how much they may have together, and removes what is beyond."""
        self.limit_bytes = limit_bytes
        self._give_room(b"", 0)

    def file_of(self, partition: bytes) -> str:
        """Returns the name of a partition's file; "" without one."""
        return self._states[partition].name if partition in self._states else ""

    def make_room(self, partition: bytes, tokens: int) -> str:
        """Makes room for a state; returns the name of its file, "" if it would not be kept.

        Args:
            partition: whose it is.
            tokens: that it has; its size follows from those of earlier ones.
        """
        size = int(self._bytes_per_token * tokens)
        if not self.limit_bytes or not self._fits(size) or not partition:
            return ""
        self.remove(partition)
        has_room = self._give_room(partition, size)
        return f"{partition.hex()}-{next(self._numbers)}" if has_room else ""

    def add(
        self, partition: bytes, name: str, *, size: int, tokens: int, job: str, used_at: float,
        expires_at: float,
    ) -> bool:  # fmt: skip
        """Adds a state that the engine has saved; removes it and returns False if it cannot stay.

        Args:
            partition: whose it is.
            name: of its file.
            size: that the engine wrote, bytes; 0 if it failed.
            tokens: that it has.
            job: the last run of its partition.
            used_at: when that run ended.
            expires_at: when its time is over.
        """
        self.remove(partition)
        path = self.folder / name
        try:
            there = path.stat().st_size
        except OSError:
            there = 0
        is_whole = 0 < size == there and tokens > 0
        if is_whole:
            self._bytes_per_token = max(self._bytes_per_token, size / tokens)
        if not is_whole or not self._give_room(partition, size):
            path.unlink(missing_ok=True)
            return False
        self._states[partition] = RestingState(name, size, tokens, job, used_at, expires_at)
        return True

    def remove(self, partition: bytes) -> None:
        """Removes a partition's state, if it has one."""
        state = self._states.pop(partition, None)
        if state is not None:
            (self.folder / state.name).unlink(missing_ok=True)

    def expire(self, at: float) -> None:
        """Removes those whose time is over."""
        for partition, state in tuple(self._states.items()):
            if state.expires_at <= at:
                self.remove(partition)

    def next_deadline(self) -> float:
        """Returns when the next one's time is over; infinity for never."""
        return min((state.expires_at for state in self._states.values()), default=inf)

    def forget(self, owner: bytes) -> None:
        """Removes those of an owner, or all for b""."""
        for partition in tuple(self._states):
            if partition.startswith(owner):
                self.remove(partition)

    def close(self) -> None:
        """Removes all, and the folder."""
        self._states.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _give_room(self, partition: bytes, size: int) -> bool:
        """Removes states until one of this size fits; False if it is the one to give way."""
        while self.size + size > self.limit_bytes:
            held = [
                Held(key, key, state.size, state.used_at) for key, state in self._states.items()
            ]
            victim = pick_victim(held, asker=partition, size=size)
            if victim is None:
                return False
            self.remove(victim.partition)
        return True

    def _fits(self, size: int) -> bool:
        """Whether the file system has room for a state of this size."""
        try:
            left = os.statvfs(self.folder)
        except OSError:
            return False
        return left.f_bavail * left.f_frsize >= size + RESERVE_BYTES


def find_memory_place() -> Path | None:
    """Returns a folder of a file system that is only in memory; None without one."""
    for place in PLACES:
        if is_in_memory(Path(place)) and os.access(place, os.W_OK | os.X_OK):
            return Path(place)
    return None


def is_in_memory(folder: Path) -> bool:
    """Whether a folder's files are only in memory, by ``statfs`` (Linux)."""
    if sys.platform != "linux":
        return False
    answer = ctypes.create_string_buffer(_STATFS_BYTES)
    if ctypes.CDLL(None).statfs(os.fsencode(folder), answer) != 0:
        return False
    kind = ctypes.cast(answer, ctypes.POINTER(ctypes.c_ulong)).contents.value
    return kind & 0xFFFFFFFF in _MEMORY_KINDS


def make_prefix_files() -> PrefixFiles | None:
    """Makes a folder for the states of one process of an engine; None where none can be.

    Removes those that killed agents of this account have left.
    """
    place = find_memory_place()
    if place is None:
        return None
    try:
        remove_leftovers(place)
        folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=place))
        lock = _lock(folder)
    except OSError:
        return None
    return PrefixFiles(folder, lock) if lock is not None else None


def remove_leftovers(place: Path) -> None:
    """Removes the folders that no agent uses."""
    for folder in place.glob(f"{FOLDER_PREFIX}*"):
        if folder.is_symlink() or folder.lstat().st_uid != os.getuid():
            continue
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Locks a folder until the file that is returned is closed; None if another process has it."""
    import fcntl  # noqa: PLC0415 - only where there are file systems in memory

    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file
