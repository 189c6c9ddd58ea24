"""Receipts are verified without the pool: whatever was changed, the verdict is false."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.cases import all_cases
from tests.contract.samples import RECEIPT
from tests.sdk.conftest import Cli

from entraide.enums import Basis, Control
from entraide.receipts import (
    ADDED_LATER,
    ReceiptKey,
    Verdict,
    compute_key_id,
    read_keys,
    verify,
    verify_document,
)
from entraide.types import ComparedModel, SurplusEvidence
from entraide_scheduler.gateway.jobs import ReceiptSigner
from entraide_scheduler.nats.receipt_keys import describe_key

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
SIGNER = ReceiptSigner(KEY)
KEYS = {SIGNER.public_key.id: SIGNER.public_key}
SMALLER = ComparedModel("smollm2-135m", 0.1 + 0.2, 1e-7, Basis.ESTIMATED)
FACTS = {
    "energy_wh": 0.1 + 0.2,
    "smaller": SMALLER,
    "controlled_by": Control.MEMBER,
    "surplus_evidence": SurplusEvidence.METER,
}
SIGNED = SIGNER.sign(replace(RECEIPT, **FACTS))
DOCUMENT = msgspec.json.encode(SIGNED)
AMOUNTS = st.floats(min_value=0.0, allow_nan=False, allow_infinity=False)


def digits_of(document: bytes) -> list[int]:
    return [place for place, byte in enumerate(document) if chr(byte).isdigit()]


def with_digit(document: bytes, place: int, digit: int) -> bytes:
    return document[:place] + b"%d" % digit + document[place + 1 :]


def verdicts(document: bytes) -> list[Verdict]:
    return [each.verdict for each in verify_document(document, KEYS)]


@all_cases("place", digits_of(DOCUMENT))
def test_a_changed_digit_is_found(place: int) -> None:
    """Each digit of a receipt counts: numbers, dates, names, key and signature."""
    genuine = [
        digit
        for digit in range(10)
        if Verdict.GENUINE in verdicts(with_digit(DOCUMENT, place, digit))
    ]

    assert [int(chr(DOCUMENT[place]))] == genuine


@settings(max_examples=100, deadline=None)
@given(energy_wh=AMOUNTS, issued_at=AMOUNTS, data=st.data())
def test_a_changed_digit_of_any_number_is_found(
    energy_wh: float, issued_at: float, data: st.DataObject
) -> None:
    """Also where two texts denote the same binary number: one of them is not the pool's."""
    signed = SIGNER.sign(replace(RECEIPT, energy_wh=energy_wh, issued_at=issued_at))
    document = msgspec.json.encode(signed)
    place = data.draw(st.sampled_from(digits_of(document)))
    digit = data.draw(st.integers(0, 9).filter(lambda d: d != int(chr(document[place]))))

    assert [Verdict.GENUINE] == verdicts(document)
    assert Verdict.GENUINE not in verdicts(with_digit(document, place, digit))


def test_each_character_of_the_signature_counts() -> None:
    """The last character of base64 has bits that mean nothing; changing them is a change."""
    text = SIGNED.signature
    for place, character in enumerate(text):
        other = "B" if character == "A" else chr(ord(character) + 1)
        changed = replace(SIGNED, signature=text[:place] + other + text[place + 1 :])

        assert Verdict.ALTERED == verify(changed, KEYS)


def as_javascript(facts: Any) -> str:
    return re.sub(r"(\d)\.0\b", r"\1", json.dumps(facts))


def as_stream(facts: Any) -> str:
    chunks = [{"choices": []}, {"choices": [], "entraide": facts}]
    lines = [f"data: {json.dumps(chunk)}" for chunk in chunks]
    return "\n\n".join([": en attente | waiting", *lines, "data: [DONE]", ""])


