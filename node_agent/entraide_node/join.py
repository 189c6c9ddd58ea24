"""Joining: trades a one-time token for an identity, and writes the node's folder.

It decides whom to trust on the way: the node's key is made here and its seed never leaves; the
pool's authority is taken only from where it can be believed, that is a token that names its
fingerprint, a page over HTTPS, or this very machine. Everything it opens is outbound.
"""

import hashlib
import re
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.errors import PoolUnreachable, RequestError
from entraide.v1 import enrolment_pb2, enrolment_pb2_grpc
from entraide.wire.nats import new_user_key, requires_tls
from entraide.wire.subjects import checked
from entraide_node import config as configuration
from entraide_node import keys
from entraide_node.engine_config import NoEngine
from entraide_node.models.model_files import demo_path

JOIN_TIMEOUT_S = 15.0
PAGE_BYTES_MAX = 256 * 1024
PAGE_PATH = "/.well-known/entraide"
NAME_CHARS_MAX = 40


class PoolPage(Struct, frozen=True):
    """What a pool's ``/.well-known/entraide`` says; fields we do not know are skipped.

    Attributes:
        grpc: where it takes machines in, ``host:port``.
        tls: whether that speaks TLS.
        ca_pem: its authority, or "".
        pool: its name.
        version: of its Entraide; "" when it does not say.
        now: its clock, seconds since the epoch; 0 when it does not say.
    """

    grpc: str
    tls: bool = False
    ca_pem: str = ""
    pool: str = ""
    version: str = ""
    now: float = 0.0


class JoinOptions(Struct, frozen=True, kw_only=True):
    """What the machine's owner says of it when it joins.

    Attributes:
        name: wished identifier; the pool makes it unique.
        site, zone: where it stands.
        lang: language of what a person reads.
    """

    name: str = ""
    site: str = ""
    zone: str = "CA-QC"
    lang: str = "fr"


def join_pool(
    url: str, token: str, *, folder: Path, wish: JoinOptions, ca_pem: str = ""
) -> configuration.NodeConfig:
    """Joins a pool and writes identity, authority and configuration into a folder.

    Whatever the folder's configuration says of engine, power and energy stays as it is.

    Args:
        url: the pool's address: ``http(s)://…``, or its gRPC ``host:port``.
        token: the one-time token, ``SECRET`` or ``SECRET.FINGERPRINT`` of the pool's authority.
        folder: the node's folder; made if missing.
        wish: what the owner says of the machine.
        ca_pem: the pool's authority, when its owner handed it over otherwise.

    Raises:
        RequestError: ``join_token_refused``, ``join_untrusted``, ``join_plain_refused``,
            ``join_bad_address``, ``invalid_request``.
        PoolUnreachable: nobody answers there.
    """
    secret, fingerprint = split_token(token)
    page = read_pool_page(url, ca_pem=ca_pem, fingerprint=fingerprint)
    authority = _choose_authority(page, url=url, fingerprint=fingerprint, given_pem=ca_pem)
    seed, public_key = _load_or_make_key(folder)
    request = enrolment_pb2.JoinRequest(
        token=secret,
        node_public_key=public_key,
        node_name=wish.name or default_name(),
        site=wish.site,
        zone=wish.zone,
    )
    answer = _send_request(page, request, authority=authority, lang=wish.lang)
    return _write_folder(folder, answer, seed=seed, wish=wish, pool=page.pool)


def split_token(token: str) -> tuple[str, str]:
    """Returns a token's secret and the fingerprint it names, if any.

    >>> split_token("abc"), split_token("abc.0f")
    (('abc', ''), ('abc', '0f'))
    """
    secret, _, fingerprint = token.strip().partition(".")
    return secret, fingerprint.lower()


def default_name() -> str:
    """Returns this machine's name as an identifier."""
    name = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().split(".")[0].lower()).strip("-")
    return name[:NAME_CHARS_MAX] or "node"


def read_pool_page(url: str, *, ca_pem: str = "", fingerprint: str = "") -> PoolPage:
    """Returns what the pool says of itself at an address.

    A pool's own authority is in no system's list. With its fingerprint at hand the page is read
    before that authority is known: what it says is believed only once the authority on it matches,
    and whoever then answers for the pool must show a certificate of that authority.

    Raises:
        RequestError: ``join_bad_address``: it is no pool's address.
        PoolUnreachable: nobody answers there.
    """
    if "://" not in url:
        host = urlsplit(f"//{url}").hostname or ""
        return PoolPage(grpc=url, tls=requires_tls(host) or bool(ca_pem), ca_pem=ca_pem)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RequestError("join_bad_address", url, values={"url": url})
    page_url = f"{parts.scheme}://{parts.netloc}{PAGE_PATH}"
    trust = ssl.create_default_context(cadata=ca_pem or None)
    if fingerprint and not ca_pem:
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(  # noqa: S310
            page_url, timeout=JOIN_TIMEOUT_S, context=trust
        ) as reply:
            raw = reply.read(PAGE_BYTES_MAX)
        page = decode_json(raw, type=PoolPage)
    except (msgspec.MsgspecError, urllib.error.HTTPError) as problem:
        raise RequestError("join_bad_address", url, values={"url": url}) from problem
    except OSError as problem:
        values: dict[str, str | int | float] = {"url": url, "problem": str(problem)}
        raise PoolUnreachable("pool_unreachable", str(problem), values=values) from problem
    if not page.grpc:  # a gateway that was not told where its pool takes machines in
        raise RequestError("join_bad_address", url, values={"url": url})
    return page


