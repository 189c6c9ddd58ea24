"""Engines of the twin: pinned to one CPU core, whose use by other programs is measured."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
from msgspec import Struct

LLAMA_CHILD = "entraide_node.engines.llamacpp_child"
START_S_MAX, STOP_S_MAX = 300.0, 20.0
KV_GIB = 1


class VllmSettings(Struct, frozen=True):
    """A vLLM to start.

    Attributes:
        python: interpreter of vLLM's own environment.
        model: folder of weights and tokenizer.
        name: served model name.
    """

    python: str
    model: str
    name: str = "twin"


def pin_processes(processes: list[psutil.Process], core: int) -> None:
    """Pins processes, with all their threads, to one core."""
    for process in processes:
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), {core})


def llama_processes(node_pid: int) -> list[psutil.Process]:
    """Returns the processes of a node agent's llama.cpp.

    Raises:
        RuntimeError: there are none.
    """
    children = psutil.Process(node_pid).children(recursive=True)
    matching = [child for child in children if LLAMA_CHILD in " ".join(child.cmdline())]
    if not matching:
        raise RuntimeError("the engine's process was not found, so that it cannot be pinned")
    return matching


def process_tree(pid: int) -> list[psutil.Process]:
    """Returns a process with its descendants."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def foreign_cpu_s(engine: list[psutil.Process], core: int) -> float | None:
    """Returns the CPU time of other programs on the engine's core, from an arbitrary origin."""
    if not engine:
        return None
    busy = psutil.cpu_times(percpu=True)[core]
    own = 0.0
    for process in engine:
        times = process.cpu_times()
        own += times.user + times.system
    return float(sum(busy) - busy.idle - busy.iowait - own)


@contextlib.asynccontextmanager
async def run_vllm(
    engine: VllmSettings,
    *,
    core: int,
    slots: int,
    context_tokens: int,
    chunk_tokens: int,
    log: Path,
) -> AsyncIterator[tuple[str, list[psutil.Process]]]:
    """Runs a vLLM on one core within a context; yields its URL and processes.

    Raises:
        RuntimeError: it did not start.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1", "VLLM_CPU_KVCACHE_SPACE": str(KV_GIB), "OMP_NUM_THREADS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": str(core),
    }  # fmt: skip
    command = [
        engine.python, "-m", "vllm.entrypoints.openai.api_server", "--model", engine.model,
        "--served-model-name", engine.name, "--host", "127.0.0.1", "--port", str(port),
        "--max-model-len", str(context_tokens), "--max-num-seqs", str(slots),
        "--max-num-batched-tokens", str(max(chunk_tokens, slots)), "--dtype", "bfloat16",
        "--enforce-eager", "--no-enable-prefix-caching",
    ]  # fmt: skip
    child = _start_process(["taskset", "-c", str(core), *command], environment, log)
    url = f"http://127.0.0.1:{port}"
    try:
        await _ready(url, child, log)
        yield url, process_tree(child.pid)
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        try:
            await asyncio.to_thread(child.wait, STOP_S_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _start_process(
    command: list[str], environment: dict[str, str], log: Path
) -> "subprocess.Popen[bytes]":
    ours = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    with log.open("wb") as written:
        return subprocess.Popen(
            command,
            env={**inherited, **environment},
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _log_tail(log: Path) -> str:
    return " | ".join(log.read_text("utf-8", errors="replace").splitlines()[-5:])


async def _ready(url: str, child: "subprocess.Popen[bytes]", log: Path) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(START_S_MAX):
        while child.poll() is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url}/health") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(1.0)
    raise RuntimeError(f"vLLM did not start: {_log_tail(log)}")
