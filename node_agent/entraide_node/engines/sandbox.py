"""The sandbox of an engine: the rights that a process needs which reads weights of others.

Input: an engine's declared needs. Output: the beginning of its command, which restricts the process
before the engine's program starts (``sandbox_launcher``): Landlock for files and signals, and a
filter of system calls (``system_calls``) for the rest. An engine in a sandbox reads its program and
its weights, writes only where it declares it, accepts connections on its socket file and opens
none, starts no process unless it declares it, and has bounded memory and open files. It inherits
only environment variables of ``ENVIRONMENT_KEPT``. Without Landlock, or on another system than
Linux, there is no sandbox, and the reason is a stable code.
"""

import ctypes
import os
import platform
import site
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from entraide.types import Sandbox
from entraide_node.engines import sandbox_launcher
from entraide_node.engines.system_calls import PROCESSORS, CallNeeds, build_filter

SANDBOXED_KINDS = ("llama.cpp",)
LAUNCHER = Path(sandbox_launcher.__file__)
MEMORY_PART = 0.9  # of the machine's memory, for one engine
OPEN_FILES_MAX = 4096
TASKS_MAX = 4096  # new threads of the user while the engine runs
SCRATCH_FILE_BYTES_MAX = 1 << 30

_CREATE_RULESET, _ASK_VERSION = 444, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << n for n in range(6))
_MAKE_DIR, _MAKE_REG, _MAKE_SOCK, _MAKE_FIFO, _MAKE_SYM = (1 << n for n in (7, 8, 9, 10, 12))
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
# By version of Landlock: its rights on files, on TCP ports, its scopes, and the size of its struct.
_VERSIONS: Mapping[int, tuple[int, int, int, int]] = {
    1: ((1 << 13) - 1, 0, 0, 8),
    2: ((1 << 14) - 1, 0, 0, 8),
    3: ((1 << 15) - 1, 0, 0, 8),
    4: ((1 << 15) - 1, 3, 0, 16),
    5: ((1 << 16) - 1, 3, 0, 16),
    6: ((1 << 16) - 1, 3, 3, 24),
}

READ = _READ_FILE | _READ_DIR
RUN = READ | _EXECUTE
SCRATCH = (
    READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SOCK
    | _MAKE_FIFO | _MAKE_SYM | _REFER | _TRUNCATE
)  # fmt: skip
SOCKET = _READ_DIR | _REMOVE_FILE | _MAKE_SOCK  # a folder for a socket file, and for nothing else
DEVICE = READ | _WRITE_FILE | _IOCTL

# The system's programs and libraries, and the facts of the machine that libraries ask for.
_SYSTEM = (
    "/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom",
    "/dev/random", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/version",
    "/proc/sys/vm/overcommit_memory", "/sys/devices/system",
)  # fmt: skip
_CARD_FACTS = ("/proc/driver/nvidia", "/proc/devices", "/sys/bus", "/sys/class", "/sys/devices",
               "/sys/module", "/proc/self", "/proc/modules")  # fmt: skip
_CARD_DEVICES = ("nvidia*", "dri", "kfd")

# Variables that an engine inherits: time zone, Python, and how libraries compute.
ENVIRONMENT_KEPT = ("PATH", "TZ", "LD_LIBRARY_PATH")
_ENVIRONMENT_PREFIXES = (
    "LC_", "PYTHON", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GGML_", "LLAMA_", "CUDA_",
    "NVIDIA_", "HIP_", "ROCR_", "VLLM_", "MLX_", "TORCH_",
)  # fmt: skip
_SITE_FOLDERS = ("site-packages", "dist-packages")


class SandboxNeeds(Struct, frozen=True, kw_only=True):
    """The declared needs of one engine: the smallest sandbox in which it works.

    Attributes:
        read: files and folders that it reads, its weights above all.
        environment_root: folder of its own Python environment; None for the agent's.
        writes_files: whether it writes files into its scratch folder, not only its socket.
        processes: whether it starts processes of its own.
        cards: whether it may compute on the machine's graphics cards.
    """

    read: tuple[Path, ...]
    environment_root: Path | None = None
    writes_files: bool = False
    processes: bool = False
    cards: bool = True


class SandboxPlan(Struct, frozen=True, kw_only=True):
    """What ``sandbox_launcher`` applies.

    Attributes:
        limits: resource limits by their name in the module ``resource``.
        tasks: threads that the user may have beyond those at the start.
        handled_fs, handled_net, scoped, attributes_bytes: Landlock's ruleset and its size.
        rules: paths with the rights beneath them; a path that does not exist is left out.
        filter: the system call filter, in hexadecimal.
        scratch: folder that is removed when the engine has ended.
    """

    limits: dict[str, int]
    tasks: int
    handled_fs: int
    handled_net: int
    scoped: int
    attributes_bytes: int
    rules: tuple[tuple[str, int], ...]
    filter: str
    scratch: str


@cache
def find_sandbox_problem() -> str:
    """Returns why engines cannot have a sandbox on this machine; "" if they can.

    ``system`` (not Linux), ``processor`` (no table of its system calls), ``landlock`` (the kernel
    has none, or the surrounding container forbids it).
    """
    if sys.platform != "linux":
        return "system"
    if platform.machine() not in PROCESSORS:
        return "processor"
    return "" if landlock_version() > 0 else "landlock"


