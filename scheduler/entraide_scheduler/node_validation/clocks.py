"""Clocks: a node's times on the scheduler's clock, and its card with what the pool knows better.

Pure functions on values that ``check`` has accepted.
"""

import msgspec

from entraide.types import EnergyStatus, NodeCard
from entraide_scheduler.store.rows import NodeRow

ENERGY_LIFE_MAX_S = 86_400.0  # a surplus is not promised for longer


def card_as_known(card: NodeCard, row: NodeRow, *, behind_s: float, now: float) -> NodeCard:
    """Returns a node's card with what the pool knows better than the node.

    Args:
        card: as the node sent it.
        row: the pool's record of it.
        behind_s: the scheduler's clock minus the node's.
        now: the scheduler's clock.
    """
    return msgspec.structs.replace(
        card,
        node=row.node,
        coop=row.coop,
        site=row.site,
        zone=row.zone,
        energy=energy_on_scheduler_clock(card.energy, behind_s=behind_s, now=now),
    )


def energy_on_scheduler_clock(
    energy: EnergyStatus | None, *, behind_s: float, now: float
) -> EnergyStatus | None:
    """Returns a site's renewable status with its times on our clock, never from the future."""
    if energy is None:
        return None
    return msgspec.structs.replace(
        energy,
        measured_at=min(energy.measured_at + behind_s, now),
        expires_at=min(energy.expires_at + behind_s, now + ENERGY_LIFE_MAX_S),
    )


def has_energy_changed(known: EnergyStatus | None, new: EnergyStatus | None, now: float) -> bool:
    """Whether the core must learn of a status: it says something else, or lasts much longer.

    An agent that measures the same each second would otherwise make an event each second.
    """
    if known is None or new is None:
        return known is not new
    same = (known.surplus_w, known.basis, known.evidence) == (
        new.surplus_w,
        new.basis,
        new.evidence,
    )
    return not same or known.expires_at - now < (new.expires_at - now) / 2
