"""Client generator: random arrivals for a workload without a trace.

Each client is a renewal process whose rate follows the hours of the local week. Clients' mean rates
are exponentially distributed. Requests of one conversation share the first blocks of their prompts.
"""

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import msgspec

from entraide_sim.grid import HOUR_S
from entraide_sim.scenario import Workload
from entraide_sim.workload import (
    Arrival,
    ClientSpec,
    LengthDistribution,
    RateWindow,
    generate_arrivals,
    make_rng,
)

BLOCK_TOKENS = 512
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
DAY_S = 86_400.0

# Weight of each local hour, on working days and at weekends; only ratios matter.
_OFFICE_WEIGHTS = (0, 0, 0, 0, 0, 0, 1, 3, 8, 12, 13, 11, 7, 10, 12, 11, 9, 5, 2, 1, 1, 1, 0, 0)
_HOME_WEIGHTS = (2, 1, 0, 0, 0, 0, 2, 4, 4, 3, 3, 4, 5, 4, 3, 3, 5, 7, 9, 11, 12, 11, 8, 4)
RHYTHM_WEIGHTS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "steady": ((1.0,) * 24, (1.0,) * 24),
    "office": (_OFFICE_WEIGHTS, tuple(weight * 0.08 for weight in _OFFICE_WEIGHTS)),
    "evenings": (
        (0.2,) * 17 + (3, 6, 8, 9, 8, 5, 2),
        (0.5,) * 9 + (2,) * 8 + (3, 6, 8, 9, 8, 5, 2),
    ),
    "home": (_HOME_WEIGHTS, tuple(weight * 1.4 for weight in _HOME_WEIGHTS)),
    "nights": ((4,) * 6 + (0.2,) * 14 + (1, 2, 4, 4), (4,) * 6 + (0.2,) * 14 + (1, 2, 4, 4)),
}


def length_distribution(quantiles: tuple[float, ...]) -> LengthDistribution:
    """Returns a distribution from 1 number (fixed), 2 (uniform) or 8 (quantiles)."""
    match len(quantiles):
        case 1:
            return LengthDistribution((0.0, 1.0), (quantiles[0], quantiles[0]))
        case 2:
            return LengthDistribution((0.0, 1.0), (quantiles[0] - 0.499, quantiles[1] + 0.499))
        case _:
            return LengthDistribution(QUANTILES, quantiles)


def client_arrivals(
    workload: Workload, *, start_at: float, hours: float, zone: ZoneInfo, seed: int, number: int
) -> Iterator[Arrival]:
    """Yields the requests of a workload's generated clients in order of time.

    Args:
        workload: a workload without a trace.
        start_at: start of the scenario, seconds since the epoch.
        hours: duration of the scenario.
        zone: the clients' time zone.
        seed: of all random draws.
        number: index of the workload in the scenario.
    """
    end_h = hours if workload.until_h is None else min(hours, workload.until_h)
    windows = _rate_windows(workload, start_at, workload.from_h, end_h, zone)
    rng = make_rng(seed, 6, number)
    relative_rates = rng.standard_exponential(workload.clients)
    relative_rates *= workload.clients / relative_rates.sum()
    rate = workload.requests_per_client_day / DAY_S
    clients = [
        ClientSpec(
            f"{workload.name}-{index + 1}",
            tuple(
                msgspec.structs.replace(window, rate_per_s=window.rate_per_s * rate * relative_rate)
                for window in windows
            ),
            length_distribution(workload.input_tokens),
            length_distribution(workload.output_tokens),
        )
        for index, relative_rate in enumerate(relative_rates.tolist())
    ]
    arrivals = generate_arrivals(clients, seed=seed * 1_000 + number)
    return (
        _group_conversations(arrivals, workload, seed, number) if workload.turns > 1.0 else arrivals
    )


def _rate_windows(
    workload: Workload, start_at: float, from_h: float, end_h: float, zone: ZoneInfo
) -> tuple[RateWindow, ...]:
    """Returns hourly rate windows, scaled to a mean of 1 request a second over a week."""
    working, weekend = RHYTHM_WEIGHTS[workload.rhythm]
    mean = (5.0 * sum(working) + 2.0 * sum(weekend)) / (7.0 * 24.0)
    windows = []
    at_h = from_h
    while at_h < end_h:
        local_time = dt.datetime.fromtimestamp(start_at + at_h * HOUR_S, zone)
        weight = (weekend if local_time.weekday() >= 5 else working)[local_time.hour] / mean
        next_h = min(end_h, at_h + 1.0 - local_time.minute / 60.0)
        if weight > 0.0:
            windows.append(
                RateWindow(
                    at_h * HOUR_S, next_h * HOUR_S, weight, workload.arrivals, workload.shape
                )
            )
        at_h = next_h
    return tuple(windows)


def _group_conversations(
    arrivals: Iterator[Arrival], workload: Workload, seed: int, number: int
) -> Iterator[Arrival]:
    """Groups each client's requests into conversations with a geometric number of turns."""
    rng = make_rng(seed, 7, number)
    continue_probability = 1.0 - 1.0 / workload.turns
    session_count = 0
    sessions: dict[str, int] = {}
    for arrival in arrivals:
        if arrival.client not in sessions or rng.random() >= continue_probability:
            session_count += 1
            sessions[arrival.client] = session_count
        session = sessions[arrival.client]
        first_block = (number << 48) + (session << 16)
        blocks = arrival.input_tokens // BLOCK_TOKENS
        yield msgspec.structs.replace(
            arrival,
            prefix=tuple(first_block + block for block in range(blocks)),
            session=f"{workload.name}-s{session}",
        )
