"""Charges: the virtual tokens that one run is charged in the fair share, from dispatch to end.

A charge keeps the weights and prices under which the run began: a change of shares, credit or
prices applies to later runs only, and a refund equals the charge.
"""

from msgspec import Struct

from entraide_scheduler.core.records.own_kinds import OwnKind


class RunCharge(Struct, eq=False, gc=False):
    """Charge of one run; its lease stores it.

    Attributes:
        coop, project, job_class: the counters that are charged.
        input_weight, output_weight: virtual tokens per prompt token and per answer token.
        coop_weight, class_weight: divisors of the charge on these levels; projects have weight 1.
        input_tokens: prompt tokens charged.
        expected_tokens: expected answer tokens, committed at dispatch; 0 after the run.
        reserved_tokens: prompt and longest answer, in flight at dispatch; 0 after the run.
        output_tokens: tokens produced and charged.
        own: kind of the co-op's own replicas on which the run is booked; None if no kind can run
            it, and after the run.
    """

    coop: str
    project: str
    job_class: str
    input_weight: float
    output_weight: float
    coop_weight: float
    class_weight: float
    input_tokens: int
    expected_tokens: int
    reserved_tokens: int
    output_tokens: int = 0
    own: OwnKind | None = None

    def in_flight_tokens(self) -> int:
        """Returns the tokens that the run counts against its co-op's cap."""
        left_tokens = self.reserved_tokens - self.output_tokens
        return left_tokens if left_tokens > 0 else 0

    def committed(self) -> float:
        """Returns the charged and expected virtual tokens."""
        produced, expected = self.output_tokens, self.expected_tokens
        output_tokens = expected if expected > produced else produced
        return self.input_weight * self.input_tokens + self.output_weight * output_tokens

    def charged(self) -> float:
        """Returns the virtual tokens charged so far."""
        return self.input_weight * self.input_tokens + self.output_weight * self.output_tokens
