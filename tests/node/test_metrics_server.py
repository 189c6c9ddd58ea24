"""``/metrics`` of a node agent: only where the owner turns it on, on loopback, and true."""

import socket
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.integration.nats_support import NatsPool
from tests.node.support import Peer, ScriptedEngine, configure, end, run, serving
from tests.ports import free_port
from tests.waiting import eventually

from entraide.errors import RequestError
from entraide.wire.messages import UsageReport
from entraide_node.config import MetricsConfig, dump_config, load_config
from entraide_node.metrics_server import NODE_METRICS


async def read_page(port: int, host: str = "") -> tuple[int, str]:
    headers = {"Host": host} if host else {}
    url = f"http://127.0.0.1:{port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.text()


async def page_of(port: int) -> str:
    """Reads the page as soon as the agent listens and has written a status."""
    pages: list[str] = []

    async def is_served() -> bool:
        try:
            _, text = await read_page(port)
        except aiohttp.ClientConnectorError:
            return False
        pages.append(text)
        return "entraide_node_slots " in text.replace("# ", "")

    while not await is_served():
        pass
    return pages[-1]


def values_of(text: str) -> dict[tuple[str, ...], float]:
    families: list[Metric] = list(text_string_to_metric_families(text))
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


async def test_agent_exposes_what_its_table_declares(
    bus: NatsPool, peer: Peer, tmp_path: Path
) -> None:
    """After a run, its outcome is counted; no label names the job, the co-op or the prompt."""
    engine, port = ScriptedEngine(), free_port()
    config = configure(bus, tmp_path, metrics=MetricsConfig(port=port))
    async with serving(config, engine) as agent:
        await peer.hear_state(accepting=True)
        await peer.send(run("job-1"))
        engine.say("job-1", end(final=b"{}", completion=5))
        await peer.hear(UsageReport, job="job-1")
        await eventually(lambda: agent._announcer.status is not None)
        text = await page_of(port)
        foreign = await read_page(port, host="example.org")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    values = values_of(text)

    assert {spec.name: spec.kind for spec in NODE_METRICS} == {
        name: family.type for name, family in families.items()
    }
    for spec in NODE_METRICS:
        for sample in families[spec.name].samples:
            assert set(spec.labels) == set(sample.labels)
    assert 1.0 == values["entraide_node_runs_total", "completed"]
    assert 1.0 == values["entraide_bus_connected",]
    assert values["entraide_bus_messages_total", "out"] > 0
    assert not any(word in text for word in ("job-1", "boreale"))
    assert 404 == foreign[0]


async def test_agent_serves_nothing_by_default(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """Without a port in its configuration, the agent opens no listening socket."""
    async with serving(configure(bus, tmp_path), ScriptedEngine()) as agent:
        await peer.hear_state(accepting=True)

        assert 0 == agent._config.metrics.port


async def test_agent_works_without_the_port(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """A port that is taken is no reason not to lend the machine."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = configure(bus, tmp_path, metrics=MetricsConfig(port=taken.getsockname()[1]))
        async with serving(config, ScriptedEngine()):
            await peer.hear_state(accepting=True)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_port_out_of_range_is_refused(bus: NatsPool, tmp_path: Path, port: int) -> None:
    """The error names the key."""
    config = configure(bus, tmp_path, metrics=MetricsConfig(port=port))
    path = tmp_path / "node.toml"
    path.write_text(dump_config(config))
    with pytest.raises(RequestError) as refused:
        load_config(path)

    assert "metrics.port" in str(refused.value)