@pytest.mark.parametrize(
    "form",
    [
        lambda facts: json.dumps(facts, indent=2),
        as_javascript,
        lambda facts: json.dumps({"id": "x", "created": 1.10, "entraide": facts}),
        lambda facts: json.dumps({"object": "list", "data": [{"id": "j", "receipt": facts}]}),
        as_stream,
    ],
    ids=["python", "javascript", "completion", "list of jobs", "stream"],
)
def test_the_forms_in_which_a_member_has_it(form: Callable[[Any], str]) -> None:
    """A receipt is genuine in each form in which the pool gives it, however it was written down."""
    assert [Verdict.GENUINE] == verdicts(form(json.loads(DOCUMENT)).encode())


def test_many_on_lines_of_their_own() -> None:
    """Each line has its verdict, and its number."""
    other = DOCUMENT.replace(b'"output_tokens":64', b'"output_tokens":46')
    verified = verify_document(b"\n".join([DOCUMENT, other, b"{", DOCUMENT]), KEYS)

    assert [(1, "genuine"), (2, "altered"), (3, "malformed"), (4, "genuine")] == [
        (each.line, each.verdict) for each in verified
    ]


REPEATED = {
    "a figure": DOCUMENT.replace(b'{', b'{"energy_wh":0.1,', 1),
    "the signature": DOCUMENT.replace(b'{', b'{"signature":"","job":"j",', 1),
    "written otherwise": DOCUMENT.replace(b'{', b'{"ener\\u0067y_wh":0.1,', 1),
    "of the smaller model in it": DOCUMENT.replace(b'"smaller":{', b'"smaller":{"model":"m",', 1),
    "around it": b'{"entraide":{"job":"j"},"entraide":' + DOCUMENT + b"}",
    "over several lines": json.dumps(json.loads(DOCUMENT), indent=2).encode().replace(
        b"{", b'{"energy_wh": 0.1,', 1
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", REPEATED)
def test_a_name_twice_is_no_receipt(place: str) -> None:
    """One program reads the first value and another the last: neither is what the pool signed."""
    document = REPEATED[place]

    assert document.count(b"{") >= DOCUMENT.count(b"{")
    assert document != DOCUMENT
    assert [Verdict.MALFORMED] == verdicts(document)
    assert {Verdict.MALFORMED, Verdict.GENUINE} == {
        each.verdict
        for each in verify_document(document.replace(b"\n", b"") + b"\n" + DOCUMENT, KEYS)
    }


def test_a_field_of_a_later_version_is_signed_too() -> None:
    """A receipt of a later pool verifies here; a field that nobody signed makes it false."""
    facts = json.loads(DOCUMENT)
    later = facts | {"later": "meter"}
    # These are empty, as of a receipt of one run.
    for name in ("key", "signature", *ADDED_LATER):
        if not later[name] or name in ("key", "signature"):
            del later[name]
    signature = KEY.sign(msgspec.json.encode(later, order="sorted"))
    later |= {"key": SIGNED.key, "signature": base64.b64encode(signature).decode()}

    assert [Verdict.GENUINE] == verdicts(json.dumps(later).encode())
    assert [Verdict.GENUINE] == verdicts(json.dumps(facts | {"later": ""}).encode())
    assert [Verdict.ALTERED] == verdicts(json.dumps(facts | {"later": "meter"}).encode())
    assert [Verdict.ALTERED] == verdicts(json.dumps(later | {"later": "meters"}).encode())


def test_a_retired_key_verifies_what_it_signed_in_its_time() -> None:
    """What is dated after the key's retirement is false, though the signature is right."""
    retired = describe_key(KEY, until=RECEIPT.issued_at)
    later = SIGNER.sign(replace(RECEIPT, issued_at=RECEIPT.issued_at + 1.0))

    assert Verdict.GENUINE == verify(SIGNER.sign(RECEIPT), {retired.id: retired})
    assert Verdict.RETIRED_KEY == verify(later, {retired.id: retired})


def test_what_is_not_the_pools() -> None:
    """A receipt of another pool, one without a signature and half a receipt have their verdicts."""
    other = ReceiptSigner(Ed25519PrivateKey.generate()).sign(RECEIPT)
    facts = json.loads(DOCUMENT)
    del facts["node"]

    assert Verdict.UNKNOWN_KEY == verify(other, KEYS)
    assert Verdict.UNSIGNED == verify(replace(SIGNED, signature=""), KEYS)
    assert [Verdict.MALFORMED] == verdicts(json.dumps(facts).encode())
    assert [] == verdicts(b'{"object": "list", "data": []}')


def published(*keys: ReceiptKey) -> bytes:
    return msgspec.json.encode({"pool": "x", "receipt_keys": keys})


def test_keys_of_older_and_present_pools() -> None:
    """The document of an older pool names one key; a key under another's identifier is refused."""
    key = SIGNER.public_key
    foreign = describe_key(Ed25519PrivateKey.generate())
    single = {"receipt_key": {"id": key.id, "ed25519": key.ed25519}}

    assert {key.id: key} == read_keys(msgspec.json.encode(single))
    assert {key.id: key} == read_keys(published(key))
    for wrong in (
        published(),
        published(replace(foreign, id=key.id)),
        published(ReceiptKey(compute_key_id(b"short"), "c2hvcnQ=")),
        b"[]",
    ):
        with pytest.raises(msgspec.DecodeError):
            read_keys(wrong)


@pytest.mark.parametrize(
    ("lang", "first", "last"),
    [
        (
            "en",
            "Genuine: line 1 · job-1, signed by the pool with key ",
            "2 receipts: 1 genuine, 1 false.",
        ),
        (
            "fr",
            "Authentique\u00a0: ligne 1 · job-1, signé par le parc avec la clé ",
            "2 reçus\u00a0: 1 authentique, 1 faux.",
        ),
    ],
)
def test_the_command_says_it_in_words(
    cli: Cli, tmp_path: Path, lang: str, first: str, last: str
) -> None:
    """One false receipt among genuine ones makes the status 1."""
    keys, receipts = tmp_path / "keys.json", tmp_path / "receipts.jsonl"
    keys.write_bytes(published(SIGNER.public_key))
    receipts.write_bytes(DOCUMENT + b"\n" + DOCUMENT.replace(b"job-1", b"job-2"))
    command = ["receipts", "verify", str(receipts), "--keys", str(keys), "--lang", lang]
    result = cli(command)
    values = json.loads(cli([*command, "--json"]).out)

    assert (1, "") == (result.status, result.err)
    assert result.out.startswith(first)
    assert last == result.out.splitlines()[-1]
    assert ["genuine", "altered"] == [value["verdict"] for value in values]


def test_the_command_reads_standard_input(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A genuine receipt from standard input gives status 0."""
    keys = tmp_path / "keys.json"
    keys.write_bytes(published(SIGNER.public_key))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(DOCUMENT)))
    result = cli(["receipts", "verify", "-", "--keys", str(keys), "--lang", "en"])

    assert 0 == result.status
    assert "Served by on-1 in Ontario" in result.out


@pytest.mark.parametrize(
    ("content", "keys", "sentence"),
    [
        (None, published(SIGNER.public_key), "receipt.json cannot be read (no such file"),
        (b"[1]", published(SIGNER.public_key), "No receipt is in "),
        (DOCUMENT, b"{}", "keys.json holds no receipt keys. Save the document"),
    ],
)
def test_the_command_refuses_in_one_sentence(
    cli: Cli, tmp_path: Path, content: bytes | None, keys: bytes, sentence: str
) -> None:
    """A missing file, one without a receipt and one without keys are said so."""
    (tmp_path / "keys.json").write_bytes(keys)
    if content is not None:
        (tmp_path / "receipt.json").write_bytes(content)
    command = ["receipts", "verify", str(tmp_path / "receipt.json"), "--lang", "en"]
    result = cli([*command, "--keys", str(tmp_path / "keys.json")])

    assert (1, "") == (result.status, result.out)
    assert sentence in result.err
    assert 1 == len(result.err.splitlines())
