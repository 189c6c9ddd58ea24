"""A gateway with a real core, journal and store; the test controls the nodes."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.scheduler.documented import checked_answers
from tests.scheduler.driver_support import SILENT

from entraide.models import THINKING_BUDGET
from entraide.types import (
    Basis,
    DataClass,
    NodeCard,
    Outcome,
    Power,
    Rates,
    Replica,
    ServerPlace,
    Usage,
)
from entraide.wire import messages as m
from entraide_scheduler.bus import GatewaySink
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import CoopTerms, Policy, Quota
from entraide_scheduler.driver import Clock, LiveDriver, recover
from entraide_scheduler.gateway import Gateway, ReceiptSigner, Settings
from entraide_scheduler.gateway.pages import PoolEndpoints
from entraide_scheduler.gateway.signin.auth import hash_key
from entraide_scheduler.gateways import LocalSchedulerAdapter
from entraide_scheduler.metrics import build_pool_status
from entraide_scheduler.nodes.usage_reports import UsageReports
from entraide_scheduler.store.rows import KeyRow
from entraide_scheduler.store.store import Store

MODEL = "petit"
CHAT = "/v1/chat/completions"
KEY_A, KEY_B = "ent_alpha", "ent_beta"
WAIT_S = 30.0


def key_of(node: str) -> str:
    """A key of the form of a node's, in which ``name_in`` finds the name again."""
    return "U" + base64.b32encode(node.encode().ljust(34, b"\0")).decode().rstrip("=")


def name_in(key: str) -> str:
    """The name of a node with a key of ``key_of``."""
    return base64.b32decode(key[1:] + "=").rstrip(b"\0").decode()


def card(node: str, zone: str = "CA-QC") -> NodeCard:
    rates = Rates(1_000.0, 0.02, 0.002, Basis.MEASURED)
    features = ("tools", "schema", THINKING_BUDGET)
    replica = Replica(MODEL, "sha256:abc", "llama.cpp/1", 4_096, 4, features, rates)
    power = Power("bench", 10.0, 110.0, Basis.DECLARED)
    return NodeCard(
        node, "gamma", f"{node}-site", zone, power, (replica,), tuple(DataClass), None, 0.01, "0.1",
        node_key=key_of(node),
    )  # fmt: skip


USAGE = Usage(11, 2, 3, Basis.MEASURED, 2_000, 30_000, Basis.ESTIMATED, 0.02, 0.1)


