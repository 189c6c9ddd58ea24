"""Why a pool cannot be reached: both clients and the command say it, over real sockets."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest
from tests.ports import free_port

from entraide.client import AsyncClient, Client
from entraide.errors import EntraideError, PoolUnreachable
from entraide_scheduler.nats.tls import ensure_files

BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
UNSENT, PERHAPS = "Your request did not get there.", "Nobody knows whether your request got there."
WORDS = {
    "refused": ("nothing listens there (connection refused)", UNSENT),
    "host": ("no machine has that name (DNS)", UNSENT),
    "certificate": ("its certificate or its encryption is not accepted (TLS)", UNSENT),
    "timeout": ("nothing came back in time", UNSENT),
    "no_pool": ("what answers there is not the pool", PERHAPS),
}

UNSEEN = "Votre requête ne lui est pas parvenue."
FRENCH = {
    "refused": "rien n’écoute à cette adresse (connexion refusée). Vérifiez l’adresse, et que le "
    "parc est en marche («\u00a0entraide status\u00a0»).",
    "host": "aucune machine ne porte ce nom (DNS). Vérifiez l’adresse et votre connexion.",
    "certificate": "son certificat ou son chiffrement n’est pas accepté (TLS). Vérifiez l’adresse, "
    "et l’autorité que nomme ENTRAIDE_CA.",
}


@contextmanager
def listener(reply: bytes | None) -> Iterator[int]:
    """Listens; answers each connection and closes it, or never answers (None)."""
    held: list[socket.socket] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            if reply is not None:
                connection.recv(1_000)
                connection.sendall(reply)
                connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    thread.join()
    for each in (server, *held):
        each.close()


@contextmanager
def untrusted(folder: Path) -> Iterator[int]:
    """A gRPC server with a certificate of a pool's own authority."""
    files = ensure_files(folder, ["localhost"])
    credentials = grpc.ssl_server_credentials([(files.key.read_bytes(), files.cert.read_bytes())])
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield port
    server.stop(0).wait()


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[dict[str, str]]:
    """For each fault an authority (``host:port``) with it."""
    with ExitStack() as opened:
        yield {
            "refused": f"127.0.0.1:{free_port()}",
            "host": "nulle-part.invalid:443",
            "certificate": f"127.0.0.1:{opened.enter_context(untrusted(tmp_path))}",
            "timeout": f"127.0.0.1:{opened.enter_context(listener(None))}",
            "no_pool": f"127.0.0.1:{opened.enter_context(listener(BAD_GATEWAY))}",
        }


def ask(address: str) -> EntraideError:
    """Asks with the client that waits."""
    with Client(address, "ent_x", lang="en", retries=0) as client:
        with pytest.raises(PoolUnreachable) as raised:
            client.chat("Bonjour", model="m")
        return raised.value


def ask_async(address: str) -> EntraideError:
    """Asks with the client for asyncio."""

    async def run() -> EntraideError:
        async with AsyncClient(address, "ent_x", lang="en", retries=0) as client:
            with pytest.raises(PoolUnreachable) as raised:
                await client.chat("Bonjour", model="m")
            return raised.value

    return asyncio.run(run())


def test_each_reason_has_its_words(ports: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, unknown, untrusted, silent, no pool: each has a sentence, by gRPC and by HTTP."""
    monkeypatch.setattr("entraide.client.http.HTTP_TIMEOUT_S", 1.0)
    with ThreadPoolExecutor(4) as threads:
        for scheme in ("grpc", "https"):
            tls = {"certificate"} if scheme == "grpc" else {"host", "certificate", "timeout"}
            addresses = {
                fault: f"{scheme if scheme == 'grpc' or fault in tls else 'http'}"
                f"{'s' if scheme == 'grpc' and fault in tls else ''}://{authority}"
                for fault, authority in ports.items()
            }
            asked = [
                (fault, threads.submit(each, address))
                for fault, address in addresses.items()
                for each in (ask, ask_async)
            ]
            for fault, future in asked:
                problem = future.result()
                words, sent = WORDS[fault]
                if scheme == "https":
                    sent = UNSENT  # its address was not found, so that nothing was sent

                assert ("pool_unreachable", fault) == (problem.code, problem.values["fault"])
                assert f"cannot be reached at {addresses[fault]}" in problem.message
                assert f": {words}" in problem.message
                assert problem.message.endswith(sent)
                assert ("", True) == (problem.text, problem.retryable)


def say(address: str) -> subprocess.Popen[str]:
    """Asks by ``entraide chat``, in French."""
    return subprocess.Popen(
        [sys.executable, "-m", "entraide.cli", "--lang", "fr", "chat", "Bonjour"],
        env={**os.environ, "ENTRAIDE_URL": address, "ENTRAIDE_KEY": "ent_x"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_says_it_too(ports: dict[str, str]) -> None:
    """``entraide chat`` ends with status 1 and the same sentence, in French: no server, a name that
    DNS does not know, a certificate that nobody vouched for."""
    addresses = {
        fault: f"grpc{'s' if fault == 'certificate' else ''}://{ports[fault]}" for fault in FRENCH
    }
    commands = {fault: say(address) for fault, address in addresses.items()}
    said = {fault: command.communicate(timeout=60) for fault, command in commands.items()}

    assert {1} == {command.returncode for command in commands.values()}
    assert {
        fault: f"Le parc d’entraide est injoignable à {addresses[fault]}\u00a0: {words} {UNSEEN}\n"
        for fault, words in FRENCH.items()
    } == {fault: err for fault, (_, err) in said.items()}
    assert {""} == {out for out, _ in said.values()}
