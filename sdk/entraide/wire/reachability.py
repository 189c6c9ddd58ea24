"""Reachability: whether the addresses of a pool answer, and how those that do not are closed.

In: addresses of the bus or of HTTP. Out: for each, whether a TCP connection opens; if not, whether
the port is refused, or its packets are dropped, as many routers and firewalls do. All are tried at
once, so that a network that drops packets costs one wait.
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import urlsplit

PROBE_S = 3.0
OTHER_FAMILY_AFTER_S = 0.25  # the other one of IPv4 and IPv6 is tried beside the first
PORTS = {"wss": 443, "https": 443, "http": 80}
BUS_PORT = 4222


class Reach(StrEnum):
    """What became of a connection."""

    OPEN = "open"
    REFUSED = "refused"
    DROPPED = "dropped"
    UNKNOWN_NAME = "unknown_name"
    UNREACHABLE = "unreachable"


def host_and_port(address: str) -> tuple[str, int]:
    """Returns the host and the port of an address; a port that it does not say is its scheme's.

    >>> host_and_port("wss://pool.coop/bus"), host_and_port("tls://[::1]:4222")
    (('pool.coop', 443), ('::1', 4222))
    """
    parts = urlsplit(address if "://" in address else f"nats://{address}")
    return parts.hostname or "", parts.port or PORTS.get(parts.scheme, BUS_PORT)


async def probe(addresses: Sequence[str], *, timeout_s: float = PROBE_S) -> dict[str, Reach]:
    """Opens a TCP connection to each address, and closes it at once.

    Args:
        addresses: such as ``tls://host:port`` or ``wss://host/path``.
        timeout_s: after which packets count as dropped.
    """
    reached = await asyncio.gather(*(_probe_one(each, timeout_s) for each in addresses))
    return dict(zip(addresses, reached, strict=True))


async def _probe_one(address: str, timeout_s: float) -> Reach:
    host, port = host_and_port(address)
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(
                host, port, happy_eyeballs_delay=OTHER_FAMILY_AFTER_S
            )
    except TimeoutError:
        return Reach.DROPPED
    except ConnectionRefusedError:
        return Reach.REFUSED
    except socket.gaierror:
        return Reach.UNKNOWN_NAME
    except OSError:
        return Reach.UNREACHABLE
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Reach.OPEN
