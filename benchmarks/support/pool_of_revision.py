"""A pool of one node before an engine, from this checkout or from another revision of it."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.support.load_targets import MODEL, Target

ROOT = Path(__file__).resolve().parents[2]
CHECKOUTS = ROOT / ".cache" / "revisions"
PROGRAM = Path(__file__).with_name("served_pool.py")
COOP = "boreale"
SLOTS = 256  # more than the connections of any phase: no job is queued
START_TIMEOUT_S = 120.0


def checkout(revision: str, python: str = "") -> Path:
    """Returns a folder with a revision and its environment, made on first use.

    Args:
        revision: any name that Git knows.
        python: program that runs it; "" for the one that `make` takes.

    Raises:
        subprocess.CalledProcessError: the repository has no such revision, or its environment
            could not be made.
    """
    naming = ["git", "-C", str(ROOT), "rev-parse", "--verify", f"{revision}^{{commit}}"]
    commit = subprocess.run(naming, check=True, capture_output=True, text=True).stdout.strip()
    folder = CHECKOUTS / (f"{commit}-{Path(python).name}" if python else commit)
    if not folder.is_dir():
        CHECKOUTS.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "clone", "-q", "--shared", str(ROOT), str(folder)], check=True)
        subprocess.run(["git", "-C", str(folder), "checkout", "-q", "--detach", commit], check=True)
    environment = {**os.environ, "PYTHON": python} if python else None
    making = ["sh", str(folder / "scripts" / "environment.sh")]
    subprocess.run(making, check=True, stdout=sys.stderr, env=environment)
    return folder


@contextlib.asynccontextmanager
async def served_pool(checked_out: Path, state: Path, backend: int) -> AsyncIterator[Target]:
    """Runs the pool of a checkout within a context.

    Args:
        checked_out: folder with a revision and its environment.
        state: folder for the pool's state and its log, which exists.
        backend: port of the engine.
    """
    with (state / "pool.log").open("ab") as log:
        running = await asyncio.create_subprocess_exec(
            str(checked_out / ".venv" / "bin" / "python"), str(PROGRAM), str(state / "pool"),
            str(backend), MODEL, str(SLOTS), COOP,
            cwd=state, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
        )  # fmt: skip
    assert running.stdin is not None
    assert running.stdout is not None
    try:
        line = await asyncio.wait_for(running.stdout.readline(), START_TIMEOUT_S)
        if not line:
            raise RuntimeError(f"no pool of {checked_out}:\n{(state / 'pool.log').read_text()}")
        served = json.loads(line)
        pids = {part: (pid,) for part, pid in served["pids"].items()}
        yield Target(served["port"], served["key"], pids)
    finally:
        running.stdin.close()
        await running.wait()
