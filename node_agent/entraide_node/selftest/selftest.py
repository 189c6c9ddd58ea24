"""The self-test of this machine: each part in turn, about five minutes.

Input: the folder of the engines' environments. Output: ``SelftestReport``. Cancelled, it stops the
engine that runs and removes its scratch folder; if the process is killed, the engine ends by
itself, and the next run removes the folder.
"""

import asyncio
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from entraide import __version__
from entraide_node.energy.device_detection import run_command
from entraide_node.engines.base import EngineProblem
from entraide_node.hardware_detection import build_hardware
from entraide_node.hardware_text import HardwareText, read_hardware_text, read_system_files
from entraide_node.selftest import surroundings
from entraide_node.selftest.counter_trial import try_meters
from entraide_node.selftest.engine_trial import list_engines, try_engine, use_scratch_caches
from entraide_node.selftest.excerpts import (
    HEAT,
    IOREG,
    REPORT_FILES,
    SLEEP,
    SLEEP_SETTINGS,
    OwnWords,
    keep_text,
)
from entraide_node.selftest.report import FORMAT, EngineKind, SelftestReport, keep_version
from entraide_node.selftest.scratch import open_scratch

IDLE_S = 60.0

Step = Literal["machine", "idle", "engine"]
TellStep = Callable[[Step, str], None]
_MAC_COMMANDS = {
    IOREG: ["/usr/sbin/ioreg", "-rw0", "-c", "AppleSmartBattery", "-a"],
    HEAT: ["/usr/bin/pmset", "-g", "therm"],
    SLEEP: ["/usr/bin/pmset", "-g", "cap"],
    SLEEP_SETTINGS: ["/usr/bin/pmset", "-g"],
}


async def run_selftest(
    *, root: Path, own_words: OwnWords, tell_step: TellStep,
    tell_problem: Callable[[EngineKind, EngineProblem], None], idle_s: float = IDLE_S,
) -> SelftestReport:  # fmt: skip
    """Returns the report of this machine.

    Args:
        root: folder of the engines' environments.
        own_words: names of the machine and its account.
        tell_step: called with each step, and the engine's kind or "".
        tell_problem: called with the problem of an engine.
        idle_s: duration of the idle time.
    """
    started_s, made_on = time.monotonic(), datetime.now(UTC).date().isoformat()
    tell_step("machine", "")
    text = await asyncio.to_thread(_read_text)
    wakes = await asyncio.to_thread(read_system_files, (surroundings.NETWORK_WAKE,))
    service = await asyncio.to_thread(surroundings.read_service)
    sleep = await surroundings.read_sleep(text.files | wakes)
    kept = keep_text(text, own_words)
    tell_step("idle", "")
    meters, idle = await try_meters(idle_s=idle_s)
    engines = []
    with open_scratch() as folder:
        use_scratch_caches(folder)
        for kind in await asyncio.to_thread(list_engines, root):
            tell_step("engine", kind)
            scratch = folder / kind
            scratch.mkdir()

            def tell(problem: EngineProblem, kind: EngineKind = kind) -> None:
                tell_problem(kind, problem)

            engines.append(await try_engine(kind, scratch=scratch, root=root, tell_problem=tell))
    return SelftestReport(
        format=FORMAT,
        made_on=made_on,
        took_s=round(time.monotonic() - started_s, 1),
        entraide=keep_version(__version__),
        python=keep_version(platform.python_version()),
        kernel=keep_version(platform.release()),
        text=kept,
        hardware=build_hardware(kept),
        idle=idle,
        meters=meters,
        engines=tuple(engines),
        battery=surroundings.read_battery(),
        throttled=surroundings.read_throttled(kept.commands),
        service=service,
        sleep=sleep,
        sandbox=surroundings.read_sandbox(kept.files),
    )


def _read_text() -> HardwareText:
    text = read_hardware_text()
    if text.system == "linux":
        return msgspec.structs.replace(text, files=read_system_files(REPORT_FILES))
    if text.system == "darwin":
        more = {name: run_command(command) for name, command in _MAC_COMMANDS.items()}
        return msgspec.structs.replace(text, commands=text.commands | more)
    return text
