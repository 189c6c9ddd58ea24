"""Pool: a scheduler, gateways of their own, a bus and nodes at three places of a test bed.

The pool's host has nats-server (with TLS), the scheduler, two gateways and two nodes; sites ``a``
and ``b`` have three nodes each, behind their routers. Six nodes have the counting engine, two have
llama.cpp with the small model. This process must be in the namespace of the pool's host.
"""

import asyncio
import os
import struct
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import gguf
import grpc
import numpy as np
import tomli_w
from tests.chaos import schedule
from tests.chaos.parts import Part, PartSpec
from tests.chaos.run_folder import RunFolder
from tests.testbed.network import POOL_ADDRESS, POOL_NAME

from entraide.v1 import admin_pb2, admin_pb2_grpc
from entraide_node.engines.llamacpp_child import MODULE as ENGINE_MODULE
from entraide_scheduler.nats.config import NatsSettings, build_server_command, write_config
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nats.keyfiles import make_private_home

HERE = Path(__file__).parent
ADMIN_KEY = "ent_chaos_operator"
COOP_BY_SITE = {"pool": "boreale", "a": "tournesol", "b": "grands-lacs"}
ZONE_BY_SITE = {"pool": "CA-QC", "a": "CA-QC", "b": "CA-ON"}
MODEL, REAL_MODEL = "compte", "smollm2-135m-instruct"
BUS_PORT, MONITOR_PORT = 4222, 8222
HTTP_PORTS = {"main": 8080, "g1": 8081, "g2": 8082}
GRPC_PORTS = {"main": 9080, "g1": 9081, "g2": 9082}
SLOTS, CONTEXT_TOKENS = 16, 4_096
RESUME_S = 20.0  # below the 30 s of silence that break a promise
BUS_HOSTS = (POOL_ADDRESS, POOL_NAME)
CALL_S = 10.0


