"""What backs the surplus, on a receipt: it is signed, travels, and is told in a line."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.contract.receipts import is_signed_by
from tests.contract.samples import RECEIPT

from entraide import i18n
from entraide.client import _convert
from entraide.receipts import encode_canonical
from entraide.types import Receipt, SurplusEvidence
from entraide_scheduler.gateway.jobs import ReceiptSigner
from entraide_scheduler.gateway.rpc.pool_messages import receipt_message


def receipt(evidence: SurplusEvidence) -> Receipt:
    return msgspec.structs.replace(RECEIPT, surplus_evidence=evidence)


@pytest.mark.parametrize("other", [SurplusEvidence.METER, SurplusEvidence.NONE])
def test_it_is_signed_with_the_rest(other: SurplusEvidence) -> None:
    """Nobody can say afterwards that something else backed the surplus, or nothing."""
    key = Ed25519PrivateKey.generate()
    signed = ReceiptSigner(key).sign(receipt(SurplusEvidence.CONTRACT))
    changed = msgspec.structs.replace(signed, surplus_evidence=other)

    assert is_signed_by(signed, key.public_key())
    assert not is_signed_by(changed, key.public_key())


def test_a_receipt_without_it_has_the_bytes_of_before() -> None:
    """Receipts that were signed before this field existed are genuine still."""
    assert b"surplus_evidence" not in encode_canonical(receipt(SurplusEvidence.NONE))
    assert b'"surplus_evidence":"meter"' in encode_canonical(receipt(SurplusEvidence.METER))


@pytest.mark.parametrize("evidence", SurplusEvidence)
def test_it_travels_over_grpc(evidence: SurplusEvidence) -> None:
    """A client gets the receipt that the gateway sent, with it or without."""
    sent = receipt(evidence)

    assert sent == _convert.receipt(receipt_message(sent))


def test_the_line_names_it_where_it_is_vouched_for() -> None:
    """A member reads beside the surplus what backs it."""
    french = i18n.receipt_line(receipt(SurplusEvidence.CERTIFICATE), "fr")
    english = i18n.receipt_line(receipt(SurplusEvidence.METER), "en")
    none = i18n.receipt_line(receipt(SurplusEvidence.NONE), "en")

    assert (
        "(surplus renouvelable déclaré\u00a0; preuve\u00a0: certificats d’énergie renouvelable)"
        in french
    )
    assert "(declared renewable surplus; evidence: meter on site)" in english
    assert "(declared renewable surplus)" in none
