"""Machines of a first month, each in its own network namespace, with its own account and home.

========  =====================================================================================
pool      the founder's: no internet, the system's Python, nothing of the checkout
spare     another machine of the founder's, on which the pool is restored
site-a    a member's, whose only Python is 3.9
site-b    a member's without any Python
site-c    a member's behind a router that drops all but what goes to port 443
client    asks the pool
========  =====================================================================================

Interpreters that a machine has not got, and the checkout with its environment, are hidden by mounts
that only its processes see.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.pool.standalone_python import with_library_beside
from tests.pool.wheelhouse import ROOT
from tests.testbed.hosts import FIRST_USER, PYTHON, SYSTEM_PROGRAMS, Host, Testbed, has_python
from tests.testbed.network import CLIENT_ADDRESS, POOL_ADDRESS, SPARE_ADDRESS, Network, run_name

SITES = ("a", "b", "c")
PLUGGED = {"pool": POOL_ADDRESS, "spare": SPARE_ADDRESS, "client": CLIENT_ADDRESS}
NAMES = (*PLUGGED, *(f"site-{site}" for site in SITES))
WITHOUT_PYTHON = ("site-a", "site-b")
BEHIND_ROUTER, HTTPS_PORT = "c", 443
OLD = "3.9"
STAND_IN = "#!/bin/sh\necho 'Python 3.9.6'\nexit 1\n"


def find_obstacle() -> str:
    """Returns why these machines cannot be made here; "" where they can."""
    return "" if has_python() else f"the system has no {PYTHON} that can make environments"


@contextmanager
def running_machines() -> Iterator[tuple[Testbed, dict[str, str]]]:
    """The machines, and what is written of each; removed with all that runs on them."""
    folder = Path(tempfile.mkdtemp(prefix=f"{run_name()}-"))
    folder.chmod(0o711)  # its machines pass, but do not list it
    network = None
    hosts: dict[str, Host] = {}
    try:
        network = Network(SITES, PLUGGED)
        network.allow_only_port(BEHIND_ROUTER, HTTPS_PORT)
        old, described = _make_old_python(folder / "python")
        for number, name in enumerate(NAMES):
            home = folder / name
            home.mkdir(mode=0o700)
            os.chown(home, FIRST_USER + number, FIRST_USER + number)
            is_without = name in WITHOUT_PYTHON
            programs = f"{old}:{SYSTEM_PROGRAMS}" if name == "site-a" else SYSTEM_PROGRAMS
            hosts[name] = Host(
                name, network.namespace(name), home, FIRST_USER + number, None,
                programs=programs, hidden=_hidden(is_without=is_without),
            )  # fmt: skip
        yield Testbed(network, hosts), _describe(hosts, described)
    finally:
        for host in reversed(hosts.values()):
            host.close()
        if network is not None:
            network.close()
        shutil.rmtree(folder, ignore_errors=True)


def _hidden(*, is_without: bool) -> list[Path]:
    """What a machine has not got: the checkout, its Python, and the system's where it has none."""
    hidden = [ROOT]
    base = Path(sys.base_prefix)
    if base not in (Path("/usr"), Path("/usr/local")):
        hidden.append(base)
    for folder in ("/usr/bin", "/usr/local/bin") if is_without else ():
        hidden += [each for each in Path(folder).glob("python[23]*") if not each.is_symlink()]
    return hidden


def _make_old_python(folder: Path) -> tuple[Path, str]:
    """Makes a folder of programs with Python 3.9 alone; returns it and what it is.

    It is a copy of one of this machine, else a program that says that it is one.
    """
    program_path = shutil.which(f"python{OLD}", path=SYSTEM_PROGRAMS)
    builds = [Path(program_path)] if program_path else []
    builds += sorted((Path.home() / ".pyenv/versions").glob(f"{OLD}.*/bin/python{OLD}"))
    if builds:
        prefix = builds[0].resolve().parents[1]
        (folder / "bin").mkdir(parents=True)
        ignored = shutil.ignore_patterns("site-packages", "test", "__pycache__", "config-*")
        shutil.copytree(prefix / f"lib/python{OLD}", folder / f"lib/python{OLD}", ignore=ignored)
        for library in (prefix / "lib").glob(f"libpython{OLD}*.so*"):
            shutil.copy(library, folder / "lib")
        program = folder / f"bin/python{OLD}"
        program.write_bytes(with_library_beside(builds[0].read_bytes(), str(prefix / "lib")))
        program.chmod(0o755)
        (folder / "bin/python3").symlink_to(program.name)
        said = subprocess.run([program, "-V"], capture_output=True, text=True, check=False)
        if not said.returncode:
            return folder / "bin", said.stdout.strip()
        shutil.rmtree(folder)
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin/python3"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    return folder / "bin", "a program that says Python 3.9.6"


def _describe(hosts: dict[str, Host], old: str) -> dict[str, str]:
    """Asks each machine which Python it has, and checks that the checkout is out of reach."""
    described = {}
    for name, host in hosts.items():
        asked = "for each in python3.13 python3.12 python3.11 python3.14 python3; do"
        asked += ' "$each" -V 2>/dev/null && break; done; true'
        said = host.run(asked).out.strip() or "no Python"
        assert host.run(f"ls {ROOT}", check=False).out == ""
        described[name] = f"{said} ({old})" if name == "site-a" and said not in old else said
    described["site-a"] = f"only {described['site-a']}"
    described["site-c"] += f", all but port {HTTPS_PORT} dropped"
    return described
