"""Throughput of the fair queue alone, by number of co-ops.

100,000 jobs of all co-ops are queued throughout: each pair of operations enqueues one job and
serves the next (``add``, ``next``, ``serve``). ``lives_per_s`` adds two progress reports, the end
and its correction.

References in the same run: the method of VTC's artifact (Ying1123/VTC-artifact, OSDI 2024), a deque
and a counter per client and ``min()`` over the waiting counters, with one level, no weights and no
cap; and ``rotation``, a deque per co-op served in a fixed order without counters, which shows the
cost of memory access alone.

    python -m benchmarks.fairqueue [--json] [--rounds N]

Rows: ``coops, waiting, pairs_per_s, operations_per_s, slowdown_ratio, lives_per_s,
bytes_per_queued_job, reference_pairs_per_s, reference_operations_per_s, reference_slowdown_ratio,
reference_ratio, reference_rotation_operations_per_s, reference_rotation_slowdown_ratio``. A
slowdown is the time of a pair over that with the fewest co-ops; bytes are the queue's own, without
the jobs. Times are CPU time of one process, the best of the rounds; garbage collection is on, with
the queued jobs frozen.
"""

import gc
import json
import sys
import time
import tracemalloc
from collections import deque
from collections.abc import Sequence

from benchmarks.support.common import make_parser
from benchmarks.support.requests import make_request
from msgspec import Struct, to_builtins

from entraide.types import DataClass, JobState
from entraide_scheduler.core.fair_queue import FairQueue
from entraide_scheduler.core.fair_queue.formulas import reserved_tokens
from entraide_scheduler.core.policy import CoopTerms, FairShare, Policy
from entraide_scheduler.core.records import Job, RunCharge, Shape

SIZES = (2, 10, 100, 1_000, 10_000)
WAITING = 100_000
PAIRS = 20_000  # of each round
REFERENCE_SECS = 1.0  # maximum per round: slow with many co-ops
ROUNDS = 5
STRIDE = 7_919  # order of the co-ops' jobs, different from the order of names
MODEL = "bench"
EXPECTED_TOKENS = 128
CAP_TOKENS = 10**9  # never reached: no run ends while pairs are counted


class Row(Struct, frozen=True):
    """Measurements with one number of co-ops."""

    coops: int
    waiting: int
    pairs_per_s: float
    operations_per_s: float
    slowdown_ratio: float
    lives_per_s: float
    bytes_per_queued_job: float
    reference_pairs_per_s: float
    reference_operations_per_s: float
    reference_slowdown_ratio: float
    reference_ratio: float
    reference_rotation_operations_per_s: float
    reference_rotation_slowdown_ratio: float


def make(number: int, coop: str) -> Job:
    """Returns a job; all are equal, each with its own shape object."""
    facts = make_request(
        f"job-{number}",
        coop,
        MODEL,
        input_tokens_est=100 + number % 300,
        input_tokens_max=600,
        output_tokens_max=256,
    )
    shape = Shape(MODEL, (), "CA", DataClass.INTERNAL, "", 1_024)
    return Job(facts, JobState.QUEUED, number, 0.0, 256, 856, shape)


def names_of(coops: int) -> tuple[str, ...]:
    """Returns the co-ops' names."""
    return tuple(f"coop-{number:05}" for number in range(coops))


def jobs_of(names: Sequence[str], first: int, count: int) -> list[Job]:
    """Returns consecutive jobs, equally many of each co-op."""
    return [make(at, names[at * STRIDE % len(names)]) for at in range(first, first + count)]


