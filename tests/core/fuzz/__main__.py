"""Fuzzer of the core: random worlds, under an oracle that reads events and commands only.

    python -m tests.core.fuzz [--first N] [--seeds N] [--length SECONDS] [--shrink SECONDS]
    python -m tests.core.fuzz --file JOURNAL

A seed and a commit give the same events. The summary is JSON; exit status 1 means that a promise is
broken. Each broken one is printed with a small journal that breaks it, which ``--file`` runs again.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import process_time
from typing import Any

from tests.core.fuzz.feeding import pack, run_journal, shrink, unpack
from tests.core.fuzz.knowledge import Violation
from tests.core.fuzz.world import World

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".cache/fuzz-core"
SHOWN = 12  # last events that are printed


def main(arguments: list[str]) -> int:
    """Runs the worlds, or a journal again; returns the exit status."""
    options = read_options(arguments)
    if options.file is not None:
        return run_again(options.file)
    seeds = range(options.first, options.first + options.seeds)
    print(f"commit {commit()}, {vars(options)}", file=sys.stderr)
    began, counts, faults = process_time(), Counter[str](), []
    commands, kinds = Counter[str](), Counter[str]()
    for seed in seeds:
        world, violation = live(seed, options.length)
        feeder = world.feeder
        counts.update(worlds=1, events=len(feeder.events), forks=feeder.forks)
        counts["waiting_checked"] += feeder.oracle.checks["waiting"]
        commands.update(feeder.counts)
        kinds.update(world.faults)
        if violation is not None:
            faults.append(tell(seed, world, violation, options.shrink))
    spent_s = round(process_time() - began, 1)
    summary = {**counts, "commands": commands, "faults_of_worlds": kinds, "seconds": spent_s}
    print(json.dumps({"seeds": [seeds.start, seeds.stop - 1], **summary, "broken": faults}))
    return 1 if faults else 0


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1, help="first seed")
    parser.add_argument("--seeds", type=int, default=100, help="number of seeds")
    parser.add_argument("--length", type=float, default=120.0, help="of a world, in its seconds")
    parser.add_argument("--shrink", type=float, default=60.0, help="time for a smaller journal")
    parser.add_argument("--file", type=Path, help="a journal to run again")
    return parser.parse_args(arguments)


def live(seed: int, length_s: float) -> tuple[World, Violation | None]:
    """Lives a world; returns it, and the promise that was broken."""
    world = World(seed, length_s=length_s)
    try:
        world.live()
    except Violation as violation:
        return world, violation
    return world, None


def tell(seed: int, world: World, violation: Violation, seconds: float) -> dict[str, Any]:
    """Prints a broken promise with a small journal, which is also kept in a file."""
    journal = shrink(world.feeder.journal, violation, seconds=seconds)
    again, shorter = run_journal(journal)
    if shorter is None:  # it needs what only the whole world has
        again, journal, shorter = world.feeder, world.feeder.journal, violation
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"seed-{seed}.journal"
    file.write_bytes(pack(journal))
    print(f"seed {seed}, event {len(world.feeder.events)}: {violation}", file=sys.stderr)
    print(f"{len(journal)} events are left in {file}: {shorter}", file=sys.stderr)
    for event in again.events[-SHOWN:]:
        print(f"  {event}", file=sys.stderr)
    return {
        "seed": seed, "event": len(world.feeder.events), "rule": violation.rule,
        "text": violation.text, "file": str(file.relative_to(ROOT)), "left": len(journal),
    }  # fmt: skip


def run_again(file: Path) -> int:
    """Runs a journal; returns the exit status."""
    feeder, violation = run_journal(unpack(file.read_bytes()))
    print(json.dumps({"events": len(feeder.events), "broken": violation and str(violation)}))
    return 0 if violation is None else 1


def commit() -> str:
    """The commit of the checkout."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
