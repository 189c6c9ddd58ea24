"""The process in which llama.cpp computes: a crash in it must not take the agent along.

It decides how llama.cpp is set up, and when this process ends. Its configuration is the first
line on standard input, so that the key stands in no list of processes; one JSON line on standard
output says where it listens. It ends on SIGTERM, and when standard input closes, which is how it
learns that the agent is gone. While llama.cpp loads a model it holds the interpreter: then only
the default of SIGTERM ends it, which on Linux the kernel sends when the agent dies.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json

MODULE = "entraide_node.engines.llamacpp_child"
_PR_SET_PDEATHSIG = 1


class ChildConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to set up llama.cpp.

    Attributes:
        model_path: the GGUF file.
        alias: the name under which it serves the model.
        api_key: what callers must show.
        socket_path: where to listen; "" for a free port of the loopback.
        slots: sequences at once.
        context_tokens: per slot.
        threads: processor threads.
        batch_tokens: of a prompt, between two signs of life.
        cache_ram_mib: memory for the prompts of idle slots.
        gpu_layers: layers on the accelerator; None for llama.cpp's own choice.
        parent_pid: the agent.
    """

    model_path: str
    alias: str
    api_key: str
    socket_path: str
    slots: int
    context_tokens: int
    threads: int
    batch_tokens: int
    cache_ram_mib: int
    gpu_layers: int | None
    parent_pid: int


class ChildReady(Struct, frozen=True):
    """What the child says once it serves.

    Attributes:
        address: ``http://127.0.0.1:port`` or ``unix://path``.
        version: of the xllamacpp package; the build number that llama.cpp tells is empty.
    """

    address: str
    version: str


def main() -> int:
    """Serves until told to end; returns only when it cannot serve."""
    config = decode_json(sys.stdin.buffer.readline(), type=ChildConfig)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the terminal is the agent's affair
    _end_with_parent(config.parent_pid)
    # The library may print: what goes to standard output must be the one line and no other.
    answer = os.dup(1)
    os.dup2(2, 1)
    server = _start_server(config)
    if server is None:
        return 1
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    threading.Thread(target=_wait_for_end_of_input, args=(over,), daemon=True).start()
    ready = ChildReady(address=server.listening_address, version=version("xllamacpp"))
    os.write(answer, msgspec.json.encode(ready) + b"\n")
    os.close(answer)
    over.wait()
    _remove_socket(config.socket_path)
    os._exit(0)  # there is nothing to save, and to take the server down properly lasts a second


def _start_server(config: ChildConfig) -> Any:
    """Loads the model and serves it; None when llama.cpp refused, with its reasons on stderr."""
    import xllamacpp  # noqa: PLC0415 - 30 MB that the agent itself never loads

    params = xllamacpp.CommonParams()
    params.model.path = config.model_path
    params.model_alias = {config.alias}
    params.hostnames = [config.socket_path or "127.0.0.1"]
    params.port = 0
    params.api_keys = [config.api_key]
    params.n_parallel = config.slots
    params.n_ctx = config.slots * config.context_tokens  # llama.cpp splits it among the slots
    params.n_batch = config.batch_tokens
    params.cache_ram_mib = config.cache_ram_mib
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config.threads
    if config.gpu_layers is not None:
        params.n_gpu_layers = config.gpu_layers
    params.use_jinja = True
    params.offline = True
    params.ui = False
    params.endpoint_metrics = params.endpoint_props = True
    params.endpoint_slots = False  # it would show prompts
    params.verbosity = 1  # errors only; below that a failed start gives no reason
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return None


def _end_with_parent(parent_pid: int) -> None:
    """Asks the kernel to end this process when its parent dies (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent_pid:  # it died before we asked
            sys.exit(1)


def _wait_for_end_of_input(over: threading.Event) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    over.set()


def _remove_socket(socket_path: str) -> None:
    if socket_path:
        path = Path(socket_path)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            path.parent.rmdir()  # its own folder, empty now


if __name__ == "__main__":
    sys.exit(main())