class QueueBench:
    """A fair queue with its waiting jobs.

    Attributes:
        bytes_per_queued_job: what the queue itself keeps for each.
    """

    def __init__(self, coops_count: int) -> None:
        self.names = names_of(coops_count)
        self.queue = FairQueue()
        coops = tuple(CoopTerms(name) for name in self.names)
        self.queue.apply_policy(Policy("bench", coops, fair_share=FairShare(cap_tokens=CAP_TOKENS)))
        self.made = 0
        jobs = self._more(WAITING)
        tracemalloc.start()
        for job in jobs:
            self.queue.add(job)
        self.bytes_per_queued_job = tracemalloc.get_traced_memory()[0] / WAITING
        tracemalloc.stop()

    def _more(self, count: int) -> list[Job]:
        self.made += count
        return jobs_of(self.names, self.made - count, count)

    def pairs_per_s(self) -> float:
        """Enqueues jobs and serves the next ones; returns pairs per second."""
        queue, jobs, bills = self.queue, self._more(PAIRS), []
        gc.collect()
        gc.freeze()
        began = time.process_time()
        for job in jobs:
            queue.add(job)
            served = queue.next_job()
            assert served is not None
            bills.append(
                queue.start_run(
                    served,
                    input_tokens=served.facts.input_tokens_est,
                    expected_tokens=EXPECTED_TOKENS,
                    reserved_tokens=reserved_tokens(served),
                )
            )
        took_s = time.process_time() - began
        for bill in bills:
            queue.counters.end_run(bill)
        return PAIRS / took_s

    def lives_per_s(self) -> float:
        """Does the same and completes each run; returns jobs per second."""
        queue, jobs = self.queue, self._more(PAIRS)
        gc.collect()
        gc.freeze()
        began = time.process_time()
        for job in jobs:
            queue.add(job)
            served = queue.next_job()
            assert served is not None
            bill = queue.start_run(
                served,
                input_tokens=served.facts.input_tokens_est,
                expected_tokens=EXPECTED_TOKENS,
                reserved_tokens=reserved_tokens(served),
            )
            queue.counters.add_output(bill, 60)
            queue.counters.add_output(bill, 60)
            queue.counters.end_run(bill)
            queue.counters.correct_charge(bill, input_tokens=90, output_tokens=90 + job.serial % 80)
        return PAIRS / (time.process_time() - began)


class VtcQueueReference:
    """A deque and a counter for each co-op, and ``min()`` over the waiting co-ops' counters."""

    def __init__(self, coops: int) -> None:
        self.names = tuple(f"coop-{number:05}" for number in range(coops))
        self.lines: dict[str, deque[tuple[str, int]]] = {name: deque() for name in self.names}
        self.active = dict.fromkeys(self.names, 0.0)
        self.made = 0
        for _ in range(WAITING):
            name, tokens = self.more()
            self.lines[name].append((name, tokens))

    def more(self) -> tuple[str, int]:
        """Returns the next job: its co-op and tokens."""
        self.made += 1
        return self.names[self.made * STRIDE % len(self.names)], 100 + self.made % 300

    def pairs_per_s(self) -> float:
        """Enqueues jobs and serves the next ones; returns pairs per second."""
        done, began = 0, time.process_time()
        lines, active = self.lines, self.active
        while time.process_time() - began < REFERENCE_SECS and done < PAIRS:
            job = self.more()
            line = lines[job[0]]
            if not line:
                active[job[0]] = min(active.values(), default=0.0)
            line.append(job)
            name = min(active, key=active.__getitem__)
            served = lines[name].popleft()
            active[name] += served[1] + 2 * EXPECTED_TOKENS
            if not lines[name]:
                del active[name]
            done += 1
        return done / (time.process_time() - began)


