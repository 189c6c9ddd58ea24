"""Chaos test: kills, cuts, wrong clocks and full disks on a pool under load, with outside checks.

    python -m tests.chaos --seed N [--short] [--minutes M] [--only KIND ...] [--node NAME ...]
                          [--streams N] [--folder DIR]

Ctrl-C stops a run; the same command goes on with it. The report is JSON; exit status 1 means that
a promise is broken, 2 that the machine cannot have the test bed.
"""

import argparse
import json
import shutil
import signal
import sys
from pathlib import Path

import msgspec
from tests.chaos.driver import Driver, MountedDisk, Stopped, inside_namespace
from tests.chaos.report import make_report
from tests.chaos.run_folder import Broken, RunFolder, Setting
from tests.chaos.schedule import KINDS, NODES
from tests.testbed.network import Network, find_obstacle

MINUTES, SHORT_MINUTES = 20.0, 2.0
STREAMS = 48
CACHE = Path(__file__).parents[2] / ".cache/chaos"
SHOWN = 20  # broken promises that are printed


def main(arguments: list[str]) -> int:
    """Runs the test, or goes on with it; returns the exit status."""
    options = read_options(arguments)
    obstacle = find_obstacle()
    if obstacle:
        print(f"no test bed on this machine: {obstacle}", file=sys.stderr)
        return 2
    minutes = options.minutes or (SHORT_MINUTES if options.short else MINUTES)
    kinds, nodes = tuple(options.only or ()), tuple(options.node or ())
    setting = Setting(options.seed, minutes, options.streams, kinds, nodes)
    folder = open_folder(options.folder or CACHE / f"seed-{options.seed}", setting)
    print(f"seed {setting.seed}, {minutes:g} min, {folder.path}", file=sys.stderr)
    try:
        report = run(folder, setting)
    except Stopped:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    folder.write("report.json", report)
    print(json.dumps(report, indent=2))
    return show_broken(folder, setting)


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--short", action="store_true", help=f"{SHORT_MINUTES:g} minutes")
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--only", action="append", choices=KINDS, help="kind of fault")
    parser.add_argument("--node", action="append", choices=NODES, help="of a smaller pool")
    parser.add_argument("--streams", type=int, default=STREAMS)
    parser.add_argument("--folder", type=Path)
    return parser.parse_args(arguments)


def open_folder(path: Path, setting: Setting) -> RunFolder:
    """Opens the folder of a run that was stopped, or an empty one."""
    folder = RunFolder(path.resolve())
    written = folder.document("setting.json")
    same = written is not None and msgspec.convert(written, Setting) == setting
    if not same or folder.document("report.json") is not None:
        shutil.rmtree(folder.path, ignore_errors=True)
    folder.make()
    folder.write("setting.json", setting)
    return folder


def run(folder: RunFolder, setting: Setting) -> dict[str, object]:
    """Runs to the end, and returns the report."""
    network = Network()
    try:
        with MountedDisk(folder) as disk, inside_namespace(network.namespace("pool")):
            driver = Driver(folder, setting, network=network, disk=disk)

            def stop(*_: object) -> None:
                driver.is_stopped = True

            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, stop)
            driver.run()
            return make_report(folder)
    finally:
        network.close()


def show_broken(folder: RunFolder, setting: Setting) -> int:
    """Prints the broken promises with seed, second of the run and subject."""
    broken = folder.read("broken", Broken)
    faults = folder.document("first_sample.json") or {"at": 0.0}
    for line in broken[:SHOWN]:
        second = max(0.0, line.at - faults["at"])
        print(
            f"broken: {line.promise} (seed {setting.seed}, second {second:.0f}, {line.subject}):"
            f" {line.detail}",
            file=sys.stderr,
        )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
