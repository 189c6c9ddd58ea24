"""Bus watcher, in a process of its own: ``python -m tests.chaos.bus_watcher FOLDER``.

It reads every message of the pool's bus, with the scheduler's rights, and checks what
docs/reference/protocol.md says of them: each decodes by the table of its subject; the control plane
carries no text; ``seq`` counts up within a boot; an epoch of a job is of one run at one node,
and a later run has a higher one; no part of a run comes twice; a usage report that a
process sends again is the same. What the watcher misses while its own connection is down it does
not judge. The last messages of a killed process may come after the first of the next one, once a
cut link is whole.

At its end it writes ``runs.json``: how many runs of each job count as attempts (a node that says
that it is full has not tried), and when the watcher was without a connection.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
from nats.aio.msg import Msg
from tests.chaos.pool import BUS_PORT
from tests.chaos.run_folder import RunFolder

from entraide.wire import codec, subjects
from entraide.wire import messages as m
from entraide.wire.nats import client_context, connect
from entraide_node.report_outbox import AFTER_RESTART
from entraide_scheduler.nats.identity import PoolIdentity

QUESTION = b"Count from "  # in each request of the clients
PENDING_BYTES_MAX = 256 * 1024 * 1024
PENDING_MESSAGES_MAX = 1_000_000
WRITE_S = 1.0
RUNS = "runs.json"


class Messages:
    """Checks messages in the order in which the bus delivers them."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.counts: Counter[str] = Counter()
        self._seq: dict[tuple[str, str], int] = {}  # by node and boot
        self._runs: dict[tuple[str, int], str] = {}  # node by job and epoch
        self._epochs: dict[str, int] = {}  # the highest by job
        self._sent: dict[tuple[str, int], int] = {}  # tokens by job and epoch
        self._reports: dict[str, dict[tuple[str, int], bytes]] = {}  # by node
        self._term = 0
        self._full: set[tuple[str, int]] = set()  # runs that a node declined as full
        self.gaps: list[list[float]] = []  # begin and end, seconds since the epoch

    def count_attempts(self) -> dict[str, int]:
        """The runs of each job that count as its attempts."""
        return dict(Counter(job for job, epoch in self._runs if (job, epoch) not in self._full))

    def forget_positions(self) -> None:
        """After a gap: the next part of a run may begin anywhere, and processes be other ones."""
        self._sent.clear()
        self._reports.clear()

    def take(self, subject: str, data: bytes) -> None:
        """Takes one message."""
        if subject == subjects.SCHEDULER_CLAIMS:
            self._take_claim(data)
            return
        kind, owner, direction, plane = subject.split(".")[:4]
        decoder = {
            ("node", "up", "ctl"): codec.node_up, ("node", "down", "ctl"): codec.node_down_ctl,
            ("node", "down", "in"): codec.node_in, ("node", "up", "out"): codec.node_out,
            ("gw", "up", "ctl"): codec.gateway_up, ("gw", "down", "ctl"): codec.gateway_down,
        }.get((kind, direction, plane))  # fmt: skip
        if decoder is None:
            self._folder.broken("bus", subject, "a subject that the protocol does not know")
            return
        if plane == "ctl" and QUESTION in data:
            self._folder.broken("bus", subject, "text of a request on the control plane")
        try:
            parts = codec.split_parts(data) if plane == "out" else (data,)
            messages = [decoder.decode(part) for part in parts]
        except msgspec.DecodeError as error:
            self._folder.broken("bus", subject, str(error))
            return
        for message in messages:
            self.counts[type(message).__name__] += 1
            fault = self._fault(owner, message, data)
            if fault:
                self._folder.broken("bus", subject, fault)

    def _take_claim(self, data: bytes) -> None:
        """Takes the term of the scheduler, which grows at each of its starts."""
        term = int(data.split()[0])
        if term < self._term:
            self._folder.broken("bus", "scheduler", f"term {term} after {self._term}")
        self._term = max(term, self._term)

    def _fault(self, owner: str, message: object, data: bytes) -> str:
        match message:
            case m.Hello() | m.Heartbeat():
                last = self._seq.get((owner, message.boot), 0)
                if not last:  # a node that has started again reports what it knows now
                    self._reports.pop(owner, None)
                self._seq[owner, message.boot] = message.seq
                return "" if message.seq > last else f"seq {message.seq} after {last}"
            case m.StartRun():
                return self._run_fault(owner, message)
            case m.Decline(code="full"):
                self._full.add((message.job, message.epoch))
                return ""
            case m.Tokens():
                run = message.job, message.epoch
                expected = self._sent.get(run, message.first)
                self._sent[run] = message.first + message.n
                self.counts["gaps"] += message.first > expected  # a broken connection loses parts
                return f"{run}: part {message.first} again" if message.first < expected else ""
            case m.UsageReport() if message.code != AFTER_RESTART:
                run = message.job, message.epoch
                first = self._reports.setdefault(owner, {}).setdefault(run, data)
                return "" if first == data else f"{run}: two different reports"
            case _:
                return ""

    def _run_fault(self, node: str, run: m.StartRun) -> str:
        name = run.job, run.epoch
        if self._runs.setdefault(name, node) != node:
            return f"{name} at {node} and {self._runs[name]}"
        if run.epoch < self._epochs.get(run.job, 0):
            return f"{name} after epoch {self._epochs[run.job]}"
        self._epochs[run.job] = run.epoch
        if run.resume is not None:
            self._sent[name] = run.resume.tokens
        return ""


async def watch(folder: RunFolder) -> None:
    """Watches until SIGTERM."""
    messages = Messages(folder)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)

    async def on_message(message: Msg) -> None:
        messages.take(message.subject, message.data)

    async def on_gap() -> None:
        messages.forget_positions()
        messages.gaps.append([time.time(), time.time()])

    async def on_reconnected() -> None:
        messages.forget_positions()
        if messages.gaps:
            messages.gaps[-1][1] = time.time()

    connection = await connect(
        f"tls://127.0.0.1:{BUS_PORT}",
        identity=PoolIdentity(folder.pool).make_scheduler_identity,
        name="chaos-watcher",
        tls=client_context((folder.pool / "tls/ca.pem").read_text()),
        on_reconnected=on_reconnected,
        on_disconnected=on_gap,
    )
    for subject in ("node.>", "gw.>"):
        await connection.subscribe(
            subject, cb=on_message, pending_msgs_limit=PENDING_MESSAGES_MAX,
            pending_bytes_limit=PENDING_BYTES_MAX,
        )  # fmt: skip
    while not over.is_set():
        folder.write("bus.json", messages.counts)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), WRITE_S)
    folder.write("bus.json", messages.counts)
    folder.write(RUNS, {"attempts": messages.count_attempts(), "gaps": messages.gaps})
    await connection.close()


if __name__ == "__main__":
    asyncio.run(watch(RunFolder(Path(sys.argv[1]))))
