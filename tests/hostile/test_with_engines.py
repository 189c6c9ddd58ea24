"""The demonstration's pool with its real engines outlives a rogue node, and starts again."""

from pathlib import Path

import pytest
from tests.core.builders import replica, usage
from tests.hostile.pool import RogueNode
from tests.hostile.test_node_control import CARDS, MESSAGES
from tests.integration.local_pool import MODEL, RunningPool, up
from tests.scheduler.pool_support import Operator, ScriptedNode

from entraide.types import Outcome
from entraide.v1 import admin_pb2
from entraide.wire import messages as m
from entraide.wire import subjects
from entraide.wire.nats import Identity, connect, new_user_key

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]  # a real pool, twice

ASK = {"model": MODEL, "max_tokens": 8, "messages": [{"role": "user", "content": "Bonjour"}]}


def served(pool: RunningPool) -> bool:
    """Whether a co-op's request is answered by a real engine."""
    status, _, body = pool.http("/v1/chat/completions", ASK, coop="boreale")
    return status == 200 and 0 < body["usage"]["completion_tokens"] <= 8


async def attack(pool: RunningPool) -> None:
    """Joins as another co-op's node and sends every message of the table."""
    operator = Operator(int(pool.file.grpc.rpartition(":")[2]))
    seed, public = new_user_key()
    asked = admin_pb2.CreateJoinTokenRequest(coop="prairie", valid_s=60.0, zone="CA-QC")
    token = (await operator.ask("CreateJoinToken", asked, key=pool.file.admin_key)).token
    joined = await operator.join(token, seed, node_name="rogue")
    identity = Identity(joined.jwt, seed, subjects.node_inbox(public))
    connection = await connect(list(joined.nats_urls), identity=identity, name="rogue")
    rogue = RogueNode(ScriptedNode(joined.node, identity, connection))
    for changes in CARDS.values():
        await rogue.hello(**changes)
    await rogue.hello(replicas=(replica("model-of-rogue"),))
    for make, _ in MESSAGES.values():
        await rogue.send(make(rogue))
    huge = usage(output_tokens=2**53, energy_decode_uwh=2**53)
    for number in range(100):
        await rogue.send(m.UsageReport(f"j{number}", 1, Outcome.COMPLETED, "", True, huge))
    await connection.close()
    await operator.channel.close()


async def test_pool_with_real_engines_outlives_a_rogue_node(tmp_path: Path) -> None:
    """After every attack of the table a request is answered, and the pool goes down and up."""
    pool = up(tmp_path / "pool")
    try:
        await attack(pool)
        before = served(pool)
        pool.entraide("nodes", "revoke", "rogue")  # a start waits for each node that may come
        pool.entraide("down")
        pool = up(tmp_path / "pool")
        after = served(pool)
    finally:
        pool.entraide("down")

    assert (True, True) == (before, after)
