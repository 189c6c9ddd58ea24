"""A real scheduler on a real bus, its operator, and a node that the test controls."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp
import grpc
from msgspec.structs import asdict, replace
from tests.core.builders import MODEL, card, usage
from tests.integration.nats_support import NatsPool
from tests.waiting import eventually

from entraide.types import EnergyStatus, Outcome, Usage
from entraide.v1 import admin_pb2, admin_pb2_grpc, enrolment_pb2, enrolment_pb2_grpc
from entraide.wire import codec, enrolment_signature, subjects
from entraide.wire import messages as m
from entraide.wire.bus_connection import BusConnection
from entraide.wire.enrolment import JoinRequest
from entraide.wire.nats import Identity, connect, new_user_key, public_user_key
from entraide_scheduler import service_parts
from entraide_scheduler.config import SchedulerConfig, load_config, load_first_policy
from entraide_scheduler.core.policy import Policy, Timing
from entraide_scheduler.service import Service

ADMIN_KEY = "ent_operator"


# The nodes of these tests send a heartbeat only where a test says so, however slow the machine is.
PATIENT = Timing(
    suspect_after_s=600.0,
    lost_after_s=1_200.0,
    busy_suspect_after_s=600.0,
    busy_lost_after_s=1_200.0,
    lease_s=600.0,
)


def write_config(folder: Path, nats_url: str, more: str = "") -> SchedulerConfig:
    """Writes and reads a scheduler's config with two co-ops."""
    path = folder / "scheduler.toml"
    drain = "" if "drain_s" in more else "drain_s = 0.0"
    path.write_text(
        f'dir = "{folder}"\nadmin_key = "{ADMIN_KEY}"\n{drain}\n{more}\n'
        f'[nats]\nurls = ["{nats_url}"]\n[place]\nzone = "CA-QC"\ncontrolled_by = "member"\n'
        '[[coops]]\ncoop = "alpha"\n[[coops]]\ncoop = "beta"\n'
    )
    return load_config(path)


def signed_request(token: str, seed: str, **fields: Any) -> JoinRequest:
    """Returns a machine's request to join, signed by its key, as its agent makes it."""
    named = {"token": token, "node_public_key": public_user_key(seed), **fields}
    return enrolment_signature.sign(JoinRequest(**named), seed=seed)


class Operator:
    """The operator of a scheduler, over gRPC; also enrols nodes."""

    def __init__(self, port: int) -> None:
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._admin = admin_pb2_grpc.AdminStub(self.channel)
        self._enrolment = enrolment_pb2_grpc.EnrolmentStub(self.channel)

    async def ask(self, name: str, request: Any, *, lang: str = "fr", key: str = ADMIN_KEY) -> Any:
        """Makes one call of the Admin service."""
        metadata = (("authorization", f"Bearer {key}"), ("accept-language", lang))
        return await getattr(self._admin, name)(request, metadata=metadata)

    async def token(self, coop: str = "beta", valid_s: float = 60.0, **vouched: Any) -> str:
        """Makes a join token, by which the operator names the zone."""
        words = {"zone": "CA-QC", **vouched}
        request = admin_pb2.CreateJoinTokenRequest(coop=coop, valid_s=valid_s, **words)
        return (await self.ask("CreateJoinToken", request)).token

    async def key(self, coop: str = "alpha") -> str:
        """Makes an API key and returns its secret."""
        return (await self.ask("CreateKey", admin_pb2.CreateKeyRequest(coop=coop))).secret

    async def join(self, token: str, seed: str, **changes: Any) -> Any:
        """Joins a machine, whose key signs the request."""
        wish = {"node_name": "n1", "site": "home", "zone": "CA-QC", **changes}
        request = signed_request(token, seed, **wish)
        return await self._enrolment.Join(enrolment_pb2.JoinRequest(**asdict(request)))

    async def node(self, name: str) -> Any:
        """Returns one node as the operator sees it."""
        listed = await self.ask("ListNodes", admin_pb2.ListNodesRequest())
        return next(node for node in listed.nodes if node.node == name)


HONEST = {  # within the limits of a run; the simulator repeats only what a machine can have done
    "output_tokens": 9, "energy_prefill_uwh": 20, "energy_decode_uwh": 80,
    "ttft_s": 0.005, "run_s": 0.02,
}  # fmt: skip


