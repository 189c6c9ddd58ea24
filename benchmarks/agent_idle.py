"""Memory and CPU time of a node agent without a loaded model.

Starts a pool on this machine (bus, scheduler, one node) and a second node with engine ``none`` and
owner terms, so that every probe runs; waits until the node has joined, then measures its process
for a minute without requests. Reference in the same minute: a Python process idle in asyncio.

    python -m benchmarks.agent_idle [--json] [--secs S]

Fields: ``rss_mb`` and ``pss_mb`` (shared pages counted fully, and by share), ``cpu_percent`` of one
core over ``secs``, the same of the reference as ``reference_…``, and ``threads``. Goal: less than
150 MB and 1 %.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
from benchmarks.support.common import make_parser
from msgspec import Struct, to_builtins

from entraide_node.owner import files as owner_files
from entraide_scheduler.supervision import poolfile

SECS = 60.0
SETTLE_S = 10.0  # excluded from the measurement: the start
WAIT_S = 120.0
REFERENCE = "import asyncio; asyncio.run(asyncio.sleep(3600))"


class ProcessUsage(Struct, frozen=True):
    """Memory and CPU use of one process."""

    rss_mb: float
    pss_mb: float
    cpu_percent: float
    threads: int


class IdleRow(Struct, frozen=True):
    """Use of the agent and of the reference."""

    secs: float
    rss_mb: float
    pss_mb: float
    cpu_percent: float
    threads: int
    reference_rss_mb: float
    reference_pss_mb: float
    reference_cpu_percent: float


def entraide(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "entraide.cli", *words], check=True, capture_output=True, text=True
    )
    return done.stdout


@contextmanager
def pool(state: Path) -> Iterator[poolfile.PoolFile]:
    """A pool that is up, and down at the end."""
    entraide("up", "--detach", "--nodes", "1", "--state", str(state))
    running = poolfile.read(state)
    assert running is not None
    try:
        yield running
    finally:
        entraide("down", "--state", str(state))


@contextmanager
def agent(url: str, token: str, folder: Path) -> Iterator[psutil.Process]:
    """A node without an engine that has joined its pool."""
    node = [sys.executable, "-m", "entraide_node"]
    join = [*node, "join", url, "--token", token, "--dir", str(folder), "--no-service"]
    subprocess.run(join, check=True, capture_output=True)
    config = folder / "node.toml"
    lines = config.read_text("utf-8").splitlines()
    start = lines.index("[engine]")
    end = next((n for n in range(start + 1, len(lines)) if not lines[n].strip()), len(lines))
    lines[start + 1 : end] = ['kind = "none"']
    config.write_text("\n".join([*lines, ""]), "utf-8")
    (folder / "owner.toml").write_text("programs = ['blender']\n", "utf-8")
    with (folder / "run.log").open("wb") as log:
        running = subprocess.Popen([*node, "run", "--dir", str(folder)], stderr=log)
    try:
        deadline = time.monotonic() + WAIT_S
        while not ((s := owner_files.read_status(folder, now=time.time())) and s.welcomed):
            assert time.monotonic() < deadline, (folder / "run.log").read_text("utf-8")
            time.sleep(0.2)
        yield psutil.Process(running.pid)
    finally:
        running.terminate()
        running.wait()


def measure_process(processes: Sequence[psutil.Process], secs: float) -> list[ProcessUsage]:
    before = [sum(process.cpu_times()[:2]) for process in processes]
    began = time.monotonic()
    time.sleep(secs)
    took_s = time.monotonic() - began
    rows = []
    for process, used_s in zip(processes, before, strict=True):
        memory = process.memory_full_info()
        rows.append(
            ProcessUsage(
                rss_mb=round(memory.rss / 1e6, 1),
                pss_mb=round(memory.pss / 1e6, 1),
                cpu_percent=round(100 * (sum(process.cpu_times()[:2]) - used_s) / took_s, 3),
                threads=process.num_threads(),
            )
        )
    return rows


def measure(secs: float) -> IdleRow:
    with tempfile.TemporaryDirectory(prefix="entraide-idle-") as name:
        folder = Path(name)
        with pool(folder / "pool") as running:
            state = str(folder / "pool")
            token = json.loads(
                entraide("nodes", "token", "--coop", "boreale", "--json", "--state", state)
            )["token"]
            with agent(running.http, token, folder / "node") as idle:
                reference = subprocess.Popen([sys.executable, "-c", REFERENCE])
                try:
                    time.sleep(min(SETTLE_S, secs))
                    ours, theirs = measure_process([idle, psutil.Process(reference.pid)], secs)
                finally:
                    reference.kill()
                    reference.wait()
    return IdleRow(
        secs, ours.rss_mb, ours.pss_mb, ours.cpu_percent, ours.threads,
        theirs.rss_mb, theirs.pss_mb, theirs.cpu_percent,
    )  # fmt: skip


def main() -> int:
    parser = make_parser(__doc__)
    parser.add_argument("--secs", type=float, default=SECS)
    options = parser.parse_args()
    result = to_builtins(measure(options.secs))
    if options.json:
        print(json.dumps(result))
        return 0
    for name, value in result.items():
        print(f"{name:24} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
