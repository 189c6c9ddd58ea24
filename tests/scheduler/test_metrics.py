"""``/metrics`` of a scheduler and of a gateway process: what it exposes, and that it is true."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import aiohttp
import msgspec
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.core.builders import MODEL
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import RunningScheduler, running_scheduler
from tests.scheduler.test_gateway_run import gateway_process
from tests.waiting import eventually

from entraide.metrics import MetricSpec
from entraide_scheduler.gateway.jobs.metrics import GATEWAY_METRICS
from entraide_scheduler.metrics import PoolMetrics
from entraide_scheduler.metrics.finding_metrics import FINDING_METRICS
from entraide_scheduler.metrics.pool_metrics import FRESH_S, OTHER_COOPS, POOL_METRICS
from entraide_scheduler.metrics.process_metrics import PROCESS_METRICS
from entraide_scheduler.pool.backup import RECORD_FILE, BackupRecord

LITTLE = {"input_tokens": 9, "output_tokens": 5}  # within any lease of these tests
BOUNDS = {"le"}  # the label of a histogram's buckets
Samples = dict[str, dict[tuple[str, ...], float]]


async def read_page(session: aiohttp.ClientSession) -> list[Metric]:
    """Returns the families of ``/metrics``."""
    async with session.get("/metrics") as answer:
        return list(text_string_to_metric_families(await answer.text()))


def samples_of(families: Iterable[Metric]) -> Samples:
    """Returns each sample by its name and its labels' values, in order of the labels' names."""
    samples: Samples = {}
    for family in families:
        for sample in family.samples:
            labels = tuple(sample.labels[name] for name in sorted(sample.labels))
            samples.setdefault(sample.name, {})[labels] = sample.value
    return samples


def declared(specs: Iterable[MetricSpec]) -> dict[str, tuple[str, str]]:
    return {spec.name: (spec.kind, spec.text) for spec in specs}


def exposed(families: Iterable[Metric]) -> dict[str, tuple[str, str]]:
    """Returns type and meaning by name, without the times of creation that no one reads."""
    return {
        family.name: (family.type, family.documentation)
        for family in families
        if not family.name.endswith("_created")
    }


def assert_labels(families: Iterable[Metric], specs: Iterable[MetricSpec]) -> None:
    labels = {spec.name: set(spec.labels) for spec in specs}
    for family in families:
        if not family.name.endswith("_created"):
            for sample in family.samples:
                assert labels[family.name] == set(sample.labels) - BOUNDS, sample


async def test_scheduler_exposes_what_its_tables_declare(pool: RunningScheduler) -> None:
    """Each metric of the tables is on the page with its type and labels, and no other one."""
    specs = (*POOL_METRICS, *FINDING_METRICS, *PROCESS_METRICS, *GATEWAY_METRICS)
    async with pool.session(await pool.operator.key()) as session:
        families = await read_page(session)

    assert declared(specs) == exposed(families)
    assert_labels(families, specs)


async def test_gateway_exposes_what_its_tables_declare(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """A gateway process has its own counters and those of its process, and is connected."""
    specs = (*PROCESS_METRICS, *GATEWAY_METRICS)
    async with gateway_process(tmp_path, bus) as (url, _), aiohttp.ClientSession(url) as session:
        families = await read_page(session)
    samples = samples_of(families)

    assert declared(specs) == exposed(families)
    assert_labels(families, specs)
    assert {(): 1.0} == samples["entraide_bus_connected"]
    assert samples["entraide_bus_messages_total"]["out",] > 0


async def test_figures_follow_the_pool(pool: RunningScheduler) -> None:
    """Nodes, leases, promises, settlements and the ledger's sum are those of the core."""
    key = await pool.operator.key()
    node = await pool.join()
    await node.send_hello()
    await eventually(lambda: pool.state(node.name) == "live")
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Secret"}], "max_tokens": 9}
    async with pool.session(key) as session:
        pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=body))
        await eventually(lambda: node.runs)
        during = await fresh(session, "entraide_scheduler_leases", 1.0)
        await node.finish(node.runs.pop(), **LITTLE)
        (await pending).release()
        await eventually(lambda: pool.driver.counts["settled"])
        after = await fresh(session, "entraide_scheduler_leases", 0.0)

    assert 1.0 == during["entraide_scheduler_jobs"]["offered",]
    assert {"left": 0, "live": 1, "lost": 0, "suspect": 0} == {
        state: count for (state,), count in after["entraide_scheduler_nodes"].items()
    }
    assert 1.0 == after["entraide_scheduler_nodes_accepting"][()]
    assert 1.0 == after["entraide_scheduler_leases_granted_total"][()]
    assert 1.0 == after["entraide_scheduler_settlements_total"][()]
    assert 1.0 == after["entraide_scheduler_promises_total"]["interactive", "kept"]
    assert 1.0 == sum(after["entraide_scheduler_promises_total"].values())
    assert {("tokens",): 0, ("energy_uwh",): 0, ("carbon_ug",): 0} == after[
        "entraide_scheduler_ledger_sum"
    ]
    assert any(pool.driver.core.balances()["beta"].values())
    assert "Secret" not in str(after)
    assert key not in str(after)


