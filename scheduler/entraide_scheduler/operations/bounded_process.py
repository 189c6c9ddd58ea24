"""Bounded process: runs one ``entraide`` command beside the scheduler, and reads what it says.

In: the command's arguments, its language and its limits. Out: its exit status and its output, of
which at most ``OUTPUT_BYTES_MAX`` are kept. The command cannot slow the scheduler down: see
``bounded_child``. It is killed when its time is over or the caller is cancelled.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from entraide.printable import printable
from entraide_scheduler.operations.bounded_child import ProcessLimits

MODULE = "entraide_scheduler.operations.bounded_child"
OUTPUT_BYTES_MAX = 4 * 1024 * 1024
PART_BYTES = 64 * 1024
SENTENCE_CHARS_MAX = 2_000


class Finished(Struct, frozen=True):
    """A command that has ended.

    Attributes:
        status: its exit status; negative for the signal that ended it.
        output, errors: what it wrote, as text.
        is_late: whether its time was over.
    """

    status: int
    output: str
    errors: str
    is_late: bool = False

    @property
    def fault(self) -> str:
        """Code of why it failed: ``time``, ``memory``, ``said`` (it said why) or ``ended``."""
        if self.is_late or self.status == -signal.SIGXCPU:
            return "time"
        if "MemoryError" in self.errors or self.status == -signal.SIGKILL:
            return "memory"
        return "ended" if "Traceback" in self.errors or not self.words else "said"

    @property
    def words(self) -> str:
        """What it said last: its errors, else its output."""
        words = printable((self.errors.strip() or self.output.strip()).replace("\n", " "))
        return words[-SENTENCE_CHARS_MAX:]


async def run_bounded(
    arguments: Sequence[str],
    limits: ProcessLimits,
    *,
    lang: str,
    variables: Mapping[str, str] | None = None,
) -> Finished:
    """Runs a command to its end.

    Args:
        arguments: of ``entraide``.
        limits: see their class.
        lang: language of what it says.
        variables: of its environment, in addition to this process's own.
    """
    encoded = msgspec.json.encode(limits).decode()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", MODULE, encoded, "--lang", lang, *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(variables or {})},
        start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(limits.wall_s) as deadline:
            output, errors, status = await asyncio.gather(
                _read(process.stdout), _read(process.stderr), process.wait()
            )
        return Finished(status, output, errors)
    except TimeoutError:
        if not deadline.expired():
            raise
        return Finished(-signal.SIGKILL, "", "", is_late=True)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
        process.stdin.close()


async def _read(stream: asyncio.StreamReader) -> str:
    """Reads a stream to its end, and keeps the first bytes."""
    kept = bytearray()
    while part := await stream.read(PART_BYTES):
        kept += part[: OUTPUT_BYTES_MAX - len(kept)]
    return kept.decode("utf-8", "replace")
