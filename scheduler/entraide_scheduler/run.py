"""Run: a scheduler as a process, from its config to its exit status.

The process ends on SIGTERM or SIGINT, when its parent's pipe closes (``ENTRAIDE_PARENT_PIPE=1``),
when it has left as its parent told it, when the core cannot be recovered, a write of the books has
failed, or the term is lost. In the last three cases it exits with ``EXIT_BROKEN``, and its
supervisor restarts it from the journal; beside another scheduler with another store, with
``FINAL_STATUS``, and it is not restarted.
"""

import asyncio
import os
import sys
from typing import Any

import structlog

import entraide
from entraide import i18n
from entraide.event_loop import run_event_loop
from entraide.files import PRIVATE_UMASK
from entraide.log_format import json_processors, terminal_processors
from entraide.system_service.units import FINAL_STATUS
from entraide_scheduler.config import SchedulerConfig
from entraide_scheduler.driver import SchedulerElsewhere
from entraide_scheduler.service import Service
from entraide_scheduler.supervision.parent_link import LEAVE_MAX_S, ParentLink

EXIT_BROKEN = 70
SWITCH_S = 0.0005  # a tenth of Python's default, so that threads delay the event loop less


def run_scheduler(config: SchedulerConfig) -> int:
    """Runs a scheduler until it is stopped; returns the exit status.

    Raises:
        EntraideError: the scheduler could not start.
    """
    os.umask(PRIVATE_UMASK)
    log_to_stderr()
    sys.setswitchinterval(SWITCH_S)
    return run_event_loop(_run_until_stopped(config))


def log_to_stderr() -> None:
    """Logs one JSON object per line, or coloured text if stderr is a terminal."""
    structlog.configure(
        processors=terminal_processors() if sys.stderr.isatty() else json_processors(),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


async def _run_until_stopped(config: SchedulerConfig) -> int:
    link = ParentLink()
    service = Service(config, link)

    async def start() -> None:
        await link.wait_to_begin()
        await service.start()

    waiting = asyncio.ensure_future(link.stopped.wait())
    starting = asyncio.ensure_future(start())
    begins: set[asyncio.Future[Any]] = {waiting, starting}
    await asyncio.wait(begins, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return 0
    await starting
    link.say_ready(entraide.__version__, service.parts.gateway.listening)
    leaving = asyncio.ensure_future(_leave_when_told(link, service))
    failed = service.parts.driver.failed
    ends: set[asyncio.Future[Any]] = {waiting, leaving, failed}
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    leaving.cancel()
    problem = failed.exception() if failed.done() else None
    await service.stop()
    if isinstance(problem, SchedulerElsewhere):
        sys.stderr.write(f"{i18n.error(problem.code, config.lang, problem.values)}\n")
        return FINAL_STATUS
    return EXIT_BROKEN if problem is not None else 0


async def _leave_when_told(link: ParentLink, service: Service) -> None:
    """Listens no longer for members, and lets live jobs end; the rest goes on meanwhile."""
    await link.leaving.wait()
    gateway, grpc = service.parts.gateway, service.grpc
    await asyncio.gather(gateway.leave(LEAVE_MAX_S), grpc.stop(LEAVE_MAX_S))
