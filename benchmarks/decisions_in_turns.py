"""Core beside an earlier commit: CPU time of each event of a job's life, in turns.

Two processes hold the same pool, each with the code of its own checkout, and handle the same events
in turns of a fraction of a second. So both meet the same other work on the machine. The events, the
pool and the two loads are those of ``decisions``, whose docstring defines them.

    python -m benchmarks.decisions_in_turns --before FOLDER [--json] [--rounds N] [--nodes N ...]

Rows: ``load, nodes, what``, microseconds of CPU time of both checkouts (commands encoded), that a
tenth and half of all lives do not exceed, and ``ratio_p10, ratio_p50`` of now to before. The first
lives of a turn fill the caches and do not count. ``what`` is an event, the ``pair`` of request and
report, or a whole ``life``.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.decisions import IDLE, WAITING
from benchmarks.support.common import make_parser, print_rows
from msgspec import Struct

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("sdk", "scheduler", "node_agent", "sim", "dashboard")
ROUNDS, LIVES, UNCOUNTED = 60, 60, 10  # lives in each round, and the first ones of these
SIZES = (10, 1_000)
EVENTS = ("request", "accepted", "progress", "report")
PROGRAM = """
import gc, json, sys, time
from benchmarks.decisions import QUEUED, CoreBench
from entraide_scheduler.core import machine

bench = CoreBench(int(sys.argv[1]), QUEUED, sys.argv[2])
gc.collect()
gc.freeze()
handle, encode, clock = bench.core.handle, bench.encode, time.thread_time
print(machine.__file__, flush=True)
for line in sys.stdin:
    lives = []
    for _ in range(int(line)):
        spent_s = []
        accepted, first, more, report = bench.finish_job(bench.running.popleft())
        commands = []
        for events in ((bench.request(),), (accepted,), (first, more), (report,)):
            began = clock()
            for event in events:
                commands.append(handle(event))
                encode(commands[-1])
            spent_s.append(clock() - began)
        lives.append(spent_s)
        bench.take(commands[0], commands[-1])
    print(json.dumps(lives), flush=True)
"""


class Row(Struct, frozen=True):
    """CPU time of an event, or of several, with both checkouts."""

    load: str
    nodes: int
    what: str
    before_p10_us: float
    now_p10_us: float
    ratio_p10: float
    ratio_p50: float


class Core:
    """A process with the core of one checkout."""

    def __init__(self, checkout: Path, nodes: int, load: str) -> None:
        roots = [checkout, *(checkout / package for package in PACKAGES)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, roots))}
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(nodes), load],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        source = self._read().strip()
        assert source.startswith(str(checkout)), f"{source} is not of {checkout}"

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a core has ended")
        return line

    def live(self) -> list[dict[str, float]]:
        """Handles the events of a round; returns the seconds of each event, by life."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{LIVES}\n")
        self._process.stdin.flush()
        lives = [dict(zip(EVENTS, each, strict=True)) for each in json.loads(self._read())]
        return [
            life | {"pair": life["request"] + life["report"], "life": sum(life.values())}
            for life in lives[UNCOUNTED:]
        ]

    def end(self) -> None:
        """Ends the process."""
        self._process.communicate()


def measure(before: Path, load: str, nodes: int, rounds: int) -> Iterator[Row]:
    """Measures both in turns; the one that goes first changes with each round."""
    cores = [Core(checkout, nodes, load) for checkout in (before, ROOT)]
    results: list[list[dict[str, float]]] = [[], []]
    for number in range(rounds):
        for place in (0, 1) if number % 2 else (1, 0):
            results[place] += cores[place].live()
    for core in cores:
        core.end()
    for what in results[0][0]:
        old_s, new_s = (sorted(each[what] for each in side) for side in results)
        tenth, half = len(old_s) // 10, len(old_s) // 2
        yield Row(
            load,
            nodes,
            what,
            round(1e6 * old_s[tenth], 1),
            round(1e6 * new_s[tenth], 1),
            round(new_s[tenth] / old_s[tenth], 3),
            round(new_s[half] / old_s[half], 3),
        )


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__)
    parser.add_argument("--before", type=Path, required=True, help="another checkout")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--nodes", type=int, nargs="+", default=SIZES, help="of each fleet")
    options = parser.parse_args()
    before = options.before.resolve()
    rows = [
        row
        for load in (IDLE, WAITING)
        for nodes in options.nodes
        for row in measure(before, load, nodes, options.rounds)
    ]
    print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main()