def kind_sandbox(kind: str, *, wanted: bool) -> Sandbox:
    """Returns what closes in the engines of a kind on this machine.

    Args:
        kind: name of the engine.
        wanted: whether its owner lets it have a sandbox.
    """
    has_sandbox = wanted and kind in SANDBOXED_KINDS and not find_sandbox_problem()
    return Sandbox.LANDLOCK if has_sandbox else Sandbox.NONE


def weakest_sandbox(sandboxes: Iterable[Sandbox]) -> Sandbox:
    """Returns the weakest of several sandboxes; none for no engine.

    >>> str(weakest_sandbox((Sandbox.LANDLOCK, Sandbox.NONE))), str(weakest_sandbox(()))
    ('none', 'none')
    """
    return min(sandboxes, key=list(Sandbox).index, default=Sandbox.NONE)


@cache
def landlock_version() -> int:
    """Returns the version of the kernel's Landlock; 0 without it."""
    if sys.platform != "linux":
        return 0
    version: int = ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    return max(0, version)


def sandbox_command(needs: SandboxNeeds, *, scratch: Path) -> tuple[str, ...]:
    """Returns what stands before an engine's command, so that it runs in its sandbox.

    Args:
        needs: of the engine.
        scratch: its folder, for its socket file; see ``sandbox_environment``.
    """
    plan = plan_sandbox(needs, scratch=scratch)
    return sys.executable, "-I", "-S", str(LAUNCHER), msgspec.json.encode(plan).decode()


def plan_sandbox(needs: SandboxNeeds, *, scratch: Path) -> SandboxPlan:
    """Returns the plan of a sandbox; see ``sandbox_command``."""
    known = _VERSIONS[min(landlock_version(), max(_VERSIONS))]
    calls = CallNeeds(processes=needs.processes, file_owners=needs.writes_files)
    return SandboxPlan(
        limits={
            "RLIMIT_DATA": int(psutil.virtual_memory().total * MEMORY_PART),
            "RLIMIT_NOFILE": OPEN_FILES_MAX,
            "RLIMIT_FSIZE": SCRATCH_FILE_BYTES_MAX if needs.writes_files else 0,
            "RLIMIT_CORE": 0,
        },
        tasks=TASKS_MAX,
        handled_fs=known[0], handled_net=known[1], scoped=known[2], attributes_bytes=known[3],
        rules=tuple(_rules(needs, scratch)),
        filter=build_filter(platform.machine(), calls).hex(),
        scratch=str(scratch),
    )  # fmt: skip


def _rules(needs: SandboxNeeds, scratch: Path) -> list[tuple[str, int]]:
    right = RUN if needs.processes else READ
    rules = [(path, right) for path in _SYSTEM]
    rules += [(path, _EXECUTE | _READ_FILE) for path in _programs(needs)]
    rules += _python_rules()
    if needs.environment_root is not None:
        rules.append((str(needs.environment_root), right))
    rules += [(str(path), READ) for path in needs.read]
    rules += [("/dev/null", READ | _WRITE_FILE)]
    rules.append((str(scratch), SCRATCH if needs.writes_files else SOCKET))
    devices = [path for name in _CARD_DEVICES for path in sorted(Path("/dev").glob(name))]
    if needs.cards and devices:
        rules += [(path, READ) for path in _CARD_FACTS]
        rules += [(str(path), DEVICE) for path in devices]
    return rules


def _programs(needs: SandboxNeeds) -> list[str]:
    """Programs that it may execute: Python, and the loader of libraries that Python names."""
    pythons = [Path(sys.executable)]
    if needs.environment_root is not None:
        pythons.append(needs.environment_root / "bin" / "python")
    loaders = [*Path("/lib64").glob("ld-linux*"), *Path("/lib").glob("ld-*.so.*")]
    return [str(path) for path in (*pythons, *loaders)]


def _python_rules() -> list[tuple[str, int]]:
    """The agent's own Python: its library, installed packages, and our own packages.

    Other folders of the search path may be the owner's: Python may list them, and read nothing.
    """
    packages = [Path(__file__).parents[1], Path(msgspec.__file__).parent]
    packages += [Path(folder) for folder in _package_folders("entraide")]
    rules = [(str(path), READ) for path in (*packages, Path(sys.prefix), Path(sys.base_prefix))]
    for entry in sys.path:
        folder = Path(entry)
        if entry and folder.is_absolute():
            is_site = folder.name in _SITE_FOLDERS or folder.is_file()
            rules.append((entry, READ if is_site else _READ_DIR))
    return rules


def _package_folders(name: str) -> Sequence[str]:
    return list(getattr(sys.modules[name], "__path__", ()))


def sandbox_environment(scratch: Path) -> dict[str, str]:
    """Returns the variables that an engine in a sandbox inherits, and its own folders.

    Args:
        scratch: its folder; also its home and its folder of temporary files.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ENVIRONMENT_KEPT or name.startswith(_ENVIRONMENT_PREFIXES)
    }
    own = {"HOME": str(scratch), "TMPDIR": str(scratch)}
    if site.ENABLE_USER_SITE:
        own["PYTHONUSERBASE"] = site.getuserbase()
    return kept | own
