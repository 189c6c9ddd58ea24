"""mlx-lm's server behind a front, which only its agent passes.

The server of mlx-lm has no key, answers a page of any origin, and loads the model that a request
names in place of the pool's. This program runs the same server, on a socket file where the system
has such files, and refuses each request without the key of this start, with the name of another
host, or from a web page. It runs in the environment of mlx-lm (``python -I mlx_front.py``), so it
imports the standard library and mlx-lm only.

In: ``--socket FILE`` or ``--host`` and ``--port``, the options of mlx-lm's server, and the key in
``ENTRAIDE_ENGINE_KEY``.
"""

import argparse
import hmac
import importlib
import os
import socket
import socketserver
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any

KEY_VARIABLE = "ENTRAIDE_ENGINE_KEY"
PLACE = "_run_http_server"  # the function of mlx_lm.server that listens
SOCKET_HOST = "engine"  # the name by which the agent calls a socket file
OWNER_ONLY = 0o177


class SocketServer(ThreadingHTTPServer):
    """A server on a socket file, which its owner alone may open."""

    address_family = getattr(socket, "AF_UNIX", socket.AF_INET)

    def server_bind(self) -> None:
        """Binds without looking a host name up."""
        before = os.umask(OWNER_ONLY)
        try:
            socketserver.TCPServer.server_bind(self)
        finally:
            os.umask(before)
        self.server_name, self.server_port = SOCKET_HOST, 0

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accepts a connection; handlers expect the address of a client."""
        connection, _ = self.socket.accept()
        return connection, (SOCKET_HOST, 0)


def find_fault(headers: Mapping[str, str], *, key: str, hosts: frozenset[str]) -> HTTPStatus | None:
    """Returns the status with which a request is refused; None if it may pass.

    Args:
        headers: of the request; names in any case.
        key: of this start.
        hosts: names of this server, as a ``Host`` has them.
    """
    if headers.get("Origin") is not None or headers.get("Host", "") not in hosts:
        return HTTPStatus.FORBIDDEN
    given, expected = headers.get("Authorization", ""), f"Bearer {key}"
    if not hmac.compare_digest(given.encode("latin-1", "replace"), expected.encode("latin-1")):
        return HTTPStatus.UNAUTHORIZED
    return None


def guard(handler: type[Any], *, key: str, hosts: frozenset[str]) -> type[Any]:
    """Returns a handler of requests that refuses those that may not pass, before any is read."""

    class GuardedHandler(handler):  # type: ignore[misc]  # a class of another environment
        def parse_request(self) -> bool:
            if not super().parse_request():
                return False
            fault = find_fault(self.headers, key=key, hosts=hosts)
            if fault is None:
                return True
            self.close_connection = True
            self.send_error(fault)
            return False

    return GuardedHandler


def main() -> None:
    """Runs the server until it is ended."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--socket", default="")
    options, rest = parser.parse_known_args()
    key = os.environ.pop(KEY_VARIABLE)
    server: Any = importlib.import_module("mlx_lm.server")
    if not hasattr(server, PLACE):
        sys.exit("this version of mlx-lm cannot be run behind a front")

    def serve(host: str, port: int, generator: Any) -> None:
        hosts = frozenset({SOCKET_HOST} if options.socket else {f"{host}:{port}"})
        handler = guard(server.APIHandler, key=key, hosts=hosts)
        fingerprint = server.get_system_fingerprint()

        def handle(*arguments: Any) -> Any:
            return handler(generator, *arguments, system_fingerprint=fingerprint)

        if options.socket:
            SocketServer(options.socket, handle).serve_forever()
        else:
            ThreadingHTTPServer((host, port), handle).serve_forever()

    setattr(server, PLACE, serve)
    sys.argv = ["mlx_lm.server", *rest]
    server.main()


if __name__ == "__main__":
    main()
