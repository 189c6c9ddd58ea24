"""Hardware: what an engine is made of, and one run on it.

Decides nothing: it is the vocabulary of ``engine``, which says what becomes of a run.
"""

from typing import Any

from msgspec import Struct

from entraide.types import Rates
from entraide_sim.thermal import ThermalModel


class Run(Struct, gc=False, eq=False):
    """One job on one machine.

    Attributes:
        job, epoch: the lease.
        input_tokens, cached_tokens: of the prompt; cached ones need no prefill.
        output_tokens: how long its answer will be.
        output_tokens_max: how long it may be: what memory is kept for.
        received_at, first_at: seconds; ``first_at`` is 0 before the first token.
        produced_tokens: output tokens, when it is over (``Engine.produced_tokens`` tells before).
        prefill_j, decode_j, wake_j, carbon_g: what it has used.
        cancelled: whether it was cancelled, or given back.
        given_back: whether its node's owner wants the machine.
        payload: whatever the caller wants to find again.
    """

    job: str
    epoch: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    output_tokens_max: int
    received_at: float
    payload: Any = None
    first_at: float = 0.0
    produced_tokens: int = 0
    prefill_j: float = 0.0
    decode_j: float = 0.0
    wake_j: float = 0.0
    carbon_g: float = 0.0
    cancelled: bool = False
    given_back: bool = False
    prefill_left_tokens: int = 0  # prompt tokens to prefill
    first_token_step: int = 0  # step at whose end its first token came
    joined_sum_j: float = 0.0  # the batch's sums when it joined
    joined_sum_g: float = 0.0


class Hardware(Struct, frozen=True):
    """What an engine is made of.

    Attributes:
        rates: true speed.
        slots: sequences at once.
        chunk_tokens: most prompt tokens in one step.
        pool_tokens: KV memory, tokens.
        prefill_j: energy of one prompt token, joules.
        decode_j: energy of one token by the size of the batch, joules.
        wake_s, wake_j: time and energy to wake the machine.
        sleep_after_s: how long it rests before it sleeps, if it sleeps at all.
        alone_s: what a step takes beside its prompt while nobody is in the batch.
        steps_s: what a step takes beside prompts by the size of the batch, from 0 to as many as
            there are slots; empty where that is the line of its rates, and ``alone_s``.
        mixed_s: what reading prompts adds to a step of a batch, beside their tokens.
        settle_s: what the first step of a batch takes more when a prompt was read in the one
            before it.
        batches_prefill: whether prompts that wait at the same time are read in one step, as far as
            that holds them; else one after the other.
        thermal: of a machine that slows down when it is warm.
        throttled: what it is then; None where it never slows down.
    """

    rates: Rates
    slots: int
    chunk_tokens: int
    pool_tokens: int
    prefill_j: float
    decode_j: tuple[float, ...]
    wake_s: float = 0.0
    wake_j: float = 0.0
    sleep_after_s: float = 0.0
    alone_s: float = 0.0
    steps_s: tuple[float, ...] = ()
    mixed_s: float = 0.0
    settle_s: float = 0.0
    batches_prefill: bool = False
    thermal: ThermalModel | None = None
    throttled: "Hardware | None" = None

    def step_s(self, batch: int) -> float:
        """Returns what a step takes beside prompts, seconds."""
        if self.steps_s:
            return self.steps_s[batch]
        if not batch:
            return self.alone_s
        return self.rates.tpot_base_s + self.rates.tpot_per_sequence_s * batch
