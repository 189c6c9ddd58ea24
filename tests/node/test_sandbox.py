"""The sandbox: a hostile library in the engine's place reaches nothing of the owner."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.integration.nats_support import NatsPool
from tests.node import hostile_engine
from tests.node.support import MODEL, configure
from tests.waiting import eventually

from entraide import bubblewrap
from entraide.bubblewrap import find_bubblewrap_problem
from entraide.process_sandbox import find_sandbox_problem, sandbox_environment
from entraide.types import Sandbox
from entraide_node import keys
from entraide_node.config import LlamaCpp, NodeConfig, dump_config
from entraide_node.doctor import engine_checks
from entraide_node.doctor.cli_output import report_check
from entraide_node.doctor.node_checks import Level
from entraide_node.engines.mlx import MlxConfig, make_mlx_lm
from entraide_node.engines.sandbox import kind_sandbox
from entraide_node.engines.vllm import VllmConfig, make_vllm
from entraide_node.models.model_files import ModelFile, find_model

ATTACKS = {attack.__name__ for attack in hostile_engine.ATTACKS}
YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
_LINE = re.compile(r"^attack (\w+) (done|denied)", re.MULTILINE)

pytestmark = pytest.mark.skipif(
    bool(find_sandbox_problem()), reason="this kernel has no Landlock, so there is no sandbox"
)


@contextmanager
def hostile_package(folder: Path, identity: Path) -> Iterator[Path]:
    """A folder of installed packages with the hostile library, and targets that exist."""
    home, package = folder / "home", folder / "site-packages" / "xllamacpp"
    home.mkdir()
    package.mkdir(parents=True)
    (home / "letter.txt").write_text("Chère Ada,", "utf-8")
    (home / "empty.txt").write_text("text", "utf-8")
    shutil.copyfile(hostile_engine.__file__, package / "__init__.py")
    weights = find_model("demo")
    assert isinstance(weights, ModelFile)
    abstract = f"hostile-{os.getpid()}-{folder.name}"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as file, \
            socket.socket(socket.AF_UNIX) as nameless, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:  # fmt: skip
        udp.bind(("127.0.0.1", 0))
        file.bind(str(folder / "bus.sock"))
        nameless.bind(f"\0{abstract}")
        for listener in (file, nameless):
            listener.listen()
        targets = {
            "letter": str(home / "letter.txt"), "empty": str(home / "empty.txt"),
            "identity": str(identity), "weights": str(weights.path),
            "tcp": tcp.getsockname()[1], "socket_file": str(folder / "bus.sock"),
            "abstract": abstract, "udp": udp.getsockname()[1], "program": os.getpid(),
        }  # fmt: skip
        (package / "targets.json").write_text(json.dumps(targets), "utf-8")
        yield package.parent


# By kind: the module that its command runs, and what it needs, so that its sandbox allows it.
OWN_ENVIRONMENTS = {
    "mlx-lm": ("mlx_lm.server", set[str]()),
    "vllm": (
        "vllm.entrypoints.openai.api_server", {"fork", "write_temporary", "take_shared_memory"},
    ),
}  # fmt: skip


async def attack_from_environment(kind: str, folder: Path, *, sandbox: bool) -> dict[str, str]:
    """The outcome of each attack by a library in an environment of its own."""
    identity = folder / keys.IDENTITY_NAME
    identity.write_text("{}", "utf-8")
    (folder / "weights").mkdir()
    venv.create(folder / "env", symlinks=True)
    package, *parents, module = OWN_ENVIRONMENTS[kind][0].split(".")
    with hostile_package(folder, identity) as packages:
        target = next((folder / "env" / "lib").glob("python*")) / "site-packages" / package
        shutil.copytree(packages / "xllamacpp", target)
        program = target.joinpath(*parents, f"{module}.py")
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"from {package} import Server\nServer(None)\n", "utf-8")
        fields = {
            "weights": folder / "weights", "alias": MODEL, "revision": "unknown", "version": "1",
            "python": folder / "env" / "bin" / "python", "log_path": folder / "engine.log",
            "sandbox": sandbox,
        }  # fmt: skip
        engine = (
            make_mlx_lm(MlxConfig(**fields))  # type: ignore[arg-type]
            if kind == "mlx-lm"
            else make_vllm(VllmConfig(**fields, cpu=True, threads=1))  # type: ignore[arg-type]
        )
        assert await engine.start() is not None
    return dict(_LINE.findall((folder / "engine.log").read_text("utf-8")))


@pytest.mark.parametrize("kind", sorted(OWN_ENVIRONMENTS))
async def test_a_hostile_environment_reaches_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does one in the place of mlx-lm or vLLM reach more than what the engine needs."""
    if kind_sandbox(kind, wanted=True) is Sandbox.NONE:
        pytest.skip(f"bubblewrap cannot run here: {find_bubblewrap_problem()}")
    monkeypatch.setenv("OWNERS_SECRET", "1")

    outcomes = await attack_from_environment(kind, tmp_path, sandbox=True)

    needed = OWN_ENVIRONMENTS[kind][1]
    assert {name: "done" if name in needed else "denied" for name in ATTACKS} == outcomes


