"""Formulas of the fair queue: what its definition and its fast form compute in the same way.

Source: ``docs/concepts/fairness.md``. ``tests/core/fair_queue_definition.py`` is the definition; it
imports these formulas, and the charge of a run (``records.RunCharge``), and nothing else of the
package.
"""

from math import inf
from typing import Protocol, TypeAlias

from msgspec import Struct

from entraide_scheduler.core.estimation import MIN_ANSWERS
from entraide_scheduler.core.policy import ChargeWeights, FairShare
from entraide_scheduler.core.records import Job

OWED, NORMAL, CAPPED = range(3)  # tiers of co-ops; a lower tier is served first

BacklogKind: TypeAlias = tuple[str, str, str]  # model, job class, data class
JobKey: TypeAlias = tuple[bool, float, int, Job]


class CapReached(Struct, frozen=True):
    """Why a job waits for its own co-op's runs: the co-op's tokens in flight are at the cap.

    Attributes:
        in_flight_tokens: prompts and longest answers of the co-op's runs, less tokens produced.
        cap_tokens: upper bound while another co-op waits for the same nodes.
    """

    in_flight_tokens: int
    cap_tokens: int


class RunTotals(Protocol):
    """What the formulas read of a co-op.

    Attributes:
        weight: shares x (1 + credit).
        running: number of its runs.
        answers: runs that ended with an answer; counted up to ``MIN_ANSWERS`` at least.
        in_flight_tokens: prompts and longest answers of its runs, less the tokens produced.
    """

    weight: float
    running: int
    answers: int
    in_flight_tokens: int


def reserved_tokens(job: Job) -> int:
    """Returns a job's prompt and longest answers, which count against its co-op's cap, tokens."""
    facts = job.facts
    return facts.input_tokens_max + job.output_tokens_max * max(1, facts.choices)


def job_key(job: Job) -> JobKey:
    """Returns the key that orders jobs of a class: lost runs, earlier deadline, earlier arrival."""
    deadline_at = job.facts.deadline_at
    return not job.front, inf if deadline_at is None else deadline_at, job.serial, job


def kind_of(job: Job) -> BacklogKind:
    """Returns the kind of a job; a co-op without a waiting job of a kind is lifted for it."""
    return job.shape.model, job.facts.job_class, job.shape.data_class


def fits_cap(coop: RunTotals, job: Job, cap_tokens: int) -> bool:
    """Tells whether a co-op stays within its cap with one more job; a first job always fits."""
    in_flight_tokens = coop.in_flight_tokens
    return not in_flight_tokens or in_flight_tokens + reserved_tokens(job) <= cap_tokens


def head_start(coop: RunTotals, terms: FairShare, charge: ChargeWeights) -> float:
    """Returns how far below the virtual time the counter of a returning co-op may start.

    At most the virtual tokens that the co-op's cap leaves, over its weight, so that the bound of
    ``docs/concepts/fairness.md`` holds. A co-op with runs and fewer than ``MIN_ANSWERS`` ended
    answers gets this maximum: its charges are still guesses, and it is not idle.
    """
    left_tokens = max(0, terms.cap_tokens - coop.in_flight_tokens)
    virtual_tokens_max = charge.output_weight * left_tokens
    if terms.expected_lengths and coop.running and coop.answers < MIN_ANSWERS:
        return virtual_tokens_max / coop.weight
    return min(float(terms.head_start_tokens), virtual_tokens_max) / coop.weight
