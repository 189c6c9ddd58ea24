"""Doctor run: ``entraide pool doctor`` in a process of its own, for the operator's page.

The command makes all checks and their sentences. A result that is younger than ``FRESH_S`` answers
the next request, too, and one run serves all who ask meanwhile.
"""

import asyncio
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide_scheduler.findings import Report, finding, report
from entraide_scheduler.operations.bounded_child import ProcessLimits
from entraide_scheduler.operations.bounded_process import Finished, run_bounded

GIB = 1024**3
# Somebody waits for it: at the lowest priority it gets no time beside an engine that computes.
DOCTOR_LIMITS = ProcessLimits(
    wall_s=60.0,
    cpu_s=30,
    memory_bytes=2 * GIB,
    file_bytes=64 * 1024,
    is_idle=False,
    niceness=5,
)
FRESH_S = 15.0
URGENCY = ("fail", "warn", "ok")
FINDINGS_MAX = 200


class Inspected(Struct, frozen=True):
    """All results, the most urgent first, and when the checks ended."""

    at: float
    findings: tuple[Report, ...]


class _Report(Struct):
    checks: list[Report]


class DoctorRun:
    """Runs the doctor of a pool's directory."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running = asyncio.Lock()
        self._last: dict[str, Inspected] = {}

    async def inspect(self, lang: str) -> Inspected:
        """Returns the findings in a language."""
        async with self._running:
            last = self._last.get(lang)
            if last is None or time.time() - last.at > FRESH_S:
                arguments = ("pool", "doctor", str(self._home), "--json")
                finished = await run_bounded(arguments, DOCTOR_LIMITS, lang=lang)
                last = self._last[lang] = Inspected(time.time(), _read(finished, lang))
        return last


def _read(finished: Finished, lang: str) -> tuple[Report, ...]:
    try:
        checks = decode_json(finished.output.encode(), type=_Report).checks[:FINDINGS_MAX]
    except msgspec.MsgspecError:
        return (report(finding("doctor-failed", detail=finished.words or "none"), lang),)
    return tuple(sorted(checks, key=lambda check: URGENCY.index(check.level)))
