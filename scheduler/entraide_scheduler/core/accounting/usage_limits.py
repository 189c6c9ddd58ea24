"""Usage limits: bounds a node's usage report by the grant of the run's lease.

A lease grants input and output tokens. The machine's energy is bounded by 1.5 times the peak power
of its device in the hardware catalogue, times the run's duration by the scheduler's clock. Where a
report exceeds its grant, the lower of the grant and the pool's own estimate is billed. A report
never lowers the output tokens that the run's progress messages had shown.
"""

import msgspec
from msgspec import Struct

from entraide.types import Basis, Usage
from entraide.units import uwh_from_joules
from entraide_scheduler.core.accounting.amount_limits import ENERGY_MAX_UWH, clamp_amount
from entraide_scheduler.core.accounting.resumed_usage import limit_reasoning

ENERGY_FACTOR = 1.5  # times the catalogue's peak power: tolerance of meter, power supply and clock

INPUT = "report_input_tokens"
OUTPUT = "report_output_tokens"
ENERGY = "report_energy"
TOKEN_CODES = frozenset({INPUT, OUTPUT})


class UsageGrant(Struct, frozen=True):
    """Largest usage that a run's lease allows.

    Attributes:
        input_tokens, output_tokens: summed over all choices.
        energy_uwh: energy of the machine, microwatt-hours.
        may_reuse: whether a part of the prompt may have been in a kept state.
    """

    input_tokens: int
    output_tokens: int
    energy_uwh: int = ENERGY_MAX_UWH
    may_reuse: bool = True


class UsageEstimate(Struct, frozen=True):
    """The pool's own token counts of a run, estimated from bytes; None where unknown."""

    input_tokens: int | None = None
    output_tokens: int | None = None


def energy_limit_uwh(peak_w: float, run_s: float) -> int:
    """Returns the upper bound of a machine's energy over a duration, microwatt-hours.

    Args:
        peak_w: peak power by the hardware catalogue, watts; 0 where unknown.
        run_s: duration, seconds.
    """
    if peak_w <= 0.0:
        return ENERGY_MAX_UWH
    limit_uwh = uwh_from_joules(ENERGY_FACTOR * peak_w * max(0.0, run_s))
    return clamp_amount(limit_uwh, ENERGY_MAX_UWH)


def limit_usage(
    usage: Usage, grant: UsageGrant, estimate: UsageEstimate
) -> tuple[Usage, tuple[str, ...]]:
    """Returns the usage to bill, and the stable codes of the fields that exceeded the grant.

    Args:
        usage: the report; no count is negative.
        grant: largest usage that the lease allows.
        estimate: bounds the tokens where the report exceeds the grant.
    """
    codes = []
    changes: dict[str, int | Basis] = {}
    if usage.input_tokens > grant.input_tokens:
        codes.append(INPUT)
        changes["input_tokens"] = _lower_of(grant.input_tokens, estimate.input_tokens)
    if usage.output_tokens > grant.output_tokens:
        codes.append(OUTPUT)
        changes["output_tokens"] = _lower_of(grant.output_tokens, estimate.output_tokens)
    if changes:
        input_tokens = changes.get("input_tokens", usage.input_tokens)
        assert isinstance(input_tokens, int)
        changes["cached_tokens"] = min(usage.cached_tokens, input_tokens)
        changes["counted"] = Basis.ESTIMATED
    if usage.cached_tokens and not grant.may_reuse:
        changes["cached_tokens"] = 0
    energy_uwh = usage.energy_prefill_uwh + usage.energy_decode_uwh
    if energy_uwh > grant.energy_uwh:
        codes.append(ENERGY)
        prefill_uwh = usage.energy_prefill_uwh * grant.energy_uwh // energy_uwh
        changes["energy_prefill_uwh"] = prefill_uwh
        changes["energy_decode_uwh"] = grant.energy_uwh - prefill_uwh
        changes["energy_basis"] = Basis.ESTIMATED
    limited = msgspec.structs.replace(usage, **changes) if changes else usage
    return limit_reasoning(limited), tuple(codes)


def raise_to_shown(usage: Usage, shown_tokens: int) -> Usage:
    """Raises a report's output tokens to the count that progress messages had shown.

    Args:
        usage: the report, within its grant.
        shown_tokens: largest count in any progress message, also within the grant.
    """
    if usage.output_tokens >= shown_tokens:
        return usage
    return msgspec.structs.replace(usage, output_tokens=shown_tokens, counted=Basis.ESTIMATED)


def _lower_of(granted: int, estimated: int | None) -> int:
    return granted if estimated is None else min(granted, estimated)
