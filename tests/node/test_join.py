"""Joining over real HTTP(S): whom a machine believes, and which files it writes."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from tests.integration.nats_support import NatsPool

from entraide.catalogue import demonstration
from entraide.errors import EntraideError, PoolUnreachable, RequestError
from entraide.types import DataClass
from entraide.wire import enrolment_signature
from entraide.wire.enrolment import (
    JoinRequest,
    JoinResponse,
    JoinSecret,
    read_secret,
    split_link,
    write_link,
)
from entraide_node import keys, pool_address, pool_http
from entraide_node.config import EnergyConfig, dump_config, load_config
from entraide_node.engine_config import NoEngine, OwnerEngine
from entraide_node.join import Joined, JoinOptions, join_pool
from entraide_node.pool_http import PoolClient, PoolRefusal
from entraide_scheduler.nats.tls import (
    TlsFiles,
    compute_fingerprint,
    compute_key_pin,
    ensure_files,
    make_server_context,
)

TOKEN = "one-time"
OPTIONS = JoinOptions(name="mini", site="Montréal", zone="CA-QC")


class Desk:
    """Enrolment with one token, on the real identities of a pool.

    Attributes:
        requests: of the machines that asked.
        revoked: public keys that the pool has revoked.
        refusal: code with which it refuses them.
        zone: what the token says; "" for nothing.
    """

    def __init__(self, pool: NatsPool) -> None:
        self._pool = pool
        self.requests: list[JoinRequest] = []
        self.revoked: list[str] = []
        self.refusal = "node_key_revoked"
        self.zone = ""
        self.approval = "approved"
        self.data_classes: tuple[DataClass, ...] = ()
        self.ca_pem = ""

    async def join(self, call: web.Request) -> web.Response:
        """Admits a machine that shows the token."""
        request = msgspec.json.decode(await call.read(), type=JoinRequest)
        assert enrolment_signature.is_genuine(request)
        self.requests.append(request)
        if request.node_public_key in self.revoked:
            return _refusal(self.refusal, "")
        if request.token != TOKEN:
            return _refusal("join_token_refused", "Jeton inconnu.\x1b[2J")
        jwt = self._pool.identity.issue_node_jwt(request.node_name, request.node_public_key)
        assert jwt is not None
        response = JoinResponse(
            node=request.node_name, coop="boreale", jwt=jwt, nats_urls=(self._pool.url,), pool="p",
            signing_key="cG9vbA==", site=request.site, zone=self.zone or request.zone or "CA-QC",
            approval=self.approval, data_classes=self.data_classes, ca_pem=self.ca_pem,
        )  # fmt: skip
        return web.Response(body=msgspec.json.encode(response))

    async def page(self, _: web.Request) -> web.Response:
        """Names the pool's CA."""
        return web.json_response({"grpc": "", "tls": True, "ca_pem": self.ca_pem})


def _refusal(code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=403)