async def fresh(session: aiohttp.ClientSession, name: str, value: float) -> Samples:
    """Reads the page until a metric without labels has a value: figures are a second old."""
    async with asyncio.timeout(60.0):
        while True:
            samples = samples_of(await read_page(session))
            if samples[name] == {(): value}:
                return samples
            await asyncio.sleep(FRESH_S / 4)


async def test_queue_is_by_class_and_by_a_bounded_number_of_coops(
    pool: RunningScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting jobs count for their class and co-op; co-ops beyond the limit count together."""
    monkeypatch.setattr("entraide_scheduler.metrics.pool_metrics.COOPS_SHOWN_MAX", 1)
    node = await pool.join()
    await node.send_hello()
    await eventually(lambda: pool.state(node.name) == "live")
    await node.send_heartbeat(reason="paused")
    await eventually(lambda: not pool.driver.core.nodes()[0].accepting)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Plus tard"}]}
    for coop in ("alpha", "beta"):
        async with pool.session(await pool.operator.key(coop)) as session:
            batch = {"X-Entraide-Class": "batch"}
            async with session.post("/v1/jobs", json={"request": body}, headers=batch) as answer:
                assert 202 == answer.status, await answer.text()
    await eventually(lambda: sum(pool.driver.core.queue_lengths().values()) == 2)
    figures = {spec.name: dict(values) for spec, values in PoolMetrics(pool.driver, Path()).read()}
    queued = figures["entraide_scheduler_queued"]

    assert {("batch", "alpha"): 1, ("batch", OTHER_COOPS): 1} == {
        labels: count for labels, count in queued.items() if count
    }
    assert {"alpha", OTHER_COOPS} == {coop for _, coop in queued}


async def test_age_of_the_last_backup_is_exposed(pool: RunningScheduler, tmp_path: Path) -> None:
    """Without a record there is no value; with one, it is the time since then."""
    metrics = PoolMetrics(pool.driver, tmp_path)
    before = {spec.name: values for spec, values in metrics.read()}
    record = BackupRecord(pool.driver.now() - 3_600.0, "b")
    (tmp_path / RECORD_FILE).write_bytes(msgspec.json.encode(record))
    after = {spec.name: values for spec, values in metrics.read()}

    assert {} == before["entraide_backup_age_seconds"]
    assert 3_600.0 == pytest.approx(after["entraide_backup_age_seconds"][()], abs=60.0)


async def test_missed_promise_is_counted(pool: RunningScheduler) -> None:
    """A job whose first token came too late counts as missed in its class."""
    key, node = await pool.operator.key(), await pool.join()
    await node.send_hello()
    await eventually(lambda: pool.state(node.name) == "live")
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Vite"}], "max_tokens": 9}
    async with pool.session(key) as session:
        pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=body))
        await eventually(lambda: node.runs)
        run = node.runs.pop()
        await node.finish(run, **LITTLE, ttft_s=30.0, run_s=31.0)
        (await pending).release()
        await eventually(lambda: pool.driver.counts["settled"])

    assert 1 == pool.driver.counts["promise.interactive.missed"]


async def test_days_of_the_certificates_are_exposed(tmp_path: Path, bus: NatsPool) -> None:
    """With TLS, the page says for how many days each certificate is valid."""
    async with running_scheduler(tmp_path, bus, 'tls.hosts = ["127.0.0.1"]') as pool:
        registry = pool.gateway.metrics.registry
        days = {
            use: registry.get_sample_value("entraide_certificate_days", {"certificate": use})
            for use in ("http", "grpc", "ca")
        }

    assert all(value is not None and value > 1.0 for value in days.values())
