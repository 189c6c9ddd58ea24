"""A backup of a running pool, its loss, and the pool again: nobody joins twice, and who was
forgotten after the backup does not come back."""

import json
import shutil
import ssl
import urllib.request
from pathlib import Path

import pytest
from tests.data.recorded import golden, renew_identities
from tests.pool.recorded_support import RECORDED, facts_of, recorded_pool
from tests.pool.support import RunningPool, entraide, pool_config

from entraide.wire.bus_connection import BusConnection
from entraide.wire.nats import client_context, connect
from entraide_node import keys
from entraide_scheduler.pool.config import load_pool_config

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]
NODE = "node-1"
NAME, ADDRESS, FIELDS = "Zoé Quetzal", "quetzal@boreale.example.coop", ("name", "email")


def has_name(state: Path) -> list[str]:
    """The files of a pool, its logs too, in which a name or an address stands."""
    files = [path for path in state.rglob("*") if path.is_file()]
    words = (NAME.encode(), ADDRESS.encode())
    return [str(path) for path in files if any(word in path.read_bytes() for word in words)]


async def enter(pool: RunningPool, home: Path) -> BusConnection:
    """Connects as the recorded node, with the key and the JWT that it has."""
    return await connect(
        pool.file.nats,
        identity=keys.Keyring(home).identity(),
        name=NODE,
        tls=client_context(pool.ca),
        deadline_s=20.0,
    )


def list_models(pool: RunningPool, key: str) -> int:
    """The status of a request with a member's key."""
    request = urllib.request.Request(
        f"{pool.file.http}/v1/models", headers={"Authorization": f"Bearer {key}"}
    )
    context = ssl.create_default_context(cadata=pool.ca)
    with urllib.request.urlopen(request, timeout=20, context=context) as answer:
        return int(answer.status)


async def test_pool_is_lost_and_comes_back(tmp_path: Path) -> None:
    """Recorded, run again, backed up while it runs, destroyed, restored:
    the member's key, the node's identity and the pool's signing key are the same, and the store
    holds what it held."""
    config = pool_config()
    state = recorded_pool(tmp_path, config)
    renew_identities(state)
    home = tmp_path / NODE
    shutil.copytree(state / "nodes" / NODE, home)
    member = json.loads((state / "secrets.json").read_bytes())["keys"]["boreale"]
    secret = tmp_path / "passphrase"
    secret.write_text("quatre mots bien choisis")
    options = ("--passphrase-file", str(secret))
    pool = RunningPool(state, config)
    try:
        pool.wait_until_ready()
        before = pool.get("/.well-known/entraide")
        words = ("people", "add", "boreale", NAME, "--email", ADDRESS, "--json")
        zoe = json.loads(entraide(*words, "--state", str(state)).stdout)["person"]
        backed_up = entraide("pool", "backup", str(tmp_path / "b"), "--state", str(state), *options)
        exported = entraide("people", "export", zoe, "--state", str(state))
        forgotten = entraide("people", "forget", zoe, "--yes", "--json", "--state", str(state))
        left = has_name(state)
    finally:
        pool.stop()
    shutil.rmtree(state)
    restored = entraide("pool", "restore", str(tmp_path / "b"), str(state), *options)
    pool = RunningPool(state, load_pool_config(state))
    try:
        pool.wait_until_ready()
        after = pool.get("/.well-known/entraide")
        status = list_models(pool, member)
        node = await enter(pool, home)
        try:
            await node.flush()
            is_connected = node.is_connected
        finally:
            await node.close()
    finally:
        pool.stop()
    facts = await facts_of(state)
    recorded = golden(RECORDED).state

    assert (0, 0) == (backed_up.returncode, restored.returncode), (backed_up, restored)
    assert 0 == forgotten.returncode, forgotten
    assert (NAME, ADDRESS) == tuple(json.loads(exported.stdout)["person"][n] for n in FIELDS)
    assert [str(state / "erased.json"), str(tmp_path / "entraide-erased.json")] == (
        json.loads(forgotten.stdout)["lists"]
    )
    assert ([], []) == (left, has_name(state))
    assert before | {"now": 0} == after | {"now": 0}
    assert 200 == status
    assert is_connected
    assert recorded.balances == facts.balances
    assert (recorded.settled, recorded.receipts) == (facts.settled, facts.receipts)
    assert recorded.incarnation + 1_000_000 < facts.incarnation
