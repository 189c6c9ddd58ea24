"""Corrections: checks an operator's correction of the ledger and converts it to an event."""

from typing import Any

from entraide.units import UG_PER_G, UWH_PER_WH
from entraide.v1 import admin_pb2

NAME_MAX = 200
REASON_MAX = 2_000
AMOUNT_MAX = 10**12  # tokens, Wh or g; in µWh it still fits a 64-bit integer


def correction_fault(correction: admin_pb2.Correction, coops: set[str]) -> str:
    """Returns the name of the first invalid field of a correction, or ""."""
    if not 0 < len(correction.correction) <= NAME_MAX:
        return "correction"
    if not 0 < len(correction.reason) <= REASON_MAX:
        return "reason"
    if (
        correction.lender == correction.borrower
        or not {
            correction.lender,
            correction.borrower,
        }
        <= coops
    ):
        return "lender, borrower"
    amounts = (correction.tokens, correction.energy_wh, correction.direct_gco2e)
    if not any(amounts) or not all(-AMOUNT_MAX <= amount <= AMOUNT_MAX for amount in amounts):
        return "tokens, energy_wh, direct_gco2e"
    return ""


def correction_fields(correction: admin_pb2.Correction) -> dict[str, Any]:
    """Returns the fields of the event ``LedgerCorrected``, in the ledger's units."""
    return {
        "correction": correction.correction,
        "lender": correction.lender,
        "borrower": correction.borrower,
        "tokens": correction.tokens,
        "energy_uwh": round(correction.energy_wh * UWH_PER_WH),
        "carbon_ug": round(correction.direct_gco2e * UG_PER_G),
        "reason": correction.reason,
    }