class ScriptedNode:
    """A node on the bus without an engine; the test calls its methods."""

    def __init__(self, name: str, identity: Identity, connection: BusConnection) -> None:
        self.name = name
        self.key = public_user_key(identity.seed)
        self.identity = identity
        self.connection = connection
        self.boot = secrets.token_hex(4)
        self.seq = 0
        self.clock_off_s = 0.0
        self.protocol = m.PROTOCOL
        self.control_messages: list[Any] = []
        self.runs: list[m.StartRun] = []
        self.forgotten: list[bytes] = []  # owners whose prompts it is to erase

    async def listen(self) -> None:
        """Subscribes, and records control messages and runs."""

        async def on_control_message(message: Any) -> None:
            self.control_messages.append(codec.node_down_ctl.decode(message.data))

        async def on_run(message: Any) -> None:
            order = codec.node_in.decode(message.data)
            if isinstance(order, m.StartRun):
                self.runs.append(order)
            elif isinstance(order, m.ForgetPartition):
                self.forgotten.append(order.owner)

        await self.connection.subscribe(subjects.node_ctl_down(self.key), cb=on_control_message)
        await self.connection.subscribe(subjects.node_in(self.key), cb=on_run)
        await self.connection.flush()

    async def send(self, message: Any) -> None:
        """Sends a control message."""
        await self.connection.publish(subjects.node_ctl_up(self.key), codec.encode(message))
        await self.connection.flush()

    async def send_hello(
        self, *, running: tuple[tuple[str, int], ...] = (), **changes: Any
    ) -> None:
        """Says hello with a card of its own making."""
        self.seq += 1
        own = card(self.name, **changes)
        now = time.time() + self.clock_off_s
        hello = m.Hello(own, self.boot, self.seq, now, True, "", running, self.protocol)
        await self.send(hello)

    async def send_heartbeat(
        self,
        *,
        seq: int | None = None,
        reason: str = "",
        energy: EnergyStatus | None = None,
        runs: tuple[m.RunBeat, ...] = (),
        prefix_held: tuple[str, ...] | None = None,
    ) -> None:
        """Sends a heartbeat; with a reason it does not accept."""
        self.seq += 1
        now = time.time() + self.clock_off_s
        at = self.seq if seq is None else seq
        beat = m.Heartbeat(
            self.boot, at, now, not reason, reason, len(runs), energy, runs=runs,
            prefix_held=prefix_held,
        )  # fmt: skip
        await self.send(beat)

    def received(self, kind: type) -> list[Any]:
        """Returns the received control messages of a kind."""
        return [message for message in self.control_messages if isinstance(message, kind)]

    def acknowledged(self) -> list[tuple[str, int]]:
        """Returns the runs whose reports were acknowledged, as (job, epoch)."""
        acks = self.received(m.UsageAck)
        return [run for ack in acks for run in ((ack.job, ack.epoch), *ack.more)]

    async def finish(self, run: m.StartRun, body: bytes = b'{"choices":[]}', **used: Any) -> None:
        """Answers a run: the answer to its gateway, then the report to the scheduler."""
        await self.send(m.Accept(run.job, run.epoch))
        await self.answer(run, body, usage(**used))
        await self.report(run, usage(**used))

    async def answer(self, run: m.StartRun, body: bytes, used: Usage) -> None:
        """Sends the whole answer of a run to its gateway."""
        end = m.RunEnded(run.job, run.epoch, Outcome.COMPLETED, "", {}, 0, b"", body, used)
        await self.connection.publish(subjects.node_out(self.key, run.gateway), codec.encode(end))
        await self.connection.flush()

    async def report(self, run: m.StartRun, used: Usage) -> None:
        """Reports the usage of a run."""
        await self.send(m.UsageReport(run.job, run.epoch, Outcome.COMPLETED, "", True, used))


class RunningScheduler:
    """A scheduler that runs, with its operator and the nodes that joined it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.home = service.home
        self.driver = service.parts.driver
        self.gateway = service.parts.gateway
        self.gateways = service.parts.gateway_listener
        self.registry = service.parts.registry
        self.operator = Operator(service.grpc.port)
        self._closing: list[BusConnection] = []

    async def join(self, name: str = "n1", coop: str = "beta", zone: str = "CA-QC") -> ScriptedNode:
        """Joins a node by token and connects it; it has not said hello yet."""
        seed, public = new_user_key()
        token = await self.operator.token(coop, zone=zone)
        joined = await self.operator.join(token, seed, node_name=name)
        identity = Identity(joined.jwt, seed, subjects.node_inbox(public))
        return await self.enter(joined.node, identity, list(joined.nats_urls))

    async def join_live(self, name: str = "n1", **card_changes: Any) -> ScriptedNode:
        """Joins a node and returns once it is live.

        A request that comes before the scheduler has handled the node's hello is refused.
        """
        node = await self.join(name)
        await node.send_hello(**card_changes)
        await eventually(lambda: self.state(name) == "live")
        return node

    async def enter(self, name: str, identity: Identity, urls: list[str]) -> ScriptedNode:
        """Connects a node with an identity it has."""
        connection = await connect(urls, identity=identity, name=name, deadline_s=10.0)
        self._closing.append(connection)
        node = ScriptedNode(name, identity, connection)
        await node.listen()
        return node

    def session(self, key: str) -> aiohttp.ClientSession:
        """Returns an HTTP session of a key's holder."""
        headers = {"authorization": f"Bearer {key}"}
        return aiohttp.ClientSession(self.gateway.url, headers=headers)

    def state(self, node: str) -> str:
        """Returns a node's state in the fleet view; "" when the core does not know it."""
        views = {view.card.node: view.state.value for view in self.driver.core.nodes()}
        return views.get(node, "")

    async def close(self) -> None:
        """Closes the nodes' connections and the operator's."""
        for connection in self._closing:
            await connection.close()
        await self.operator.channel.close()


@asynccontextmanager
async def running_scheduler(
    folder: Path, bus: NatsPool, more: str = "", *, timing: Timing = PATIENT
) -> AsyncIterator[RunningScheduler]:
    """Runs a scheduler on a bus; the same folder twice is the same pool, started again.

    The first version of its policy has this timing, unless it comes from a file.
    """

    def load(config: SchedulerConfig) -> Policy:
        policy = load_first_policy(config)
        return policy if config.policy_file else replace(policy, timing=timing)

    service = Service(write_config(folder, bus.url, more))
    with patch.object(service_parts, "load_first_policy", load):
        await service.start()
    running = RunningScheduler(service)
    try:
        yield running
    finally:
        await running.close()
        await service.stop()


__all__ = ["ADMIN_KEY", "MODEL", "Operator", "ScriptedNode", "eventually", "running_scheduler"]
