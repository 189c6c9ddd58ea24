"""The addresses at which the HTTP server listens."""

import socket
from typing import Any, cast

import pytest

from entraide_scheduler.config import HttpLimits
from entraide_scheduler.gateway.http.http import HttpServer


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def reaches(address: str, port: int) -> bool:
    """Whether a connection opens."""
    try:
        socket.create_connection((address, port), 2.0).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["::", "", "0.0.0.0", "127.0.0.1"])
async def test_two_colons_are_every_address(host: str) -> None:
    """``::`` is every address of IPv6 and of IPv4, as it is for the bus and for gRPC."""
    nobody = cast("Any", None)
    server = HttpServer(
        nobody, nobody, check=nobody, limits=HttpLimits(), proxies=(), count=lambda _: None
    )
    port = free_port()
    await server.start(host, port)
    reached = [reaches(address, port) for address in ("127.0.0.1", "::1")]
    await server.stop()

    assert [True, host in ("::", "")] == reached
