"""A revoked node: its agent ends when the pool says so, and on nothing less."""

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.integration.nats_support import NatsPool
from tests.node.support import POWER, configure
from tests.node.test_join import Desk
from tests.node.test_join import serving as serving_desk
from tests.waiting import eventually

from entraide.errors import AuthenticationError
from entraide.system_service.units import FINAL_STATUS
from entraide_node import agent, keys
from entraide_node.config import CONFIG_NAME, dump_config
from entraide_node.error_output import error_sentence
from entraide_node.machine_setup import MachineSetup
from entraide_node.model_manager.catalogue_source import CatalogueSource
from entraide_node.owner.files import StopReason, read_stopped, write_stopped
from entraide_node.pool_address import save_pool_address
from entraide_node.revocation import ENDS, REVOKED, find_end


def public_key(folder: Path) -> str:
    """The public key of a node's identity."""
    return keys.Keyring(folder).public_key


@pytest.mark.parametrize("refusal", ENDS)
async def test_revoked_node_ends_when_the_pool_confirms(
    bus: NatsPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    """Refused by the bus, the agent stays as long as the pool gives another answer, and ends once
    the pool says that the key is revoked, or its record gone."""
    monkeypatch.setattr(agent, "ASK_AGAIN_S", 0.05)
    desk = Desk(bus)
    desk.refusal = refusal
    config = configure(bus, tmp_path)
    machine = MachineSetup((), POWER, ())
    running = agent.Agent(config, machine=machine, model_source=CatalogueSource(config))
    async with serving_desk(desk) as url:
        save_pool_address(tmp_path, url, public_certificate=False)
        task = asyncio.create_task(running.run())
        await eventually(lambda: running._bus.is_up)
        key = public_key(tmp_path)
        assert await bus.identity.revoke_keys([key], servers=bus.url)
        await eventually(lambda: len(desk.requests) > 2)
        is_running = not task.done()
        desk.revoked.append(key)
        with pytest.raises(AuthenticationError) as ended:
            await task

    assert is_running
    assert ENDS[refusal] == ended.value.code
    assert all(error_sentence(ENDS[refusal], {}, lang) for lang in ("fr", "en"))


async def test_silent_pool_revokes_nobody(bus: NatsPool, tmp_path: Path) -> None:
    """Without the pool's own word there is no revocation."""
    configure(bus, tmp_path)
    unknown = find_end(tmp_path)
    save_pool_address(tmp_path, "http://127.0.0.1:9", public_certificate=False)

    assert ("", "") == (unknown, find_end(tmp_path))


async def test_agent_started_again_ends_at_once(bus: NatsPool, tmp_path: Path) -> None:
    """Where an agent ended because of a revocation, the next one asks before it starts an engine;
    its exit status tells a service manager that a further start would not help."""
    desk = Desk(bus)
    config = configure(bus, tmp_path, nats_urls=("nats://127.0.0.1:9",))
    (tmp_path / CONFIG_NAME).write_text(dump_config(msgspec.structs.replace(config, dir=".")))
    desk.revoked.append(public_key(tmp_path))
    write_stopped(tmp_path, StopReason(REVOKED, {}))
    async with serving_desk(desk) as url:
        save_pool_address(tmp_path, url, public_certificate=False)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "entraide_node", "run", "--dir", str(tmp_path),
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        _, said = await process.communicate()

    assert FINAL_STATUS == process.returncode
    assert "The pool has revoked this machine" in said.decode()
    assert REVOKED == read_stopped(tmp_path).code
