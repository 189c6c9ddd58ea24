"""HTTP documents of a pool, for what has no gRPC method: its address, keys and statements."""

import ssl
import urllib.error
import urllib.request

import msgspec
from msgspec import Struct

from entraide import i18n
from entraide.client._constants import DOCUMENT_BYTES_MAX, HTTP_TIMEOUT_S
from entraide.decoding import decode_json
from entraide.errors import EntraideError, error_for


class _Error(Struct):
    code: str = ""
    message: str = ""


class _Refusal(Struct):
    error: _Error


def get_document(
    url: str, *, key: str = "", ca_pem: str = "", lang: str, max_bytes: int = DOCUMENT_BYTES_MAX
) -> bytes:
    """Returns a document of a pool.

    Args:
        url: its web address.
        key: API key; "" for a public document.
        ca_pem: certificate authority to trust, PEM; "" for the system's.
        lang: language of sentences.
        max_bytes: longest document.

    Raises:
        EntraideError: the pool's refusal; ``PoolUnreachable`` where it does not answer.
    """
    headers = {"accept": "application/json", "accept-language": lang}
    if key:
        headers["authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  (only http and https)
    context = ssl.create_default_context(cadata=ca_pem) if ca_pem else None
    try:
        with urllib.request.urlopen(  # noqa: S310
            request, timeout=HTTP_TIMEOUT_S, context=context
        ) as answer:
            body: bytes = answer.read(max_bytes)
    except urllib.error.HTTPError as problem:
        with problem:
            raise _read_refusal(problem.read(max_bytes), url, lang) from None
    except OSError as problem:
        raise unreachable(url, lang) from problem
    return body


def unreachable(url: str, lang: str) -> EntraideError:
    """Returns the error for an address that does not answer as a pool does."""
    values = {"address": url}
    sentence = i18n.error("pool_unreachable", lang, values)
    return error_for("pool_unreachable", sentence, values=values)


def _read_refusal(body: bytes, url: str, lang: str) -> EntraideError:
    try:
        error = decode_json(body, type=_Refusal).error
    except msgspec.MsgspecError:
        return unreachable(url, lang)
    return error_for(error.code, error.message) if error.code else unreachable(url, lang)
