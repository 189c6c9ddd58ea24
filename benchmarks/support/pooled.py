"""Pooled: what would be passed on if machines were one, shared all work, and nobody waited.

Decides how much work finds no slot when the machines of some places hold as many sequences as they
have slots, share them evenly at every moment, and pass on at once whatever comes beyond: about the
best that placement without waiting can do under bursts. A batch of b sequences decodes at the pace
of its steps, t0 + t1 b, so a machine that is not full does not work at full rate. It refuses to
know zones, promises and the grid.
"""

from collections.abc import Iterable
from heapq import heappop, heappush

from benchmarks.support.devices import Device
from benchmarks.support.loads import Work

from entraide_sim import Arrival


def rate(batch: float, device: Device, slots: int) -> float:
    """Returns how fast a machine works with a batch, as a part of what it does when it is full."""
    step = device.rates
    return (
        batch
        * (step.tpot_base_s + step.tpot_per_sequence_s * slots)
        / (slots * (step.tpot_base_s + step.tpot_per_sequence_s * batch))
    )


def passed_on_part(
    arrivals: Iterable[Arrival], work: Work, device: Device, *, machines: int, slots: int
) -> float:
    """Returns the part of the work that comes when every slot is taken.

    Processor sharing in virtual time: each sequence gets an even part of what all machines do.

    Args:
        arrivals: in order of time.
        work: of a request, seconds of a full machine.
        device: what the machines are.
        machines: how many share the work.
        slots: sequences that each holds at most.
    """
    done_s = at = whole_s = passed_s = 0.0
    ends: list[float] = []  # in what has been done of each sequence since the beginning
    for one in arrivals:
        while ends:
            each = machines * rate(len(ends) / machines, device, slots) / len(ends)
            until = at + (ends[0] - done_s) / each
            if until > one.at_s:
                done_s += (one.at_s - at) * each
                break
            done_s, at = heappop(ends), until
        at = one.at_s
        needed_s = work(one.input_tokens, one.output_tokens)
        whole_s += needed_s
        if len(ends) < machines * slots:
            heappush(ends, done_s + needed_s)
        else:
            passed_s += needed_s
    return passed_s / whole_s
