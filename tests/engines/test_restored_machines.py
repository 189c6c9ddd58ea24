"""A pool is restored from a backup of before a machine joined: real agents, a real pool."""

import asyncio
import json
import shutil
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.pool.support import RunningPool, entraide, pool_config, wait_until

from entraide.errors import AuthenticationError
from entraide.system_service.units import FINAL_STATUS
from entraide.wire.nats import client_context, connect
from entraide_node.keys import Keyring
from entraide_scheduler.pool.config import load_pool_config
from entraide_scheduler.pool.create import create_pool

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]
MODEL = "smollm2-135m-instruct"


class Operator:
    """The operator of a pool, at the command line."""

    def __init__(self, state: Path) -> None:
        self._state = ("--state", str(state))

    def call(self, *arguments: str) -> Any:
        """Runs a command of the operator; returns what it says as JSON."""
        done = entraide(*arguments, "--json", *self._state)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def state_of(self, key: str) -> str:
        """The state of the node with a key; "" where the pool has no record of it."""
        nodes = self.call("nodes", "list")
        return next((node["state"] for node in nodes if node["public_key"] == key), "")


class Agent:
    """A co-op's machine: a real agent with a real engine, in a folder of its own."""

    def __init__(self, operator: Operator, coop: str, folder: Path) -> None:
        self._command = [sys.executable, "-m", "entraide.cli", "--lang", "fr", "node"]
        self._folder = folder
        link = operator.call("invite", coop, "--zone", "CA-QC")["link"]
        options = ("--dir", str(folder), "--name", "atelier", "--no-service", "--any-time")
        joined = subprocess.run(
            [*self._command, "join", link, *options], check=False, capture_output=True, text=True
        )
        assert joined.returncode == 0, joined.stderr
        self.keyring = Keyring(folder)
        self.name = self.keyring._stored.node

    @property
    def log(self) -> Path:
        """What the agent says."""
        return self._folder / "stderr.log"

    def run(self) -> subprocess.Popen[bytes]:
        """Starts the agent."""
        with self.log.open("wb") as log:
            return subprocess.Popen([*self._command, "run", "--dir", str(self._folder)], stderr=log)


def ask(pool: RunningPool, key: str) -> Any:
    """Asks a restricted question with a member's key; returns the answer."""
    body = {"model": MODEL, "max_tokens": 8, "messages": [{"role": "user", "content": "Bonjour"}]}
    request = urllib.request.Request(
        f"{pool.file.http}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "X-Entraide-Data-Class": "restricted",
        },
    )
    context = ssl.create_default_context(cadata=pool.ca)
    with urllib.request.urlopen(request, timeout=120, context=context) as answer:
        return json.loads(answer.read())


async def enter(pool: RunningPool, keyring: Keyring) -> None:
    """Connects with an agent's identity."""
    connection = await connect(
        pool.file.nats,
        identity=keyring.identity(),
        name="replay",
        tls=client_context(pool.ca),
        deadline_s=20.0,
    )
    await connection.close()


def test_a_machine_of_after_the_backup_reads_nothing(tmp_path: Path) -> None:
    """Backup; boreale's machine joins; crash; restore; tournesol's machine wishes the same name.
    Boreale's machine is cut off and told why, and tournesol's restricted question runs on
    tournesol's machine, which the receipt names by its key."""
    state, config, operator = tmp_path / "pool", pool_config(), Operator(tmp_path / "pool")
    secret = tmp_path / "passphrase"
    secret.write_text("quatre mots bien choisis")
    sealed = ("--passphrase-file", str(secret))
    create_pool(state, config)
    pool = RunningPool(state, config)
    agents: list[subprocess.Popen[bytes]] = []
    try:
        pool.wait_until_ready()
        for coop in ("boreale", "tournesol"):
            operator.call("coops", "add", coop)
        key = operator.call("keys", "create", "--coop", "tournesol")["secret"]
        saved = entraide("pool", "backup", str(tmp_path / "b"), "--state", str(state), *sealed)
        boreale = Agent(operator, "boreale", tmp_path / "boreale")
        agents.append(boreale.run())
        wait_until(lambda: operator.state_of(boreale.keyring.public_key) == "live", "boreale")
        pids = list(pool.file.pids.values())
        pool.process.kill()
        pool.process.wait()
        wait_until(lambda: not any(map(psutil.pid_exists, pids)), "its processes have ended")
        shutil.rmtree(state)
        restored = entraide("pool", "restore", str(tmp_path / "b"), str(state), *sealed)
        pool = RunningPool(state, load_pool_config(state))
        pool.wait_until_ready()
        agents[0].wait(120)
        tournesol = Agent(operator, "tournesol", tmp_path / "tournesol")
        agents.append(tournesol.run())
        wait_until(lambda: operator.state_of(tournesol.keyring.public_key) == "live", "tournesol")
        receipt = ask(pool, key)["entraide"]
        with pytest.raises(AuthenticationError):
            asyncio.run(enter(pool, boreale.keyring))
    finally:
        for agent in agents:
            agent.terminate()
            agent.wait(60)
        pool.stop()

    assert (0, 0) == (saved.returncode, restored.returncode), (saved, restored)
    assert FINAL_STATUS == agents[0].returncode
    assert "restauré à partir d’une sauvegarde" in boreale.log.read_text()
    assert "atelier" == boreale.name
    assert tournesol.name.startswith("atelier-")
    assert (tournesol.name, tournesol.keyring.public_key) == (receipt["node"], receipt["node_key"])
    assert "tournesol" == receipt["node_coop"]