def fingerprint_of(ca_pem: str) -> str:
    """Returns the SHA-256 of a certificate's DER bytes, in hexadecimal.

    Raises:
        ValueError: it is not a certificate.
    """
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(ca_pem.strip())).hexdigest()


def _choose_authority(page: PoolPage, *, url: str, fingerprint: str, given_pem: str) -> str:
    """The authority to trust: "" for none, which only this machine itself may have."""
    host = urlsplit(f"//{page.grpc}").hostname or ""
    authority = given_pem or page.ca_pem
    if not page.tls:
        if requires_tls(host) or fingerprint:
            # A token that names an authority promises TLS: whoever says otherwise is not the pool.
            raise RequestError("join_plain_refused", page.grpc, values={"host": host or page.grpc})
        return ""
    if fingerprint:
        try:
            matches = bool(authority) and fingerprint_of(authority) == fingerprint
        except ValueError:
            matches = False
        if not matches:
            raise RequestError("join_untrusted", url, values={"url": url})
    elif not given_pem and url.startswith("http://") and requires_tls(urlsplit(url).hostname or ""):
        # Over plain HTTP anybody on the way could hand out an authority of his own.
        raise RequestError("join_untrusted", url, values={"url": url})
    return authority


def _load_or_make_key(folder: Path) -> tuple[str, str]:
    """The node's key: made once, so that a second attempt is the same node."""
    import nkeys  # noqa: PLC0415  (only whoever joins needs it)

    path = folder / keys.KEY_NAME
    if path.exists():
        seed = keys.read_private(path).decode("ascii").strip()
        return seed, nkeys.from_seed(seed.encode("ascii")).public_key.decode("ascii")
    seed, public_key = new_user_key()
    keys.write_private(path, f"{seed}\n".encode("ascii"))
    return seed, public_key


def _send_request(
    page: PoolPage, request: enrolment_pb2.JoinRequest, *, authority: str, lang: str
) -> enrolment_pb2.JoinResponse:
    if page.tls:
        roots = authority.encode("ascii") or None
        channel = grpc.secure_channel(page.grpc, grpc.ssl_channel_credentials(roots))
    else:
        channel = grpc.insecure_channel(page.grpc)
    with channel:
        stub = enrolment_pb2_grpc.EnrolmentStub(channel)
        try:
            return stub.Join(request, timeout=JOIN_TIMEOUT_S, metadata=(("accept-language", lang),))
        except grpc.RpcError as problem:
            raise _join_error(problem, page.grpc) from problem


def _join_error(problem: grpc.RpcError, address: str) -> RequestError | PoolUnreachable:
    status = problem.code()
    sentence = problem.details() or ""
    if status in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        values: dict[str, str | int | float] = {"url": address, "problem": sentence}
        return PoolUnreachable("pool_unreachable", sentence, values=values)
    refused = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)
    code = "join_token_refused" if status in refused else "invalid_request"
    return RequestError(code, sentence, values={"detail": sentence})


def _write_folder(
    folder: Path, answer: enrolment_pb2.JoinResponse, *, seed: str, wish: JoinOptions, pool: str
) -> configuration.NodeConfig:
    path = folder / configuration.CONFIG_NAME
    node = checked(answer.node)
    fresh = configuration.NodeConfig(
        node=node,
        coop=answer.coop,
        site=wish.site,
        zone=wish.zone,
        nats_urls=tuple(answer.nats_urls),
        pool=answer.pool or pool,
        lang=wish.lang,
        # Without the demonstration's model at hand, the pool says what is loaded.
        engine=configuration.LlamaCpp() if demo_path() is not None else NoEngine(),
    )
    if path.exists():  # the owner's own choices outlive a second joining
        old = configuration.load_config(path)
        fresh = msgspec.structs.replace(
            fresh, engine=old.engine, engines=old.engines, models=old.models, power=old.power,
            energy=old.energy, data_classes=old.data_classes, drain_s=old.drain_s,
        )  # fmt: skip
    keys.save_identity(folder, keys.StoredIdentity(node=node, jwt=answer.jwt, seed=seed))
    authority = folder / keys.CA_NAME
    if answer.ca_pem:
        keys.write_private(authority, answer.ca_pem.encode("ascii"))
    else:
        authority.unlink(missing_ok=True)
    if answer.signing_key:
        pool_key = f"{answer.signing_key}\n".encode("ascii")
        keys.write_private(folder / keys.POOL_KEY_NAME, pool_key)
    keys.write_private(path, configuration.dump_config(fresh).encode("utf-8"))
    return configuration.load_config(path)
