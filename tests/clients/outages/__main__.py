"""Outages: client libraries with their default settings, at work in a pool that often fails.

    python -m tests.clients.outages FOLDER [--minutes M] [--only LIBRARY] [--python LIBRARY=PYTHON]

Each library has a program in ``loops``, which makes one call after the other and writes what became
of it. Meanwhile machines are paused, frozen and killed, and so are gateways, the scheduler and the
bus, in turns of ten minutes. At the end the errors are printed by library and kind, with the faults
that they met, the attempts that the library made, and the jobs that were charged.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from tests.clients.environments import python_for
from tests.clients.outages.pool import GATEWAY, NODES, PACED_COOP, OutagePool
from tests.clients.outages.report import make_report
from tests.clients.pool import SENTENCE_MODEL, TEXT_MODEL

LOOPS = Path(__file__).with_name("loops")
# The client whose environment a loop runs in; those without one need ``--python``.
ENVIRONMENTS = {
    "openai": "openai-python", "openai_asyncio": "openai-python", "anthropic": "anthropic",
    "instructor": "instructor", "llm": "llm", "llama_index": "llama-index",
    "smolagents": "", "haystack": "",
}  # fmt: skip
PAUSE_S = 3.0
TURN_S = 600.0
SIGNALS = {"killed": signal.SIGKILL, "ended": signal.SIGTERM, "frozen": signal.SIGSTOP}
SETTLE_S = 20.0  # after the last call, until all is charged


class Fault(Struct, frozen=True):
    """A fault of each turn.

    Attributes:
        at_s: since the turn's begin.
        kind: see ``Faults``.
        parts: that it meets; ``?`` is the number of a node, another one in each turn.
        lasts_s: until it is undone.
    """

    at_s: float
    kind: str
    parts: tuple[str, ...]
    lasts_s: float = 0.0


TURN = (
    Fault(15, "killed", ("engine of node-?",)),
    Fault(40, "killed", ("node-?",)),
    Fault(70, "paused", ("node-?",), 25),
    Fault(110, "paused", NODES, 20),
    Fault(155, "paused", NODES, 100),  # longer than a question may wait
    Fault(275, "killed", (GATEWAY,), 3),
    Fault(310, "killed", ("scheduler",)),
    Fault(345, "frozen", ("node-?",), 40),
    Fault(400, "ended", (GATEWAY,), 1),  # as for an upgrade
    Fault(430, "killed", ("nats",)),
    Fault(460, "frozen", NODES, 50),
    Fault(525, "killed", (GATEWAY,), 25),
    Fault(560, "frozen", ("scheduler",), 15),
    Fault(582, "frozen", (GATEWAY,), 15),
)


class Faults:
    """Makes the faults in their time, and undoes them."""

    def __init__(self, pool: OutagePool, file: Path) -> None:
        self._pool, self._file = pool, file
        self._begun_at = time.time()
        self._made = 0
        self._undo: list[tuple[float, Callable[[], None]]] = []

    def tick(self) -> None:
        """Does what is due."""
        now = time.time()
        due = [undo for undo in self._undo if now >= undo[0]]
        self._undo = [undo for undo in self._undo if now < undo[0]]
        for _, undo in due:
            undo()
        turn, index = divmod(self._made, len(TURN))
        fault = TURN[index]
        if now - self._begun_at >= turn * TURN_S + fault.at_s:
            self._made += 1
            parts = tuple(part.replace("?", str(turn % len(NODES) + 1)) for part in fault.parts)
            self._make(fault, parts)
            line = {"at": now, "kind": fault.kind, "parts": parts, "lasts_s": fault.lasts_s}
            with self._file.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def undo_all(self) -> None:
        """Ends every fault now."""
        for _, undo in self._undo:
            undo()
        self._undo.clear()

    def _make(self, fault: Fault, parts: tuple[str, ...]) -> None:
        pool = self._pool
        undo_at = time.time() + fault.lasts_s
        if fault.kind == "paused":
            pool.pause(parts)
            self._undo.append((undo_at, lambda: pool.resume(parts)))
            return
        pool.signal(parts, SIGNALS[fault.kind])
        if fault.kind == "frozen":
            self._undo.append((undo_at, lambda: pool.signal(parts, signal.SIGCONT)))
        elif GATEWAY in parts:  # the others are started again by the pool itself
            self._undo.append((undo_at, pool.start_gateway))


def read_options() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--only", action="append", choices=ENVIRONMENTS, default=[])
    parser.add_argument("--python", action="append", default=[], metavar="LIBRARY=PYTHON")
    return parser.parse_args()


def start_loops(pool: OutagePool, options: argparse.Namespace) -> list[subprocess.Popen[bytes]]:
    """Starts the libraries' programs, each with a key of its own."""
    given = dict(each.split("=", 1) for each in options.python)
    loops, keys = [], {}
    for library, client in ENVIRONMENTS.items():
        if (options.only and library not in options.only) or not (client or library in given):
            continue
        python = given.get(library) or python_for(client)
        home = options.folder / "homes" / library
        home.mkdir(parents=True)
        identifier, secret = pool.key(library)
        paced_identifier, paced_secret = pool.key(library, PACED_COOP)
        keys[identifier] = keys[paced_identifier] = library
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(home), "PYTHONUTF8": "1",
            "LLM_USER_PATH": str(home / "llm"), "HAYSTACK_TELEMETRY_ENABLED": "False",
            "ENTRAIDE_MODEL": TEXT_MODEL, "ENTRAIDE_EMBEDDING_MODEL": SENTENCE_MODEL,
            "ENTRAIDE_URLS": ",".join(pool.urls), "ENTRAIDE_KEY": secret,
            "PACED_KEY": paced_secret, "PAUSE_S": str(PAUSE_S),
        }  # fmt: skip
        with (
            (options.folder / f"{library}.jsonl").open("wb") as output,
            (options.folder / f"{library}.err").open("wb") as errors,
        ):
            program = str(LOOPS / f"with_{library}.py")
            loops.append(subprocess.Popen([str(python), program], cwd=home, env=environment,
                                          stdout=output, stderr=errors))  # fmt: skip
    (options.folder / "keys.json").write_text(json.dumps(keys))
    return loops


def main() -> int:
    """Runs, and prints the report."""
    options = read_options()
    options.folder = options.folder.resolve()
    options.folder.mkdir(parents=True)
    pool = OutagePool(options.folder)
    loops: list[subprocess.Popen[bytes]] = []
    try:
        pool.start()
        loops = start_loops(pool, options)
        faults = Faults(pool, options.folder / "faults.jsonl")
        until = time.monotonic() + options.minutes * 60
        while time.monotonic() < until and any(loop.poll() is None for loop in loops):
            faults.tick()
            time.sleep(0.1)
        faults.undo_all()
        time.sleep(SETTLE_S)
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
        pool.stop()
    print(make_report(options.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
