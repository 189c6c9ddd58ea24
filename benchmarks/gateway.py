"""Latency and CPU time that the pool's gateway adds to an engine, compared with nginx.

Three targets get the same load in turn: the mock engine itself (``direct``), nginx in front of it,
and a whole pool in front of it: gateway and scheduler in one process, nats-server, and a node agent
with the mock as its engine. API key, admission, fair queue, placement, lease, energy, signed
receipt, journal and ledger are active.

CPU time is robust against other load on the cores; it is read from each process's own clock. Times
are medians over the rounds of a percentile within a round. Linux only.

    python -m benchmarks.gateway [--json] [--rounds N] [--secs S]
"""

import argparse
import asyncio
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from benchmarks.support.common import make_parser, markdown_table
from msgspec import Struct

from entraide_scheduler.nats.config import free_port
from entraide_scheduler.supervision.logs import log_to_file
from entraide_scheduler.up.pool import LocalPool, PoolOptions

TOOLS = Path(__file__).resolve().parents[1].parent / "shared" / "bench"
MODEL = "mock"
COOP = "boreale"
SLOTS = 256  # more than the connections of any phase: no job is queued
READY_TIMEOUT_S = 60.0
LOAD_TIMEOUT_S = 60.0
OURS, NGINX, DIRECT = "pool", "nginx", "direct"
COLUMNS = (
    "phase", "ttft_added_p50_us", "reference_nginx_ttft_added_p50_us", "requests_per_s",
    "reference_nginx_requests_per_s", "cpu_us_per_request", "cpu_us_per_request_nginx_ratio",
    "cpu_us_per_token", "cpu_us_per_token_nginx_ratio", "node_cpu_us_per_request",
    "nats_cpu_us_per_request", "rss_mib", "errors",
)  # fmt: skip


class Phase(Struct, frozen=True):
    """One kind of load.

    Attributes:
        name: of the phase.
        connections: requests at a time.
        tokens: of each answer.
        gap_us: interval of the engine's tokens; 0 for no delay.
        stream: whether the answer is streamed.
    """

    name: str
    connections: int
    tokens: int = 16
    gap_us: int = 0
    stream: bool = True


PHASES = (
    Phase("stream_1", 1, tokens=8, gap_us=2_000),
    Phase("stream_8", 8, tokens=8, gap_us=2_000),
    Phase("whole_64", 64, stream=False),
    Phase("paced_128", 128, tokens=50, gap_us=20_000),
    Phase("burst_64", 64, tokens=64),
)


class Target(Struct, frozen=True):
    """Target of a load, and its processes.

    Attributes:
        port: on loopback.
        key: bearer key.
        pids: process ids by part; the first part is compared.
    """

    port: int
    key: str
    pids: dict[str, tuple[int, ...]]


class Sample(Struct, frozen=True):
    """One round of a phase on a target: client-side figures, and CPU seconds by part."""

    seen: dict[str, Any]
    cpu_s: dict[str, float]


def absent() -> str:
    """Returns in one sentence what is missing, or ""."""
    if not TOOLS.is_dir():
        return f"The load generator and the mock engine are not at {TOOLS}: nothing was measured."
    for program, package in (("nginx", "nginx"), ("gcc", "gcc")):
        if shutil.which(program) is None:
            return f"{program} is absent (Debian package {package}): nothing was measured."
    return ""


def compiled(home: Path) -> None:
    """Compiles the two C programs into a folder."""
    for name in ("mockd", "loadgen"):
        subprocess.run(
            ["gcc", "-O2", "-w", "-o", str(home / name), str(TOOLS / f"{name}.c")], check=True
        )


@contextlib.contextmanager
def process(argv: Sequence[str], log: Path) -> Iterator[int]:
    """Runs a program within a context; yields its process id."""
    with log.open("ab") as output:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield child.pid
    finally:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def nginx_argv(home: Path, *, port: int, backend: int) -> list[str]:
    """Writes nginx's configuration and returns how to start it."""
    text = (TOOLS / "conf_nginx.tmpl").read_text("utf-8")
    for name, value in {"DIR": home, "PORT": port, "BACKEND": backend}.items():
        text = text.replace(f"@{name}@", str(value))
    config = home / "nginx.conf"
    config.write_text(text, "utf-8")
    return ["nginx", "-p", str(home), "-e", str(home / "nginx.err"), "-c", str(config)]


