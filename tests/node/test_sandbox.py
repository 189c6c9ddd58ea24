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

from entraide.process_sandbox import find_sandbox_problem
from entraide_node import keys
from entraide_node.config import LlamaCpp, dump_config
from entraide_node.engines.mlx import MlxConfig, make_mlx_lm
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
            socket.socket(socket.AF_UNIX) as nameless:  # fmt: skip
        file.bind(str(folder / "bus.sock"))
        nameless.bind(f"\0{abstract}")
        for listener in (file, nameless):
            listener.listen()
        targets = {
            "letter": str(home / "letter.txt"), "empty": str(home / "empty.txt"),
            "identity": str(identity), "weights": str(weights.path),
            "tcp": tcp.getsockname()[1], "socket_file": str(folder / "bus.sock"),
            "abstract": abstract,
        }  # fmt: skip
        (package / "targets.json").write_text(json.dumps(targets), "utf-8")
        yield package.parent


async def test_a_hostile_mlx_reaches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a hostile library in an environment of its own, in the place of mlx-lm."""
    monkeypatch.setenv("OWNERS_SECRET", "1")
    identity = tmp_path / keys.IDENTITY_NAME
    identity.write_text("{}", "utf-8")
    (tmp_path / "weights").mkdir()
    venv.create(tmp_path / "env", symlinks=True)
    with hostile_package(tmp_path, identity) as packages:
        package = next((tmp_path / "env" / "lib").glob("python*")) / "site-packages" / "mlx_lm"
        shutil.copytree(packages / "xllamacpp", package)
        (package / "server.py").write_text("from mlx_lm import Server\nServer(None)\n", "utf-8")
        engine = make_mlx_lm(MlxConfig(
            weights=tmp_path / "weights", alias=MODEL, revision="unknown", version="1",
            python=tmp_path / "env" / "bin" / "python", log_path=tmp_path / "engine.log",
        ))  # fmt: skip
        problem = await engine.start()

    outcomes = dict(_LINE.findall((tmp_path / "engine.log").read_text("utf-8")))
    assert problem is not None
    assert dict.fromkeys(ATTACKS, "denied") == outcomes


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
    if os.geteuid() == 0:
        return set()
    traces = not YAMA.exists() or YAMA.read_text("utf-8").strip() == "0"
    return {"take_open_files", "change_weights"} | (
        set() if traces else {"trace_agent", "read_agent_memory"}
    )
