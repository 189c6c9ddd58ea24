"""A demonstration pool with a second gateway, whose parts are killed, frozen and paused.

``entraide up`` keeps the bus, the scheduler and three nodes, and starts each again that ends; the
gateway is this process's. The nodes have a small model that calls tools, and a sentence model.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psutil
import tomli_w
from tests.chaos.parts import Part, PartSpec
from tests.clients.pool import TEMPLATE, TEXT_MODEL
from tests.engines.hub_folder import with_template
from tests.engines.sentence_model import NAME, sentence_gguf
from tests.engines.support import demo_model
from tests.ports import free_ports

from entraide.client.admin import AdminClient
from entraide.v1 import admin_pb2
from entraide_node.engines.llamacpp_child import MODULE as ENGINE_MODULE
from entraide_node.owner import files as owner_files
from entraide_scheduler.supervision import poolfile
from entraide_scheduler.supervision.poolfile import PoolFile

NODES = ("node-1", "node-2", "node-3")
COOP, PACED_COOP, PACED_PER_MINUTE = "boreale", "paced", 2
GATEWAY = "g1"
CONTEXT_TOKENS = 2_048
READY_S = 60.0


class OutagePool:
    """The pool of a run.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.state = folder / "pool"
        self._folder = folder
        self._gateway: Part | None = None

    @property
    def file(self) -> PoolFile:
        """What ``pool.json`` says now."""
        pool_file = poolfile.read(self.state)
        assert pool_file is not None, "the pool does not run"
        return pool_file

    @property
    def urls(self) -> tuple[str, str]:
        """The scheduler's own gateway, and the other one."""
        return self.file.http, f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Starts the pool, so that its nodes join; starts it again with their models, and g1."""
        model = self._folder / f"{TEXT_MODEL}.gguf"
        with_template(demo_model().path, model, chat_template=TEMPLATE)
        sentences = sentence_gguf(self._folder / f"{NAME}.gguf")
        options = ("--nodes", str(len(NODES)), "--model", str(model))
        self._entraide("up", "--detach", *options)
        self._entraide("down")
        for node in NODES:
            path = self._node(node) / "node.toml"
            config = tomllib.loads(path.read_text("utf-8"))
            config["engine"] |= {"alias": TEXT_MODEL, "threads": 1, "slots": 2,
                                 "context_tokens": CONTEXT_TOKENS}  # fmt: skip
            config["engines"] = [
                {"kind": "llama.cpp", "model": str(sentences), "threads": 1, "slots": 2}
            ]
            path.write_text(tomli_w.dumps(config))
        self._entraide("up", "--detach", *options)
        self._start_gateway()

    def key(self, label: str, coop: str = COOP) -> tuple[str, str]:
        """Makes a key; returns its identifier and its secret."""
        with self._admin() as admin:
            if coop == PACED_COOP:
                quota = admin_pb2.Quota(kind="requests", limit=PACED_PER_MINUTE, period="minute")
                admin.call("SetCoop", admin_pb2.Coop(coop=coop, shares=1.0, quotas=[quota]))
            made = admin.call("CreateKey", admin_pb2.CreateKeyRequest(coop=coop, label=label))
        return made.key, made.secret

    def stop(self) -> None:
        """Ends all parts, those that are frozen too."""
        self.signal((*NODES, "scheduler", GATEWAY), signal.SIGCONT)
        if self._gateway is not None:
            self._gateway.terminate()
            self._gateway.wait()
        self._entraide("down")

    def pause(self, nodes: tuple[str, ...]) -> None:
        """Pauses nodes, as their owners do."""
        for node in nodes:
            owner_files.pause(self._node(node))

    def resume(self, nodes: tuple[str, ...]) -> None:
        """Ends the pause."""
        for node in nodes:
            owner_files.resume(self._node(node))

    def signal(self, parts: tuple[str, ...], number: int) -> None:
        """Sends a signal to parts, or to the text engines of nodes (``engine of NODE``)."""
        for pid in [pid for part in parts for pid in self._pids(part)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def start_gateway(self) -> None:
        """Starts the gateway again, which has ended or is ending."""
        assert self._gateway is not None
        self._gateway.wait()
        self._gateway.start()

    def _pids(self, part: str) -> Iterator[int]:
        if part == GATEWAY:
            pid = self._gateway.pid if self._gateway is not None else None
            yield from [pid] if pid else []
            return
        is_engine = part.startswith("engine of ")
        pid = self.file.pids.get(part.removeprefix("engine of "))
        if pid is None or not psutil.pid_exists(pid):
            return
        if not is_engine:
            yield pid
            return
        children = psutil.Process(pid).children()
        yield from [child.pid for child in children if ENGINE_MODULE in child.cmdline()][:1]

    def _start_gateway(self) -> None:
        self._port, grpc_port = free_ports(2)
        config = {
            "gateway": GATEWAY, "dir": str(self.state), "lang": "fr",
            "nats": {"urls": [self.file.nats]},
            "http": {"port": self._port}, "grpc": {"port": grpc_port},
        }  # fmt: skip
        path = self._folder / f"{GATEWAY}.toml"
        path.write_text(tomli_w.dumps(config))
        command = (sys.executable, "-m", "entraide_scheduler", "gateway", "--config", str(path))
        self._gateway = Part(PartSpec(GATEWAY, command, self._folder / f"{GATEWAY}.log"))
        self._gateway.start()
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self._port)),
            ):
                return
            time.sleep(0.1)
        raise AssertionError(self._gateway.log_tail())

    def _node(self, node: str) -> Path:
        return self.state / "nodes" / node

    def _admin(self) -> AdminClient:
        return AdminClient(self.file.grpc, self.file.admin_key)

    def _entraide(self, *words: str) -> None:
        command = [sys.executable, "-m", "entraide.cli", *words, "--state", str(self.state)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