def chunk(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return json.dumps(
        {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
         "choices": [choice]}
    ).encode()  # fmt: skip


def sse(*texts: str) -> bytes:
    return b"".join(b"data: %s\n\n" % chunk(text) for text in texts)


def whole(text: str, *, chat: bool = True) -> bytes:
    said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    choice = {"index": 0, **said, "finish_reason": "stop"}
    usage = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    document = {
        "id": "x", "object": "chat.completion" if chat else "text_completion", "created": 1,
        "model": MODEL, "choices": [choice], "usage": usage,
    }  # fmt: skip
    return json.dumps(document).encode()


def events(text: str) -> list[Any]:
    """Returns the events of a stream, decoded, without the last word."""
    lines = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def everything(folder: Path) -> bytes:
    """Returns all the bytes of a store's files."""
    return b"".join(path.read_bytes() for path in folder.glob("store.db*"))


def ask(text: str = "Bonjour", **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}


class RecordingNodeChannel:
    """A node channel that records runs and cancellations for the test to answer."""

    def __init__(self) -> None:
        self.runs: asyncio.Queue[tuple[str, m.StartRun]] = asyncio.Queue()
        self.cancels: asyncio.Queue[tuple[str, m.CancelRun]] = asyncio.Queue()
        self.forgotten: list[tuple[str, bytes]] = []  # node and owner

    def run(self, key: str, message: m.StartRun) -> None:
        self.runs.put_nowait((name_in(key), message))

    def cancel(self, key: str, message: m.CancelRun) -> None:
        self.cancels.put_nowait((name_in(key), message))

    def forget(self, key: str, message: m.ForgetPartition) -> None:
        self.forgotten.append((name_in(key), message.owner))


class LocalOutbound:
    """Passes the core's messages to one gateway, and records those to nodes."""

    def __init__(self) -> None:
        self.sink: GatewaySink | None = None
        self.to_nodes: list[tuple[str, m.NodeDownCtl]] = []

    def send_to_gateway(self, gateway: str, message: m.GatewayDown) -> None:
        assert self.sink is not None
        self.sink.on_scheduler_message(message)

    def send_to_node(self, node: str, message: m.NodeDownCtl) -> None:
        self.to_nodes.append((node, message))


class NodeRun:
    """One run that the gateway sent to a node; its methods send the node's messages."""

    def __init__(self, pool: "Pool", node: str, run: m.StartRun) -> None:
        self.pool, self.node, self.run = pool, node, run
        self.body = json.loads(run.body)
        self.sent = 0
        self.is_reported = False

    def _out(self, message: m.NodeOut) -> None:
        self.pool.gateway.on_node_message(key_of(self.node), message)

    def accept(self) -> None:
        self.pool.driver.feed(
            e.RunAccepted(*e.UNNUMBERED, job=self.run.job, epoch=self.run.epoch, node=self.node)
        )

    def progress(self) -> None:
        """Renews the lease, as a node's heartbeats do."""
        self.pool.driver.feed(
            e.RunProgressed(
                *e.UNNUMBERED,
                job=self.run.job,
                epoch=self.run.epoch,
                node=self.node,
                output_tokens=self.sent,
            )
        )

    def tokens(self, *texts: str, first: int | None = None) -> None:
        start = self.sent if first is None else first
        self._out(m.Tokens(self.run.job, self.run.epoch, start, len(texts), sse(*texts)))
        self.sent = start + len(texts)

    def raw(self, data: bytes) -> None:
        self._out(m.Tokens(self.run.job, self.run.epoch, self.sent, 1, data))
        self.sent += 1

    def end(self, final: bytes = b"", body: bytes = b"", *, code: str = "") -> None:
        outcome = Outcome.FAILED if code else Outcome.COMPLETED
        self._out(
            m.RunEnded(
                self.run.job, self.run.epoch, outcome, code, {}, self.sent, final, body, USAGE,
            )
        )  # fmt: skip

    def report(
        self, outcome: Outcome = Outcome.COMPLETED, code: str = "", *, delivered: bool = False
    ) -> None:
        self.is_reported = True
        run = self.run.job, self.run.epoch
        self.pool.reports(self.node, m.UsageReport(*run, outcome, code, delivered, USAGE))

    def finish(self, text: str = "Salut") -> None:
        """Accepts, answers and reports, as a node does."""
        self.accept()
        if self.run.stream:
            self.tokens(*text)
            self.end(final=chunk("", "stop"))
        else:
            self.end(body=whole(text, chat=self.run.path == CHAT))
        self.report()

    def decline(self, code: str, **values: str | float) -> None:
        self.pool.driver.feed(
            e.RunDeclined(
                *e.UNNUMBERED,
                job=self.run.job,
                epoch=self.run.epoch,
                node=self.node,
                code=code,
                values=values,
            )
        )


class Pool:
    """A store, a driver, a gateway, and an HTTP client of the gateway."""

    def __init__(
        self, store: Store, driver: LiveDriver, gateway: Gateway, nodes: RecordingNodeChannel
    ) -> None:
        self.store, self.driver, self.gateway, self.nodes = store, driver, gateway, nodes
        self.runs: list[NodeRun] = []
        self.reports = UsageReports(
            gateway,
            handle_report=self._feed_report,
            handle_loss=lambda *_: None,
            holds_run=driver.core.holds_run,
            may_complete=driver.core.may_complete,
            gateway_of=lambda _: "",
            now=driver.now,
        )
        self.session = aiohttp.ClientSession(gateway.url, trace_configs=[checked_answers()])

    def _feed_report(self, node: str, report: m.UsageReport) -> None:
        fields = {name: getattr(report, name) for name in report.__struct_fields__}
        self.driver.feed(e.RunReported(*e.UNNUMBERED, node=node, **fields))

    async def until_settled(self, job: str) -> None:
        """Waits until a job's settlement is in the store."""
        async with asyncio.timeout(WAIT_S):
            while await self.store.get_receipt(job) is None:
                await self.store.committed()

    async def placed(self) -> NodeRun:
        node, run = await asyncio.wait_for(self.nodes.runs.get(), WAIT_S)
        return self.run_of(node, run)

    def run_of(self, node: str, run: m.StartRun) -> NodeRun:
        self.runs.append(NodeRun(self, node, run))
        return self.runs[-1]

    async def cancelled(self) -> m.CancelRun:
        return (await asyncio.wait_for(self.nodes.cancels.get(), WAIT_S))[1]

    def send(self, body: Any, *, key: str = KEY_A, path: str = CHAT, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.session.post(
            path, data=io.BytesIO(data), headers={"authorization": f"Bearer {key}", **named}
        )

    async def call(
        self, method: str, path: str, *, key: str = KEY_A, **headers: str
    ) -> tuple[int, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["authorization"] = f"Bearer {key}"
        async with self.session.request(method, path, headers=named) as answer:
            return answer.status, await answer.json()


PLACE = ServerPlace("CA-ON", "member")
SIGNER = ReceiptSigner(Ed25519PrivateKey.generate())


@asynccontextmanager
async def open_pool(
    folder: Path,
    *,
    joined: tuple[NodeCard, ...] = (card("n1"), card("n2", "CA-ON")),
    quotas: tuple[Quota, ...] = (),
    drain_s: float = 0.0,
    settings: Settings | None = None,
) -> AsyncIterator[Pool]:
    """Opens a pool; the same folder twice is the same pool, started again."""

    def flush_journal() -> None:
        driver.flush()

    store = await Store.open(f"sqlite:///{folder / 'store.db'}", before_results=flush_journal)
    recovered = await recover(store)
    outside = LocalOutbound()
    driver = LiveDriver(recovered, store=store, clock=Clock(), outbound=outside)
    coops = (CoopTerms("alpha", quotas=quotas), CoopTerms("beta"), CoopTerms("gamma"))
    if not recovered.event_id:
        for coop, secret in (("alpha", KEY_A), ("beta", KEY_B)):
            await store.create_key(KeyRow(f"key-{coop}", coop, "main", coop), hash_key(secret))
    nodes = RecordingNodeChannel()
    settings = settings or Settings(drain_s=drain_s, place=PLACE)
    scheduler = LocalSchedulerAdapter(driver, store, outside, None, "main", place=settings.place)
    gateway = Gateway(
        scheduler=scheduler,
        planner=scheduler,
        nodes=nodes,
        store=store,
        sealing_key=bytes(32),
        signer=SIGNER,
        settings=settings,
        status=lambda: build_pool_status(driver),
        list_node_keys=lambda: [key_of(node_card.node) for node_card in joined],
    )
    outside.sink = gateway
    await driver.start("main")
    driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=Policy("v1", coops, timing=SILENT)))
    for zone, grams in (("CA-QC", 1.3), ("CA-ON", 38.0)):
        driver.feed(
            e.IntensityChanged(
                *e.UNNUMBERED,
                zone=zone,
                direct_g_per_kwh=grams,
                lifecycle_g_per_kwh=grams + 30,
                basis="measured",
                valid_until=4e9,
            )
        )
    for node_card in joined:
        driver.feed(e.NodeJoined(*e.UNNUMBERED, card=node_card, accepting=True, reason=""))
    await gateway.start(PoolEndpoints())
    pool = Pool(store, driver, gateway, nodes)
    try:
        yield pool
    finally:
        await pool.session.close()
        await gateway.stop()
        await driver.stop()
        await store.close()
