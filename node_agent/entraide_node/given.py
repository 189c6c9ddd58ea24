"""Given: what the node gave today and this month, as the pool's books say, in sentences.

The pool is asked by HTTPS, with a pass that the node signs. Cents are the electricity's cost: the
books' energy at the price that the owner's configuration names.
"""

import urllib.request
from pathlib import Path

import msgspec

from entraide import i18n
from entraide.decoding import decode_json
from entraide.errors import EntraideError
from entraide.printable import printable
from entraide.statements import NODE_PATH, Amounts, NodeStatement
from entraide_node.config import CONFIG_NAME, load_config
from entraide_node.models.pool_access import read_pool_access

TIMEOUT_S = 5.0
BODY_BYTES_MAX = 1024 * 1024
SHARES_SHOWN_MAX = 50


def read_given(folder: Path) -> NodeStatement | None:
    """Returns the statement of a node from its pool; None if the pool does not tell it. Blocks.

    Args:
        folder: of the node.
    """
    url, access = read_pool_access(folder)
    if access is None:
        return None
    headers = {"authorization": access.authorise(NODE_PATH)}
    request = urllib.request.Request(url.rstrip("/") + NODE_PATH, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(  # noqa: S310  (only http and https come here)
            request, timeout=TIMEOUT_S, context=access.tls
        ) as answer:
            return decode_json(answer.read(BODY_BYTES_MAX), type=NodeStatement)
    except (OSError, msgspec.MsgspecError):
        return None


def given_sentences(folder: Path, lang: str) -> list[str]:
    """Returns sentences on today, the month, and each co-op; none without an answer. Blocks."""
    statement = read_given(folder)
    if statement is None:
        return []
    tariff = read_tariff(folder)
    sentences = [
        _sentence("node-given-today", "", statement.today, lang, tariff),
        _sentence("node-given-month", "", statement.this_month, lang, tariff),
    ]
    for share in statement.shares[:SHARES_SHOWN_MAX]:
        code = "node-given-own" if share.coop == statement.coop else "node-given-to"
        sentences.append(_sentence(code, statement.name_of(share.coop), share.month, lang, tariff))
    return sentences


def read_tariff(folder: Path) -> float:
    """Returns the price of the site's electricity, CAD/kWh; 0 if unknown."""
    try:
        energy = load_config(folder / CONFIG_NAME).energy
    except EntraideError:
        return 0.0
    return energy.tariff_cad_per_kwh if energy is not None else 0.0


def _sentence(code: str, coop: str, amounts: Amounts, lang: str, tariff: float) -> str:
    cents = amounts.energy_wh / 1_000 * tariff * 100
    return i18n.text(
        code,
        lang,
        coop=printable(coop),
        jobs=amounts.jobs,
        energy=f"{i18n.decimal(amounts.energy_wh, lang, digits_min=3)}\u00a0Wh",
        carbon=f"{i18n.decimal(amounts.direct_gco2e, lang, digits_min=3)}\u00a0g\u00a0CO2e",
        cents=i18n.decimal(cents, lang, digits_min=2) if tariff else i18n.ABSENT,
    )
