"""A pool behind nginx: public certificates in front, and the bus on port 443 too."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.pool.support import (
    HOST,
    RunningPool,
    free_ports,
    pool_config,
    running_pool,
    wait_until,
)

from entraide.wire.nats import Identity, client_context, connect, new_user_key
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nats.tls import ensure_files
from entraide_scheduler.pool.config import PoolTls

pytestmark = pytest.mark.needs("nginx")

CONFIG = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    server {{
        listen {host}:{port} ssl;
        server_name localhost;
        ssl_certificate {cert};
        ssl_certificate_key {key};
{location}
    }}
}}
"""


def documented_location(port: int) -> str:
    """The ``location`` that the reference gives to operators, for this port."""
    page = Path("docs/reference/pool.md").read_text("utf-8")
    block = page.partition("```nginx\n")[2].partition("```")[0]
    start = block.index("    location / {")
    return block[start : block.index("    }", start) + 5].replace("8443", str(port))


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningPool, str]]:
    """A pool behind nginx, and the file of the CA that signed nginx's certificate."""
    folder = tmp_path_factory.mktemp("proxy")
    files = ensure_files(folder / "public", ["localhost"])
    (port,) = free_ports(1)
    config = pool_config(tls=PoolTls(proxy=True))
    http = msgspec.structs.replace(config.http, public=f"https://localhost:{port}")
    config = msgspec.structs.replace(config, http=http)
    path = folder / "nginx.conf"
    location = documented_location(config.http.port)
    path.write_text(
        CONFIG.format(
            folder=folder, host=HOST, port=port, cert=files.cert, key=files.key, location=location
        )
    )
    with running_pool(folder / "pool", config) as running:
        command = ["nginx", "-c", str(path), "-p", str(folder), "-e", str(folder / "error.log")]
        nginx = subprocess.Popen(command)
        try:
            wait_until((folder / "nginx.pid").exists, "nginx")
            yield running, str(files.ca)
        finally:
            os.kill(nginx.pid, signal.SIGTERM)
            nginx.wait(20)


@pytest.mark.checkout
def test_https_passes_through(pool: tuple[RunningPool, str]) -> None:
    """The pool answers through the proxy, at the address that members see."""
    running, ca = pool
    answer = running.get("/.well-known/entraide", ca=Path(ca).read_text())

    assert running.config.name == answer["pool"]
    assert f"localhost:{running.config.grpc.port}" == answer["grpc"]


@pytest.mark.checkout
async def test_bus_passes_through(
    pool: tuple[RunningPool, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that trusts the public CAs reaches the bus by ``wss://HOST/bus`` alone."""
    running, ca = pool
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    seed, public = new_user_key()
    jwt = PoolIdentity(running.state).issue_node_jwt("a", public)
    assert jwt is not None
    connection = await connect(
        running.config.bus_urls[1],
        identity=Identity(jwt=jwt, seed=seed, inbox_prefix="_INBOX.a"),
        name="a",
        tls=client_context(running.ca),
        deadline_s=20.0,
    )
    try:
        await connection.flush()

        assert connection.is_connected
    finally:
        await connection.close()
