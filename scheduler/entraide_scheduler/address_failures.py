"""Address failures: counts failures, such as wrong keys, per client address.

IPv6 addresses are grouped by /64 network, because one host has a whole /64.
"""

import ipaddress

ADDRESSES_MAX = 10_000


def parse_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Returns an address, an IPv4 address in an IPv6 one as such; None if it is none."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if parsed.version == 6 else None
    return mapped or parsed


def address_group(address: str) -> str:
    """Returns the group of an address: itself for IPv4, its /64 network for IPv6.

    >>> address_group("203.0.113.9"), address_group("2001:db8::5:1")
    ('203.0.113.9', '2001:db8::/64')
    >>> address_group("::ffff:203.0.113.9")
    '203.0.113.9'
    """
    if ":" not in address:
        return address
    parsed = parse_address(address)
    if parsed is None or parsed.version == 4:
        return str(parsed or address)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


class FailuresPerAddress:
    """Counts failures, such as wrong keys, per address group in fixed windows.

    A window begins with the group's first failure. Above ``ADDRESSES_MAX`` groups, the group with
    the oldest window is dropped.
    """

    def __init__(self, *, most: int, window_s: float) -> None:
        self._most = most
        self._window_s = window_s
        self._shown: dict[str, tuple[float, int]] = {}

    def count(self, address: str, now: float) -> float:
        """Counts a failure.

        Returns:
            Seconds until the end of the window if the limit is exceeded; else 0.
        """
        group = address_group(address)
        began_at, count = self._shown.get(group, (now, 0))
        if now - began_at >= self._window_s:
            del self._shown[group]
            began_at, count = now, 0
        elif not count and len(self._shown) >= ADDRESSES_MAX:
            del self._shown[next(iter(self._shown))]
        self._shown[group] = (began_at, count + 1)
        return began_at + self._window_s - now if count >= self._most else 0.0

    def wait_s(self, address: str, now: float) -> float:
        """Returns seconds until the end of a window with as many failures as allowed; else 0."""
        began_at, count = self._shown.get(address_group(address), (now, 0))
        return max(0.0, began_at + self._window_s - now) if count >= self._most else 0.0
