"""Server: a gRPC server with the pool's services, health and reflection.

Without a certificate it listens on loopback only.
"""

from collections.abc import Callable, Sequence
from typing import cast

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from entraide.errors import PoolError
from entraide.wire.nats import requires_tls
from entraide_scheduler.certificates import LiveCertificate

MESSAGE_BYTES_MAX = 8 * 1024 * 1024
STREAMS_MAX = 1_000


class GrpcServer:
    """A gRPC server: add services, then start it.

    Args:
        interceptors: of every call.
        shares_port: whether another process of this account may listen on the same port, which
            takes it over; who starts both knows that the port is the pool's.
    """

    def __init__(
        self,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        *,
        shares_port: bool = False,
    ) -> None:
        self._server = grpc.aio.server(
            interceptors=interceptors,
            options=(
                ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
                ("grpc.max_concurrent_streams", STREAMS_MAX),
                ("grpc.so_reuseport", int(shares_port)),
            ),
        )
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = [health.SERVICE_NAME, reflection.SERVICE_NAME]
        self.port = 0

    def add_service(self, name: str, register: Callable[[grpc.aio.Server], None]) -> None:
        """Adds a service, by its full name and its generated registration function."""
        register(self._server)
        self._names.append(name)

    async def start(self, host: str, port: int, certificate: LiveCertificate | None) -> None:
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
                credentials = _make_credentials(certificate)
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


def _make_credentials(certificate: LiveCertificate) -> grpc.ServerCredentials:
    """Returns credentials that use the certificate's latest pair at each handshake."""
    used = certificate.pair

    def fetch() -> grpc.ServerCertificateConfiguration:
        nonlocal used
        if certificate.pair is used:
            return cast("grpc.ServerCertificateConfiguration", None)  # unchanged; its stub omits it
        used = certificate.pair
        return grpc.ssl_server_certificate_configuration([used])

    return grpc.dynamic_ssl_server_credentials(
        grpc.ssl_server_certificate_configuration([used]), fetch
    )