@pytest.mark.parametrize("kind", sorted(OWN_ENVIRONMENTS))
async def test_a_hostile_environment_without_the_sandbox(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacks are real there, too."""
    monkeypatch.setenv("OWNERS_SECRET", "1")

    outcomes = await attack_from_environment(kind, tmp_path, sandbox=False)

    done = {name for name, outcome in outcomes.items() if outcome == "done"}
    assert ATTACKS - refused_by_the_system() <= done


@contextmanager
def agent(folder: Path, packages: Path) -> Iterator[None]:
    """The agent of a folder, whose Python finds the hostile library first."""
    process = subprocess.Popen(
        [sys.executable, "-m", "entraide_node", "run", "--dir", str(folder)],
        stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(packages), "OWNERS_SECRET": "1"},
    )  # fmt: skip
    try:
        yield
    finally:
        process.kill()
        process.communicate()


async def attack(bus: NatsPool, folder: Path, *, sandbox: bool) -> dict[str, str]:
    """The outcome of each attack in an engine that a real agent started."""
    node = folder / "node"
    engine = LlamaCpp(alias=MODEL, threads=1, slots=1, context_tokens=256, sandbox=sandbox)
    config = configure(bus, node, engine=engine)
    (node / "node.toml").write_text(dump_config(config), "utf-8")
    log = node / "engine.log"
    with hostile_package(folder, node / keys.IDENTITY_NAME) as packages, agent(node, packages):
        await eventually(lambda: log.exists() and "attacks over" in log.read_text("utf-8"))
    return dict(_LINE.findall(log.read_text("utf-8")))


async def test_a_hostile_engine_reaches_nothing(bus: NatsPool, tmp_path: Path) -> None:
    """No attack succeeds in the sandbox."""
    outcomes = await attack(bus, tmp_path, sandbox=True)

    assert dict.fromkeys(ATTACKS, "denied") == outcomes


async def test_each_attack_succeeds_without_the_sandbox(bus: NatsPool, tmp_path: Path) -> None:
    """The attacks are real: without the sandbox each one reaches its target."""
    outcomes = await attack(bus, tmp_path, sandbox=False)

    done = {name for name, outcome in outcomes.items() if outcome == "done"}
    assert ATTACKS - refused_by_the_system() <= done


def refused_by_the_system() -> set[str]:
    """Attacks that an ordinary account cannot make, sandbox or not."""
    namespaces = {"enter_namespaces"} if find_bubblewrap_problem() else set[str]()
    if os.geteuid() == 0:
        return namespaces
    traces = not YAMA.exists() or YAMA.read_text("utf-8").strip() == "0"
    return (
        namespaces
        | {"take_open_files", "change_weights"}
        | (set() if traces else {"trace_agent", "read_agent_memory"})
    )


def test_an_engines_caches_are_in_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the sandbox an engine is not told of the owner's folders, which it cannot use."""
    monkeypatch.setenv("VLLM_CACHE_ROOT", "/home/ada/.cache/vllm")
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "ERROR")

    variables = sandbox_environment(tmp_path)

    assert str(tmp_path) == variables["HOME"]
    assert "ERROR" == variables["VLLM_LOGGING_LEVEL"]
    assert "VLLM_CACHE_ROOT" not in variables


@pytest.fixture
def bubblewrap_anew() -> Iterator[None]:
    """What is known of this machine's bubblewrap is asked again."""
    find_bubblewrap_problem.cache_clear()
    yield
    find_bubblewrap_problem.cache_clear()


DENIED = "#!/bin/sh\nexit 1\n"  # as bubblewrap ends without namespaces


@pytest.mark.parametrize(
    ("program", "restricted", "problem"),
    [("", "1", "absent"), (DENIED, "1", "apparmor"), (DENIED, "0", "namespaces")],
)
@pytest.mark.usefixtures("bubblewrap_anew")
def test_the_doctor_says_why_vllm_has_no_sandbox(
    program: str, restricted: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without bubblewrap vLLM has none, the card says so, and the doctor knows why."""
    (tmp_path / "bin").mkdir()
    if program:
        (tmp_path / "bin" / "bwrap").write_text(program, "utf-8")
        (tmp_path / "bin" / "bwrap").chmod(0o755)
    (tmp_path / "switch").write_text(restricted, "utf-8")
    monkeypatch.setattr(bubblewrap, "APPARMOR_SWITCH", tmp_path / "switch")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(engine_checks, "available_kinds", lambda root: ("llama.cpp", "vllm"))

    config = NodeConfig(node="n", coop="c", zone="CA-QC", nats_urls=(), dir=str(tmp_path))
    check = engine_checks.check_sandbox(config)

    assert ("sandbox", Level.WARN, problem) == (check.name, check.level, check.code)
    assert Sandbox.NONE is kind_sandbox("vllm", wanted=True)
    for lang in ("fr", "en"):
        words = report_check(check, lang)
        assert words.mend
        assert "⟨" not in words.sentence + words.mend


def test_a_kernel_that_denies_user_namespaces() -> None:
    """Where the kernel denies user namespaces, bubblewrap is not used."""
    if find_bubblewrap_problem():
        pytest.skip(f"bubblewrap cannot run here: {find_bubblewrap_problem()}")
    ask = "from entraide.bubblewrap import *; print(find_bubblewrap_problem())"
    script = f"echo 0 >/proc/sys/user/max_user_namespaces && exec '{sys.executable}' -c '{ask}'"
    result = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", script], capture_output=True, text=True, check=True
    )

    assert "namespaces" == result.stdout.strip()
