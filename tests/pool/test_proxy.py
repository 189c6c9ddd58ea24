"""A pool behind nginx: public certificates in front, and the bus on port 443 too."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.pool.nginx_support import running_nginx
from tests.pool.support import RunningPool, admit_node, pool_config, running_pool
from tests.ports import free_port

from entraide.wire.nats import client_context, connect
from entraide_scheduler.nats.tls import ensure_files
from entraide_scheduler.pool.config import PoolTls

pytestmark = pytest.mark.needs("nginx")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningPool, str]]:
    """A pool behind nginx, and the file of the CA that signed nginx's certificate."""
    folder = tmp_path_factory.mktemp("proxy")
    files = ensure_files(folder / "public", ["localhost"])
    port = free_port()
    config = pool_config(tls=PoolTls(proxy=True))
    http = msgspec.structs.replace(config.http, public=f"https://localhost:{port}")
    config = msgspec.structs.replace(config, http=http)
    with (
        running_pool(folder / "pool", config) as running,
        running_nginx(folder, files, port=port, gateways=(config.http.port,)),
    ):
        yield running, str(files.ca)


@pytest.mark.checkout
def test_https_passes_through(pool: tuple[RunningPool, str]) -> None:
    """The pool answers through the proxy, at the address that members see."""
    running, ca = pool
    answer = running.get("/.well-known/entraide", ca=Path(ca).read_text())

    assert running.config.name == answer["pool"]
    assert f"localhost:{running.config.grpc.port}" == answer["grpc"]


@pytest.mark.checkout
async def test_bus_passes_through(
    pool: tuple[RunningPool, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that trusts the public CAs reaches the bus by ``wss://HOST/bus`` alone."""
    running, ca = pool
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    connection = await connect(
        running.config.bus_urls[1],
        identity=admit_node(running, tmp_path).identity(),
        name="a",
        tls=client_context(running.ca),
        deadline_s=20.0,
    )
    try:
        await connection.flush()

        assert connection.is_connected
    finally:
        await connection.close()
