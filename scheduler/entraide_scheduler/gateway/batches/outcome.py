"""Outcome: what is expected of a batch, and what it used and saved in the end. Pure.

*Saved* is the energy of the settled lines times the intensity that the forecast expected at once
when the batch began, less the grams settled. So it compares the same energy, and a forecast that
was wrong does not count as a saving of the batch's own making.
"""

from msgspec import Struct

from entraide.decoding import decode_msgpack
from entraide.units import UG_PER_G, UWH_PER_WH
from entraide_scheduler.core.carbon import BatchExpectation
from entraide_scheduler.core.policy import IntensityBasis
from entraide_scheduler.store.batches import SettledAmount, SettledTokens

# Errors of lines whose deadline came first.
EXPIRED_CODES = frozenset({"batch_expired", "deadline_exceeded", "deadline_passed"})


class Expected(Struct, frozen=True):
    """What was expected of a batch.

    Attributes:
        at, now: when it was last asked, seconds since the epoch, and of the lines left then.
        first: of all lines, when the batch began.
    """

    at: float
    now: BatchExpectation
    first: BatchExpectation


class BatchOutcome(Struct, frozen=True):
    """What the settled lines of a batch used.

    Attributes:
        lines: number of settled jobs.
        tokens: of prompts and answers.
        energy_uwh: energy, microwatt-hours.
        carbon_direct_ug, carbon_lifecycle_ug: emissions, micrograms of CO2 equivalent.
        at_once_g_per_kwh: mean intensity that was expected at once when the batch began; None if
            nothing was expected.
        saved_g: grams that waiting saved, negative if it cost more; None likewise.
        used_g: grams that are compared, by the policy's basis.
        input_tokens, cached_tokens, output_tokens: parts of ``tokens``; cached ones are input, too.
        reasoning_tokens: the models' thoughts, a part of the output.
    """

    lines: int
    tokens: int
    energy_uwh: int
    carbon_direct_ug: int
    carbon_lifecycle_ug: int
    at_once_g_per_kwh: float | None = None
    saved_g: float | None = None
    used_g: float = 0.0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


def read_expected(encoded: bytes) -> Expected | None:
    """Returns what was expected of a batch; None if nothing was yet."""
    return decode_msgpack(encoded, type=Expected) if encoded else None


def make_outcome(used: SettledAmount, tokens: SettledTokens, encoded: bytes) -> BatchOutcome:
    """Returns the outcome of a batch.

    Args:
        used: sums of its settled lines.
        tokens: theirs.
        encoded: what was expected of it; empty if nothing was.
    """
    expected = read_expected(encoded)
    if expected is None:
        return BatchOutcome(*used, **tokens._asdict())
    first = expected.first
    is_lifecycle = first.basis is IntensityBasis.LIFECYCLE
    used_ug = used.carbon_lifecycle_ug if is_lifecycle else used.carbon_direct_ug
    used_g = used_ug / UG_PER_G
    at_once_g = used.energy_uwh / UWH_PER_WH * first.at_once_g_per_kwh / 1_000.0
    return BatchOutcome(
        *used,
        at_once_g_per_kwh=first.at_once_g_per_kwh,
        saved_g=at_once_g - used_g,
        used_g=used_g,
        **tokens._asdict(),
    )
