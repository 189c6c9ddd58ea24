"""First month of a pool, on machines in network namespaces; the record is JSON.

    python -m tests.first_month [--out FILE]

Exit status 1 means that a step failed, 2 that this machine cannot have the machines of the test. It
needs root and the index that pip is configured for; what people type is printed meanwhile.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
from tests.first_month import machines
from tests.first_month.month import Month
from tests.first_month.record import Record
from tests.first_month.releases import make_releases
from tests.testbed.network import find_obstacle


def main(arguments: list[str]) -> int:
    """Runs the month; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="file for the record, instead of the output")
    options = parser.parse_args(arguments)
    obstacle = find_obstacle() or machines.find_obstacle()
    if obstacle:
        print(f"no machines for the test: {obstacle}", file=sys.stderr)
        return 2
    record = Record({})
    try:
        with tempfile.TemporaryDirectory(prefix="entraide-releases-") as folder:
            run(Path(folder), record)
    except (AssertionError, subprocess.SubprocessError) as problem:
        record.failed = str(problem)
    text = json.dumps(msgspec.to_builtins(record), indent=2, ensure_ascii=False)
    if options.out:
        options.out.write_text(f"{text}\n", "utf-8")
    else:
        print(text)
    return 1 if record.failed else 0


def run(folder: Path, record: Record) -> None:
    """Makes two releases, then does each step of the month."""
    with record.step("releases made"):
        releases = make_releases(folder)
    record.versions = [releases.first.version, releases.second.version]
    with machines.running_machines() as (bed, described):
        record.machines = described
        month = Month(bed, releases, record)
        month.found()
        month.join()
        month.serve("served")
        month.upgrade()
        month.serve("served after the upgrade")
        month.back_up()
        month.restore()
        month.serve("served after the restore")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
