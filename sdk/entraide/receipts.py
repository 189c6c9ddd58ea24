"""Receipts: canonical form, and verification without the pool.

In: receipts as a pool gave them, and the keys that the pool publishes at
``/.well-known/entraide``, present and retired. Out: a verdict for each receipt.

The canonical form is JSON with sorted keys, no spaces, the shortest numbers that round-trip, and
without ``signature``, ``key``, and an empty field of those in ``ADDED_LATER``; a run's ``node_key``
is one of them. The signature is Ed25519 (RFC 8032), base64. The key's identifier is the first 16
hexadecimal digits of the public key's SHA-256.

In JSON, a field that this version does not know counts as signed unless it is empty, so that
receipts of later versions verify. A number must be written by digits of its shortest form: other
digits can denote the same binary number, and a change of them would not change the signed bytes.
"""

import base64
import binascii
import hashlib
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from entraide.decoding import RepeatedName, decode_json, decode_json_exactly
from entraide.types import Receipt

KEY_ID_DIGITS = 16
KEYS_MAX = 1_000
DOCUMENT_MAX_BYTES = 64 * 1024 * 1024

# Fields without which older receipts were signed; left out of the canonical form where empty.
ADDED_LATER = (
    "smaller", "controlled_by", "surplus_evidence", "runs", "place", "further_places", "node_key",
    "coop_names", "reasoning_tokens", "reasoning_wh", "always_thinks", "larger",
)  # fmt: skip

_ENCODER = msgspec.json.Encoder(order="sorted")
_FIELDS = frozenset(Receipt.__struct_fields__)
_EMPTY: tuple[Any, ...] = (None, "", [], {})
_INTEGER_MAX = 2**53  # each integer up to here has a float of its own
_EVENT_PREFIX = b"data:"  # a line of a saved stream


class ReceiptKey(Struct, frozen=True):
    """A public key that signs receipts, or signed them.

    Attributes:
        id: its identifier, which receipts name as ``key``.
        ed25519: the public key, 32 bytes in base64.
        since, until: first and last time of its use, seconds since the epoch; 0 where ``since``
            is not known, and where ``until`` is not reached.
    """

    id: str
    ed25519: str
    since: float = 0.0
    until: float = 0.0


class Verdict(StrEnum):
    """Result of a verification; only ``GENUINE`` means that the pool signed this receipt."""

    GENUINE = "genuine"
    ALTERED = "altered"  # the signature does not belong to this content
    UNKNOWN_KEY = "unknown_key"  # no published key has the receipt's key identifier
    RETIRED_KEY = "retired_key"  # issued after the pool retired the key
    UNSIGNED = "unsigned"
    MALFORMED = "malformed"  # not a receipt: a field is missing, or of a wrong kind


class VerifiedReceipt(Struct, frozen=True):
    """A receipt of a document, with its verdict.

    Attributes:
        verdict: the verdict.
        line: number of its line, from 1; 0 where the whole document is one JSON value.
        receipt: the receipt; None where it is malformed.
        key: the published key with its key identifier; None where there is none.
    """

    verdict: Verdict
    line: int
    receipt: Receipt | None = None
    key: ReceiptKey | None = None


class _PublishedKey(Struct):
    id: str
    ed25519: str
    since: float = 0.0
    until: float = 0.0


class _Published(Struct):
    """Keys in a document of ``/.well-known/entraide``; older pools publish the first field only."""

    receipt_key: _PublishedKey | None = None
    receipt_keys: list[_PublishedKey] = []


def encode_canonical(receipt: Receipt) -> bytes:
    """Returns the bytes that are signed."""
    return _encode_facts(msgspec.to_builtins(receipt), {})


def compute_key_id(public: bytes) -> str:
    """Returns the identifier of a public key of 32 bytes."""
    return hashlib.sha256(public).hexdigest()[:KEY_ID_DIGITS]


def read_keys(document: bytes) -> dict[str, ReceiptKey]:
    """Returns the keys in a saved ``/.well-known/entraide``, by identifier.

    Raises:
        msgspec.DecodeError: the document has no such key, or a key whose identifier is not its own.
    """
    published = decode_json(document, type=_Published)
    single = [published.receipt_key] if published.receipt_key else []
    keys = published.receipt_keys or single
    if not keys or len(keys) > KEYS_MAX:
        raise msgspec.DecodeError("no receipt_keys")
    for key in keys:
        public = _decode_strictly(key.ed25519)
        if public is None or len(public) != 32 or compute_key_id(public) != key.id:
            raise msgspec.DecodeError(f"receipt_keys: {key.id[:64]!r}")
    return {key.id: ReceiptKey(key.id, key.ed25519, key.since, key.until) for key in keys}


