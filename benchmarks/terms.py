"""Cost of the term that each commit of the scheduler's store confirms.

Two processes write groups of events to a store of their own, in turns: one without a term (or of
another checkout, the commit before, for instance), one with a term.

    python -m benchmarks.terms [--json] [--before FOLDER] [--urls URL URL] [--rounds N]

``--urls`` names two empty databases; without it each process has a SQLite file. Rows: ``rows,
commit_ms, commit_with_term_ms, commit_ratio, cpu_ratio``: ``rows`` events a group, the median time
of a commit (from the beginning of its transaction until it is on disk), and the medians of the
ratios of neighbouring turns, with a term to without.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.support.common import make_parser, print_rows
from msgspec import Struct

GROUPS, ROUNDS = 40, 15
ROWS = (1, 100)
PROGRAM = """
import asyncio, sys, time
import entraide_scheduler
from entraide_scheduler.store.journal import JournalRow
from entraide_scheduler.store.store import Store

async def main(url, with_term):
    store, seq = await Store.open(url), 0
    if with_term:
        await store.take_term("benchmark")
    print(entraide_scheduler.__file__, flush=True)
    for line in sys.stdin:
        groups, rows = map(int, line.split())
        spent_s, cpu_s = store.metrics.commit_s._sum.get(), time.process_time()
        for _ in range(groups):
            writes = []
            for _ in range(rows):
                seq += 1
                writes.append(store.append_journal([JournalRow(seq, b"x" * 300)]))
            await asyncio.gather(*writes)
        spent_s, cpu_s = store.metrics.commit_s._sum.get() - spent_s, time.process_time() - cpu_s
        print(spent_s / groups, cpu_s / groups, flush=True)
    await store.close()

asyncio.run(main(sys.argv[1], sys.argv[2] == "term"))
"""


class Row(Struct, frozen=True):
    """Measurements with one number of events a group."""

    rows: int
    commit_ms: float
    commit_with_term_ms: float
    commit_ratio: float
    cpu_ratio: float


class Writer:
    """A process that writes groups when it is told to.

    Attributes:
        source: file of the package that it runs.
    """

    def __init__(self, url: str, *, checkout: Path | None = None, term: bool) -> None:
        environment = dict(os.environ)
        if checkout is not None:
            roots = [str(checkout / root) for root in ("sdk", "scheduler")]
            environment["PYTHONPATH"] = os.pathsep.join(roots)
        command = [sys.executable, "-c", PROGRAM, url, "term" if term else "none"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.source = self._read().strip()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a writer has ended")
        return line

    def write(self, rows: int) -> tuple[float, float]:
        """Writes groups; returns the seconds and the CPU seconds of one commit."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{GROUPS} {rows}\n")
        self._process.stdin.flush()
        commit_s, cpu_s = map(float, self._read().split())
        return commit_s, cpu_s

    def end(self) -> None:
        """Ends the process."""
        self._process.communicate()


def measure(rows: int, before: Writer, after: Writer, rounds: int) -> Row:
    """Measures both in turns; the one that goes first changes with each round."""
    plain, confirmed = [], []
    for number in range(rounds):
        for writer, results in [(before, plain), (after, confirmed)][:: 1 if number % 2 else -1]:
            results.append(writer.write(rows))
    pairs = list(zip(plain, confirmed, strict=True))
    return Row(
        rows=rows,
        commit_ms=round(1e3 * statistics.median(each[0] for each in plain), 3),
        commit_with_term_ms=round(1e3 * statistics.median(each[0] for each in confirmed), 3),
        commit_ratio=round(statistics.median(b[0] / a[0] for a, b in pairs), 3),
        cpu_ratio=round(statistics.median(b[1] / a[1] for a, b in pairs), 3),
    )


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__)
    parser.add_argument("--before", type=Path, help="another checkout")
    parser.add_argument("--urls", nargs=2, help="two empty databases")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        urls = options.urls or [f"sqlite:///{folder}/{name}.db" for name in ("before", "after")]
        before = Writer(urls[0], checkout=options.before, term=False)
        after = Writer(urls[1], term=True)
        assert options.before is None or str(options.before.resolve()) in before.source
        rows = [measure(number, before, after, options.rounds) for number in ROWS]
        for writer in (before, after):
            writer.end()
    print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main()
