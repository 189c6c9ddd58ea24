"""Reachability: whether the addresses of a pool answer, and how those that do not are closed.

In: addresses of the bus or of HTTP. Out: for each, whether a TCP connection opens; if not, whether
the port is refused, or its packets are dropped, as many routers and firewalls do. All are tried at
once, so that a network that drops packets costs one wait.
"""

import asyncio
import socket
from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

PROBE_S = 3.0
PLACES_MAX = 8  # addresses of one name that are tried
PORTS = {"wss": 443, "https": 443, "http": 80}
BUS_PORT = 4222


class Reach(StrEnum):
    """What became of a connection."""

    OPEN = "open"
    REFUSED = "refused"
    DROPPED = "dropped"
    UNKNOWN_NAME = "unknown_name"
    UNREACHABLE = "unreachable"


# Of a name with several addresses, the first of these that one of them gave.
BEST_FIRST = (Reach.OPEN, Reach.DROPPED, Reach.REFUSED, Reach.UNREACHABLE)


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
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            found_places = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return Reach.UNKNOWN_NAME
    places = dict.fromkeys((family, place) for family, _, _, _, place in found_places)
    trials = [_connect(family, place, timeout_s) for family, place in list(places)[:PLACES_MAX]]
    reached = await asyncio.gather(*trials)
    return next(each for each in BEST_FIRST if each in reached)


async def _connect(family: int, place: tuple[Any, ...], timeout_s: float) -> Reach:
    """Opens a connection to one address of a name, and closes it.

    ``happy_eyeballs_delay`` would do so for all of them, but uvloop does not know it.
    """
    with socket.socket(family) as trial:
        trial.setblocking(False)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.get_running_loop().sock_connect(trial, place)
        except TimeoutError:
            return Reach.DROPPED
        except ConnectionRefusedError:
            return Reach.REFUSED
        except OSError:
            return Reach.UNREACHABLE
    return Reach.OPEN