@asynccontextmanager
async def serving(desk: Desk, files: TlsFiles | None = None) -> AsyncIterator[str]:
    """Yields the address at which a desk listens."""
    app = web.Application()
    app.add_routes(
        [web.post("/v1/enrolment", desk.join), web.get("/.well-known/entraide", desk.page)]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    context = make_server_context(files) if files else None
    desk.ca_pem = files.read_ca() if files else ""
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http{'s' if files else ''}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture
def desk(bus: NatsPool) -> Desk:
    """The pool's side of joining."""
    return Desk(bus)


@pytest.fixture
async def address(desk: Desk) -> AsyncIterator[str]:
    """Where it listens, on this machine and in plain."""
    async with serving(desk) as url:
        yield url


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    """A pool's CA and the server's certificate."""
    return ensure_files(tmp_path / "pool", ["127.0.0.1"])


def kind_of(engine: OwnerEngine | NoEngine) -> str:
    """The kind of an engine, as its owner writes it."""
    return str(engine.__struct_config__.tag)


async def joined(
    address: str, token: str, folder: Path, *, options: JoinOptions = OPTIONS, ca_pem: str = ""
) -> Joined:
    """Joins in a thread, as the command does."""
    return await asyncio.to_thread(
        join_pool, address, token, folder=folder, options=options, ca_pem=ca_pem
    )


async def test_joining(address: str, bus: NatsPool, tmp_path: Path) -> None:
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


async def test_a_key_for_sealed_prompts_is_handed_over(
    address: str, desk: Desk, tmp_path: Path
) -> None:
    """The public half goes to the pool; the private one stays, for its owner alone."""
    folder = tmp_path / "node"
    await joined(address, TOKEN, folder)
    path = folder / keys.SEALING_KEY_NAME

    assert keys.load_or_make_sealing_key(folder) == desk.requests[0].sealing_public_key
    assert 44 == len(desk.requests[0].sealing_public_key)
    assert path.read_text().strip() != desk.requests[0].sealing_public_key
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


async def test_joining_again(address: str, desk: Desk, tmp_path: Path) -> None:
    """A second joining shows the same keys, and leaves the owner's own choices alone."""
    folder = tmp_path / "node"
    await joined(address, TOKEN, folder)
    path = folder / "node.toml"
    mine = msgspec.structs.replace(
        load_config(path), energy=EnergyConfig(surplus_w=5.0), drain_s=3.0
    )
    path.write_text(dump_config(mine), "utf-8")
    await joined(address, TOKEN, folder)

    assert desk.requests[0] == desk.requests[1]
    assert mine == load_config(path)


async def test_a_revoked_machine_joins_with_new_keys(
    address: str, desk: Desk, tmp_path: Path
) -> None:
    """The key that the pool revoked is no reason to stay out: the folder gets a new one."""
    folder = tmp_path / "node"
    await joined(address, TOKEN, folder)
    desk.revoked = [desk.requests[0].node_public_key]
    await joined(address, TOKEN, folder)
    shown = [request.node_public_key for request in desk.requests]
    sealing = [request.sealing_public_key for request in desk.requests]

    assert [shown[0], shown[0], shown[2]] == shown
    assert shown[2] != shown[0]
    assert sealing[2] != sealing[0]
    assert (folder / keys.KEY_NAME).read_text().strip() == keys.read_identity(folder).seed


async def test_the_pools_word_counts(address: str, desk: Desk, tmp_path: Path) -> None:
    """What the owner says otherwise is reported, and the pool's record is written."""
    desk.zone = "CA-ON"
    outspoken = await joined(address, TOKEN, tmp_path / "node")
    silent = await joined(
        address, TOKEN, tmp_path / "other", options=JoinOptions(name="other", site="Montréal")
    )

    assert {"zone": ("CA-QC", "CA-ON")} == outspoken.contradicted
    assert {} == silent.contradicted
    assert "CA-ON" == outspoken.config.zone == silent.config.zone


async def test_a_node_that_waits_says_so(address: str, desk: Desk, tmp_path: Path) -> None:
    """By hand means that the operator comes next."""
    first = await joined(address, TOKEN, tmp_path / "node")
    desk.approval = "waiting"
    second = await joined(address, TOKEN, tmp_path / "node")

    assert (False, True) == (first.waits, second.waits)


async def test_wrong_token(address: str, tmp_path: Path) -> None:
    """A token that the pool does not know is refused in its words, and nothing is left behind."""
    with pytest.raises(PoolRefusal) as refused:
        await joined(address, "other", tmp_path / "node")

    assert ("join_token_refused", "Jeton inconnu.[2J") == (
        refused.value.code,
        refused.value.message,
    )
    assert not (tmp_path / "node").exists()


async def test_nobody_there(tmp_path: Path) -> None:
    """An address without an answer is reported as unreachable."""
    with pytest.raises(PoolUnreachable):
        await joined("http://127.0.0.1:9", TOKEN, tmp_path / "node")


async def test_another_server_is_no_pool(bus: NatsPool, tmp_path: Path) -> None:
    """A server that answers 404 in its own way, or redirects, has no pool to join."""

    async def redirect(_: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:9/")

    async with serving(Desk(bus)) as url:
        app = web.Application()
        app.add_routes([web.post("/v1/enrolment", redirect)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        elsewhere = f"http://127.0.0.1:{runner.addresses[0][1]}"
        problems = []
        for address in (elsewhere, f"{url.replace('http', 'ftp')}", "https://[broken"):
            with pytest.raises(RequestError) as refused:
                await joined(address, TOKEN, tmp_path / "node")
            problems.append(refused.value.code)
        await runner.cleanup()

    assert ["join_bad_address"] * 3 == problems


def test_fingerprints_and_pins_agree(files: TlsFiles) -> None:
    """The node computes the fingerprint and the pin that the pool puts into its invitations."""
    import ssl

    leaf = ssl.PEM_cert_to_DER_cert(
        files.cert.read_text("ascii").partition("-----END")[0] + "-----END CERTIFICATE-----\n"
    )

    assert compute_fingerprint(files.read_ca()) == pool_http.compute_fingerprint(files.read_ca())
    assert compute_key_pin(files.cert.read_bytes()) == pool_http.compute_key_pin(leaf)


@pytest.mark.parametrize(
    "proof", ["fingerprint", "pin", "both", "the CA's file", "nothing", "wrong", "wrong pin"]
)
async def test_a_pool_with_a_ca_of_its_own(
    desk: Desk, files: TlsFiles, tmp_path: Path, proof: str
) -> None:
    """A machine gives its token to a pool only that its invitation or its owner vouches for."""
    fingerprint, pin = (
        compute_fingerprint(files.read_ca()),
        compute_key_pin(files.cert.read_bytes()),
    )
    secret = {
        "fingerprint": JoinSecret(TOKEN, fingerprint),
        "pin": JoinSecret(TOKEN, "", pin),
        "both": JoinSecret(TOKEN, fingerprint, pin),
        "wrong": JoinSecret(TOKEN, "0" * 64, pin),
        "wrong pin": JoinSecret(TOKEN, "", "A" * 43),
    }.get(proof, JoinSecret(TOKEN))
    ca_pem = files.read_ca() if proof == "the CA's file" else ""
    folder, outcome = tmp_path / "node", ""
    async with serving(desk, files) as url:
        try:
            await joined(write_link(url, secret), "", folder, ca_pem=ca_pem)
        except RequestError as refused:
            outcome = refused.code
    is_trusted = proof in ("fingerprint", "pin", "both", "the CA's file")

    assert ("" if is_trusted else "join_untrusted") == outcome
    assert int(is_trusted) == len(desk.requests)
    if is_trusted:
        assert files.read_ca() == keys.read_ca_pem(folder)
        kept = pool_address.read_pool_address(folder)
        assert (url, False) == (kept.url, kept.public_certificate)


REFUSED = {
    "another machine, plain": ("http://pool.coop", JoinSecret(TOKEN), "join_plain_refused"),
    "a fingerprint is never used in plain": (
        "http://127.0.0.1:1", JoinSecret(TOKEN, "ab" * 32), "join_plain_refused"),
    "nor is a pin": (
        "http://127.0.0.1:1", JoinSecret(TOKEN, "", "A" * 43), "join_plain_refused"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_plain_http_goes_to_this_machine_only(name: str) -> None:
    """What is refused before anything is sent."""
    url, secret, expected = REFUSED[name]
    with pytest.raises(RequestError) as refused:
        PoolClient(url, secret=secret)

    assert expected == refused.value.code


def test_a_link_that_a_mail_program_broke_over_lines_is_whole() -> None:
    """Line breaks in a link are no part of it."""
    secret = JoinSecret(f"join_{'a' * 32}", "0" * 64, "p" * 43)
    link = write_link("https://pool.coop:8443", secret)
    broken = "\r\n  ".join(link[at : at + 60] for at in range(0, len(link), 60))

    assert split_link(link) == split_link(broken)
    assert secret == read_secret(split_link(broken)[1])


@pytest.mark.parametrize(
    ("link", "code"),
    [("https://pool.coop/install", "join_link_cut"),
     ("https://pool.coop/install#", "join_link_cut"),
     ("https://pool.coop/install#join_abc", "join_link_cut"),
     ("https://pool.coop/install#join_abc.00ff", "join_link_cut"),
     (f"https://pool.coop/install#join_abc.{'0' * 64}.short", "join_link_cut"),
     ("https://pool.coop#a$b", "join_bad_link")],
)  # fmt: skip
async def test_half_a_link(link: str, code: str, tmp_path: Path) -> None:
    """A link whose end is missing is called cut, and nothing is sent or written."""
    with pytest.raises(EntraideError) as refused:
        await joined(link, "", tmp_path / "node")

    assert code == refused.value.code
    assert not (tmp_path / "node").exists()