def verify(receipt: Receipt, keys: Mapping[str, ReceiptKey]) -> Verdict:
    """Verifies a receipt, such as ``answer.receipt``.

    Args:
        receipt: the receipt.
        keys: the pool's keys, from ``read_keys``.
    """
    return _judge(receipt, encode_canonical(receipt), keys)


def verify_document(document: bytes, keys: Mapping[str, ReceiptKey]) -> tuple[VerifiedReceipt, ...]:
    """Verifies every receipt in a document.

    Args:
        document: one JSON value, or one on each line, or a saved stream of events: receipts,
            answers with a receipt in the field ``entraide``, jobs with one in ``receipt``, or
            lists of these. At most ``DOCUMENT_MAX_BYTES``.
        keys: the pool's keys, from ``read_keys``.

    Returns:
        The receipts in order; empty where there is none. A line that is not JSON is malformed, and
        so is one that has a name twice: another program might read the other value.
    """
    try:
        return tuple(_verify_value(decode_json_exactly(document), 0, keys))
    except RepeatedName:
        return (VerifiedReceipt(Verdict.MALFORMED, 0),)
    except msgspec.DecodeError:
        lines = document.splitlines()
    verified: list[VerifiedReceipt] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        is_event = text.startswith(_EVENT_PREFIX)
        text = text.removeprefix(_EVENT_PREFIX).strip()
        if not text or (is_event and text == b"[DONE]") or text.startswith(b":"):
            continue
        try:
            verified += _verify_value(decode_json_exactly(text), number, keys)
        except msgspec.DecodeError:
            verified.append(VerifiedReceipt(Verdict.MALFORMED, number))
    return tuple(verified)


def _verify_value(
    value: Any, line: int, keys: Mapping[str, ReceiptKey]
) -> Iterator[VerifiedReceipt]:
    for facts in _find_receipts(value):
        try:
            known = {name: _to_float(facts[name]) for name in _FIELDS & facts.keys()}
            receipt = msgspec.convert(known, Receipt)
            signed = _encode_facts(
                msgspec.to_builtins(receipt),
                {name: _to_float(facts[name]) for name in facts.keys() - _FIELDS},
            )
        except (msgspec.ValidationError, ValueError):
            yield VerifiedReceipt(Verdict.MALFORMED, line)
        else:
            verdict = _judge(receipt, signed, keys)
            yield VerifiedReceipt(verdict, line, receipt, keys.get(receipt.key))


def _find_receipts(value: Any) -> Iterator[dict[str, Any]]:
    """Yields the receipts in a JSON value, in order."""
    waiting = [("", value)]
    while waiting:
        name, part = waiting.pop()
        if isinstance(part, dict):
            if "signature" in part or (name in ("entraide", "receipt") and "job" in part):
                yield part
            else:
                waiting += reversed(part.items())
        elif isinstance(part, list):
            waiting += [("", each) for each in reversed(part)]


def _to_float(value: Any) -> Any:
    """Replaces each decimal number by the float of which it is the shortest form.

    Raises:
        ValueError: a number has other digits, or is an integer beyond ``_INTEGER_MAX``.
    """
    if isinstance(value, int) and abs(value) > _INTEGER_MAX:
        raise ValueError("an integer that some programs round")
    if isinstance(value, Decimal):
        number = float(value)
        if not math.isfinite(number) or Decimal(repr(number)) != value:
            raise ValueError(f"not the shortest form of a number: {value}")
        return number
    if isinstance(value, dict):
        return {name: _to_float(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_to_float(part) for part in value]
    return value


def _encode_facts(facts: dict[str, Any], unknown: Mapping[str, Any]) -> bytes:
    del facts["key"], facts["signature"]
    for name in ADDED_LATER:
        if not facts[name]:
            del facts[name]
    for run in facts.get("runs", ()):
        if not run["node_key"]:
            del run["node_key"]
    filled = {name: value for name, value in unknown.items() if value not in _EMPTY}
    return _ENCODER.encode(facts | filled)


def _judge(receipt: Receipt, signed: bytes, keys: Mapping[str, ReceiptKey]) -> Verdict:
    if not receipt.signature:
        return Verdict.UNSIGNED
    key = keys.get(receipt.key)
    if key is None:
        return Verdict.UNKNOWN_KEY
    signature = _decode_strictly(receipt.signature)
    if signature is None or not is_signed(signed, signature, key):
        return Verdict.ALTERED
    if key.until and receipt.issued_at > key.until:
        return Verdict.RETIRED_KEY
    return Verdict.GENUINE


def is_signed(signed: bytes, signature: bytes, key: ReceiptKey) -> bool:
    """Whether a signature is that of a published key over these bytes."""
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.ed25519))
    try:
        public.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _decode_strictly(text: str) -> bytes | None:
    """Decodes base64; None for a text other than the one that encodes the same bytes."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode("ascii") == text else None
