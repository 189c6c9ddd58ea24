"""From meters to a receipt: a real scheduler, a real agent, a real inverter, and pages of JSON."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.integration.nats_support import NatsPool
from tests.node.energy_peers import Home, home, inverter
from tests.node.support import MODEL, ScriptedEngine, end, serving
from tests.scheduler.pool_support import RunningScheduler, running_scheduler
from tests.waiting import eventually

from entraide.types import Basis
from entraide_node.agent import Agent
from entraide_node.config import EnergyConfig
from entraide_node.energy.meters import PlugMeter
from entraide_node.energy.source_config import Http, Sunspec
from entraide_node.energy.source_factory import make_source
from entraide_node.join import JoinOptions, join_pool

pytestmark = pytest.mark.engines  # a whole pool

CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 9}
ANSWER = b'{"choices":[{"message":{"content":"Salut"}}],"usage":{"prompt_tokens":7}}'
METERED = {"evidence": "meter", "document": "roof"}
REST_W, WORK_W = 20.0, 56.0


class Chatting:
    """Somebody who asks, and the engine that answers when the test says so."""

    def __init__(self, pool: RunningScheduler, key: str, engine: ScriptedEngine) -> None:
        self._pool = pool
        self._key = key
        self._engine = engine
        self._answered: set[str] = set()

    async def receipt(self, until: Any = lambda: True) -> dict[str, Any]:
        """Asks; the engine answers once a condition holds; returns the receipt."""
        async with self._pool.session(self._key) as session:
            asked = asyncio.ensure_future(session.post("/v1/chat/completions", json=CHAT))
            await eventually(lambda: set(self._engine.lines) - self._answered)
            job = (set(self._engine.lines) - self._answered).pop()
            self._answered.add(job)
            await eventually(until)
            self._engine.say(job, end(body=ANSWER))
            answer = await asked
            return dict((await answer.json())["entraide"])


async def test_receipts_say_how_energy_and_surplus_were_obtained(
    nats_pool: NatsPool, tmp_path: Path
) -> None:
    """Meters make a receipt measured; once they are silent for too long it says so."""
    engine = ScriptedEngine()
    async with (
        running_scheduler(tmp_path, nats_pool) as pool,
        inverter({1: {}, 103: {14: 90, 15: 1}}) as roof,
        home() as page,
    ):
        page.pages |= {"/use": {"w": 300}, "/plug": {"apower": REST_W}}
        token, key = await pool.operator.token("beta", **METERED), await pool.operator.key("alpha")
        joined = await asyncio.to_thread(
            join_pool,
            pool.gateway.url,
            token,
            folder=tmp_path / "node",
            options=JoinOptions(name="mini"),
        )
        energy = EnergyConfig(
            generation=Sunspec(host="127.0.0.1", port=roof.port),
            use=Http(url=f"{page.url}/use", path="w"), every_s=1.0, stale_s=4.0,
        )  # fmt: skip
        plug = PlugMeter(
            make_source(Http(url=f"{page.url}/plug", shape="shelly"), role="meter", folder=tmp_path)
        )
        metered = replace(joined.config, energy=energy)
        async with serving(metered, engine, meters=(plug,)) as agent:
            chat = Chatting(pool, key, engine)
            await eventually(lambda: surplus_w(pool) == 600.0)
            await eventually(lambda: agent._power_sampler._energy.idle_w is not None)
            page.pages["/plug"] = {"apower": WORK_W}
            measured = await chat.receipt(lambda: is_measured(agent))
            await fall_silent(page, agent, pool)
            fallen = await chat.receipt()

    assert (Basis.MEASURED, Basis.MEASURED) == (measured["energy_basis"], measured["surplus_basis"])
    assert 0.0 < measured["energy_wh"]
    assert 0.0 == measured["intensity_g_per_kwh"]
    assert (Basis.DEFAULT, None) == (fallen["energy_basis"], fallen.get("surplus_basis"))
    assert 0.0 < fallen["intensity_g_per_kwh"]


def surplus_w(pool: RunningScheduler) -> float | None:
    """The surplus that the pool knows of its only node."""
    energies = [view.energy for view in pool.driver.core.nodes()]
    return energies[0].surplus_w if energies and energies[0] is not None else None


def is_measured(agent: Agent) -> bool:
    """Whether a window of work was read."""
    return agent._power_sampler._energy._added_w is not None


async def fall_silent(page: Home, agent: Agent, pool: RunningScheduler) -> None:
    """Lets the pages vanish, until node and pool have noticed."""
    page.pages.clear()
    await eventually(lambda: agent._power_sampler.status().kind == "catalogue")
    await eventually(lambda: surplus_w(pool) is None)