async def until_ready(target: Target) -> None:
    """Waits until a target answers one request."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{target.port}/v1/chat/completions",
        data=b'{"model":"mock","messages":[{"role":"user","content":"x"}],"max_tokens":1}',
        headers={"content-type": "application/json", "authorization": f"Bearer {target.key}"},
    )

    def ask() -> bool:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(answer.status == 200)

    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            if await asyncio.to_thread(ask):
                return
        except (OSError, urllib.error.HTTPError) as problem:
            if time.monotonic() > deadline:
                raise TimeoutError(f"port {target.port} does not answer: {problem}") from problem
        await asyncio.sleep(0.1)


def family(pid: int) -> tuple[int, ...]:
    """Returns a process and its children."""
    children = psutil.Process(pid).children(recursive=True)
    return (pid, *(child.pid for child in children))


def cpu_s(pids: tuple[int, ...]) -> float:
    """Returns the CPU time of processes, all their threads included (see clock_getcpuclockid)."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def rss_mib(pids: tuple[int, ...]) -> float:
    """Returns the memory that processes hold."""
    return float(sum(psutil.Process(pid).memory_info().rss for pid in pids)) / 2**20


async def load(home: Path, target: Target, phase: Phase, secs: float) -> Sample:
    """Puts one phase's load on a target."""
    argv = [str(home / "loadgen"), "--port", str(target.port), "--key", target.key]
    argv += ["--model", MODEL, "-c", str(phase.connections), "-d", str(secs)]
    argv += ["--stream", str(int(phase.stream)), "--tokens", str(phase.tokens)]
    argv += ["--gap-us", str(phase.gap_us)]
    before = {part: cpu_s(pids) for part, pids in target.pids.items()}
    running = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(running.communicate(), LOAD_TIMEOUT_S)
    spent = {part: cpu_s(pids) - before[part] for part, pids in target.pids.items()}
    return Sample(json.loads(output), spent)


Samples = dict[tuple[str, str], list[Sample]]


async def measured(
    home: Path, targets: dict[str, Target], *, rounds: int, secs: float
) -> tuple[Samples, dict[str, float]]:
    """Loads every target in turn, phase by phase; returns the samples, and memory by target."""
    samples: Samples = {}
    for target in targets.values():
        for phase in (Phase("warm", 4, stream=False), Phase("warm", 4)):
            await load(home, target, phase, 0.5)
    for number in range(1, rounds + 1):
        for phase in PHASES:
            for name, target in targets.items():
                sample = await load(home, target, phase, secs)
                samples.setdefault((phase.name, name), []).append(sample)
        print(f"round {number} of {rounds}", file=sys.stderr)
    memory = {
        name: rss_mib(next(iter(target.pids.values()), ())) for name, target in targets.items()
    }
    return samples, memory


def median(samples: list[Sample], figure: Callable[[Sample], float | None]) -> float | None:
    """Returns the median of a figure over the rounds that have it."""
    values = [value for value in map(figure, samples) if value is not None]
    return round(statistics.median(values), 2) if values else None


def percentile(which: str, name: str) -> Callable[[Sample], float | None]:
    """Returns a reader of one of the client's percentiles, microseconds."""
    return lambda sample: (sample.seen.get(which) or {}).get(name)


def per(part: str, count: str) -> Callable[[Sample], float | None]:
    """Returns a reader of a part's CPU time for each request or token, microseconds."""

    def figure(sample: Sample) -> float | None:
        n = sample.seen.get(count)
        return sample.cpu_s[part] / n * 1e6 if n and part in sample.cpu_s else None

    return figure


def figures(samples: list[Sample], direct: list[Sample], parts: Sequence[str]) -> dict[str, Any]:
    """Returns the figures of a phase on a target; ``added`` is the excess over the engine."""
    row: dict[str, Any] = {}
    for name, which, p in (
        ("ttft_p50_us", "ttft_us", "p50"),
        ("answer_p50_us", "total_us", "p50"),
        ("inter_token_p99_us", "itg_us", "p99"),
    ):
        value, base = median(samples, percentile(which, p)), median(direct, percentile(which, p))
        row[name] = value
        added = None if value is None or base is None else round(value - base, 2)
        row[name.replace("_p", "_added_p")] = added
    row["requests_per_s"] = median(samples, lambda sample: sample.seen.get("rps"))
    row["tokens_per_s"] = median(samples, lambda sample: sample.seen.get("tps"))
    for index, part in enumerate(parts):
        prefix = "" if index == 0 else f"{part}_"
        row[f"{prefix}cpu_us_per_request"] = median(samples, per(part, "reqs"))
        row[f"{prefix}cpu_us_per_token"] = median(samples, per(part, "toks"))
    row["errors"] = sum(sample.seen.get("err", 0) for sample in samples)
    return row


