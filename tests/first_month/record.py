"""Record of a first month: for each step its seconds, the commands typed and the files edited."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct
from tests.testbed.hosts import Done, Host, Started


class Command(Struct, frozen=True):
    """A line that a person types: the machine, the line, and its seconds."""

    machine: str
    typed: str
    seconds: float


class Step(Struct):
    """A step of the month, with what people typed and which files they edited."""

    name: str
    seconds: float = 0.0
    commands: list[Command] = []
    edited: list[str] = []


class Record(Struct):
    """The whole record."""

    machines: dict[str, str]
    versions: list[str] = []
    steps: list[Step] = []
    served: list[str] = []
    failed: str = ""

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Measures a step; what is typed meanwhile belongs to it."""
        print(f"{name} …", file=sys.stderr, flush=True)
        step = Step(name)
        self.steps.append(step)
        began_at = time.monotonic()
        try:
            yield step
        finally:
            step.seconds = round(time.monotonic() - began_at, 1)


class Person:
    """Who sits at a machine: types commands and edits files, which are recorded."""

    def __init__(self, record: Record, host: Host) -> None:
        self.host = host
        self._record = record

    def types(self, line: str, *, shown: str = "") -> Done:
        """Types a command, which must not fail.

        Args:
            line: of the shell.
            shown: what the record has instead, such as a line with a secret.
        """
        began_at = time.monotonic()
        done = self.host.run(line)
        self._keep(shown or line, time.monotonic() - began_at)
        return done

    def starts(self, line: str) -> Started:
        """Types a command that goes on in a terminal of its own."""
        self._keep(line, 0.0)
        return self.host.start(f"exec {line}")

    def edits(self, name: str, content: str) -> None:
        """Writes a file of the home folder with an editor."""
        self.host.write(name, content.encode())
        self._record.steps[-1].edited.append(f"{self.host.name}: ~/{name}")

    def _keep(self, line: str, seconds: float) -> None:
        command = Command(self.host.name, line, round(seconds, 1))
        print(f"  {self.host.name} {seconds:5.1f} s  {line}", file=sys.stderr, flush=True)
        self._record.steps[-1].commands.append(command)
