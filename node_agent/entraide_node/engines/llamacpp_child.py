"""The process that runs llama.cpp, so that a crash does not affect the agent.

Its configuration is the first line on standard input, so that no process list shows the key; one
JSON line on standard output reports its address. It ends on SIGTERM and when standard input closes,
which happens when the agent ends. While llama.cpp loads a model it holds the interpreter's lock;
then only the default action of SIGTERM ends it, which the Linux kernel sends when the agent dies.
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
WHOLE_INPUT = ("mean", "cls")  # computed from all tokens of an input at once, in one batch
PROCESSOR_BATCH_TOKENS = 128  # computed at once
_PR_SET_PDEATHSIG = 1


class ChildConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to set up llama.cpp.

    Attributes:
        model_path: the GGUF file.
        alias: public name of the model.
        api_key: required of callers.
        socket_path: socket file; "" for a free loopback port.
        slots: concurrent sequences.
        context_tokens: per slot.
        threads: processor threads.
        batch_tokens: prompt tokens between two progress events.
        cache_ram_mib: memory for prompts of idle slots.
        states_path: folder in which the states of slots may be saved; "" for no cache of prompts.
        kv_unified: whether all slots share one store of states.
        gpu_layers: layers on the accelerator; None for llama.cpp's default.
        pooling: how it computes embeddings: ``mean``, ``cls`` or ``last``; "" if it does not.
        parent_pid: process id of the agent.
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
    states_path: str
    kv_unified: bool
    gpu_layers: int | None
    pooling: str
    parent_pid: int


class ChildReady(Struct, frozen=True):
    """The child's report that it serves.

    Attributes:
        address: ``http://127.0.0.1:port`` or ``unix://path``.
        version: of the xllamacpp package; llama.cpp's own build number is empty.
    """

    address: str
    version: str


def main() -> int:
    """Serves until it is told to end; returns only if it cannot serve."""
    config = decode_json(sys.stdin.buffer.readline(), type=ChildConfig)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the agent handles Ctrl-C
    _end_with_parent(config.parent_pid)
    # The library may print to standard output, which must carry only the one line.
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
    _remove_states(config.states_path)
    os._exit(0)  # there is nothing to save, and an orderly shutdown takes a second


def _has_cards(xllamacpp: Any) -> bool:
    """Whether llama.cpp sees a graphics processor of its own kind (Metal, CUDA, Vulkan)."""
    kinds = xllamacpp.ggml_backend_dev_type
    cards = {kinds.GGML_BACKEND_DEVICE_TYPE_GPU, kinds.GGML_BACKEND_DEVICE_TYPE_IGPU}
    return any(device["type"] in cards for device in xllamacpp.get_device_info())


def _start_server(config: ChildConfig) -> Any:
    """Loads the model and serves it; None if llama.cpp refused, with its reasons on stderr."""
    import xllamacpp  # noqa: PLC0415 - 30 MB that the agent itself never loads

    params = _make_params(xllamacpp, config)
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return None


def _make_params(xllamacpp: Any, config: ChildConfig) -> Any:
    """Returns the parameters of llama.cpp."""
    params = xllamacpp.CommonParams()
    params.model.path = config.model_path
    params.model_alias = {config.alias}
    params.hostnames = [config.socket_path or "127.0.0.1"]
    params.port = 0
    params.api_keys = [config.api_key]
    params.n_parallel = config.slots
    params.n_ctx = config.slots * config.context_tokens  # llama.cpp splits it among the slots
    params.n_batch = config.batch_tokens
    if config.pooling:
        params.embedding = True
        name = f"LLAMA_POOLING_TYPE_{config.pooling.upper()}"
        params.pooling_type = getattr(xllamacpp.llama_pooling_type, name)
    if config.pooling in WHOLE_INPUT:
        params.n_batch = params.n_ubatch = max(config.batch_tokens, config.context_tokens)
    elif config.gpu_layers == 0 or not _has_cards(xllamacpp):
        # With flash attention on a processor, what a prompt gives depends on where it is split, and
        # so on how much of it is found again. Without it, the scores of a batch take memory.
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.n_ubatch = min(PROCESSOR_BATCH_TOKENS, params.n_batch)
    params.cache_ram_mib = config.cache_ram_mib
    params.kv_unified = config.kv_unified
    params.cache_idle_slots = False
    params.slot_prompt_similarity = 0.0  # the server never chooses a slot by what it has
    params.n_ctx_checkpoints = 0  # are of whichever prompt the slot had before
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config.threads
    if config.gpu_layers is not None:
        params.n_gpu_layers = config.gpu_layers
    params.use_jinja = True
    params.offline = True
    params.ui = False
    params.endpoint_metrics = params.endpoint_props = True
    # What erases and saves the states of slots; it also shows prompts to a caller with the key.
    params.endpoint_slots = bool(config.states_path)
    params.slot_save_path = f"{config.states_path}/" if config.states_path else ""
    params.verbosity = 1  # errors only; below that a failed start gives no reason
    return params


def _end_with_parent(parent_pid: int) -> None:
    """Asks the kernel to end this process when its parent dies (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent_pid:  # the parent died before the request
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


def _remove_states(states_path: str) -> None:
    """Removes saved states, also if the agent was killed."""
    if states_path:
        with contextlib.suppress(OSError):
            for path in Path(states_path).iterdir():
                path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
