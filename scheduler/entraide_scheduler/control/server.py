"""Server: a gRPC server with the pool's services, health and reflection.

Without a certificate it listens on loopback only.
"""

from collections.abc import Callable
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from msgspec import Struct

from entraide.errors import PoolError
from entraide.wire.nats import requires_tls

MESSAGE_BYTES_MAX = 8 * 1024 * 1024
STREAMS_MAX = 1_000


class Certificate(Struct, frozen=True):
    """PEM files of a server's certificate and key."""

    cert: Path
    key: Path


class GrpcServer:
    """A gRPC server: add services, then start it."""

    def __init__(self) -> None:
        self._server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
                ("grpc.max_concurrent_streams", STREAMS_MAX),
                ("grpc.so_reuseport", 0),
            )
        )
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = [health.SERVICE_NAME, reflection.SERVICE_NAME]
        self.port = 0

    def add_service(self, name: str, register: Callable[[grpc.aio.Server], None]) -> None:
        """Adds a service, by its full name and its generated registration function."""
        register(self._server)
        self._names.append(name)

    async def start(self, host: str, port: int, certificate: Certificate | None) -> None:
        """Starts to listen; with ``port`` 0, ``self.port`` is the free port that was taken.

        Raises:
            PoolError: ``grpc_plain_refused``: not on loopback and without a certificate;
                ``grpc_not_listening``: the address cannot be used.
        """
        if certificate is None and requires_tls(host):
            raise PoolError(
                "grpc_plain_refused", f"gRPC on {host} needs TLS.", values={"host": host}
            )
        reflection.enable_server_reflection(self._names, self._server)
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if certificate is None:
                self.port = self._server.add_insecure_port(address)
            else:
                pair = (certificate.key.read_bytes(), certificate.cert.read_bytes())
                credentials = grpc.ssl_server_credentials([pair])
                self.port = self._server.add_secure_port(address, credentials)
        except RuntimeError as problem:
            raise PoolError(
                "grpc_not_listening",
                f"gRPC cannot listen at {address}: {problem}",
                values={"address": address},
            ) from problem
        await self._server.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace_s: float) -> None:
        """Stops listening; running calls may continue for ``grace_s`` seconds."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
