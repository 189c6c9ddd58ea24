"""ServeGen: arrivals from published rates and length quantiles of a large cloud's clients.

Two tables (Xiang et al., 2025): rates by client in windows of 10 minutes, length quantiles by
client in windows of 6 hours. A client without lengths gets the mean of the others' quantiles. One
factor scales all rates.
"""

from collections import defaultdict
from collections.abc import Iterator
from heapq import merge
from pathlib import Path

import numpy as np
from msgspec import Struct

from entraide_sim.files import numbered_rows, parse_number
from entraide_sim.workload.arrivals import (
    BLOCK,
    Arrival,
    LengthDistribution,
    RateWindow,
    Rng,
    arrival_times,
    make_rng,
)

RATE_WINDOW_S = 600.0
LENGTH_WINDOW_S = 21_600.0
QUANTILES = ("p10", "p25", "p50", "p75", "p90", "p99")
QUANTILE_PARTS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
LONGEST_FACTOR = 1.5  # maximum length as a multiple of p99


class ServeGenClient(Struct, frozen=True):
    """One client's rate windows, and its lengths by 6-hour window (-1 for other windows)."""

    name: str
    windows: tuple[RateWindow, ...]
    inputs: dict[int, LengthDistribution]
    outputs: dict[int, LengthDistribution]


def read_servegen(
    rates: Path, lengths: Path, *, scale: float = 1.0, begin_s: float = 0.0, until_s: float = 0.0
) -> list[ServeGenClient]:
    """Reads the two tables.

    Args:
        rates: ``client,window_start_s,rate_req_per_s,interarrival_family,param1,...``.
        lengths: ``client,window_start_s,in_p10,...,out_p99``.
        scale: factor on all rates.
        begin_s: start in the tables, seconds.
        until_s: duration from there; 0 for the whole table.

    Raises:
        ValueError: a column is missing, or a cell is not a number; the message names file and line.
    """
    by_client: dict[str, list[RateWindow]] = defaultdict(list)
    end_s = begin_s + until_s if until_s else float("inf")
    for line, row in numbered_rows(rates, RATES):
        start, rate, param = (parse_number(row, name, rates, line) for name in NUMBERS)
        if begin_s <= start < end_s:
            window = RateWindow(
                start - begin_s,
                min(start + RATE_WINDOW_S, end_s) - begin_s,
                rate * scale,
                row["interarrival_family"].lower(),
                param,
            )
            by_client[row["client"]].append(window)
    inputs, outputs = _read_lengths(lengths, begin_s)
    return [
        ServeGenClient(
            name,
            tuple(sorted(windows, key=lambda window: window.begin_s)),
            inputs.get(name, inputs[""]),
            outputs.get(name, outputs[""]),
        )
        for name, windows in sorted(by_client.items())
    ]


def generate_servegen(senders: list[ServeGenClient], *, seed: int) -> Iterator[Arrival]:
    """Yields the arrivals of all clients in order of time."""
    return merge(
        *(
            _client_arrivals(sender, make_rng(seed, number))
            for number, sender in enumerate(senders)
        ),
        key=lambda arrival: arrival.at_s,
    )


def _client_arrivals(sender: ServeGenClient, source: Rng) -> Iterator[Arrival]:
    lengths = source.spawn(1)[0]
    ready: dict[int, list[tuple[int, int]]] = {}
    for at_s in arrival_times(sender.windows, source):
        part = int(at_s // LENGTH_WINDOW_S)
        if not ready.get(part):
            inputs = sender.inputs.get(part, sender.inputs[-1])
            outputs = sender.outputs.get(part, sender.outputs[-1])
            pairs = zip(inputs.sample(lengths, BLOCK), outputs.sample(lengths, BLOCK), strict=True)
            ready = {part: list(pairs)}
        yield Arrival(at_s, sender.name, *ready[part].pop())


NUMBERS = ("window_start_s", "rate_req_per_s", "param1")
RATES = {"client", "interarrival_family", *NUMBERS}
LengthTables = dict[str, dict[int, LengthDistribution]]


def _read_lengths(path: Path, begin_s: float) -> tuple[LengthTables, LengthTables]:
    tables: tuple[LengthTables, LengthTables] = ({}, {})
    for table, prefix in zip(tables, ("in", "out"), strict=True):
        quantiles_by_client: dict[str, dict[int, list[float]]] = defaultdict(dict)
        names = [f"{prefix}_{name}" for name in QUANTILES]
        for line, row in numbered_rows(path, {"client", "window_start_s", *names}):
            part = int(
                (parse_number(row, "window_start_s", path, line) - begin_s) // LENGTH_WINDOW_S
            )
            quantiles_by_client[row["client"]][part] = [
                parse_number(row, name, path, line) for name in names
            ]
        if not quantiles_by_client:
            raise ValueError(f"{path}: no rows")
        everyone = [values for parts in quantiles_by_client.values() for values in parts.values()]
        table[""] = {-1: _make_distribution(np.mean(everyone, axis=0).tolist())}
        for client, parts in quantiles_by_client.items():
            table[client] = {part: _make_distribution(values) for part, values in parts.items()}
            table[client][-1] = _make_distribution(np.mean(list(parts.values()), axis=0).tolist())
    return tables


def _make_distribution(quantiles: list[float]) -> LengthDistribution:
    return LengthDistribution(QUANTILE_PARTS, (1.0, *quantiles, quantiles[-1] * LONGEST_FACTOR))
