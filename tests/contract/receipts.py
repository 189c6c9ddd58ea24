"""Whether a receipt is signed by a key that a test holds."""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from entraide.receipts import ReceiptKey, Verdict, compute_key_id, verify
from entraide.types import Receipt


def is_signed_by(receipt: Receipt, public: Ed25519PublicKey) -> bool:
    raw = public.public_bytes_raw()
    key = ReceiptKey(compute_key_id(raw), base64.b64encode(raw).decode())
    return verify(receipt, {key.id: key}) is Verdict.GENUINE
