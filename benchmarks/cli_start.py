"""CPU time that each command of the command line takes to start.

    python -m benchmarks.cli_start [--repeat N]

Prints JSON: for ``--help``, for each command's and subcommand's ``--help`` and for a few commands
that end at once without a pool, the CPU seconds of the child process, median of N starts with a
warm file cache. The limit is 0.4 s.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from entraide.cli.app import root_command

LIMIT_S = 0.4
ENDING = (["--version"], ["status"], ["down"], ["nodes", "list"], ["chat", "?"], ["node", "status"])


def helps(command: Any, path: list[str]) -> Iterator[list[str]]:
    """Yields the arguments of each help page."""
    yield [*path, "--help"]
    if hasattr(command, "commands"):
        for name in command.list_commands(None):
            yield from helps(command.get_command(None, name), [*path, name])


def cpu_s(arguments: list[str], environ: dict[str, str]) -> float:
    """Returns the CPU seconds of one start."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "entraide.cli", *arguments],
        check=False,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as home:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ENTRAIDE_")}
        environ = kept | {"XDG_DATA_HOME": home, "HOME": home}
        cpu_by_command = {}
        for arguments in (*helps(root_command("en"), []), *ENDING):
            cpu_s(arguments, environ)
            times = [cpu_s(arguments, environ) for _ in range(repeat)]
            cpu_by_command[" ".join(["entraide", *arguments])] = round(statistics.median(times), 3)
    worst = max(cpu_by_command, key=lambda name: cpu_by_command[name])
    summary = {
        "limit_s": LIMIT_S,
        "worst": worst,
        "worst_cpu_s": cpu_by_command[worst],
        "cpu_s": cpu_by_command,
    }
    print(json.dumps(summary, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
