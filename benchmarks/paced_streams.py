"""Many streams at a time through a whole pool: what arrives, when, and what it costs.

A pool (gateway and scheduler in one process, nats-server, several node agents) in front of a mock
engine that writes each stream's tokens at an interval, and a client that asks for all streams at
once, round after round. A key may have 256 requests at a time and a node 256 slots, so there are as
many keys and agents as the streams need. The client, the engine and all parts of the pool share the
processor cores. CPU time is read from each process's own clock. Linux only.

    python -m benchmarks.paced_streams [--json] [--streams N] [--tokens N] [--gap-ms MS]
        [--rounds N] [--cores N]
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.support.common import make_parser, markdown_table
from benchmarks.support.load_targets import MODEL, absent, compiled, cost_of, process
from benchmarks.support.paced_client import Received

from entraide.v1 import admin_pb2
from entraide_scheduler.nats.config import free_port
from entraide_scheduler.up.pool import LocalPool, PoolOptions
from entraide_scheduler.up.sites import SITES

PER_KEY, PER_NODE = 250, 200  # below the limits of a key and of a node, which are 256
COUNTS = ("delivered", "lost", "doubled", "refused", "codes")
COLUMNS = (
    "streams", "tokens", "gap_ms", "agents", "delivered", "lost", "doubled", "inter_token_p50_ms",
    "inter_token_p99_ms", "inter_token_p999_ms", "first_token_p50_ms", "first_token_p99_ms",
    "tokens_per_s", "gateway_cpu_us_per_token", "agents_cpu_us_per_token", "nats_cpu_us_per_token",
    "engine_cpu_us_per_token", "client_cpu_us_per_token",
)  # fmt: skip


class PacedPool(LocalPool):
    """A local pool that makes keys."""

    async def make_keys(self, count: int) -> list[str]:
        """Makes API keys, of the pool's co-ops in turn."""
        keys = []
        for number in range(count):
            coop = SITES[number % len(SITES)].coop
            request = admin_pb2.CreateKeyRequest(coop=coop, project="load", label=f"key {number}")
            keys.append((await self._admin.CreateKey(request, metadata=self._auth)).secret)
        return keys


async def run_client(port: int, keys: list[str], options: argparse.Namespace) -> Received:
    """Runs the client in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.support.paced_client", str(port)]
    argv += [str(options.tokens), str(round(options.gap_ms * 1_000)), str(options.rounds), *keys]
    client = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE)
    output, _ = await client.communicate()
    if client.returncode:
        raise RuntimeError(f"the client ended with {client.returncode}")
    return msgspec.json.decode(output, type=Received)


async def run(home: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Starts everything, measures, ends everything; returns the row."""
    agents = -(-options.streams // PER_NODE)
    backend = free_port("127.0.0.1")
    engine: dict[str, str | int] = {
        "kind": "attach", "url": f"http://127.0.0.1:{backend}", "model": MODEL, "slots": 256,
        "context_tokens": 8_192,
    }  # fmt: skip
    compiled(home)
    with process([str(home / "mockd"), str(backend)], home / "mockd.log") as engine_pid:
        pool = PacedPool(PoolOptions(home / "pool", nodes=agents, engine=engine, lang="en"))
        try:
            running = await pool.start()
            made = await pool.make_keys(-(-options.streams // PER_KEY))
            keys = [made[number // PER_KEY] for number in range(options.streams)]
            port = int(running.http.rsplit(":", 1)[1])
            pids = running.pids
            parts = {
                "gateway": [pids["scheduler"]],
                "agents": [pid for name, pid in pids.items() if name.startswith("node-")],
                "nats": [pids["nats"]],
                "engine": [engine_pid],
            }
            load = os.getloadavg()[0]
            before = {part: cost_of(each) for part, each in parts.items()}
            received = await run_client(port, keys, options)
            used_s = {part: cost_of(each).since(before[part]).cpu_s for part, each in parts.items()}
        finally:
            await pool.stop()
    return row_of(received, used_s | {"client": received.cpu_s}, options, agents, load)


def row_of(
    received: Received,
    used_s: dict[str, float],
    options: argparse.Namespace,
    agents: int,
    load: float,
) -> dict[str, Any]:
    """Returns the row of a run."""
    row: dict[str, Any] = {"benchmark": "paced_streams", "streams": options.streams}
    row |= {"tokens": options.tokens, "gap_ms": options.gap_ms, "rounds": options.rounds}
    row |= {"agents": agents, "cores": options.cores, "load_before": round(load, 2)}
    row |= {name: getattr(received, name) for name in COUNTS}
    inter, first = received.inter_token_ms, received.first_token_ms
    row |= {"inter_token_p50_ms": inter[0], "inter_token_p99_ms": inter[1]}
    row |= {"inter_token_p999_ms": inter[2], "wall_s": received.wall_s}
    row |= {"first_token_p50_ms": first[0], "first_token_p99_ms": first[1]}
    row["tokens_per_s"] = round(received.delivered / received.wall_s)
    for part, cpu_s in used_s.items():
        row[f"{part}_cpu_us_per_token"] = round(cpu_s * 1e6 / max(1, received.delivered), 2)
    return row


def parse_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Returns the options."""
    parser = make_parser(__doc__)
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--tokens", type=int, default=50, help="of each stream")
    parser.add_argument("--gap-ms", type=float, default=20.0, help="between a stream's tokens")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2, help="processor cores that all share")
    return parser.parse_args(arguments)


def main() -> int:
    """Entry point; returns the exit code."""
    options = parse_options()
    missing = absent()
    if missing:
        print(missing, file=sys.stderr)
        return 2
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    home = Path(tempfile.mkdtemp(prefix="entraide-bench-"))
    try:
        row = asyncio.run(run(home, options))
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(home)
    print(json.dumps([row]) if options.json else markdown_table([row], COLUMNS))
    return int(row["lost"] + row["doubled"] > 0)


if __name__ == "__main__":
    sys.exit(main())
