"""Peers: the addresses of clients behind trusted proxies, and their connections without a key.

Only trusted proxies may name the client's address. All tables have a maximum size.
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Generic, TypeVar

from entraide_scheduler.address_failures import address_group, parse_address
from entraide_scheduler.config import KEY_GRACE_S, YOUNG_FACTOR

HOPS_MAX = 16

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
C = TypeVar("C")


def parse_networks(names: Sequence[str]) -> tuple[Network, ...]:
    """Returns addresses and networks, parsed.

    Raises:
        ValueError: one of them is neither an address nor a network.
    """
    return tuple(ipaddress.ip_network(name) for name in names)


def is_in_networks(address: str, networks: tuple[Network, ...]) -> bool:
    """Returns whether an address belongs to one of the networks.

    >>> is_in_networks("10.1.2.3", parse_networks(["10.0.0.0/8"]))
    True
    """
    if not networks:
        return False
    parsed = parse_address(address)
    return parsed is not None and any(
        parsed in network for network in networks if network.version == parsed.version
    )


def is_of_this_machine(peer: str, headers: Mapping[str, str]) -> bool:
    """Returns whether a request comes from this machine, and no proxy passed it on.

    >>> is_of_this_machine("127.0.0.1", {"x-forwarded-for": "203.0.113.9"})
    False
    """
    parsed = parse_address(peer)
    passed_on = "x-forwarded-for" in headers or "forwarded" in headers
    return parsed is not None and parsed.is_loopback and not passed_on


def find_client_address(peer: str, headers: Mapping[str, str], proxies: tuple[Network, ...]) -> str:
    """Returns the client's address from the headers of trusted proxies.

    ``X-Forwarded-For`` takes precedence over ``Forwarded`` (RFC 7239). In either, the last address
    that is no trusted proxy is used, because the client controls the addresses before it.

    Args:
        peer: address of the connection's peer, a trusted proxy.
        headers: the request's headers, names in lower case.
        proxies: trusted proxies.

    >>> trusted = parse_networks(["127.0.0.1", "10.0.0.0/8"])
    >>> headers = {"x-forwarded-for": "6.6.6.6, 203.0.113.9, 10.0.0.2"}
    >>> find_client_address("127.0.0.1", headers, trusted)
    '203.0.113.9'
    >>> headers = {"forwarded": 'for="[2001:db8::1]:4711";proto=https'}
    >>> find_client_address("127.0.0.1", headers, trusted)
    '2001:db8::1'
    """
    if "x-forwarded-for" in headers:
        hops = headers["x-forwarded-for"].split(",")
    else:
        hops = [_forwarded_for(hop) for hop in headers.get("forwarded", "").split(",")]
    address = peer
    for hop in reversed(hops[-HOPS_MAX:]):
        parsed = parse_address(_without_port(hop.strip()))
        if parsed is None:
            break
        address = str(parsed)
        if not is_in_networks(address, proxies):
            break
    return address


def _forwarded_for(hop: str) -> str:
    for pair in hop.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.lower() == "for":
            return value.strip('"')
    return ""


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


class KeylessConnections(Generic[C]):
    """Connections without a valid key so far, oldest first, in total and per address group.

    Connections younger than ``KEY_GRACE_S`` have not had the time to show a key: an address may
    have ``YOUNG_FACTOR`` times as many of them. Nor has one whose key waits for this process: after
    the loss of a gateway, its clients come to the others all at once.

    Args:
        most, most_per_address: the limits.
        is_unchecked: whether what a connection has sent first is not read or not checked yet.
    """

    def __init__(
        self,
        *,
        most: int,
        most_per_address: int,
        is_unchecked: Callable[[C], bool] = lambda _connection: False,
    ) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._is_unchecked = is_unchecked
        self._groups: dict[C, str] = {}
        self._by_group: dict[str, dict[C, float]] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, connection: C, address: str, now_s: float) -> list[C]:
        """Adds a connection.

        Args:
            connection: that was opened now.
            address: of its peer.
            now_s: time on any clock that only goes forward, seconds.

        Returns:
            The connections to close because a limit is exceeded, oldest first; they are removed.
        """
        group = address_group(address)
        same_group = self._by_group.get(group, {})
        surplus = self._surplus_of(group, now_s, coming=1)
        if not surplus and len(self._groups) >= self._most:
            is_crowded = len(same_group) >= self._most_per_address
            surplus = [next(iter(same_group if is_crowded else self._groups))]
        for closed in surplus:
            self.remove(closed)
        self._groups[connection] = group
        self._by_group.setdefault(group, {})[connection] = now_s
        return surplus

    def is_crowded(self, address: str) -> bool:
        """Whether an address has more connections than it may have once they are old."""
        return len(self._by_group.get(address_group(address), ())) > self._most_per_address

    def remove_aged(self, address: str, now_s: float) -> list[C]:
        """Removes and returns the connections that an address has beyond its limit and are old."""
        surplus = self._surplus_of(address_group(address), now_s, coming=0)
        for closed in surplus:
            self.remove(closed)
        return surplus

    def _surplus_of(self, group: str, now_s: float, *, coming: int) -> list[C]:
        """Returns the connections of an address group that leave room for those that come."""
        same_group = self._by_group.get(group, {})
        beyond = len(same_group) + coming - self._most_per_address
        too_many = len(same_group) + coming - self._most_per_address * YOUNG_FACTOR
        return [
            connection
            for place, (connection, opened_s) in enumerate(
                islice(same_group.items(), max(0, beyond))
            )
            if place < too_many
            or (now_s - opened_s >= KEY_GRACE_S and not self._is_unchecked(connection))
        ]

    def remove(self, connection: C) -> None:
        """Removes a connection that has shown a key or is closed."""
        group = self._groups.pop(connection, None)
        if group is not None:
            same_group = self._by_group[group]
            del same_group[connection]
            if not same_group:
                del self._by_group[group]
