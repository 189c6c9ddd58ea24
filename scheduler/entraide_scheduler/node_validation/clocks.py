"""Clocks: converts a node's times to the scheduler's clock, and overrides fields of its card.

Pure functions on values that ``check`` has accepted.
"""

import msgspec

from entraide.types import EnergyStatus, NodeCard
from entraide_scheduler.store.rows import NodeRow

# Fields that the record decides.
RECORDED = ("node", "coop", "site", "zone", "controlled_by", "surplus_evidence")
ENERGY_LIFE_MAX_S = 86_400.0  # maximum validity of a declared surplus


def apply_pool_record(card: NodeCard, row: NodeRow, *, behind_s: float, now: float) -> NodeCard:
    """Returns a node's card with what the pool's record says, whatever the node says.

    Identity, key, co-op, site, zone, control and evidence are the record's. Of the data classes
    that the owner offers, those remain that the operator vouched for, if the record has any.

    Args:
        card: card from the node.
        row: the pool's record of the node.
        behind_s: the scheduler's clock minus the node's, seconds.
        now: the scheduler's clock, seconds since the epoch.
    """
    return msgspec.structs.replace(
        card,
        node=row.node,
        node_key=row.public_key,
        coop=row.coop,
        site=row.site,
        zone=row.zone,
        controlled_by=row.controlled_by,
        surplus_evidence=row.surplus_evidence,
        data_classes=tuple(
            offered
            for offered in card.data_classes
            if not row.data_classes or offered in row.data_classes
        ),
        energy=convert_energy_times(card.energy, behind_s=behind_s, now=now),
    )


def find_contradictions(card: NodeCard, row: NodeRow) -> tuple[str, ...]:
    """Returns the fields in which a node's card says something else than the pool's record.

    A field that the card leaves empty says nothing.
    """
    return tuple(name for name in RECORDED if getattr(card, name) not in ("", getattr(row, name)))


def convert_energy_times(
    energy: EnergyStatus | None, *, behind_s: float, now: float
) -> EnergyStatus | None:
    """Returns a site's renewable status with its times on the scheduler's clock."""
    if energy is None:
        return None
    return msgspec.structs.replace(
        energy,
        measured_at=min(energy.measured_at + behind_s, now),
        expires_at=min(energy.expires_at + behind_s, now + ENERGY_LIFE_MAX_S),
    )


def has_energy_changed(known: EnergyStatus | None, new: EnergyStatus | None, now: float) -> bool:
    """Whether a status must be fed to the core: it differs, or has twice the validity left.

    Otherwise an agent that measures the same value each second would cause an event each second.
    """
    if known is None or new is None:
        return known is not new
    renewed = msgspec.structs.replace(
        new, measured_at=known.measured_at, expires_at=known.expires_at
    )
    return renewed != known or known.expires_at - now < (new.expires_at - now) / 2