def ratio(mine: float | None, theirs: float | None) -> float | None:
    """Returns the ratio to the reference; None if the reference is not above 0."""
    return round(mine / theirs, 2) if mine is not None and theirs and theirs > 0 else None


def row_of(
    phase: Phase, samples: Samples, targets: dict[str, Target], memory: dict[str, float]
) -> dict[str, Any]:
    """Returns the row of one phase."""
    direct = samples[phase.name, DIRECT]
    mine = figures(samples[phase.name, OURS], direct, tuple(targets[OURS].pids))
    theirs = figures(samples[phase.name, NGINX], direct, tuple(targets[NGINX].pids))
    mine["rss_mib"], theirs["rss_mib"] = round(memory[OURS], 1), round(memory[NGINX], 1)
    base = figures(direct, direct, ())
    row: dict[str, Any] = {"benchmark": "gateway", "phase": phase.name}
    row |= {"connections": phase.connections, "stream": phase.stream, "tokens": phase.tokens}
    row |= {"gap_us": phase.gap_us, "rounds": len(direct)}
    row |= mine
    row |= {f"reference_nginx_{name}": value for name, value in theirs.items()}
    row |= {f"direct_{name}": value for name, value in base.items() if "added" not in name}
    compared = ("cpu_us_per_request", "cpu_us_per_token", "ttft_added_p50_us", "requests_per_s")
    row |= {f"{name}_nginx_ratio": ratio(mine[name], theirs[name]) for name in compared}
    return row


@contextlib.asynccontextmanager
async def pool_before(home: Path, backend: int) -> Any:
    """Runs a pool of one node with the mock engine within a context."""
    engine: dict[str, str | int] = {
        "kind": "attach", "url": f"http://127.0.0.1:{backend}", "model": MODEL,
        "slots": SLOTS, "context_tokens": 8_192,
    }  # fmt: skip
    pool = LocalPool(PoolOptions(state=home / "pool", nodes=1, engine=engine))
    try:
        running = await pool.start()
        pids: dict[str, tuple[int, ...]] = {
            "gateway": (running.pids["scheduler"],),
            "node": (running.pids["node-1"],),
            "nats": (running.pids["nats"],),
        }
        yield Target(int(running.http.rsplit(":", 1)[1]), running.keys[COOP], pids)
    finally:
        await pool.stop()


async def run(home: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Starts everything, measures, ends everything; returns a row for each phase."""
    compiled(home)
    backend, proxy = free_port("127.0.0.1"), free_port("127.0.0.1")
    with (
        process([str(home / "mockd"), str(backend)], home / "mockd.log"),
        process(nginx_argv(home, port=proxy, backend=backend), home / "nginx.log") as nginx,
    ):
        async with pool_before(home, backend) as pool:
            targets = {
                DIRECT: Target(backend, "none", {}),
                NGINX: Target(proxy, "none", {"nginx": ()}),
            }
            for target in (*targets.values(), pool):
                await until_ready(target)
            targets[NGINX] = Target(proxy, "none", {"nginx": family(nginx)})
            targets[OURS] = pool
            print(f"processes: {pool.pids}", file=sys.stderr)
            samples, memory = await measured(
                home, targets, rounds=options.rounds, secs=options.secs
            )
    return [row_of(phase, samples, targets, memory) for phase in PHASES]


def main() -> int:
    """Entry point; returns the exit code."""
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=float, default=2.0, help="of each load")
    options = parser.parse_args()
    missing = absent()
    if missing:
        print(missing, file=sys.stderr)
        return 2
    home = Path(tempfile.mkdtemp(prefix="entraide-bench-"))
    log_to_file(home / "up.log")
    try:
        rows = asyncio.run(run(home, options))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps(rows) if options.json else markdown_table(rows, COLUMNS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
