"""What a smaller model would have cost: when it is worth a line, and that it is signed."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.cases import all_cases
from tests.contract.receipts import is_signed_by

from entraide import i18n
from entraide.client import _convert
from entraide.receipts import encode_canonical
from entraide.types import Basis, ComparedModel, JobClass, Promise, Receipt
from entraide_scheduler.gateway.jobs import ReceiptSigner
from entraide_scheduler.gateway.rpc.pool_messages import receipt_message as as_message

NB = "\u00a0"
RECEIPT = Receipt(
    job="job-1", coop="boreale", node="qc-1", node_coop="boreale", site="atelier",
    province="CA-QC", engine="llama.cpp/1", model="qwen3-14b", model_revision="sha256:abc",
    job_class=JobClass.INTERACTIVE, promise=Promise.KEPT, at_risk=False, queue_ms=0.0,
    ttft_ms=300.0, input_tokens=100, cached_tokens=0, output_tokens=200,
    tokens_basis=Basis.MEASURED, energy_wh=0.3, energy_basis=Basis.MEASURED, carbon_gco2e=0.0004,
    carbon_lifecycle_gco2e=0.009, intensity_g_per_kwh=1.3, intensity_basis=Basis.MEASURED,
    surplus_basis=None, policy_version="1", settled=True, issued_at=1_772_373_900.0,
)  # fmt: skip


def receipt(energy_wh: float | None) -> Receipt:
    """A receipt with the figures of the smallest model, if there is one."""
    if energy_wh is None:
        return RECEIPT
    smaller = ComparedModel("qwen3-1.7b", energy_wh, energy_wh / 750.0, Basis.ESTIMATED)
    return msgspec.structs.replace(RECEIPT, smaller=smaller)


@all_cases(
    ("energy_wh", "worth"), [(None, False), (0.06, True), (0.19, True), (0.2, False), (0.4, False)]
)
@all_cases("lang", ["fr", "en"])
def test_it_is_told_when_it_saves_more_than_a_third(
    energy_wh: float | None, *, worth: bool, lang: str
) -> None:
    """A line is said only where it is worth one."""
    assert worth == bool(i18n.smaller_line(receipt(energy_wh), lang))


def test_nothing_is_told_of_a_receipt_without_energy() -> None:
    """Nothing can be saved where nothing was used."""
    free = msgspec.structs.replace(receipt(0.0), energy_wh=0.0)

    assert "" == i18n.smaller_line(free, "fr")


def test_the_line_names_model_energy_grams_and_saving() -> None:
    """The line has the receipt's figures, with their units and their basis."""
    lines = {lang: i18n.smaller_line(receipt(0.06), lang) for lang in ("fr", "en")}

    assert {
        "fr": f"Un modèle plus petit, qwen3-1.7b, aurait pris 0,060{NB}Wh et "
        f"0,00008{NB}g{NB}CO2e{NB}: 80{NB}% d’énergie en moins (estimé).",
        "en": f"A smaller model, qwen3-1.7b, would have taken 0.060{NB}Wh and "
        f"0.00008{NB}g{NB}CO2e: 80% less energy (estimated).",
    } == lines


def test_it_is_signed_with_the_rest() -> None:
    """Changing the figures breaks the signature; a receipt without them is signed as before."""
    key = Ed25519PrivateKey.generate()
    signed = ReceiptSigner(key).sign(receipt(0.06))
    forged = msgspec.structs.replace(signed, smaller=None)

    assert is_signed_by(signed, key.public_key())
    assert not is_signed_by(forged, key.public_key())
    assert b"smaller" not in encode_canonical(receipt(None))


@pytest.mark.parametrize("energy_wh", [None, 0.06])
def test_it_travels_over_grpc(energy_wh: float | None) -> None:
    """A client gets the receipt that the gateway sent, with it or without."""
    sent = receipt(energy_wh)

    assert sent == _convert.receipt(as_message(sent))


@all_cases(("energy_wh", "worth"), [(0.6, True), (0.3, False), (0.2, False)])
def test_the_line_on_the_larger_model_says_what_was_saved(energy_wh: float, *, worth: bool) -> None:
    """It names model, energy and saving; a larger model that takes no more is not named."""
    larger = ComparedModel("qwen3-32b", energy_wh, energy_wh / 750.0, Basis.ESTIMATED)
    compared = msgspec.structs.replace(RECEIPT, larger=larger)
    lines = {lang: i18n.larger_line(compared, lang) for lang in ("fr", "en")}
    expected = {
        "fr": f"Le modèle servi ici qui le suit en taille, qwen3-32b, aurait pris 0,600{NB}Wh, "
        f"d’après son énergie mesurée{NB}: cette réponse en a épargné 50{NB}%.",
        "en": f"The next larger model served here, qwen3-32b, would have taken 0.600{NB}Wh, by its "
        "measured energy: this answer saved 50% of it.",
    }

    assert lines == (expected if worth else {"fr": "", "en": ""})
    assert compared == _convert.receipt(as_message(compared))
