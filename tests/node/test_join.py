"""Joining over real gRPC: which authority a machine trusts, and which files it writes."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import msgspec
import pytest
from tests.integration.nats_support import NatsPool

from entraide.catalogue import demonstration
from entraide.errors import PoolUnreachable, RequestError
from entraide.v1 import enrolment_pb2, enrolment_pb2_grpc
from entraide_node import join, keys
from entraide_node.config import EnergyConfig, dump_config, load_config
from entraide_node.engine_config import NoEngine, OwnerEngine
from entraide_node.join import JoinOptions, PoolPage, _choose_ca, join_pool
from entraide_scheduler.nats.tls import compute_fingerprint, ensure_files

TOKEN = "one-time"


class Desk(enrolment_pb2_grpc.EnrolmentServicer):
    """Enrolment with one token, on the real identities of a pool."""

    def __init__(self, pool: NatsPool) -> None:
        self._pool = pool
        self.keys: list[str] = []
        self.tokens = [TOKEN, TOKEN]

    async def Join(  # noqa: N802
        self, request: enrolment_pb2.JoinRequest, context: grpc.aio.ServicerContext
    ) -> enrolment_pb2.JoinResponse:
        """Admits a machine that shows the token."""
        if request.token not in self.tokens:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "unknown token")
        self.tokens.remove(request.token)
        self.keys.append(request.node_public_key)
        jwt = self._pool.identity.issue_node_jwt(request.node_name, request.node_public_key)
        return enrolment_pb2.JoinResponse(
            node=request.node_name, coop="boreale", jwt=jwt, nats_urls=[self._pool.url], pool="p",
            signing_key="cG9vbA==",
        )  # fmt: skip


@pytest.fixture
async def desk(bus: NatsPool) -> Desk:
    """The pool's side of joining."""
    return Desk(bus)


@pytest.fixture
async def address(desk: Desk) -> AsyncIterator[str]:
    """Where it listens."""
    server = grpc.aio.server()
    enrolment_pb2_grpc.add_EnrolmentServicer_to_server(desk, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


def kind_of(engine: OwnerEngine | NoEngine) -> str:
    """The kind of an engine, as its owner writes it."""
    return str(engine.__struct_config__.tag)


async def joined(address: str, token: str, folder: Path) -> None:
    options = JoinOptions(name="mini", site="Montréal", zone="CA-QC")
    await asyncio.to_thread(join_pool, address, token, folder=folder, options=options)


async def test_joining(address: str, desk: Desk, bus: NatsPool, tmp_path: Path) -> None:
    """A joined node has an identity that the bus accepts, and a seed that never left."""
    folder = tmp_path / "node"
    await joined(address, TOKEN, folder)
    config = load_config(folder / "node.toml")
    identity = keys.Keyring(folder).identity()
    connection = await bus.enter(identity)

    assert ("mini", "boreale", "CA-QC", "Montréal") == (
        config.node,
        config.coop,
        config.zone,
        config.site,
    )
    assert (bus.url,) == config.nats_urls
    assert ("none" if demonstration.path() is None else "llama.cpp") == kind_of(config.engine)
    assert connection.is_connected
    assert identity.seed not in repr(keys.read_identity(folder))
    assert 0o600 == stat.S_IMODE((folder / keys.IDENTITY_NAME).stat().st_mode)


async def test_the_pools_key_is_kept(address: str, tmp_path: Path) -> None:
    """A joined node knows by which key the pool signs; before, it knows none."""
    folder = tmp_path / "node"
    before = keys.read_pool_key(folder)
    await joined(address, TOKEN, folder)

    assert ("", "cG9vbA==") == (before, keys.read_pool_key(folder))


async def test_joining_again(address: str, desk: Desk, tmp_path: Path) -> None:
    """A second joining shows the same key, and leaves the owner's own choices alone."""
    folder = tmp_path / "node"
    await joined(address, TOKEN, folder)
    path = folder / "node.toml"
    mine = msgspec.structs.replace(
        load_config(path), energy=EnergyConfig(surplus_w=5.0), drain_s=3.0
    )
    path.write_text(dump_config(mine), "utf-8")
    await joined(address, TOKEN, folder)

    assert desk.keys[0] == desk.keys[1]
    assert mine == load_config(path)


async def test_wrong_token(address: str, tmp_path: Path) -> None:
    """A token that the pool does not know is refused, and no identity is written."""
    with pytest.raises(RequestError) as refused:
        await joined(address, "other", tmp_path / "node")

    assert "join_token_refused" == refused.value.code
    assert not (tmp_path / "node" / keys.IDENTITY_NAME).exists()


async def test_nobody_there(tmp_path: Path) -> None:
    """An address without an answer is reported as unreachable."""
    with pytest.raises(PoolUnreachable):
        await joined("http://127.0.0.1:9", TOKEN, tmp_path / "node")


def test_fingerprints_agree(tmp_path: Path) -> None:
    """The node computes the fingerprint that the pool puts into its tokens."""
    ca_pem = ensure_files(tmp_path, ["localhost"]).ca.read_text("ascii")

    assert compute_fingerprint(ca_pem) == join.compute_fingerprint(ca_pem)


TRUST = {
    "this machine, plain": ("http://127.0.0.1:1", PoolPage("127.0.0.1:2"), "", ""),
    "a page over HTTPS hands out the authority": (
        "https://pool.coop", PoolPage("pool.coop:2", tls=True, ca_pem="CA"), "", "CA"),
    "another machine, plain": (
        "https://pool.coop", PoolPage("pool.coop:2"), "", "join_plain_refused"),
    "a token with a fingerprint is never used in plain": (
        "http://127.0.0.1:1", PoolPage("127.0.0.1:2"), "ab", "join_plain_refused"),
    "a page over plain HTTP hands out an authority of its own": (
        "http://pool.coop", PoolPage("pool.coop:2", tls=True, ca_pem="CA"), "", "join_untrusted"),
    "an authority that is not the token's": (
        "https://pool.coop", PoolPage("pool.coop:2", tls=True), "ab", "join_untrusted"),
}  # fmt: skip


@pytest.mark.parametrize("name", TRUST)
def test_trust(name: str) -> None:
    """An authority is trusted by its fingerprint, over HTTPS, or on this machine; else refused."""
    url, page, named, expected = TRUST[name]
    try:
        outcome = _choose_ca(page, url=url, fingerprint=named, owner_ca_pem="")
    except RequestError as refused:
        outcome = refused.code

    assert expected == outcome
