"""Environments of the clients, made from their lock files and then kept, as those of the engines.

Where one cannot be made on this machine, its tests are left out at collection, with the reason.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.clients.table import CLIENTS
from tests.engines.own_environments import cache_folder, find_install_problem

from entraide import i18n
from entraide_node.engines.environments import Recipe, install_environment, python_of

ROOT = "clients"
NPM_TIMEOUT_S = 300.0


def recipe_of(name: str) -> Recipe:
    """How the environment of a Python client is made."""
    client = CLIENTS[name]
    assert client.lock is not None
    return Recipe(
        engine=name, package=client.package, module=client.module,
        pins=client.lock.read_text("utf-8"), disk_bytes=client.disk_mb * 10**6,
    )  # fmt: skip


@cache
def why_absent(name: str) -> str:
    """Why a client's environment cannot be made here; "" when it can."""
    if CLIENTS[name].program.endswith(".mjs"):
        missing = [program for program in ("node", "npm") if shutil.which(program) is None]
        return f"{', '.join(missing)} not installed" if missing else ""
    if CLIENTS[name].lock is None:
        return ""
    problem = find_install_problem(name, root=cache_folder() / ROOT, recipe=recipe_of(name))
    if problem is None:
        return ""
    return i18n.text(f"node-{problem.code.replace('_', '-')}", "en", **problem.values)


@cache
def python_for(name: str) -> Path:
    """The Python in which a client runs; its environment is made first where it is not there."""
    if CLIENTS[name].lock is None:
        return Path(sys.executable)
    root = cache_folder() / ROOT
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{name}.wait").open("w") as waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX)  # another run of the tests may be making it
        problem = install_environment(name, root, tell=lambda code: None, recipe=recipe_of(name))
    assert problem is None, problem
    python = python_of(name, root)
    assert python is not None
    return python


@cache
def node_folder(name: str) -> Path:
    """The folder with the node_modules of a JavaScript client, installed where they are not."""
    lock = CLIENTS[name].lock
    assert lock is not None
    folder = cache_folder() / ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = folder / "installed.txt"
    with (folder / "wait").open("w") as waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text() != digest:
            for file in ("package.json", "package-lock.json"):
                shutil.copy(lock.with_name(file), folder)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=NPM_TIMEOUT_S,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr[-3_000:]
            stamp.write_text(digest)
    return folder
