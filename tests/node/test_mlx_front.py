"""The front of mlx-lm's server: who may pass it."""

import http.client
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tests.cases import all_cases

from entraide_node.engines import mlx_front
from entraide_node.engines.mlx_front import SocketServer, guard

KEY = "k3y"
OWN = {"Host": "engine", "Authorization": f"Bearer {KEY}"}

# What a request brings, and the status that it gets.
CASES = {
    "the agent": (OWN, 200),
    "no key": ({"Host": "engine"}, 401),
    "another key": (OWN | {"Authorization": "Bearer k3z"}, 401),
    "a key with strange signs": (OWN | {"Authorization": "Bearer é"}, 401),
    "a page": (OWN | {"Origin": "https://evil.example"}, 403),
    "a page without an origin of its own": (OWN | {"Origin": "null"}, 403),
    "another host": (OWN | {"Host": "evil.example"}, 403),
    "this machine by its address": (OWN | {"Host": "127.0.0.1:8080"}, 403),
    "no host": ({"Authorization": f"Bearer {KEY}"}, 403),
}


class Answering(BaseHTTPRequestHandler):
    """Stands for mlx-lm's handler; counts the requests that reach it."""

    reached = 0

    def do_GET(self) -> None:
        Answering.reached += 1
        self.send_response(200)
        self.end_headers()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[Path]:
    """A server behind the front."""
    Answering.reached = 0
    handler = guard(Answering, key=KEY, hosts=frozenset({"engine"}))
    server = SocketServer(str(tmp_path / "engine.sock"), handler)  # type: ignore[arg-type]
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield tmp_path / "engine.sock"
    server.shutdown()
    serving.join()
    server.server_close()


def status(address: Path, method: str, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("engine")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(address))
    connection.putrequest(method, "/v1/models", skip_host=True)
    for name, value in headers.items():
        connection.putheader(name, value.encode())
    connection.endheaders()
    with connection.getresponse() as answer:
        return answer.status


@all_cases("method", ["GET", "POST", "OPTIONS"])
def test_only_the_agent_passes(address: Path, method: str) -> None:
    """Without the key, with another host or from a page, no request reaches the server."""
    Answering.reached = 0
    statuses = {name: status(address, method, headers) for name, (headers, _) in CASES.items()}

    assert statuses == {name: expected for name, (_, expected) in CASES.items()}
    assert 1 == Answering.reached


def test_the_socket_is_its_owners(address: Path) -> None:
    """No other account can open it."""
    assert 0o600 == address.stat().st_mode & 0o777


SERVER = """
def main(): raise AssertionError("unguarded")
"""


def test_a_version_without_its_place_for_a_front_is_not_run(tmp_path: Path) -> None:
    """Rather than serve without a front, it ends and says why."""
    (tmp_path / "mlx_lm").mkdir()
    (tmp_path / "mlx_lm" / "__init__.py").touch()
    (tmp_path / "mlx_lm" / "server.py").write_text(SERVER)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), mlx_front.KEY_VARIABLE: KEY}
    done = subprocess.run(
        [sys.executable, mlx_front.__file__, "--socket", str(tmp_path / "s")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert 1 == done.returncode
    assert "behind a front" in done.stderr
