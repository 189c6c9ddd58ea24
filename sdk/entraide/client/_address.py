"""Finds a pool's gRPC endpoint from a web address, or from a host and port.

An API key leaves this machine unencrypted only if the address begins with ``grpc://``.
"""

import os
import ssl
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide import i18n
from entraide.client._constants import (
    CA_BYTES_MAX,
    CA_VARIABLE,
    KEY_VARIABLE,
    URL_VARIABLE,
    WELL_KNOWN_BYTES_MAX,
)
from entraide.client.http import get_document, is_loopback, unreachable
from entraide.decoding import decode_json
from entraide.errors import error_for
from entraide.receipts import ReceiptKey, read_keys

WELL_KNOWN = "/.well-known/entraide"


class Address(Struct, frozen=True):
    """A gRPC endpoint.

    Attributes:
        target: ``host:port``.
        tls: whether to speak TLS.
        ca_pem: certificate authority to trust, PEM; "" for the system's.
    """

    target: str
    tls: bool
    ca_pem: str = ""


class _WellKnown(Struct):
    """Document at a pool's well-known address."""

    grpc: str
    tls: bool = False
    ca_pem: str = ""


def read_authority(lang: str) -> str:
    """Returns the certificate authority in the file of ``ENTRAIDE_CA``, PEM; "" without it.

    Raises:
        RequestError: ``invalid_request``: the file cannot be read, or holds no certificate.
    """
    path = os.environ.get(CA_VARIABLE)
    if not path:
        return ""
    try:
        with Path(path).open(encoding="ascii") as file:
            pem = file.read(CA_BYTES_MAX)
        ssl.create_default_context(cadata=pem)
    except (OSError, ValueError) as problem:  # ssl's error is an OSError
        sentence = i18n.text("client-no-authority", lang, path=path)
        raise error_for("invalid_request", sentence) from problem
    return pem


def resolve(url: str, *, ca_pem: str, lang: str) -> Address:
    """Returns the gRPC endpoint of a pool; a web address is queried for it.

    Args:
        url: ``http(s)://…``, ``grpc://host:port`` (in clear), ``grpcs://host:port``, or
            ``host:port`` (TLS unless it is on this machine and ``ca_pem`` is "").
        ca_pem: certificate authority to trust, PEM; "" for the one that the pool names, else the
            system's.
        lang: language of the error's sentence.

    Raises:
        PoolUnreachable: the web address does not answer, or is not a pool's.
    """
    scheme, _, rest = url.rpartition("://")
    target = rest.rstrip("/")
    if scheme in ("http", "https"):
        return _discover(url.rstrip("/"), ca_pem=ca_pem, lang=lang)
    if scheme == "grpc":
        return Address(target, tls=False)
    return Address(
        target, tls=scheme == "grpcs" or bool(ca_pem) or not is_loopback(target), ca_pem=ca_pem
    )


def fetch_receipt_keys(url: str, *, ca_pem: str = "", lang: str = "fr") -> dict[str, ReceiptKey]:
    """Returns the keys with which a pool signs receipts, or signed them, by identifier.

    Args:
        url: web address of the pool.
        ca_pem: certificate authority to trust, PEM; "" for the system's.
        lang: language of the error's sentence.

    Raises:
        PoolUnreachable: the address does not answer, or is not a pool's.
    """
    try:
        return read_keys(_get_well_known(url.rstrip("/"), ca_pem, lang))
    except msgspec.MsgspecError as problem:
        raise unreachable(url, lang) from problem


def _discover(url: str, *, ca_pem: str, lang: str) -> Address:
    try:
        document = decode_json(_get_well_known(url, ca_pem, lang), type=_WellKnown)
    except msgspec.MsgspecError as problem:
        raise unreachable(url, lang) from problem
    return Address(document.grpc, tls=document.tls, ca_pem=ca_pem or document.ca_pem)


def _get_well_known(url: str, ca_pem: str, lang: str) -> bytes:
    return get_document(url + WELL_KNOWN, ca_pem=ca_pem, lang=lang, max_bytes=WELL_KNOWN_BYTES_MAX)


def pool_address_and_key(url: str | None, key: str | None, lang: str) -> tuple[str, str]:
    """Returns the pool's address and the API key, from the arguments or the environment.

    Raises:
        PoolUnreachable: there is no address.
        AuthenticationError: there is no key.
    """
    url, key = url or os.environ.get(URL_VARIABLE), key or os.environ.get(KEY_VARIABLE)
    if not url:
        raise error_for("pool_unreachable", i18n.text("client-no-address", lang))
    if not key:
        raise error_for("unauthorised", i18n.text("client-no-key", lang))
    return url, key
