"""Latency and CPU time that the pool's gateway adds to an engine, compared with nginx.

Targets get the same load in turn: the mock engine itself (``direct``), nginx in front of it, and a
whole pool in front of it: gateway and scheduler in one process, nats-server, and a node agent with
the mock as its engine. API key, admission, fair queue, placement, lease, energy, signed receipt,
journal and ledger are active. With ``--against`` the pool of another revision is one more target,
so that both are measured in the same minutes; ``--against HEAD --python python3.13`` compares two
versions of Python. ``--router vllm_router=PROGRAM`` and ``--router litellm=PROGRAM`` add these
routers, where they are installed.

CPU time is read from each process's own clock. Other work on the cores only ever adds to a figure:
a figure is the 25th percentile of the rounds (of requests a second, the 75th) of a percentile
within a round. The order of the targets turns by one in each round. Linux only.

    python -m benchmarks.gateway [--json] [--rounds N] [--secs S] [--against REV [--python NAME]]
        [--router NAME=PROGRAM ...] [--only PHASE ...]
"""

import argparse
import asyncio
import contextlib
import json
import secrets
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.support.common import make_parser, markdown_table
from benchmarks.support.load_targets import (
    Cost,
    Phase,
    Sample,
    Target,
    absent,
    compiled,
    family,
    load,
    nginx_argv,
    process,
    rss_mib,
    until_ready,
)
from benchmarks.support.pool_of_revision import ROOT, checkout, served_pool
from benchmarks.support.routers import ROUTERS, router_argv

from entraide_scheduler.nats.config import free_port

OURS, EARLIER, NGINX, DIRECT = "pool", "against", "nginx", "direct"
COLUMNS = (
    "phase", "ttft_added_p50_us", "reference_nginx_ttft_added_p50_us", "requests_per_s",
    "reference_nginx_requests_per_s", "cpu_us_per_request", "cpu_us_per_request_nginx_ratio",
    "cpu_us_per_token", "cpu_us_per_token_nginx_ratio", "node_cpu_us_per_request",
    "nats_cpu_us_per_request", "rss_mib", "errors",
)  # fmt: skip
COMPARED = (
    "cpu_us_per_request", "cpu_us_per_token", "main_cpu_us_per_request", "switches_per_request",
    "node_cpu_us_per_request", "node_cpu_us_per_token", "nats_cpu_us_per_request",
    "ttft_added_p50_us", "inter_token_p99_us", "requests_per_s", "tokens_per_s", "rss_mib",
)  # fmt: skip
PHASES = (
    Phase("stream_1", 1, tokens=8, gap_us=2_000),
    Phase("stream_8", 8, tokens=8, gap_us=2_000),
    Phase("whole_64", 64, stream=False),
    Phase("paced_128", 128, tokens=50, gap_us=20_000),
    Phase("burst_64", 64, tokens=64),
)

Samples = dict[tuple[str, str], list[Sample]]


async def measured(
    home: Path, targets: dict[str, Target], phases: Sequence[Phase], *, rounds: int, secs: float
) -> tuple[Samples, dict[str, float]]:
    """Loads every target in turn, phase by phase; returns the samples, and memory by target."""
    samples: Samples = {}
    order = list(targets.items())
    for target in targets.values():
        for phase in (Phase("warm", 4, stream=False), Phase("warm", 4)):
            await load(home, target, phase, 0.5)
    for number in range(1, rounds + 1):
        order.append(order.pop(0))
        for phase in phases:
            for name, target in order:
                sample = await load(home, target, phase, secs)
                samples.setdefault((phase.name, name), []).append(sample)
        print(f"round {number} of {rounds}", file=sys.stderr)
    memory = {
        name: rss_mib(next(iter(target.pids.values()), ())) for name, target in targets.items()
    }
    return samples, memory


def quarter(
    samples: list[Sample], figure: Callable[[Sample], float | None], *, most: bool = False
) -> float | None:
    """Returns the 25th percentile of a figure over the rounds that have it, or the 75th."""
    values = [value for value in map(figure, samples) if value is not None]
    if len(values) < 2:
        return round(values[0], 2) if values else None
    quarters = statistics.quantiles(values, n=4, method="inclusive")
    return round(quarters[2 if most else 0], 2)


def percentile(which: str, name: str) -> Callable[[Sample], float | None]:
    """Returns a reader of one of the client's percentiles, microseconds."""
    return lambda sample: (sample.seen.get(which) or {}).get(name)


def per(part: str, count: str, what: Callable[[Cost], float]) -> Callable[[Sample], float | None]:
    """Returns a reader of a part's cost for each request or token."""

    def figure(sample: Sample) -> float | None:
        n = sample.seen.get(count)
        return what(sample.costs[part]) / n if n and part in sample.costs else None

    return figure


