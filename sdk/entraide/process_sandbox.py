"""The sandbox of a process that reads what strangers made: weights, and their templates.

Input: the process's declared needs. Output: the beginning of its command, which restricts it before
its program starts (``sandbox_launcher``): Landlock for files and signals, and a filter of system
calls (``system_calls``) for the rest. A process in a sandbox reads its program and what it
declares, writes only where it declares it, accepts connections on its socket file and opens none,
starts no process unless it declares it, and has bounded memory and open files. It inherits only
environment variables of ``ENVIRONMENT_KEPT``. A process whose parts talk to each other over the
loopback declares a network of its own, which ``bubblewrap`` makes. Without Landlock, or on another
system than Linux, there is no sandbox, and the reason is a stable code.
"""

import ctypes
import os
import platform
import site
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from entraide.bubblewrap import SHARED_MEMORY, bubblewrap_command
from entraide.system_calls import PROCESSORS, CallNeeds, build_filter

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
FILES = READ | _WRITE_FILE | _REMOVE_FILE | _MAKE_REG | _TRUNCATE
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
_PROC = "/proc"
_DEVICES = Path("/dev")
_OWN_NAMES = ("/etc/hosts", "/etc/nsswitch.conf")  # the address of localhost

# Variables that a process inherits: time zone, Python, and how libraries compute.
ENVIRONMENT_KEPT = ("PATH", "TZ", "LD_LIBRARY_PATH")
_ENVIRONMENT_PREFIXES = (
    "LC_", "PYTHON", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GGML_", "LLAMA_", "CUDA_",
    "NVIDIA_", "HIP_", "ROCR_", "VLLM_", "MLX_", "TORCH_",
)  # fmt: skip
_SITE_FOLDERS = ("site-packages", "dist-packages")


class SandboxNeeds(Struct, frozen=True, kw_only=True):
    """The declared needs of one process: the smallest sandbox in which it works.

    Attributes:
        read: files and folders that it reads: an engine's weights, packages outside the SDK's.
        environment_root: folder of its own Python environment; None for that of its parent.
        writes_files: whether it writes files into its scratch folder, not only its socket.
        writes: other folders in which it makes, reads and removes files.
        processes: whether it starts processes of its own.
        cards: whether it may compute on the machine's graphics cards.
        own_network: whether its processes talk over the loopback and socket files: then it has a
            network, files and processes of its own, and needs bubblewrap.
    """

    read: tuple[Path, ...]
    environment_root: Path | None = None
    writes_files: bool = False
    writes: tuple[Path, ...] = ()
    processes: bool = False
    cards: bool = True
    own_network: bool = False


class SandboxPlan(Struct, frozen=True, kw_only=True):
    """What ``sandbox_launcher`` applies.

    Attributes:
        limits: resource limits by their name in the module ``resource``.
        tasks: threads that the user may have beyond those at the start.
        handled_fs, handled_net, scoped, attributes_bytes: Landlock's ruleset and its size.
        rules: paths with the rights beneath them; a path that does not exist is left out.
        filter: the system call filter, in hexadecimal.
        scratch: folder that is removed when the process has ended; "" for none.
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
    """Returns why no process can have a sandbox on this machine; "" if it can.

    A process that declares a network of its own needs bubblewrap too:
    ``find_bubblewrap_problem``.

    ``system`` (not Linux), ``processor`` (no table of its system calls), ``landlock`` (the kernel
    has none, or the surrounding container forbids it).
    """
    if sys.platform != "linux":
        return "system"
    if platform.machine() not in PROCESSORS:
        return "processor"
    return "" if landlock_version() > 0 else "landlock"


@cache
def landlock_version() -> int:
    """Returns the version of the kernel's Landlock; 0 without it."""
    if sys.platform != "linux":
        return 0
    version: int = ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    return max(0, version)


def sandbox_command(
    needs: SandboxNeeds, *, scratch: Path | None = None, removes_scratch: bool = True
) -> tuple[str, ...]:
    """Returns what stands before a process's command, so that it runs in its sandbox.

    Args:
        needs: of the process.
        scratch: its folder, for its socket file; see ``sandbox_environment``; None for none.
        removes_scratch: whether the folder is removed when the process has ended.
    """
    from entraide import sandbox_launcher  # noqa: PLC0415 - not on a system without limits

    plan = plan_sandbox(needs, scratch=scratch)
    if not removes_scratch:
        plan = replace(plan, scratch="")
    launcher = str(sandbox_launcher.__file__)
    command = sys.executable, "-I", "-S", launcher, msgspec.json.encode(plan).decode()
    return (*_namespaces(plan, scratch), *command) if needs.own_network else command


