"""Hardware: parameters of an engine, and the state of one run on it. Data only; see ``engine``."""

from typing import Any

from msgspec import Struct

from entraide.types import Rates
from entraide_sim.machines.thermal import ThermalModel


class Run(Struct, gc=False, eq=False):
    """One run of a job on a machine.

    Attributes:
        job, epoch: identify the lease.
        input_tokens, cached_tokens: of the prompt; cached ones need no prefill.
        output_tokens: true length of the answer.
        output_tokens_max: maximum length, for which memory is reserved.
        received_at, first_at: seconds; ``first_at`` is 0 before the first token.
        produced_tokens: output tokens, when it is over (``Engine.produced_tokens`` tells before).
        prefill_j, decode_j, wake_j, carbon_g: energy and emissions.
        cancelled: whether it was cancelled, or ended before its time.
        fails_with: code with which it was ended; "" if it was not.
        begun_tokens: output tokens before it came to this engine; their prompt is read.
        payload: object of the caller.
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
    fails_with: str = ""
    begun_tokens: int = 0
    prefill_left_tokens: int = 0  # prompt tokens to prefill
    first_token_step: int = 0  # step at whose end its first token came
    joined_sum_j: float = 0.0  # the batch's sums when it joined
    joined_sum_g: float = 0.0


class EngineParameters(Struct, frozen=True):
    """Parameters of an engine.

    Attributes:
        rates: true speed.
        slots: maximum batch size.
        chunk_tokens: maximum number of prompt tokens in one step.
        pool_tokens: KV cache capacity, tokens.
        prefill_j: energy per prompt token, joules.
        decode_j: energy per output token by batch size, joules.
        wake_s, wake_j: time and energy to wake the machine.
        sleep_after_s: idle time before it sleeps, if it has a wake time or energy.
        alone_s: duration of a step with an empty batch, without its prompt tokens.
        steps_s: duration of a step without prefill by batch size, from 0 to ``slots``; empty to
            compute it from the rates and ``alone_s``.
        mixed_s: time that prefill adds to a step with a batch, beside its tokens.
        settle_s: time added to the first decode step after a step with prefill.
        batches_prefill: whether one step prefills several waiting prompts; otherwise one by one.
        thermal: of a machine that throttles.
        throttled: parameters while throttled; None if it never throttles.
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
    throttled: "EngineParameters | None" = None

    def step_s(self, batch: int) -> float:
        """Returns the duration of a step without prefill, seconds."""
        if self.steps_s:
            return self.steps_s[batch]
        if not batch:
            return self.alone_s
        return self.rates.tpot_base_s + self.rates.tpot_per_sequence_s * batch
