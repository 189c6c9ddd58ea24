"""Sampled loads: a week and a day of published traces, reduced to what a benchmark can run.

The load is scaled so that the expected work of the heaviest hour is a given part of a fleet. Of
every hour only a *sample* is simulated: some seconds from the half hour on, at the trace's own
pace. Requests of some seconds before it, the *lead-in*, are served but not counted, so that a
sample starts with busy engines. Queues, bursts and batches are those of a pool in operation, every
hour has its intensity, and only the number of requests is smaller.

Work is measured in seconds of a machine with a full batch.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import msgspec
from benchmarks.support.common import data_path
from benchmarks.support.devices import Device
from msgspec import Struct

from entraide_sim import (
    Arrival,
    LengthDistribution,
    RateWindow,
    read_azure,
    read_servegen,
    repeat_trace,
)
from entraide_sim.workload.servegen import LENGTH_WINDOW_S, ServeGenClient, generate_servegen

HOUR_S = 3_600.0
SAMPLE_BEGIN_S = 1_800.0  # in every hour
LEAD_S = 10.0  # lead-in: about five mean answers of an RTX 4090 with a full batch
AZURE = "traces/azure_llm_2023_conv_first40min.csv"
AZURE_PERIOD_S = 2_400.0  # length of the published part


class Load(Struct, frozen=True):
    """A sampled load.

    Attributes:
        name: of the load.
        hours: number of hours.
        machines: of the fleet for which it is scaled.
        sample_s: duration of the sample of each hour.
        arrivals: in order of time, seconds from the start; lead-ins included.
        work_s: work that arrives in each hour's sample, machine-seconds.
        mean_s: mean expected work of an hour's sample, machine-seconds.
    """

    name: str
    hours: int
    machines: int
    sample_s: float
    arrivals: tuple[Arrival, ...]
    work_s: tuple[float, ...]
    mean_s: float

    def counted_arrivals(self) -> tuple[Arrival, ...]:
        """Returns the arrivals of the samples, without those of the lead-ins."""
        return tuple(arrival for arrival in self.arrivals if is_counted(arrival.at_s))


def sampled_hours(load: Load) -> int:
    """Returns how many hours of a load have a sample."""
    return len({int(arrival.at_s // HOUR_S) for arrival in load.arrivals})


def is_counted(at_s: float) -> bool:
    """Returns whether a moment lies in a sample, and not in its lead-in."""
    return at_s % HOUR_S >= SAMPLE_BEGIN_S


WorkModel = Callable[
    [Any, Any], Any
]  # from prompt and answer tokens (numbers or columns) to machine-seconds


def work_model(device: Device, slots: int) -> WorkModel:
    """Returns the work model of a device with a full batch.

    The first token comes with the prompt.
    """
    rates = device.rates
    token_s = (rates.tpot_base_s + rates.tpot_per_sequence_s * slots) / slots
    prompt_s = 1.0 / rates.prefill_tokens_per_s
    return lambda input_tokens, output_tokens: (
        input_tokens * prompt_s + (output_tokens - 1.0) * token_s
    )


def work_by_hour(arrivals: Iterable[Arrival], work: WorkModel, *, hours: int) -> tuple[float, ...]:
    """Returns the work that arrives in each hour."""
    sums = [0.0] * hours
    for arrival in arrivals:
        sums[int(arrival.at_s // HOUR_S)] += work(arrival.input_tokens, arrival.output_tokens)
    return tuple(sums)


def mean_tokens(lengths: LengthDistribution) -> float:
    """Returns the mean of a length distribution."""
    points = zip(lengths.probabilities, lengths.tokens, strict=True)
    return sum((y + z) / 2.0 * (q - p) for (p, y), (q, z) in pairwise(points))


def expected_work_s(
    senders: Iterable[ServeGenClient], work: WorkModel, *, hours: int
) -> tuple[float, ...]:
    """Returns the expected work of clients in each hour."""
    sums = [0.0] * hours
    for sender in senders:
        costs: dict[int, float] = {}
        for window in sender.windows:
            part = int(window.begin_s // LENGTH_WINDOW_S)
            if part not in costs:
                inputs = sender.inputs.get(part, sender.inputs[-1])
                outputs = sender.outputs.get(part, sender.outputs[-1])
                costs[part] = work(mean_tokens(inputs), mean_tokens(outputs))
            count = (window.end_s - window.begin_s) * window.rate_per_s
            sums[int(window.begin_s // HOUR_S)] += count * costs[part]
    return tuple(sums)


def sample_windows(
    windows: Iterable[RateWindow],
    *,
    sample_s: float,
    hours: int,
    lead_s: float = 0.0,
    every_h: int = 1,
) -> tuple[RateWindow, ...]:
    """Returns the parts of the windows within the samples and lead-ins of ``hours`` hours.

    Only every ``every_h``-th hour has a sample, from the first one on.
    """
    return tuple(_window_pieces(windows, sample_s, hours, lead_s, every_h))


def _window_pieces(
    windows: Iterable[RateWindow], sample_s: float, hours: int, lead_s: float, every_h: int
) -> Iterator[RateWindow]:
    for window in windows:
        hour = window.begin_s // HOUR_S
        begin_s = max(window.begin_s, hour * HOUR_S + SAMPLE_BEGIN_S - lead_s)
        end_s = min(window.end_s, hour * HOUR_S + SAMPLE_BEGIN_S + sample_s)
        if begin_s < end_s and hour < hours and hour % every_h == 0:
            yield msgspec.structs.replace(window, begin_s=begin_s, end_s=end_s)


def servegen_week(
    work: WorkModel,
    *,
    days: int,
    sample_s: float,
    machines: int,
    peak_part: float,
    seed: int,
    lead_s: float = LEAD_S,
    every_h: int = 1,
) -> Load:
    """Returns days of the ServeGen-derived load: 43 clients, their bursts and their lengths.

    The expected work of the heaviest hour is ``peak_part`` of the capacity of the machines.
    """
    hours = days * 24
    heaviest_s = peak_part * machines * sample_s
    rates = data_path("traces/servegen_m-small_days0-6_rates.csv")
    lengths = data_path("traces/servegen_m-small_days0-6_lengths.csv")

    whole = read_servegen(rates, lengths, until_s=hours * HOUR_S)
    expected = expected_work_s(whole, work, hours=hours)
    scale = heaviest_s / (max(expected) * sample_s / HOUR_S)
    senders = read_servegen(rates, lengths, scale=scale, until_s=hours * HOUR_S)
    cut = [
        msgspec.structs.replace(
            sender,
            windows=sample_windows(
                sender.windows, sample_s=sample_s, hours=hours, lead_s=lead_s, every_h=every_h
            ),
        )
        for sender in senders
    ]
    arrivals = list(generate_servegen(cut, seed=seed))
    mean_s = heaviest_s * sum(expected) / max(expected) / hours
    work_by_hour_s = work_by_hour(
        (arrival for arrival in arrivals if is_counted(arrival.at_s)), work, hours=hours
    )
    return Load("servegen_week", hours, machines, sample_s, tuple(arrivals), work_by_hour_s, mean_s)


def azure_day(
    work: WorkModel,
    *,
    hours: int,
    sample_s: float,
    needed: float,
    machines: int,
    services: int = 1,
    lead_s: float = LEAD_S,
    every_h: int = 1,
) -> Load:
    """Returns Azure's conversations, their first 40 minutes tiled over a day.

    Args:
        work: of a request.
        hours: number of hours; they differ only in the arrivals of their samples.
        sample_s: of each hour.
        needed: machines that the load is expected to need.
        machines: of the fleet.
        services: number of copies of the trace with different phases; all rates are scaled by one
            factor. The more copies, the closer to the trace's own rate, and the longer its bursts.
        lead_s: of requests before each sample.
        every_h: only every ``every_h``-th hour has a sample.
    """
    trace = list(read_azure(data_path(AZURE)))
    factor = services * azure_machines_needed(work) / needed  # above 1 is slower
    period_s = AZURE_PERIOD_S * factor
    paced = sorted(
        (
            msgspec.structs.replace(
                arrival, at_s=(arrival.at_s * factor + period_s * number / services) % period_s
            )
            for number in range(services)
            for arrival in trace
        ),
        key=lambda arrival: arrival.at_s,
    )
    begin_s, end_s = SAMPLE_BEGIN_S - lead_s, SAMPLE_BEGIN_S + sample_s
    arrivals = tuple(
        arrival
        for arrival in repeat_trace(paced, period_s=period_s, until_s=hours * HOUR_S)
        if begin_s <= arrival.at_s % HOUR_S < end_s and arrival.at_s // HOUR_S % every_h == 0
    )
    work_by_hour_s = work_by_hour(
        (arrival for arrival in arrivals if is_counted(arrival.at_s)), work, hours=hours
    )
    name = "azure_day" if services == 1 else "azure_services_day"
    return Load(name, hours, machines, sample_s, arrivals, work_by_hour_s, needed * sample_s)


def azure_machines_needed(work: WorkModel) -> float:
    """Returns the mean number of machines that Azure's trace needs at its own rate."""
    trace = read_azure(data_path(AZURE))
    return float(
        sum(work(arrival.input_tokens, arrival.output_tokens) for arrival in trace) / AZURE_PERIOD_S
    )
