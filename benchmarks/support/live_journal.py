"""Records the journal of a real pool that lives through trouble, for ``benchmarks.trial``.

    python -m benchmarks.support.live_journal FILE SEED FOLDER

Three machines with llama.cpp and the demonstration's model; three co-ops ask by name, size, alias
and ``auto``, in all classes and at once. An owner pauses a machine and comes back to it, an agent
is killed while it works, and then the scheduler. It takes some minutes. Two runs with the same seed
record two lives: their times are those of the day.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

from tests.data.record_state import ask_live
from tests.integration.local_pool import RunningPool, up

PHASE = 30  # requests between two troubles


def pause(pool: RunningPool, node: str, *, resume: bool = False) -> None:
    """Pauses a machine as its owner, or ends the pause."""
    folder = pool.state / "nodes" / node
    arguments = ["node", "resume" if resume else "pause", "--dir", str(folder)]
    subprocess.run([sys.executable, "-m", "entraide.cli", *arguments], check=True)


def live(pool: RunningPool, luck: Random) -> None:
    """Lets the pool live."""
    print("plain:", ask_live(pool, luck, PHASE))
    pause(pool, "node-3")
    print("paused:", ask_live(pool, luck, PHASE))
    pause(pool, "node-3", resume=True)
    print("killed agent:", ask_live(pool, luck, PHASE, kill="node-2"))
    os.kill(pool.file.pids["scheduler"], signal.SIGKILL)
    pool.until(lambda: len(pool.live()) == 3, "three live nodes after the scheduler's kill")
    print("restarted:", ask_live(pool, luck, PHASE))


def main(file: Path, seed: int, folder: Path) -> None:
    """Records, and writes the journal."""
    pool = up(folder / "pool")
    try:
        live(pool, Random(seed))
        pool.entraide("scheduler", "journal", "export", "--out", str(file))
        file.chmod(0o644)
    finally:
        pool.entraide("down")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