class ChaosPool:
    """The pool of a run.

    Attributes:
        nodes: names of its nodes.
        parts: its processes by name, in the order in which they are started.
    """

    def __init__(
        self, folder: RunFolder, namespaces: dict[str, str], nodes: tuple[str, ...] = ()
    ) -> None:
        """Starts nothing yet.

        Args:
            folder: of the run.
            namespaces: of sites ``a`` and ``b``.
            nodes: that it has; empty for all.
        """
        self._folder = folder
        self._namespaces = namespaces
        self.nodes = nodes or schedule.NODES
        self.parts: dict[str, Part] = {}

    @property
    def is_made(self) -> bool:
        """Whether the pool and its keys exist, and all nodes have joined."""
        return self._folder.document("keys.json") is not None

    @property
    def keys(self) -> dict[str, str]:
        """An API key of each co-op."""
        keys: dict[str, str] = self._folder.document("keys.json")
        return keys

    def start_center(self) -> None:
        """Starts the bus and the scheduler."""
        make_private_home(self._folder.pool)
        self._write_bus_config()
        self._write_configs()
        server = build_server_command(self._bus_config)
        self._add(schedule.BUS, tuple(server))
        self.start(schedule.BUS)
        config = str(self._folder.path / "scheduler.toml")
        self._add(schedule.SCHEDULER, self._launch("scheduler", "run", "--config", config))
        self.start(schedule.SCHEDULER)

    def start_edges(self) -> None:
        """Starts the gateways and the nodes, which have joined."""
        for name in schedule.GATEWAYS:
            config = str(self._folder.path / f"{name}.toml")
            self._add(name, self._launch("gateway", "gateway", "--config", config, clock=name))
            self.start(name)
        for name in self.nodes:
            folder = str(self._folder.node(name))
            folders = (str(HERE / "counting_engine"), os.environ.get("PYTHONPATH", ""))
            counting = {"PYTHONPATH": os.pathsep.join(filter(None, folders))}
            is_real = name in schedule.REAL_NODES
            self._add(
                name,
                self._launch("node", "run", "--dir", folder, clock=name),
                env={} if is_real else counting,
                namespace=self._namespaces.get(schedule.SITE_BY_NODE[name], ""),
                niceness=5 if is_real else 0,
            )
            self.start(name)

    def start(self, name: str) -> None:
        """Starts a part, again with the bus's present claims."""
        if name == schedule.BUS:
            self._write_bus_config()
        self.parts[name].start()

    def engine_pid(self, node: str) -> int | None:
        """The process of a node's engine; None while it has none."""
        return self.parts[node].child(ENGINE_MODULE)

    def move_clock(self, name: str, by_s: float) -> None:
        """Sets how wrong a part's clock is, seconds."""
        path = self._folder.clocks / name
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(struct.pack("d", by_s))

    def stop(self) -> None:
        """Ends the nodes, the gateways, the scheduler, then the bus."""
        groups = (self.nodes, schedule.GATEWAYS, (schedule.SCHEDULER,), (schedule.BUS,))
        for names in groups:
            running = [self.parts[name] for name in names if name in self.parts]
            for part in running:
                part.terminate()
            for part in running:
                part.wait()

    async def call(self, name: str, request: Any) -> Any:
        """Makes one call of the Admin service.

        Raises:
            grpc.RpcError: the scheduler does not answer.
        """
        async with grpc.aio.insecure_channel(f"127.0.0.1:{GRPC_PORTS['main']}") as channel:
            method = getattr(admin_pb2_grpc.AdminStub(channel), name)
            metadata = (("authorization", f"Bearer {ADMIN_KEY}"),)
            return await method(request, metadata=metadata, timeout=CALL_S)

    def make(self) -> None:
        """Makes the co-ops' keys, and lets all nodes join; the scheduler runs."""
        keys = {
            coop: self.ask("CreateKey", admin_pb2.CreateKeyRequest(coop=coop)).secret
            for coop in COOP_BY_SITE.values()
        }
        weights = self._folder.path / "weights" / f"{MODEL}.gguf"
        write_weights(weights)
        joining = []
        for name in self.nodes:
            site = schedule.SITE_BY_NODE[name]
            coop = COOP_BY_SITE[site]
            request = admin_pb2.CreateJoinTokenRequest(
                coop=coop, valid_s=600.0, zone=ZONE_BY_SITE[site]
            )
            token = self.ask("CreateJoinToken", request).token
            command = [
                sys.executable, "-m", "entraide_node", "join",
                f"http://127.0.0.1:{HTTP_PORTS['main']}", "--token", "-",
                "--dir", str(self._folder.node(name)), "--site", f"site-{site}", "--name", name,
                "--no-service", "--any-time",
            ]  # fmt: skip
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True)  # fmt: skip
            joining.append((name, token, process))
        for name, token, process in joining:
            output, _ = process.communicate(f"{token}\n")
            assert not process.returncode, output
            self._configure_node(name, weights)
        self._folder.write("keys.json", keys)

    def ask(self, name: str, request: Any) -> Any:
        """Likewise, outside of a loop."""
        return asyncio.run(self.call(name, request))

    def _launch(
        self, part: str, *arguments: str, clock: str = schedule.SCHEDULER
    ) -> tuple[str, ...]:
        self.move_clock(clock, 0.0)
        path = str(self._folder.clocks / clock)
        return (sys.executable, str(HERE / "launch.py"), path, part, *arguments)

    def _add(self, name: str, command: tuple[str, ...], **options: Any) -> None:
        log = self._folder.logs / f"{name}.log"
        self.parts[name] = Part(PartSpec(name, command, log, **options))

    def _write_bus_config(self) -> None:
        state = self._folder.pool
        settings = NatsSettings(state=state, host="0.0.0.0", port=BUS_PORT, tls_hosts=BUS_HOSTS)
        self._bus_config = write_config(settings, PoolIdentity(state), monitor_port=MONITOR_PORT)

    def _write_configs(self) -> None:
        state, path = self._folder.pool, self._folder.path
        bus = {"urls": [self._bus_config.url], "ca_file": str(self._bus_config.ca)}
        policy = {
            "version": "1",
            "coops": [{"coop": coop} for coop in COOP_BY_SITE.values()],
            "timing": {"resume_s": RESUME_S},
        }
        (path / "policy.toml").write_text(tomli_w.dumps(policy))
        main = {
            "dir": str(state), "admin_key": ADMIN_KEY, "lang": "en",
            "policy_file": str(path / "policy.toml"),
            "nats": {**bus, "node_urls": [f"tls://{POOL_ADDRESS}:{BUS_PORT}"]},
            "http": {"port": HTTP_PORTS["main"]}, "grpc": {"port": GRPC_PORTS["main"]},
        }  # fmt: skip
        (path / "scheduler.toml").write_text(tomli_w.dumps(main))
        for name in schedule.GATEWAYS:
            own = {
                "gateway": name, "dir": str(state), "lang": "en", "nats": bus,
                "http": {"port": HTTP_PORTS[name]}, "grpc": {"port": GRPC_PORTS[name]},
            }  # fmt: skip
            (path / f"{name}.toml").write_text(tomli_w.dumps(own))

    def _configure_node(self, name: str, weights: Path) -> None:
        path = self._folder.node(name) / "node.toml"
        config = tomllib.loads(path.read_text("utf-8"))
        engine: dict[str, object] = {"kind": "llama.cpp", "threads": 1}
        if name in schedule.REAL_NODES:
            engine |= {"model": "demo", "slots": 2}
        else:
            # Its library lies in a folder that no sandbox of an engine shows.
            engine |= {"model": str(weights), "alias": MODEL, "slots": SLOTS, "sandbox": False,
                       "context_tokens": CONTEXT_TOKENS}  # fmt: skip
        config |= {"engine": engine, "drain_s": 0.0, "models": {"memory_gb": 0.0}}
        path.write_text(tomli_w.dumps(config))


def write_weights(path: Path) -> None:
    """Writes a small file of weights, for an engine that does not read them."""
    path.parent.mkdir(exist_ok=True)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Compte")
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_array("tokenizer.ggml.tokens", ["a", "b", "c"])
    writer.add_tensor("token_embd.weight", np.zeros((64, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
