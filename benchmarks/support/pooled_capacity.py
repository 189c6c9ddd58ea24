"""Pooled capacity: the work that would overflow if machines were one and shared all work.

Machines hold as many sequences as they have slots, share them equally at every moment, and pass on
requests that find no slot: at once, which is about the best that placement without queueing can do
under bursts; or after a waiting time, which is about the best that any placement can do. A batch of
b sequences decodes at the pace of its steps, ``t0 + t1 b``, so a machine that is not full does not
work at its full rate.
"""

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from math import inf

from benchmarks.support.devices import Device
from benchmarks.support.sampled_loads import WorkModel

from entraide_sim import Arrival


def batch_rate(batch: float, device: Device, slots: int) -> float:
    """Returns the work rate of a machine with a batch, relative to a full batch."""
    step = device.rates
    return (
        batch
        * (step.tpot_base_s + step.tpot_per_sequence_s * slots)
        / (slots * (step.tpot_base_s + step.tpot_per_sequence_s * batch))
    )


def overflow_part(
    arrivals: Iterable[Arrival],
    work: WorkModel,
    device: Device,
    *,
    machines: int,
    slots: int,
    patience_s: float = 0.0,
    counts: Callable[[float], bool] = lambda _: True,
) -> float:
    """Returns the part of the counted work that overflows.

    Processor sharing in virtual time: each sequence gets an equal part of the total rate.

    Args:
        arrivals: in order of time.
        work: of a request, seconds of a full machine.
        device: of the machines.
        machines: number of machines.
        slots: maximum batch size of each machine.
        patience_s: maximum waiting time for a slot.
        counts: whether a request counts, by its arrival time.
    """
    done_s = at = whole_s = passed_s = 0.0
    ends: list[float] = []  # in what has been done of each sequence since the beginning
    line: deque[tuple[float, float, float]] = deque()  # until when; its work; what of it counts

    def work_until(moment: float) -> None:
        nonlocal done_s, at, passed_s
        while ends:
            each = machines * batch_rate(len(ends) / machines, device, slots) / len(ends)
            until = at + (ends[0] - done_s) / each
            if until > moment:
                done_s += (moment - at) * each
                break
            done_s, at = heappop(ends), until
            while line and line[0][0] < at:
                passed_s += line.popleft()[2]
            if line:
                heappush(ends, done_s + line.popleft()[1])
        at = max(at, moment) if moment < inf else at

    for arrival in arrivals:
        work_until(arrival.at_s)
        needed_s = work(arrival.input_tokens, arrival.output_tokens)
        counted_s = needed_s if counts(arrival.at_s) else 0.0
        whole_s += counted_s
        if len(ends) < machines * slots:
            heappush(ends, done_s + needed_s)
        elif patience_s > 0.0:
            line.append((arrival.at_s + patience_s, needed_s, counted_s))
        else:
            passed_s += counted_s
    work_until(inf)
    return passed_s / whole_s
