"""A hostile library in an engine's place: what it can reach, it reports on standard error.

The test installs it as the package ``xllamacpp``, ``mlx_lm`` or ``vllm``, which the engine's
process imports, with the targets of its attacks in a file beside it. Each attack prints one line:
``attack NAME done`` or ``attack NAME denied``, and the reason.
"""

import contextlib
import ctypes
import json
import mmap
import os
import platform
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

_FILE = Path(__file__).parent / "targets.json"
TARGETS = json.loads(_FILE.read_text("utf-8")) if _FILE.exists() else {}
LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, MAP_NORESERVE = 0x4206, 0x4000
OPEN_FILES = 8192
CLONE, CLONE_NEWUSER = {"x86_64": 56, "aarch64": 220}, 0x10000000
AGENT = os.getppid()


def read_home() -> None:
    """Reads a letter of the owner."""
    Path(TARGETS["letter"]).read_text("utf-8")


def list_home() -> None:
    """Lists the owner's files."""
    list(Path(TARGETS["letter"]).parent.iterdir())


def write_home() -> None:
    """Leaves a program that the owner will run."""
    (Path(TARGETS["letter"]).parent / ".profile").write_text("hostile", "utf-8")


def open_home_to_all() -> None:
    """Lets everybody write a letter of the owner."""
    Path(TARGETS["letter"]).chmod(0o666)


def empty_home() -> None:
    """Empties a file without opening it."""
    os.truncate(TARGETS["empty"], 0)


def read_bus_identity() -> None:
    """Reads the seed with which the node speaks on the pool's bus."""
    Path(TARGETS["identity"]).read_bytes()


def change_weights() -> None:
    """Opens the weights to change them."""
    Path(TARGETS["weights"]).open("r+b").close()


def write_temporary() -> None:
    """Fills the disk through the folder of temporary files."""
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"hostile-{os.getpid()}"
    try:
        path.write_bytes(b"x")
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def connect_tcp() -> None:
    """Connects to a server of this machine."""
    socket.create_connection(("127.0.0.1", TARGETS["tcp"])).close()


def send_udp() -> None:
    """Sends datagrams to a server of this machine; where there is none, the second one fails."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", TARGETS["udp"]))
        sender.send(b"x")
        sender.send(b"x")


def connect_socket_file() -> None:
    """Connects to a service of the owner's session, as an agent of keys."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(TARGETS["socket_file"])


def connect_abstract_socket() -> None:
    """Connects to a service without a file, as a desktop has."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + TARGETS["abstract"])


def trace_agent() -> None:
    """Takes control of the agent."""
    if LIBC.ptrace(PTRACE_SEIZE, AGENT, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def read_agent_memory() -> None:
    """Opens the agent's memory."""
    Path(f"/proc/{AGENT}/mem").open("rb").close()


def read_agent_environment() -> None:
    """Reads the agent's variables."""
    Path(f"/proc/{AGENT}/environ").read_bytes()


def list_processes() -> None:
    """Finds one of the owner's programs."""
    if Path(f"/proc/{TARGETS['program']}") not in list(Path("/proc").iterdir()):
        raise FileNotFoundError(TARGETS["program"])


def read_secret() -> None:
    """Reads a secret that the agent inherited."""
    os.environ["OWNERS_SECRET"]


def signal_agent() -> None:
    """Could end the agent: signal 0 asks for the permission only."""
    os.kill(AGENT, 0)


def limit_agent() -> None:
    """Takes the agent's open files away; sets what it has."""
    resource.prlimit(AGENT, resource.RLIMIT_CORE, resource.prlimit(AGENT, resource.RLIMIT_CORE))


def fork() -> None:
    """Starts a process that may outlive the engine."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def take_memory() -> None:
    """Takes twice the machine's memory."""
    size = 2 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    mmap.mmap(-1, size, flags=flags).close()


def take_shared_memory() -> None:
    """Takes memory that does not count as its own."""
    mmap.mmap(-1, mmap.PAGESIZE).close()


def take_open_files() -> None:
    """Raises the limit of open files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))


def enter_namespaces() -> None:
    """Becomes the administrator of namespaces of its own."""
    child = LIBC.syscall(CLONE[platform.machine()], CLONE_NEWUSER | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    if child < 0:
        raise OSError(ctypes.get_errno(), "clone")
    os.waitpid(child, 0)


ATTACKS = (
    read_home, list_home, write_home, open_home_to_all, empty_home, read_bus_identity,
    change_weights, write_temporary, connect_tcp, send_udp, connect_socket_file,
    connect_abstract_socket, trace_agent, read_agent_memory, read_agent_environment,
    list_processes, read_secret, signal_agent, limit_agent, fork, take_memory, take_shared_memory,
    take_open_files, enter_namespaces,
)  # fmt: skip


class CommonParams:
    """Takes every parameter."""

    def __init__(self) -> None:
        self.model = self.cpuparams = self.cpuparams_batch = _Anything()

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


class _Anything:
    """Takes every attribute."""


class ggml_backend_dev_type:  # noqa: N801 - as llama.cpp names it
    """Kinds of devices."""

    GGML_BACKEND_DEVICE_TYPE_GPU, GGML_BACKEND_DEVICE_TYPE_IGPU = 1, 2


class llama_flash_attn_type:  # noqa: N801 - as llama.cpp names it
    """Kinds of attention."""

    LLAMA_FLASH_ATTN_TYPE_DISABLED = 0


def get_device_info() -> list[dict[str, Any]]:
    """No device but the processor."""
    return []


class Server:
    """Attacks instead of serving."""

    def __init__(self, _params: CommonParams) -> None:
        for attack in ATTACKS:
            try:
                attack()
            except (OSError, KeyError, ValueError, MemoryError) as error:
                outcome = f"denied {error!r}"
            else:
                outcome = "done"
            sys.stderr.write(f"attack {attack.__name__} {outcome}\n")
        _end()


def _end() -> NoReturn:
    sys.stderr.write("attacks over\n")
    raise RuntimeError
