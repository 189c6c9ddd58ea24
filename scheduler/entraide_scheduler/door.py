"""The door: what a node may say of itself, checked and put on our clock. Pure.

A node is a member's machine and may be wrong or dishonest. Who it is comes from its identity on
the bus; whose it is and where it stands come from the pool's own record; its numbers must be sane
before the core reckons with them; and its times, on whatever clock it keeps, become ours.
"""

import math

import msgspec

from entraide.types import Basis, EnergyStatus, Loadable, NodeCard, Power, Rates, Replica, Usage
from entraide_scheduler.store.rows import NodeRow

TEXT_MAX = 256
REPLICAS_MAX = 64
LOADABLE_MAX = 256
FEATURES_MAX = 32
SLOTS_MAX = 4_096
CONTEXT_MAX = 16_777_216
POWER_MAX_W = 1_000_000.0
RTT_MAX_S = 60.0
COUNT_MAX = 2**53
LOAD_MAX_S = 604_800.0  # fetching a large model over a slow line takes days at most
ENERGY_LIFE_MAX_S = 86_400.0  # a surplus is not promised for longer


def card_as_known(card: NodeCard, row: NodeRow, *, behind_s: float, now: float) -> NodeCard:
    """Returns a node's card with what the pool knows better than the node.

    Args:
        card: as the node sent it.
        row: the pool's record of it.
        behind_s: our clock minus the node's.
        now: our clock.
    """
    return msgspec.structs.replace(
        card,
        node=row.node,
        coop=row.coop,
        site=row.site,
        zone=row.zone,
        rtt_s=min(max(card.rtt_s, 0.0), RTT_MAX_S),
        energy=energy_on_our_clock(card.energy, behind_s=behind_s, now=now),
    )


def energy_on_our_clock(
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


def energy_changed(known: EnergyStatus | None, new: EnergyStatus | None, now: float) -> bool:
    """Whether the core must hear of a status: it says something else, or lasts much longer.

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


def card_fault(card: NodeCard) -> str:
    """Returns what is insane in a card, or ""."""
    if len(card.replicas) > REPLICAS_MAX:
        return "replicas"
    if len({replica.model for replica in card.replicas}) != len(card.replicas):
        return "replicas.model"
    if not _short(card.agent):
        return "agent"
    if not math.isfinite(card.rtt_s):
        return "rtt_s"
    if _power_fault(card.power) or energy_fault(card.energy):
        return _power_fault(card.power) or energy_fault(card.energy)
    if len(card.loadable) > LOADABLE_MAX or len(card.loading) > LOADABLE_MAX:
        return "loadable"
    if not all(map(_short, card.loading)) or not 0 <= card.models_bytes <= COUNT_MAX:
        return "loading"
    offers = filter(None, map(_loadable_fault, card.loadable))
    return next(filter(None, map(_replica_fault, card.replicas)), "") or next(offers, "")


def energy_fault(energy: EnergyStatus | None) -> str:
    """Returns what is insane in a renewable status, or ""."""
    if energy is None:
        return ""
    if energy.basis not in (Basis.MEASURED, Basis.DECLARED):
        return "energy.basis"
    if not _short(energy.evidence):
        return "energy.evidence"
    if not 0.0 <= energy.surplus_w <= POWER_MAX_W:
        return "energy.surplus_w"
    return "" if _finite(energy.measured_at, energy.expires_at) else "energy.expires_at"


def usage_fault(usage: Usage) -> str:
    """Returns what is insane in a usage report, or ""."""
    counts = {
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "energy_prefill_uwh": usage.energy_prefill_uwh,
        "energy_decode_uwh": usage.energy_decode_uwh,
    }
    for name, count in counts.items():
        if not 0 <= count <= COUNT_MAX:
            return name
    if usage.cached_tokens > usage.input_tokens:
        return "cached_tokens"
    times_fit = _finite(usage.ttft_s, usage.run_s) and min(usage.ttft_s, usage.run_s) >= 0.0
    return "" if times_fit else "run_s"


def _power_fault(power: Power) -> str:
    if not _short(power.device):
        return "power.device"
    return "" if 0.0 <= power.idle_w <= power.active_w <= POWER_MAX_W else "power.active_w"


def _replica_fault(replica: Replica) -> str:
    texts = (replica.model, replica.revision, replica.engine, *replica.features)
    if not replica.model or not all(map(_short, texts)):
        return "replicas.model"
    if len(replica.features) > FEATURES_MAX:
        return "replicas.features"
    if not 1 <= replica.slots <= SLOTS_MAX:
        return "replicas.slots"
    if not 1 <= replica.context_tokens <= CONTEXT_MAX:
        return "replicas.context_tokens"
    return _rates_fault(replica.rates)


def _loadable_fault(offer: Loadable) -> str:
    texts = (offer.model, offer.revision, offer.engine, *offer.features)
    if not offer.model or not all(map(_short, texts)) or len(offer.features) > FEATURES_MAX:
        return "loadable.model"
    if not (1 <= offer.slots <= SLOTS_MAX and 1 <= offer.context_tokens <= CONTEXT_MAX):
        return "loadable.context_tokens"
    sizes = 0 <= offer.memory_bytes <= COUNT_MAX and 0 <= offer.fetch_bytes <= COUNT_MAX
    return "" if sizes and 0.0 <= offer.load_s <= LOAD_MAX_S else "loadable.memory_bytes"


def _rates_fault(rates: Rates) -> str:
    finite = _finite(rates.prefill_tokens_per_s, rates.tpot_base_s, rates.tpot_per_sequence_s)
    positive = rates.prefill_tokens_per_s > 0.0 and rates.tpot_base_s >= 0.0
    if finite and positive and rates.tpot_base_s + rates.tpot_per_sequence_s > 0.0:
        return "" if rates.tpot_per_sequence_s >= 0.0 else "replicas.rates"
    return "replicas.rates"


def _finite(*values: float) -> bool:
    return all(map(math.isfinite, values))


def _short(text: str) -> bool:
    return len(text) <= TEXT_MAX
