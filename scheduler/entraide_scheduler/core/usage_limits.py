"""Usage limits: how far a node's report of a run is believed, by the run's lease alone.

A lease grants tokens, and its machine can draw so much power: 1.5 times the peak that the hardware
catalogue gives for its device, over the run's time by the scheduler's clock. What a report says
beyond that is not billed: the least of the grant, the report and the pool's own estimate is. Nor
does a report take back output tokens that the run's progress had shown. It refuses to know what
becomes of the node.
"""

import msgspec
from msgspec import Struct

from entraide.types import Basis, Usage
from entraide.units import uwh_from_joules
from entraide_scheduler.core.amount_limits import ENERGY_MAX_UWH, clamp_amount

ENERGY_FACTOR = 1.5  # of the catalogue's peak power: a meter, a power supply and a clock may stray

INPUT = "report_input_tokens"
OUTPUT = "report_output_tokens"
ENERGY = "report_energy"
TOKEN_CODES = frozenset({INPUT, OUTPUT})


class UsageGrant(Struct, frozen=True):
    """The most that a run may have used.

    Attributes:
        input_tokens, output_tokens: of all its answers.
        energy_uwh: of its machine.
    """

    input_tokens: int
    output_tokens: int
    energy_uwh: int = ENERGY_MAX_UWH


class UsageEstimate(Struct, frozen=True):
    """What the pool itself expects of a run's tokens, from bytes; None where it knows nothing."""

    input_tokens: int | None = None
    output_tokens: int | None = None


def energy_limit_uwh(peak_w: float, run_s: float) -> int:
    """Returns the most energy that a machine can have used in a time, microwatt-hours.

    Args:
        peak_w: its peak by the catalogue; 0 where nobody knows.
        run_s: the time.
    """
    if peak_w <= 0.0:
        return ENERGY_MAX_UWH
    most_uwh = uwh_from_joules(ENERGY_FACTOR * peak_w * max(0.0, run_s))
    return clamp_amount(most_uwh, ENERGY_MAX_UWH)


def limit_usage(
    usage: Usage, grant: UsageGrant, estimate: UsageEstimate
) -> tuple[Usage, tuple[str, ...]]:
    """Returns what is billed of a report, and the stable codes of what went beyond the grant.

    Args:
        usage: as reported, no count below zero.
        grant: of the lease.
        estimate: counts where the report is beyond the grant.
    """
    codes = []
    changes: dict[str, int | Basis] = {}
    if usage.input_tokens > grant.input_tokens:
        codes.append(INPUT)
        changes["input_tokens"] = _least(grant.input_tokens, estimate.input_tokens)
    if usage.output_tokens > grant.output_tokens:
        codes.append(OUTPUT)
        changes["output_tokens"] = _least(grant.output_tokens, estimate.output_tokens)
    if changes:
        input_tokens = changes.get("input_tokens", usage.input_tokens)
        assert isinstance(input_tokens, int)
        changes["cached_tokens"] = min(usage.cached_tokens, input_tokens)
        changes["counted"] = Basis.ESTIMATED
    energy_uwh = usage.energy_prefill_uwh + usage.energy_decode_uwh
    if energy_uwh > grant.energy_uwh:
        codes.append(ENERGY)
        prefill_uwh = usage.energy_prefill_uwh * grant.energy_uwh // energy_uwh
        changes["energy_prefill_uwh"] = prefill_uwh
        changes["energy_decode_uwh"] = grant.energy_uwh - prefill_uwh
        changes["energy_basis"] = Basis.ESTIMATED
    return (msgspec.structs.replace(usage, **changes) if changes else usage), tuple(codes)


def no_less_than_shown(usage: Usage, shown_tokens: int) -> Usage:
    """Returns a report with at least the output tokens that the run's progress had shown.

    Args:
        usage: within its grant.
        shown_tokens: the most output tokens of any progress, within the grant too.
    """
    if usage.output_tokens >= shown_tokens:
        return usage
    return msgspec.structs.replace(usage, output_tokens=shown_tokens, counted=Basis.ESTIMATED)


def _least(granted: int, estimated: int | None) -> int:
    return granted if estimated is None else min(granted, estimated)
