"""Resumed usage: what each run of a resumed answer is billed for. Pure; core and gateway share it.

The prompt is billed once, to the first run: a later run reads it again, with the text that the
client already has, and that is in no bill. An earlier run is billed for the output tokens that the
client has of it, whatever else it computed.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from entraide.types import Basis, Usage


class DeliveredRun(Struct, frozen=True, gc=False):
    """A run that was lost in mid-answer.

    Attributes:
        usage: as reported, within its lease; else estimated.
        delivered_tokens: output tokens that the client has of it.
    """

    usage: Usage
    delivered_tokens: int


def bill_resumed(earlier: Sequence[DeliveredRun], last: Usage | None) -> tuple[Usage, ...]:
    """Returns the usage to bill for each run of an answer, in order.

    Args:
        earlier: the runs before the last, oldest first; one at least.
        last: usage of the run that ended the answer; None if the answer ended between two runs.

    If the first run's prompt was estimated, its tokens are those that the last run's engine read
    less those of the answer.
    """
    first = earlier[0].usage
    prompt, cached = first.input_tokens, first.cached_tokens
    if last is not None and first.counted is not Basis.MEASURED:
        answered = sum(run.delivered_tokens for run in earlier)
        prompt, cached = max(0, last.input_tokens - answered), 0
    billed = [
        replace(cut_output(run.usage, run.delivered_tokens), input_tokens=0, cached_tokens=0)
        for run in earlier
    ]
    billed[0] = replace(billed[0], input_tokens=prompt, cached_tokens=cached)
    if last is not None:
        billed.append(replace(last, input_tokens=0, cached_tokens=0))
    return tuple(billed)


def cut_output(usage: Usage, tokens: int) -> Usage:
    """Returns a run's usage with the delivered tokens only.

    Reported energy was used and stays; energy that was estimated by tokens follows them, but never
    exceeds the estimate, which keeps the limit of the run's lease.
    """
    decode_uwh = usage.energy_decode_uwh
    if usage.counted is not Basis.MEASURED and usage.output_tokens:
        decode_uwh = decode_uwh * min(tokens, usage.output_tokens) // usage.output_tokens
    cut = replace(usage, output_tokens=tokens, energy_decode_uwh=decode_uwh)
    return limit_reasoning(cut)


def limit_reasoning(usage: Usage) -> Usage:
    """Returns a usage whose thought has no more tokens than its output."""
    most = usage.output_tokens
    return usage if usage.reasoning_tokens <= most else replace(usage, reasoning_tokens=most)
