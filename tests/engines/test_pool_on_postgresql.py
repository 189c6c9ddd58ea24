"""A pool on PostgreSQL with two gateways behind nginx, and a machine with a real engine."""

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.pool.nginx_support import running_nginx
from tests.pool.support import (
    HOST,
    RunningPool,
    entraide,
    pool_config,
    running_pool,
    wait_until,
)
from tests.ports import free_port
from tests.scheduler.postgres_support import programs, running_postgres

from entraide_scheduler.nats.tls import ensure_files
from entraide_scheduler.pool.config import PoolTls

pytestmark = [pytest.mark.engines, pytest.mark.needs("nginx"), pytest.mark.timeout(300)]

QUESTION = {
    "model": "petit",
    "max_tokens": 4,
    "messages": [{"role": "user", "content": "Bonjour !"}],
}
LIVE_S = 120.0


class Public:
    """The pool as its members see it, through the proxy.

    Attributes:
        pool: its processes.
        ports: the ports of its gateways on loopback.
    """

    def __init__(self, pool: RunningPool, ca: Path, access_log: Path) -> None:
        self.pool = pool
        self.ports = (pool.config.http.port, pool.config.http.gateway_port)
        self._access_log = access_log
        self._context = ssl.create_default_context(cafile=ca)
        self._key = self._operate("keys", "create", "--coop", "boreale").split()[0]

    def fetch(self, path: str, body: object = None, *, port: int = 0) -> Any:
        """Fetches JSON through the proxy, or from the gateway at a port."""
        url = f"http://{HOST}:{port}" if port else self.pool.file.http
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url + path, data=data)
        request.add_header("Authorization", f"Bearer {self._key}")
        request.add_header("Content-Type", "application/json")
        context = None if port else self._context
        with urllib.request.urlopen(request, timeout=60, context=context) as answer:
            return json.loads(answer.read())

    def served_by(self, path: str) -> set[int]:
        """Ports of the gateways to which the proxy passed requests of a path."""
        lines = [line.split() for line in self._access_log.read_text().splitlines()]
        return {int(at.rpartition(":")[2]) for at, uri, _ in lines if uri == path}

    def invite(self) -> str:
        """Invites a machine; returns the link."""
        return self._operate("invite", "boreale", "--zone", "CA-QC").split()[0]

    def _operate(self, *words: str) -> str:
        done = entraide(*words, "--state", str(self.pool.state))
        assert 0 == done.returncode, done.stderr
        return done.stdout


@contextmanager
def member(link: str, folder: Path, ca: Path) -> Iterator[None]:
    """A machine that joins by a link and works, and trusts the proxy's public authority."""
    command = [sys.executable, "-m", "entraide.cli", "--lang", "en", "node"]
    environment = os.environ | {"SSL_CERT_FILE": str(ca)}
    joining = [*command, "join", link, "--dir", str(folder), "--any-time", "--no-service"]
    subprocess.run(joining, env=environment, check=True, capture_output=True, timeout=60)
    with (folder / "agent.log").open("wb") as log:
        agent = subprocess.Popen(
            [*command, "run", "--dir", str(folder)], env=environment, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        agent.terminate()
        agent.wait(60)


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Public]:
    """The pool, with a live machine that joined through the proxy."""
    home = programs()
    if home is None:
        pytest.skip("no PostgreSQL here")
    folder = tmp_path_factory.mktemp("postgresql")
    files = ensure_files(folder / "public", ["localhost"])
    port = free_port()
    with running_postgres(home) as database:
        config = pool_config(database=database, gateways=2, tls=PoolTls(proxy=True))
        http = msgspec.structs.replace(config.http, public=f"https://localhost:{port}")
        config = msgspec.structs.replace(config, http=http)
        gateways = (http.port, http.gateway_port)
        with (
            running_pool(folder / "pool", config) as pool,
            running_nginx(folder, files, port=port, gateways=gateways) as access_log,
        ):
            done = entraide("coops", "add", "boreale", "--state", str(pool.state))
            assert 0 == done.returncode, done.stderr
            made = Public(pool, files.ca, access_log)
            with member(made.invite(), folder / "node", files.ca):
                wait_until(lambda: made.fetch("/v1/models")["data"], "a live machine", LIVE_S)
                yield made


@pytest.mark.checkout
def test_both_gateways_answer(public: Public) -> None:
    """The proxy distributes questions over both gateways, and each is answered with a receipt."""
    path = "/v1/chat/completions"
    answers = [public.fetch(path, QUESTION) for _ in range(4)]

    assert set(public.ports) == public.served_by(path)
    assert {"CA-QC"} == {answer["entraide"]["province"] for answer in answers}


@pytest.mark.checkout
def test_every_gateway_knows_a_job_of_the_other(public: Public) -> None:
    """Receipt and explanation of a job come from either gateway, wherever it was asked."""
    for asked in public.ports:
        answer = public.fetch("/v1/chat/completions", QUESTION, port=asked)
        path = f"/v1/jobs/{answer['entraide']['job']}/explanation"

        assert public.fetch(path, port=public.ports[0]) == public.fetch(path, port=public.ports[1])


@pytest.mark.checkout
def test_the_store_is_postgresql(public: Public) -> None:
    """The pool's directory has no store of its own."""
    assert [] == list(public.pool.state.glob("store.db*"))
    assert public.pool.config.database.startswith("postgresql://")