def figures(samples: list[Sample], direct: list[Sample], parts: Sequence[str]) -> dict[str, Any]:
    """Returns the figures of a phase on a target; ``added`` is the excess over the engine."""
    row: dict[str, Any] = {}
    for name, which, p in (
        ("ttft_p50_us", "ttft_us", "p50"),
        ("answer_p50_us", "total_us", "p50"),
        ("inter_token_p99_us", "itg_us", "p99"),
    ):
        value, base = quarter(samples, percentile(which, p)), quarter(direct, percentile(which, p))
        row[name] = value
        added = None if value is None or base is None else round(value - base, 2)
        row[name.replace("_p", "_added_p")] = added
    row["requests_per_s"] = quarter(samples, lambda sample: sample.seen.get("rps"), most=True)
    row["tokens_per_s"] = quarter(samples, lambda sample: sample.seen.get("tps"), most=True)
    for index, part in enumerate(parts):
        prefix = "" if index == 0 else f"{part}_"
        for name, count, what in (
            ("cpu_us_per_request", "reqs", lambda cost: cost.cpu_s * 1e6),
            ("cpu_us_per_token", "toks", lambda cost: cost.cpu_s * 1e6),
            ("main_cpu_us_per_request", "reqs", lambda cost: cost.main_s * 1e6),
            ("switches_per_request", "reqs", lambda cost: float(cost.switches)),
        ):
            row[prefix + name] = quarter(samples, per(part, count, what))
    row["errors"] = sum(sample.seen.get("err", 0) for sample in samples)
    return row


def ratio(mine: float | None, theirs: float | None) -> float | None:
    """Returns the ratio to the reference; None if the reference is not above 0."""
    return round(mine / theirs, 3) if mine is not None and theirs and theirs > 0 else None


def row_of(
    phase: Phase, samples: Samples, targets: dict[str, Target], memory: dict[str, float]
) -> dict[str, Any]:
    """Returns the row of one phase."""
    direct = samples[phase.name, DIRECT]
    by_target = {
        name: figures(samples[phase.name, name], direct, tuple(target.pids))
        | {"rss_mib": round(memory[name], 1)}
        for name, target in targets.items()
    }
    mine, base = by_target[OURS], by_target[DIRECT]
    row: dict[str, Any] = {"benchmark": "gateway", "phase": phase.name}
    row |= {"connections": phase.connections, "stream": phase.stream, "tokens": phase.tokens}
    row |= {"gap_us": phase.gap_us, "rounds": len(direct)}
    row |= mine
    for reference in (NGINX, EARLIER, *ROUTERS):
        if reference in by_target:
            theirs = by_target[reference]
            row |= {f"reference_{reference}_{name}": value for name, value in theirs.items()}
            row |= {
                f"{name}_{reference}_ratio": ratio(mine[name], theirs.get(name))
                for name in COMPARED
            }
    row |= {
        f"direct_{name}": value
        for name, value in base.items()
        if "added" not in name and name != "rss_mib"
    }
    return row


async def run(home: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Starts everything, measures, ends everything; returns a row for each phase."""
    compiled(home)
    revisions = {OURS: ROOT}
    if options.against:
        revisions[EARLIER] = checkout(options.against, options.python)
    phases = [phase for phase in PHASES if phase.name in options.only]
    backend, proxy = free_port("127.0.0.1"), free_port("127.0.0.1")
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(process([str(home / "mockd"), str(backend)], home / "mockd.log"))
        nginx = stack.enter_context(
            process(nginx_argv(home, port=proxy, backend=backend), home / "nginx.log")
        )
        targets = {DIRECT: Target(backend, "none", {}), NGINX: Target(proxy, "none", {})}
        for name, folder in revisions.items():
            serving = served_pool(folder, Path(tempfile.mkdtemp(dir=home)), backend)
            targets[name] = await stack.enter_async_context(serving)
        roots = {NGINX: nginx}
        for name, program in options.router:
            port, key = free_port("127.0.0.1"), secrets.token_hex(16)
            argv = router_argv(name, program, home, port=port, backend=backend, key=key)
            roots[name] = stack.enter_context(process(argv, home / f"{name}.log"))
            targets[name] = Target(port, key, {})
        for target in targets.values():
            await until_ready(target)
        for name, root in roots.items():
            ready = targets[name]
            targets[name] = Target(ready.port, ready.key, {name: family(root)})
        samples, memory = await measured(
            home, targets, phases, rounds=options.rounds, secs=options.secs
        )
    return [row_of(phase, samples, targets, memory) for phase in phases]


def named_program(text: str) -> tuple[str, str]:
    """Returns the name of a router and its program.

    Raises:
        argparse.ArgumentTypeError: the name or the program is unknown.
    """
    name, _, program = text.partition("=")
    if name not in ROUTERS or shutil.which(program) is None:
        raise argparse.ArgumentTypeError(f"{text}: not NAME=PROGRAM with {', '.join(ROUTERS)}")
    return name, program


def main() -> int:
    """Entry point; returns the exit code."""
    parser = make_parser(__doc__)
    names = [phase.name for phase in PHASES]
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secs", type=float, default=2.0, help="of each load")
    parser.add_argument("--against", metavar="REV", help="another revision, measured beside")
    parser.add_argument("--python", metavar="NAME", default="", help="that runs that revision")
    parser.add_argument(
        "--router", type=named_program, action="append", default=[], metavar="NAME=PROGRAM",
        help=f"another router before the same engine: {', '.join(ROUTERS)}",
    )  # fmt: skip
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="PHASE")
    options = parser.parse_args()
    missing = absent()
    if missing:
        print(missing, file=sys.stderr)
        return 2
    home = Path(tempfile.mkdtemp(prefix="entraide-bench-"))
    try:
        rows = asyncio.run(run(home, options))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    columns = (*COLUMNS, *(f"{name}_{EARLIER}_ratio" for name in COMPARED if options.against))
    print(json.dumps(rows) if options.json else markdown_table(rows, columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
