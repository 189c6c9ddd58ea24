"""Records the journal of a real pool that lives through trouble, for ``benchmarks.trial``.

    python -m benchmarks.support.live_journal FILE SEED FOLDER [MINUTES]

Three machines with llama.cpp and the demonstration's model; three co-ops ask by name, size, alias
and ``auto``, in all classes and at once. An owner pauses a machine and comes back to it, an agent
is killed while it works, and then the scheduler. It takes some minutes; with ``MINUTES``, requests
come one by one at random times instead, two co-ops have quotas, and the troubles are spread over
that time. Two runs with the same seed record two lives: their times are those of the day.
"""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random

from tests.data.record_state import Ask, ask, ask_live, asks
from tests.integration.local_pool import RunningPool, up

PHASE = 30  # requests between two troubles
GAP_S = 5.0  # mean time between two requests of a long life
THREADS = 64
QUOTAS = (("prairie", "requests=2/minute"), ("boreale", "tokens=12000/day"))


def pause(pool: RunningPool, node: str, *, resume: bool = False) -> None:
    """Pauses a machine as its owner, or ends the pause."""
    folder = pool.state / "nodes" / node
    arguments = ["node", "resume" if resume else "pause", "--dir", str(folder)]
    subprocess.run([sys.executable, "-m", "entraide.cli", *arguments], check=True)


def kill(pool: RunningPool, part: str) -> None:
    """Kills the process of a part; ``up`` starts it again."""
    os.kill(pool.file.pids[part], signal.SIGKILL)


def live(pool: RunningPool, luck: Random) -> None:
    """Lets the pool live."""
    print("plain:", ask_live(pool, luck, PHASE))
    pause(pool, "node-3")
    print("paused:", ask_live(pool, luck, PHASE))
    pause(pool, "node-3", resume=True)
    print("killed agent:", ask_live(pool, luck, PHASE, kill="node-2"))
    kill(pool, "scheduler")
    pool.until(lambda: len(pool.live()) == 3, "three live nodes after the scheduler's kill")
    print("restarted:", ask_live(pool, luck, PHASE))


def live_long(pool: RunningPool, luck: Random, minutes: float) -> None:
    """Lets the pool live for that long."""
    for coop, quota in QUOTAS:
        pool.entraide("coops", "set", coop, "--quota", quota)
    troubles: list[tuple[float, Callable[[], None]]] = [
        (0.15, lambda: pause(pool, "node-3")),
        (0.25, lambda: pause(pool, "node-3", resume=True)),
        (0.35, lambda: kill(pool, "node-2")),
        (0.50, lambda: kill(pool, "scheduler")),
        (0.65, lambda: pause(pool, "node-1")),
        (0.70, lambda: pause(pool, "node-1", resume=True)),
        (0.80, lambda: kill(pool, "node-3")),
    ]
    begun_at, length_s = time.monotonic(), minutes * 60.0
    ended: list[Future[str]] = []
    with ThreadPoolExecutor(THREADS) as threads:
        while (passed_s := time.monotonic() - begun_at) < length_s:
            if troubles and passed_s >= troubles[0][0] * length_s:
                troubles.pop(0)[1]()
            ended += [threads.submit(_ask, pool, each) for each in asks(luck, 1)]
            time.sleep(luck.expovariate(1.0 / GAP_S))
    print(Counter(each.result() for each in ended))


def _ask(pool: RunningPool, question: Ask) -> str:
    try:
        return ask(pool, question)
    except (OSError, http.client.HTTPException):  # while the scheduler is away
        return "unreachable"


def main(file: Path, seed: int, folder: Path, minutes: float) -> None:
    """Records, and writes the journal."""
    pool = up(folder / "pool")
    try:
        if minutes:
            live_long(pool, Random(seed), minutes)
        else:
            live(pool, Random(seed))
        pool.entraide("scheduler", "journal", "export", "--out", str(file))
        file.chmod(0o644)
    finally:
        pool.entraide("down")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), float((*sys.argv, 0)[4]))
