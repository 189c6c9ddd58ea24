"""Outcome: what a batch used in the end, and what waiting for greener hours saved. Pure."""

from msgspec import Struct

from entraide_scheduler.store.batches import SettledAmount

# Errors of lines whose deadline came first.
EXPIRED_CODES = frozenset({"batch_expired", "deadline_exceeded", "deadline_passed"})


class BatchOutcome(Struct, frozen=True):
    """What the settled lines of a batch used.

    Attributes:
        lines: number of settled jobs.
        tokens: of prompts and answers.
        energy_uwh: energy, microwatt-hours.
        carbon_direct_ug, carbon_lifecycle_ug: emissions, micrograms of CO2 equivalent.
    """

    lines: int
    tokens: int
    energy_uwh: int
    carbon_direct_ug: int
    carbon_lifecycle_ug: int


def make_outcome(used: SettledAmount, expected: bytes) -> BatchOutcome:
    """Returns the outcome of a batch.

    Args:
        used: sums of its settled lines.
        expected: what was expected of it, encoded; empty if nothing was.
    """
    del expected
    return BatchOutcome(*used)