class RotationReference:
    """A deque for each co-op, served in a fixed order: the same jobs and bills, and no fairness."""

    def __init__(self, coops: int) -> None:
        self.names = names_of(coops)
        self.lines: dict[str, deque[Job]] = {name: deque() for name in self.names}
        # Neither the order in which they were made nor that in which jobs come.
        order = sorted(range(coops), key=lambda number: number * STRIDE**2 % coops)
        self.turns = deque(self.lines[self.names[number]] for number in order)
        self.made = WAITING
        for job in jobs_of(self.names, 0, WAITING):
            self.lines[job.facts.coop].append(job)

    def pairs_per_s(self) -> float:
        """Enqueues jobs and serves the next co-op; returns pairs per second."""
        jobs, bills = jobs_of(self.names, self.made, PAIRS), []
        self.made += PAIRS
        lines, turns = self.lines, self.turns
        gc.collect()
        gc.freeze()
        began = time.process_time()
        for job in jobs:
            lines[job.facts.coop].append(job)
            while not turns[0]:
                turns.rotate(-1)
            served = turns[0].popleft()
            turns.rotate(-1)
            facts = served.facts
            held_tokens = reserved_tokens(served)
            bills.append(
                RunCharge(
                    facts.coop, facts.project, facts.job_class, 1.0, 2.0, 1.0, 1.0,
                    facts.input_tokens_est, EXPECTED_TOKENS, held_tokens,
                )
            )  # fmt: skip
        return PAIRS / (time.process_time() - began)


class QueueTimings(Struct, frozen=True):
    """The best of the rounds with one number of co-ops."""

    pairs_per_s: float
    lives_per_s: float
    reference_pairs_per_s: float
    rotation_pairs_per_s: float
    bytes_per_queued_job: float


def measure(coops: int, rounds: int) -> QueueTimings:
    """Measures one number of co-ops; the queue and its references take turns."""
    bench, reference, rotation = (
        QueueBench(coops),
        VtcQueueReference(coops),
        RotationReference(coops),
    )
    pairs, lives, references, rotations = [], [], [], []
    for _ in range(rounds):
        pairs.append(bench.pairs_per_s())
        lives.append(bench.lives_per_s())
        references.append(reference.pairs_per_s())
        rotations.append(rotation.pairs_per_s())
    gc.unfreeze()
    return QueueTimings(
        max(pairs), max(lives), max(references), max(rotations), bench.bytes_per_queued_job
    )


def rows(rounds: int) -> list[Row]:
    """Returns the rows of all sizes."""
    measured = {coops: measure(coops, rounds) for coops in SIZES}
    fewest = measured[SIZES[0]]
    return [
        Row(
            coops=coops,
            waiting=WAITING,
            pairs_per_s=round(timings.pairs_per_s),
            operations_per_s=round(2 * timings.pairs_per_s),
            slowdown_ratio=round(fewest.pairs_per_s / timings.pairs_per_s, 2),
            lives_per_s=round(timings.lives_per_s),
            bytes_per_queued_job=round(timings.bytes_per_queued_job, 1),
            reference_pairs_per_s=round(timings.reference_pairs_per_s),
            reference_operations_per_s=round(2 * timings.reference_pairs_per_s),
            reference_slowdown_ratio=round(
                fewest.reference_pairs_per_s / timings.reference_pairs_per_s, 2
            ),
            reference_ratio=round(timings.pairs_per_s / timings.reference_pairs_per_s, 2),
            reference_rotation_operations_per_s=round(2 * timings.rotation_pairs_per_s),
            reference_rotation_slowdown_ratio=round(
                fewest.rotation_pairs_per_s / timings.rotation_pairs_per_s, 2
            ),
        )
        for coops, timings in measured.items()
    ]


def main(arguments: Sequence[str]) -> None:
    """Measures each size and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each size; the best counts")
    options = parser.parse_args(arguments)
    table = rows(options.rounds)
    if options.json:
        print(json.dumps(to_builtins(table)))
        return
    print(
        f"{'coops':>7} {'ops/s':>9} {'slower':>7} {'lives/s':>9} {'VTC ops/s':>10} {'slower':>8} "
        f"{'rotation ops/s':>15} {'slower':>8}"
    )
    for row in table:
        print(
            f"{row.coops:>7} {row.operations_per_s:>9} {row.slowdown_ratio:>7} "
            f"{row.lives_per_s:>9} {row.reference_operations_per_s:>10} "
            f"{row.reference_slowdown_ratio:>8} {row.reference_rotation_operations_per_s:>15} "
            f"{row.reference_rotation_slowdown_ratio:>8}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
