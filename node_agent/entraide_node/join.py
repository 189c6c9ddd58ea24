"""Joining: exchanges a one-time token for an identity, and writes the node's folder.

Input: the pool's address, the token and the owner's options. Output: files of
identity, CA and configuration. The node's key is made here; its seed never leaves the machine. The
pool's certificate authority (CA) is accepted only if the token contains its fingerprint, if it was
received over HTTPS, or if the pool is on this machine. All connections are outbound.
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

from entraide.catalogue import demonstration
from entraide.decoding import decode_json
from entraide.errors import PoolUnreachable, RequestError
from entraide.files import write_private
from entraide.v1 import enrolment_pb2, enrolment_pb2_grpc
from entraide.wire.nats import new_user_key, requires_tls
from entraide.wire.subjects import checked
from entraide_node import config as configuration
from entraide_node import keys
from entraide_node.engine_config import NoEngine

JOIN_TIMEOUT_S = 15.0
PAGE_BYTES_MAX = 256 * 1024
PAGE_PATH = "/.well-known/entraide"
NAME_CHARS_MAX = 40


class PoolPage(Struct, frozen=True):
    """The document at a pool's ``/.well-known/entraide``; unknown fields are skipped.

    Attributes:
        grpc: address of the pool's enrolment service, ``host:port``.
        tls: whether this service uses TLS.
        ca_pem: certificate of the pool's CA, or "".
        pool: name of the pool.
        version: the pool's version of Entraide; "" if unknown.
        now: time of the pool's clock, seconds since the epoch; 0 if unknown.
    """

    grpc: str
    tls: bool = False
    ca_pem: str = ""
    pool: str = ""
    version: str = ""
    now: float = 0.0


class JoinOptions(Struct, frozen=True, kw_only=True):
    """The owner's options for joining.

    Attributes:
        name: desired identifier; the pool makes it unique.
        site, zone: location of the machine.
        lang: language of messages to people.
    """

    name: str = ""
    site: str = ""
    zone: str = "CA-QC"
    lang: str = "fr"


def join_pool(
    url: str, token: str, *, folder: Path, options: JoinOptions, ca_pem: str = ""
) -> configuration.NodeConfig:
    """Joins a pool and writes identity, CA certificate and configuration into a folder.

    Settings of engine, power and energy in an existing configuration are kept.

    Args:
        url: the pool's address: ``http(s)://…``, or its gRPC ``host:port``.
        token: the one-time token, ``SECRET`` or ``SECRET.FINGERPRINT`` of the pool's CA.
        folder: the node's folder; created if missing.
        options: the owner's options.
        ca_pem: certificate of the pool's CA, if the owner has it.

    Raises:
        RequestError: ``join_token_refused``, ``join_untrusted``, ``join_plain_refused``,
            ``join_bad_address``, ``invalid_request``.
        PoolUnreachable: the pool does not respond.
    """
    secret, fingerprint = split_token(token)
    page = read_pool_page(url, ca_pem=ca_pem, fingerprint=fingerprint)
    trusted_ca_pem = _choose_ca(page, url=url, fingerprint=fingerprint, owner_ca_pem=ca_pem)
    seed, public_key = _load_or_make_key(folder)
    request = enrolment_pb2.JoinRequest(
        token=secret,
        node_public_key=public_key,
        node_name=options.name or default_name(),
        site=options.site,
        zone=options.zone,
    )
    answer = _send_request(page, request, trusted_ca_pem=trusted_ca_pem, lang=options.lang)
    return _write_folder(folder, answer, seed=seed, options=options, pool=page.pool)


def split_token(token: str) -> tuple[str, str]:
    """Returns a token's secret and its fingerprint, if any.

    >>> split_token("abc"), split_token("abc.0f")
    (('abc', ''), ('abc', '0f'))
    """
    secret, _, fingerprint = token.strip().partition(".")
    return secret, fingerprint.lower()


def default_name() -> str:
    """Returns this machine's host name as an identifier."""
    name = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().split(".")[0].lower()).strip("-")
    return name[:NAME_CHARS_MAX] or "node"


