"""Targets of the load generator, the load, and the processor time that it costs, by thread.

The two C programs, a mock engine and a load generator, are in a folder beside the checkout. Linux
only: the clock of each process, and of each thread from ``/proc`` (see proc_pid_task(5), and
``Documentation/scheduler/sched-stats.rst`` of the kernel for ``schedstat``).
"""

import asyncio
import contextlib
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from msgspec import Struct

TOOLS = Path(__file__).resolve().parents[2].parent / "shared" / "bench"
MODEL = "mock"
PUBLIC = ("x-entraide-data-class", "public")  # a mock cannot show that it keeps nothing
READY_TIMEOUT_S = 120.0
LOAD_TIMEOUT_S = 60.0


class Phase(Struct, frozen=True):
    """One kind of load.

    Attributes:
        name: of the phase.
        connections: requests at a time.
        tokens: of each answer.
        gap_us: interval of the engine's tokens; 0 for no delay.
        stream: whether the answer is streamed.
    """

    name: str
    connections: int
    tokens: int = 16
    gap_us: int = 0
    stream: bool = True


class Target(Struct, frozen=True):
    """Target of a load, and its processes.

    Attributes:
        port: on loopback.
        key: bearer key.
        pids: process ids by part; the first part is compared.
    """

    port: int
    key: str
    pids: dict[str, tuple[int, ...]]


class Cost(Struct, frozen=True):
    """What a part's processes have used.

    Attributes:
        cpu_s: processor time of all threads, seconds.
        main_s: of the first threads, which run the event loops, seconds.
        switches: context switches of all threads, voluntary and not.
    """

    cpu_s: float
    main_s: float
    switches: int

    def since(self, before: "Cost") -> "Cost":
        """Returns what was used after an earlier reading."""
        return Cost(
            self.cpu_s - before.cpu_s,
            self.main_s - before.main_s,
            self.switches - before.switches,
        )


class Sample(Struct, frozen=True):
    """One round of a phase on a target: client-side figures, and the cost by part."""

    seen: dict[str, Any]
    costs: dict[str, Cost]


def absent() -> str:
    """Returns in one sentence what is missing, or ""."""
    if not TOOLS.is_dir():
        return f"The load generator and the mock engine are not at {TOOLS}: nothing was measured."
    for program, package in (("nginx", "nginx"), ("gcc", "gcc")):
        if shutil.which(program) is None:
            return f"{program} is absent (Debian package {package}): nothing was measured."
    return ""


def compiled(home: Path) -> None:
    """Compiles the two C programs into a folder."""
    for name in ("mockd", "loadgen"):
        subprocess.run(
            ["gcc", "-O2", "-w", "-o", str(home / name), str(TOOLS / f"{name}.c")], check=True
        )


@contextlib.contextmanager
def process(argv: Sequence[str], log: Path) -> Iterator[int]:
    """Runs a program within a context; yields its process id."""
    with log.open("ab") as output:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield child.pid
    finally:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def nginx_argv(home: Path, *, port: int, backend: int) -> list[str]:
    """Writes nginx's configuration and returns how to start it."""
    text = (TOOLS / "conf_nginx.tmpl").read_text("utf-8")
    for name, value in {"DIR": home, "PORT": port, "BACKEND": backend}.items():
        text = text.replace(f"@{name}@", str(value))
    config = home / "nginx.conf"
    config.write_text(text, "utf-8")
    return ["nginx", "-p", str(home), "-e", str(home / "nginx.err"), "-c", str(config)]


async def until_ready(target: Target) -> None:
    """Waits until a target answers one request."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{target.port}/v1/chat/completions",
        data=b'{"model":"mock","messages":[{"role":"user","content":"x"}],"max_tokens":1}',
        headers={
            "content-type": "application/json",
            "authorization": f"Bearer {target.key}",
            PUBLIC[0]: PUBLIC[1],
        },
    )

    def ask() -> bool:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(answer.status == 200)

    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            if await asyncio.to_thread(ask):
                return
        except (OSError, urllib.error.HTTPError) as problem:
            if time.monotonic() > deadline:
                raise TimeoutError(f"port {target.port} does not answer: {problem}") from problem
        await asyncio.sleep(0.1)


def family(pid: int) -> tuple[int, ...]:
    """Returns a process and its children."""
    children = psutil.Process(pid).children(recursive=True)
    return (pid, *(child.pid for child in children))


def cost_of(pids: Sequence[int]) -> Cost:
    """Returns what processes have used; ended threads count in ``cpu_s`` alone."""
    return Cost(
        cpu_s=sum(time.clock_gettime((~pid << 3) | 2) for pid in pids),
        main_s=sum(map(_main_thread_s, pids)),
        switches=sum(_switches(thread) for pid in pids for thread in _threads(pid)),
    )


def _threads(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def _main_thread_s(pid: int) -> float:
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text("ascii").split()[0]) / 1e9


def _switches(thread: Path) -> int:
    try:
        lines = (thread / "status").read_text("ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # the thread has just ended
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def rss_mib(pids: tuple[int, ...]) -> float:
    """Returns the memory that processes hold."""
    return float(sum(psutil.Process(pid).memory_info().rss for pid in pids)) / 2**20


async def load(home: Path, target: Target, phase: Phase, secs: float) -> Sample:
    """Puts one phase's load on a target."""
    argv = [str(home / "loadgen"), "--port", str(target.port), "--key", target.key]
    argv += ["--model", MODEL, "-c", str(phase.connections), "-d", str(secs)]
    argv += ["--stream", str(int(phase.stream)), "--tokens", str(phase.tokens)]
    argv += ["--gap-us", str(phase.gap_us), "--header", ": ".join(PUBLIC)]
    before = {part: cost_of(pids) for part, pids in target.pids.items()}
    running = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(running.communicate(), LOAD_TIMEOUT_S)
    costs = {part: cost_of(pids).since(before[part]) for part, pids in target.pids.items()}
    return Sample(json.loads(output), costs)
