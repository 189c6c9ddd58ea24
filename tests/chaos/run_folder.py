"""Run folder: all that a run of the chaos test keeps, so that it can be stopped and go on.

It has the schedule, the state of the pool and of its nodes, and files to which one line is added
for each fault, outcome and broken promise. Several processes add lines; each line is one write.
"""

import json
import os
import time
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T")
LINES = ("faults", "outcomes", "kept", "broken", "samples", "exits")


class Setting(Struct, frozen=True):
    """What a run is.

    Attributes:
        seed: of the schedule.
        minutes: its length.
        streams: clients that stream from the counting engine at the same time.
        only: the kinds of faults; empty for all.
        nodes: those of the pool; empty for all.
    """

    seed: int
    minutes: float
    streams: int
    only: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


class Broken(Struct, frozen=True):
    """A broken promise.

    Attributes:
        promise: its name.
        at: seconds since the epoch.
        subject: job, node or process.
        detail: what was expected and what came.
    """

    promise: str
    at: float
    subject: str
    detail: str


class Exit(Struct, frozen=True):
    """A process that ended by itself: its part, its status, and when, seconds since the epoch."""

    part: str
    status: int
    at: float


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pool = path / "pool"
        self.logs = path / "logs"
        self.clocks = path / "clocks"

    def make(self) -> None:
        """Makes the folders that are missing."""
        for folder in (self.path, self.logs, self.clocks):
            folder.mkdir(parents=True, exist_ok=True)

    def node(self, name: str) -> Path:
        """The folder of a node."""
        return self.path / "nodes" / name

    def add(self, name: str, line: object) -> None:
        """Adds a line to one of the files of ``LINES``."""
        assert name in LINES
        handle = os.open(self.path / f"{name}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, msgspec.json.encode(line) + b"\n")
        finally:
            os.close(handle)

    def read(self, name: str, kind: type[T]) -> list[T]:
        """Reads the lines of a file; a last line that was cut off is left out."""
        path = self.path / f"{name}.jsonl"
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        return [msgspec.json.decode(line, type=kind) for line in lines if line.endswith(b"\n")]

    def broken(self, promise: str, subject: str, detail: str) -> None:
        """Notes a broken promise."""
        self.add("broken", Broken(promise, time.time(), subject, detail))

    def write(self, name: str, document: object) -> None:
        """Writes a document beside, then renames it."""
        beside = self.path / f"{name}.new"
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(document)))
        beside.rename(self.path / name)

    def document(self, name: str) -> Any:
        """A document; None if there is none."""
        path = self.path / name
        return json.loads(path.read_text("utf-8")) if path.exists() else None
