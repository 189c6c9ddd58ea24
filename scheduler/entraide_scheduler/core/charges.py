"""Bills: what one run is charged in the fair share, from its dispatch to its end.

A bill is reckoned to the end in the terms under which it began: a change of shares, credit or
prices counts for later runs, and what is given back is what was taken. It refuses to know lines.
"""

from msgspec import Struct

from entraide_scheduler.core.own_kinds import OwnKind


class RunCharge(Struct, eq=False, gc=False):
    """What the fair queue knows of one run; a lease keeps it.

    Attributes:
        coop, project, job_class: who is charged.
        input_weight, output_weight: virtual tokens per token.
        coop_weight, class_weight: by which the charge is divided on these two levels; projects of
            a co-op weigh alike.
        input_tokens: prompt tokens charged.
        expected_tokens: of the answer, committed at dispatch; 0 once the run is over.
        reserved_tokens: prompt and longest answer, which counted in flight at dispatch; 0 once the
            run is over.
        output_tokens: produced so far, and charged.
        own: the kind of its co-op's own replicas on which it is booked; None while none could run
            it, and when it is over.
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
        """Returns what the run may still hold of its co-op's cap."""
        return max(0, self.reserved_tokens - self.output_tokens)

    def committed(self) -> float:
        """Returns what is charged and expected, virtual tokens."""
        output_tokens = max(self.output_tokens, self.expected_tokens)
        return self.input_weight * self.input_tokens + self.output_weight * output_tokens

    def charged(self) -> float:
        """Returns what is charged by now, virtual tokens."""
        return self.input_weight * self.input_tokens + self.output_weight * self.output_tokens
