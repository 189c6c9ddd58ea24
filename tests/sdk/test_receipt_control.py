"""Who controls the machine, on a receipt: it is signed, travels, and is told in a line."""

import base64

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.contract.receipts import is_signed_by
from tests.contract.samples import RECEIPT

from entraide import i18n
from entraide.client import _convert
from entraide.receipts import ADDED_LATER, compute_key_id, encode_canonical
from entraide.types import Control, Receipt
from entraide_scheduler.gateway.jobs import ReceiptSigner
from entraide_scheduler.gateway.rpc.pool_messages import receipt_message


def receipt(controlled_by: Control) -> Receipt:
    return msgspec.structs.replace(RECEIPT, controlled_by=controlled_by)


@pytest.mark.parametrize("other", [Control.MEMBER, Control.OTHER, Control.UNSTATED])
def test_it_is_signed_with_the_rest(other: Control) -> None:
    """Nobody can say afterwards that a machine was controlled by somebody else, or by nobody."""
    key = Ed25519PrivateKey.generate()
    signed = ReceiptSigner(key).sign(receipt(Control.CANADIAN))

    assert is_signed_by(signed, key.public_key())
    assert not is_signed_by(msgspec.structs.replace(signed, controlled_by=other), key.public_key())


def test_receipt_of_before_verifies() -> None:
    """A receipt that was signed before this field existed is genuine still."""
    key = Ed25519PrivateKey.generate()
    facts = msgspec.to_builtins(RECEIPT)
    for name in ("key", "signature", *ADDED_LATER):
        del facts[name]
    signed = msgspec.json.encode(facts, order="sorted")
    facts |= {
        "signature": base64.b64encode(key.sign(signed)).decode(),
        "key": compute_key_id(key.public_key().public_bytes_raw()),
    }
    before = msgspec.convert(facts, Receipt)

    assert signed == encode_canonical(before)
    assert is_signed_by(before, key.public_key())


@pytest.mark.parametrize("controlled_by", Control)
def test_it_travels_over_grpc(controlled_by: Control) -> None:
    """A client gets the receipt that the gateway sent, with it or without."""
    sent = receipt(controlled_by)

    assert sent == _convert.receipt(receipt_message(sent))


def test_the_line_names_it_where_it_is_stated() -> None:
    """A member reads in which province the machine stands, and who controls it."""
    french = i18n.receipt_line(receipt(Control.MEMBER), "fr")
    english = i18n.receipt_line(receipt(Control.CANADIAN), "en")
    unstated = i18n.receipt_line(receipt(Control.UNSTATED), "en")

    assert french.startswith(
        "Servi par on-1 en Ontario (coop soleil\u00a0; sous le contrôle d’une coopérative membre) ·"
    )
    assert english.startswith(
        "Served by on-1 in Ontario (co-op soleil; controlled by another Canadian organisation) ·"
    )
    assert unstated.startswith("Served by on-1 in Ontario (co-op soleil) ·")
