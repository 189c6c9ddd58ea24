"""A member's machine installs from the pool alone: mirror, line, join, run, and again."""

import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.pool.release_support import make_keys, write_release, write_root
from tests.pool.support import RunningPool, entraide, pool_config, running_pool, wait_until

from entraide import __version__
from entraide.wire.enrolment import PYTHONS
from entraide_scheduler.gateway.machines import FOLDER

INSTALL_TIMEOUT_S = 300


@pytest.mark.engines
@pytest.mark.timeout(600)
def test_a_machine_installs_joins_and_updates_by_one_line(tmp_path: Path) -> None:
    """The printed line works in an empty home, twice; the second time it repairs and updates."""
    with running_pool(tmp_path / "pool", pool_config()) as pool:
        system = {"darwin": "macos"}.get(sys.platform, sys.platform)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        target = f"{system}-{platform.machine()}-{version}"
        words = ("mirror", str(pool.state), "--target", target, "--no-python")
        gathered = entraide("pool", *words, timeout_s=INSTALL_TIMEOUT_S)
        assert 0 == gathered.returncode, gathered.stderr
        added = entraide("coops", "add", "boreale", "--state", str(pool.state))
        assert 0 == added.returncode, added.stderr
        invited = entraide("invite", "boreale", "--zone", "CA-QC", "--state", str(pool.state))
        line = invited.stdout.splitlines()[1]
        home = Home(tmp_path / "home")

        first = home.shell(line)
        assert 0 == first.returncode, first.stdout + first.stderr
        assert "of the co-op boreale" in first.stdout
        assert "✓ connection" in first.stdout
        agent = home.start_agent()
        try:
            wait_until(lambda: node_states(pool) == ["live"], "the node to be live")
        finally:
            agent.send_signal(signal.SIGTERM)
            agent.wait(60)
        (damaged,) = home.path.glob(
            ".local/share/entraide/environment/lib/*/site-packages/entraide"
        )
        (damaged / "i18n.py").unlink()
        second = home.shell(line)

        assert 0 == second.returncode, second.stdout + second.stderr
        assert (damaged / "i18n.py").exists()
        assert "Downloading" not in second.stdout
        assert 1 == len(node_states(pool))

        root = repeat_signed(pool, tmp_path / "release")
        signed = home.shell(line.replace("-s -- ", f"-s -- --root {root} "))
        assert 0 == signed.returncode, signed.stdout + signed.stderr
        assert f"Entraide {__version__} of " in signed.stdout
        change_program(pool.state / FOLDER, target)
        refused = home.shell(line)
        assert 1 == refused.returncode
        assert "is not the one that was signed" in refused.stderr
        assert not (damaged / "more.py").exists()  # pip got nothing


def repeat_signed(pool: RunningPool, folder: Path) -> str:
    """Signs the pool's mirror as a release, which it then repeats; the root's fingerprint."""
    keys = make_keys("ours")
    files = {
        path.name: path.read_bytes()
        for path in (pool.state / FOLDER).iterdir()
        if path.suffix in (".whl", ".txt") and path.name != PYTHONS
    }
    root = write_root(folder, 1, keys)
    date = datetime.now(UTC).replace(second=0, microsecond=0)
    write_release(folder, keys, date, version=__version__, files=files)
    repeated = entraide(
        "pool", "mirror", str(pool.state), "--release", str(folder), "--no-models", "--no-python",
        timeout_s=INSTALL_TIMEOUT_S,
    )  # fmt: skip
    assert 0 == repeated.returncode, repeated.stderr
    return root


def change_program(mirror: Path, target: str) -> None:
    """Puts another program into a mirror, with its right digest in the list of wheels."""
    (wheel,) = mirror.glob("entraide-*.whl")
    before = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("entraide/more.py", "")
    listed = mirror / f"{target}.txt"
    text = listed.read_text()
    assert before in text
    listed.write_text(text.replace(before, hashlib.sha256(wheel.read_bytes()).hexdigest()))


def node_states(pool: RunningPool) -> list[str]:
    """The states of the pool's nodes."""
    listed = entraide("nodes", "list", "--json", "--state", str(pool.state))
    nodes: list[dict[str, Any]] = json.loads(listed.stdout)
    return [node["state"] for node in nodes]


class Home:
    """A member's account with an empty home, this Python, and no setting of pip."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        folder = path / "bin"
        folder.mkdir()
        (folder / f"python3.{sys.version_info.minor}").symlink_to(Path(sys.executable).resolve())
        self._variables = {
            "HOME": str(path), "PATH": f"{folder}{os.pathsep}{os.defpath}", "LANG": "en_CA.UTF-8",
        }  # fmt: skip

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """Runs a line as a member pastes it."""
        return subprocess.run(
            ["sh", "-c", line], capture_output=True, text=True, check=False,
            env=self._variables, cwd=self.path, timeout=INSTALL_TIMEOUT_S,
        )  # fmt: skip

    def start_agent(self) -> subprocess.Popen[bytes]:
        """Starts the agent by the command that was put into ``~/.local/bin``."""
        command = [self.path / ".local/bin/entraide", "node", "run"]
        return subprocess.Popen(command, env=self._variables, stderr=subprocess.DEVNULL)