def _namespaces(plan: SandboxPlan, scratch: Path | None) -> tuple[str, ...]:
    """The namespaces in which only the paths of the rules exist."""
    shared = Path(SHARED_MEMORY)
    own = [Path(_PROC), shared, *(() if scratch is None else (scratch,))]
    paths = {Path(path) for path, right in plan.rules if right != _READ_DIR}
    # What lies beneath another path is there with it; the shared memory is empty.
    full = paths.union(own) - {shared}
    outer = sorted(path for path in paths if full.isdisjoint(path.parents))
    return bubblewrap_command(
        read=[str(path) for path in outer if path not in own and path.parent != _DEVICES],
        write=[] if scratch is None else [str(scratch)],
        devices=[str(path) for path in outer if path not in own and path.parent == _DEVICES],
    )


def plan_sandbox(needs: SandboxNeeds, *, scratch: Path | None) -> SandboxPlan:
    """Returns the plan of a sandbox; see ``sandbox_command``."""
    known = _VERSIONS[min(landlock_version(), max(_VERSIONS))]
    calls = CallNeeds(
        processes=needs.processes, file_owners=needs.writes_files, own_network=needs.own_network
    )
    return SandboxPlan(
        limits={
            "RLIMIT_DATA": int(_memory_bytes() * MEMORY_PART),
            "RLIMIT_NOFILE": OPEN_FILES_MAX,
            "RLIMIT_FSIZE": _file_bytes_max(needs),
            "RLIMIT_CORE": 0,
        },
        tasks=TASKS_MAX,
        handled_fs=known[0], handled_net=0 if needs.own_network else known[1],
        scoped=known[2], attributes_bytes=known[3],
        rules=tuple(_rules(needs, scratch)),
        filter=build_filter(platform.machine(), calls).hex(),
        scratch=str(scratch or ""),
    )  # fmt: skip


def _file_bytes_max(needs: SandboxNeeds) -> int:
    """The largest file: what a folder has room for is bounded by who declares it."""
    if needs.writes:
        return _memory_bytes()
    return SCRATCH_FILE_BYTES_MAX if needs.writes_files else 0


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _rules(needs: SandboxNeeds, scratch: Path | None) -> list[tuple[str, int]]:
    right = RUN if needs.processes else READ
    programs = ("/bin", "/sbin") if needs.processes else ()
    rules = [(path, right) for path in (*_SYSTEM, *programs)]
    rules += [(path, _EXECUTE | _READ_FILE) for path in _programs(needs)]
    rules += _python_rules()
    if needs.environment_root is not None:
        rules.append((str(needs.environment_root), right))
    rules += [(str(path), READ) for path in needs.read]
    rules += [(str(path), FILES) for path in needs.writes]
    rules += [("/dev/null", READ | _WRITE_FILE)]
    if scratch is not None:
        rules.append((str(scratch), SCRATCH if needs.writes_files else SOCKET))
    if needs.own_network:  # the namespaces have their own
        rules += [(_PROC, READ), (SHARED_MEMORY, SCRATCH), *((path, READ) for path in _OWN_NAMES)]
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
    """The parent's own Python: its library, installed packages, and the SDK.

    Other folders of the search path may be the owner's: Python may list them, and read nothing.
    """
    packages = (Path(__file__).parent, Path(sys.prefix), Path(sys.base_prefix))
    rules = [(str(path), READ) for path in packages]
    for entry in sys.path:
        folder = Path(entry)
        if entry and folder.is_absolute():
            is_site = folder.name in _SITE_FOLDERS or folder.is_file()
            rules.append((entry, READ if is_site else _READ_DIR))
    return rules


def sandbox_environment(scratch: Path | None = None) -> dict[str, str]:
    """Returns the variables that a process in a sandbox inherits, and its own folders.

    Args:
        scratch: its folder; also its home and its folder of temporary files.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ENVIRONMENT_KEPT or name.startswith(_ENVIRONMENT_PREFIXES)
        # Its caches and settings in the owner's folders, such as VLLM_CACHE_ROOT.
        if not (name.startswith("VLLM_") and value.startswith("/"))
    }
    own = {} if scratch is None else {"HOME": str(scratch), "TMPDIR": str(scratch)}
    if site.ENABLE_USER_SITE:
        own["PYTHONUSERBASE"] = site.getuserbase()
    return kept | own
