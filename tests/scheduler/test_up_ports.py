"""Ports of a local pool: the same at each start, unless one is in use."""

import socket
from pathlib import Path

import pytest

from entraide_scheduler.up import ports


def test_ports_are_kept(tmp_path: Path) -> None:
    """The second start takes the ports of the first."""
    assert ports.choose_ports(tmp_path) == ports.choose_ports(tmp_path)


def test_the_port_that_is_asked_for_is_kept_too(tmp_path: Path) -> None:
    """A port that was named once need not be named again."""
    asked = ports.choose_ports(tmp_path).http + 1

    assert (
        asked == ports.choose_ports(tmp_path, http=asked).http == ports.choose_ports(tmp_path).http
    )


def test_a_port_that_is_taken_is_replaced(tmp_path: Path) -> None:
    """Where somebody else listens, another port is taken and the rest stays."""
    first = ports.choose_ports(tmp_path)
    with socket.socket() as other:
        other.bind((ports.HOST, first.http))
        other.listen()
        second = ports.choose_ports(tmp_path)

    assert first.http != second.http
    assert (first.grpc, first.nats) == (second.grpc, second.nats)


@pytest.mark.parametrize("kept", [b"", b"{}", b"no JSON", b'{"http": -5, "grpc": 99999999}'])
def test_a_damaged_file_is_no_obstacle(tmp_path: Path, kept: bytes) -> None:
    """Whatever the file holds, a start finds ports."""
    (tmp_path / ports.NAME).write_bytes(kept)
    chosen = ports.choose_ports(tmp_path)

    assert all(0 < port < 2**16 for port in (chosen.http, chosen.grpc, chosen.nats))
