"""Masquerading router: gives the namespace that it runs in the rules of a home router.

Run as ``python masquerade.py INSIDE``, where INSIDE is the interface of the site. Connections from
the site leave with the router's own address; the router forwards nothing else but their answers.
The rules are those that ``nft`` would load from::

    table ip site {
        chain forward {
            type filter hook forward priority 0; policy drop;
            iifname INSIDE accept
            ct state established,related accept
        }
        chain leaving { type nat hook postrouting priority 100; masquerade; }
    }

They go to the kernel by netlink, so that no package is needed. The numbers are those of
``linux/netfilter/nf_tables.h``; integers in attributes are big-endian.
"""

import os
import socket
import struct
import sys

NETLINK_NETFILTER = 12
SUBSYSTEM = 10
BATCH_BEGIN, BATCH_END = 16, 17
NEW_TABLE, NEW_CHAIN, NEW_RULE = 0, 3, 6
REQUEST, ACK, CREATE, APPEND = 0x1, 0x4, 0x400, 0x800
NESTED = 0x8000
ERROR = 2
NOT_EQUAL = 1
DROP, ACCEPT = 0, 1
HOOK_FORWARD, HOOK_POSTROUTING = 2, 4
META_IIFNAME, CT_STATE = 6, 0
ESTABLISHED_OR_RELATED = 2 | 4
REGISTER = 1
IFNAME_BYTES = 16
TABLE = b"site\0"


def attribute(kind: int, value: bytes) -> bytes:
    """One netlink attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    """An attribute that contains others."""
    return attribute(kind | NESTED, b"".join(parts))


def number(kind: int, value: int) -> bytes:
    """An attribute with an integer of 32 bits."""
    return attribute(kind, struct.pack(">i", value))


def message(kind: int, flags: int, body: bytes, *, is_batch: bool = False) -> bytes:
    """One netlink message; the batch's own messages name the subsystem in their body."""
    family, resource = (0, SUBSYSTEM) if is_batch else (socket.AF_INET, 0)
    full = kind if is_batch else SUBSYSTEM << 8 | kind
    content = struct.pack(">BBH", family, 0, resource) + body
    return struct.pack("=IHHII", 16 + len(content), full, REQUEST | flags, 0, 0) + content


def expression(name: str, *parts: bytes) -> bytes:
    """One expression of a rule."""
    return nested(1, attribute(1, name.encode() + b"\0"), nested(2, *parts))


def compare(operator: int, value: bytes) -> bytes:
    """Goes on with the rule only if the register compares so with a value."""
    return expression(
        "cmp", number(1, REGISTER), number(2, operator), nested(3, attribute(1, value))
    )


def accept() -> bytes:
    """The verdict that lets a packet pass."""
    verdict = nested(2, number(1, ACCEPT))
    return expression("immediate", number(1, 0), nested(2, verdict))


def chain(name: bytes, kind: bytes, hook: int, priority: int, policy: int) -> bytes:
    """The message that makes a chain of the table."""
    where = nested(4, number(1, hook), number(2, priority))
    body = attribute(1, TABLE) + attribute(3, name) + where + number(5, policy) + attribute(7, kind)
    return message(NEW_CHAIN, CREATE | ACK, body)


def rule(chain_name: bytes, *expressions: bytes) -> bytes:
    """The message that appends a rule to a chain."""
    body = attribute(1, TABLE) + attribute(2, chain_name) + nested(4, *expressions)
    return message(NEW_RULE, CREATE | APPEND | ACK, body)


def site_rules(inside: str) -> list[bytes]:
    """The messages of the whole table."""
    name = inside.encode().ljust(IFNAME_BYTES, b"\0")
    state = struct.pack("=I", ESTABLISHED_OR_RELATED)
    mask = (number(1, REGISTER), number(2, REGISTER), number(3, 4), nested(4, attribute(1, state)))
    return [
        message(NEW_TABLE, CREATE | ACK, attribute(1, TABLE)),
        chain(b"forward\0", b"filter\0", HOOK_FORWARD, 0, DROP),
        chain(b"leaving\0", b"nat\0", HOOK_POSTROUTING, 100, ACCEPT),
        rule(
            b"forward\0",
            expression("meta", number(1, REGISTER), number(2, META_IIFNAME)),
            compare(0, name),
            accept(),
        ),
        rule(
            b"forward\0",
            expression("ct", number(1, REGISTER), number(2, CT_STATE)),
            expression("bitwise", *mask, nested(5, attribute(1, b"\0" * 4))),
            compare(NOT_EQUAL, b"\0" * 4),
            accept(),
        ),
        rule(b"leaving\0", expression("masq")),
    ]


def load(messages: list[bytes]) -> None:
    """Loads the messages in one transaction.

    Raises:
        OSError: the kernel refused one of them.
    """
    batch = [
        message(BATCH_BEGIN, 0, b"", is_batch=True),
        *messages,
        message(BATCH_END, 0, b"", is_batch=True),
    ]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        kernel.settimeout(10.0)
        kernel.send(b"".join(batch))
        acknowledged = 0
        while acknowledged < len(messages):
            answer = kernel.recv(65_536)
            while answer:
                length, kind = struct.unpack_from("=IH", answer)
                (code,) = struct.unpack_from("=i", answer, 16)
                if kind == ERROR and code:
                    raise OSError(-code, os.strerror(-code))
                acknowledged += kind == ERROR
                answer = answer[length + -length % 4 :]


if __name__ == "__main__":
    load(site_rules(sys.argv[1]))