def read_pool_page(url: str, *, ca_pem: str = "", fingerprint: str = "") -> PoolPage:
    """Returns the document that describes the pool at an address.

    No system trusts a pool's own CA. With a fingerprint, the document is read without verifying the
    server; the document is accepted only if its CA has that fingerprint, and that CA must have
    signed the certificate of every later connection.

    Raises:
        RequestError: ``join_bad_address``: no pool has this address.
        PoolUnreachable: the pool does not respond.
    """
    if "://" not in url:
        host = urlsplit(f"//{url}").hostname or ""
        return PoolPage(grpc=url, tls=requires_tls(host) or bool(ca_pem), ca_pem=ca_pem)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RequestError("join_bad_address", url, values={"url": url})
    page_url = f"{parts.scheme}://{parts.netloc}{PAGE_PATH}"
    tls_context = ssl.create_default_context(cadata=ca_pem or None)
    if fingerprint and not ca_pem:
        tls_context.check_hostname, tls_context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(  # noqa: S310
            page_url, timeout=JOIN_TIMEOUT_S, context=tls_context
        ) as response:
            body = response.read(PAGE_BYTES_MAX)
        page = decode_json(body, type=PoolPage)
    except (msgspec.MsgspecError, urllib.error.HTTPError) as problem:
        raise RequestError("join_bad_address", url, values={"url": url}) from problem
    except OSError as problem:
        values: dict[str, str | int | float] = {"url": url, "problem": str(problem)}
        raise PoolUnreachable("pool_unreachable", str(problem), values=values) from problem
    if not page.grpc:  # a gateway without the address of its enrolment service
        raise RequestError("join_bad_address", url, values={"url": url})
    return page


def compute_fingerprint(ca_pem: str) -> str:
    """Returns the SHA-256 of a certificate's DER bytes, in hexadecimal.

    Raises:
        ValueError: the text is not a certificate.
    """
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(ca_pem.strip())).hexdigest()


def _choose_ca(page: PoolPage, *, url: str, fingerprint: str, owner_ca_pem: str) -> str:
    """The CA certificate to trust; "" for none, which only a pool on this machine may have."""
    host = urlsplit(f"//{page.grpc}").hostname or ""
    trusted_ca_pem = owner_ca_pem or page.ca_pem
    if not page.tls:
        if requires_tls(host) or fingerprint:
            # A token with a fingerprint implies TLS: a server without TLS is not the pool.
            raise RequestError("join_plain_refused", page.grpc, values={"host": host or page.grpc})
        return ""
    if fingerprint:
        try:
            matches = bool(trusted_ca_pem) and compute_fingerprint(trusted_ca_pem) == fingerprint
        except ValueError:
            matches = False
        if not matches:
            raise RequestError("join_untrusted", url, values={"url": url})
    elif (
        not owner_ca_pem
        and url.startswith("http://")
        and requires_tls(urlsplit(url).hostname or "")
    ):
        # Over plain HTTP an attacker on the path could substitute a CA.
        raise RequestError("join_untrusted", url, values={"url": url})
    return trusted_ca_pem


def _load_or_make_key(folder: Path) -> tuple[str, str]:
    """The node's seed and public key; a second attempt to join uses the same key."""
    import nkeys  # noqa: PLC0415  (only needed to join)

    path = folder / keys.KEY_NAME
    if path.exists():
        seed = keys.read_private(path).decode("ascii").strip()
        return seed, nkeys.from_seed(seed.encode("ascii")).public_key.decode("ascii")
    seed, public_key = new_user_key()
    write_private(path, f"{seed}\n".encode("ascii"))
    return seed, public_key


def _send_request(
    page: PoolPage, request: enrolment_pb2.JoinRequest, *, trusted_ca_pem: str, lang: str
) -> enrolment_pb2.JoinResponse:
    if page.tls:
        roots = trusted_ca_pem.encode("ascii") or None
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
    refusal_statuses = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)
    code = "join_token_refused" if status in refusal_statuses else "invalid_request"
    return RequestError(code, sentence, values={"detail": sentence})


def _write_folder(
    folder: Path, answer: enrolment_pb2.JoinResponse, *, seed: str, options: JoinOptions, pool: str
) -> configuration.NodeConfig:
    path = folder / configuration.CONFIG_NAME
    node = checked(answer.node)
    new_config = configuration.NodeConfig(
        node=node,
        coop=answer.coop,
        site=options.site,
        zone=options.zone,
        nats_urls=tuple(answer.nats_urls),
        pool=answer.pool or pool,
        lang=options.lang,
        # Without the demonstration model, the pool decides what is loaded.
        engine=configuration.LlamaCpp() if demonstration.path() is not None else NoEngine(),
    )
    if path.exists():  # a second join keeps the owner's settings
        old_config = configuration.load_config(path)
        new_config = msgspec.structs.replace(
            new_config, engine=old_config.engine, engines=old_config.engines,
            models=old_config.models, power=old_config.power, energy=old_config.energy,
            data_classes=old_config.data_classes, drain_s=old_config.drain_s,
        )  # fmt: skip
    keys.save_identity(folder, keys.StoredIdentity(node=node, jwt=answer.jwt, seed=seed))
    ca_path = folder / keys.CA_NAME
    if answer.ca_pem:
        write_private(ca_path, answer.ca_pem.encode("ascii"))
    else:
        ca_path.unlink(missing_ok=True)
    if answer.signing_key:
        pool_key = f"{answer.signing_key}\n".encode("ascii")
        write_private(folder / keys.POOL_KEY_NAME, pool_key)
    write_private(path, configuration.dump_config(new_config).encode("utf-8"))
    return configuration.load_config(path)
