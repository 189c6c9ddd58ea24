"""Run: a scheduler as a process, from its config to its exit.

It ends by SIGTERM or SIGINT, when its parent's pipe closes (``ENTRAIDE_PARENT_PIPE=1``), and when
the core, or the books, cannot go on: then with ``EXIT_BROKEN``, for its supervisor to start it anew
from the journal.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from entraide.log_format import json_processors, terminal_processors
from entraide_scheduler.config import SchedulerConfig
from entraide_scheduler.nats.keyfiles import PRIVATE_UMASK
from entraide_scheduler.service import Service

EXIT_BROKEN = 70
PARENT_PIPE = "ENTRAIDE_PARENT_PIPE"
SWITCH_S = 0.0005  # threads give way to the event loop ten times sooner than by default

T = TypeVar("T")


def run_scheduler(config: SchedulerConfig) -> int:
    """Runs a scheduler until it is told to stop; returns the exit status.

    Raises:
        EntraideError: it could not start.
    """
    os.umask(PRIVATE_UMASK)
    log_to_stderr()
    sys.setswitchinterval(SWITCH_S)
    return run_event_loop(_run_until_stopped(config))


def run_event_loop(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine on the quickest event loop that there is."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):  # it is not there on every platform
        import uvloop  # noqa: PLC0415

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def log_to_stderr() -> None:
    """Logs as one JSON object a line, or in colour for a person at a terminal."""
    structlog.configure(
        processors=terminal_processors() if sys.stderr.isatty() else json_processors(),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def stop_event() -> asyncio.Event:
    """Returns an event that is set by SIGTERM, SIGINT, and the end of the parent's pipe."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if os.environ.get(PARENT_PIPE) == "1":
        loop.add_reader(sys.stdin.fileno(), _read_pipe, stop)
    return stop


def _read_pipe(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


async def _run_until_stopped(config: SchedulerConfig) -> int:
    stop = stop_event()
    service = Service(config)
    waiting = asyncio.ensure_future(stop.wait())
    starting = asyncio.ensure_future(service.start())
    begins: set[asyncio.Future[Any]] = {waiting, starting}
    await asyncio.wait(begins, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return 0
    await starting
    assert service.driver is not None
    ends: set[asyncio.Future[Any]] = {waiting, service.driver.failed}
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    broken = service.driver.failed.done()
    await service.stop()
    return EXIT_BROKEN if broken else 0
