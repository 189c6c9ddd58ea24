"""Arrivals: times and lengths of requests, from traces or seeded generators.

Every iterator yields in order of time. Generators draw from numpy's PCG64, seeded by the caller:
the same seed gives the same arrivals. ``workload`` turns arrivals into requests.

A generator is a renewal process in *operational time*: intervals of mean 1 are laid along the
integral of the rate, so the expected number follows the rate exactly, whatever the burstiness of
the intervals and the changes of the rate.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import count
from math import gamma as gamma_function
from math import inf
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
from msgspec import Struct

from entraide.decoding import JsonDecoder
from entraide.types import RequestFacts
from entraide_sim.files import NUMBER_MAX, numbered_rows, parse_moment

REQUESTS_MAX = 10_000_000  # of one scenario
TOKENS_MAX = 10_000_000  # of one prompt or answer
FAMILY_PART = 0.05  # of a trace: a prefix that more arrivals share makes no family
AZURE_TIME = re.compile(r"\d{4}-\d\d-\d\d")
AZURE_COLUMNS = MappingProxyType(
    {
        "TIMESTAMP": "arrival_s",
        "ContextTokens": "input_tokens",
        "GeneratedTokens": "output_tokens",
    }
)
BLOCK = 256  # intervals drawn at once
WARM_UP = 16.0  # operational time before the start, so that the process is stationary

Rng = np.random.Generator


class Arrival(Struct, frozen=True, gc=False):
    """One arrival of a request.

    Attributes:
        at_s: seconds from the start.
        client: its sender; "" if the trace has none.
        input_tokens, output_tokens: true lengths.
        prefix: identifiers of its prompt blocks; equal leading ones are a shared prefix.
        session: its conversation, or "".
        recorded_facts: facts of a recorded request, with the deadline relative to the arrival;
            None if not recorded.
    """

    at_s: float
    client: str
    input_tokens: int
    output_tokens: int
    prefix: tuple[int, ...] = ()
    session: str = ""
    recorded_facts: RequestFacts | None = None


def make_rng(seed: int, *numbers: int) -> Rng:
    """Returns a random generator for one purpose: the same numbers give the same draws."""
    return np.random.Generator(np.random.PCG64([seed, *numbers]))


# Traces.


def read_azure(path: Path) -> Iterator[Arrival]:
    """Reads ``arrival_s,input_tokens,output_tokens[,client]``, or Azure's LLM trace as published.

    With Azure's own header (``TIMESTAMP,ContextTokens,GeneratedTokens``), arrivals are moments, and
    the first one is the start.

    Raises:
        ValueError: a column is missing, or a line is invalid; the message names file and line.
    """
    columns = {"arrival_s", "input_tokens", "output_tokens"}
    start_at: float | None = None
    for line, row in numbered_rows(path, columns, aliases=AZURE_COLUMNS):
        try:
            lengths = int(row["input_tokens"]), int(row["output_tokens"])
            if AZURE_TIME.match(row["arrival_s"]):
                moment = parse_moment(row["arrival_s"], path, line)
                start_at = moment if start_at is None else start_at
                at_s = moment - start_at
            else:
                at_s = float(row["arrival_s"])
        except ValueError:
            raise ValueError(f"{path}:{line}: {row} is not an arrival") from None
        yield _check_arrival(Arrival(at_s, row.get("client", ""), *lengths), path, line)


class _MooncakeRow(Struct):
    timestamp: float
    input_length: int
    output_length: int
    hash_ids: tuple[int, ...] = ()


def read_mooncake(path: Path) -> Iterator[Arrival]:
    """Reads Mooncake's JSONL: milliseconds, lengths, and prefix blocks of 512 tokens.

    Raises:
        ValueError: a line is invalid; the message names file and line.
    """
    decoder = JsonDecoder[_MooncakeRow](_MooncakeRow)
    with path.open("rb") as file:
        for line, text in enumerate(file, 1):
            try:
                row = decoder.decode(text)
            except msgspec.MsgspecError as problem:
                raise ValueError(f"{path}:{line}: {problem}") from None
            lengths = row.input_length, row.output_length
            yield _check_arrival(
                Arrival(row.timestamp / 1_000, "", *lengths, row.hash_ids), path, line
            )


def _check_arrival(arrival: Arrival, path: Path, line: int) -> Arrival:
    lengths = arrival.input_tokens, arrival.output_tokens
    if NUMBER_MAX < arrival.at_s < inf:
        raise ValueError(f"{path}:{line}: at_s {arrival.at_s:g} is beyond {NUMBER_MAX:.0f}")
    for name, length in zip(("input_tokens", "output_tokens"), lengths, strict=True):
        if length > TOKENS_MAX:
            shown = f"{length}" if length <= NUMBER_MAX else f"{min(length, 1 << 1_000):g}"
            raise ValueError(f"{path}:{line}: {name} {shown} is beyond {TOKENS_MAX}")
    if 0.0 <= arrival.at_s < inf and all(length >= 1 for length in lengths):
        return arrival
    shown = f"at_s={arrival.at_s}, input_tokens={lengths[0]}, output_tokens={lengths[1]}"
    raise ValueError(f"{path}:{line}: {shown} is not an arrival")


def repeat_trace(
    arrivals: Iterable[Arrival], *, period_s: float, until_s: float
) -> Iterator[Arrival]:
    """Repeats a trace every ``period_s`` seconds; copies share no prefixes.

    Raises:
        ValueError: that makes more than ``REQUESTS_MAX`` requests.
    """
    pattern = [arrival for arrival in arrivals if arrival.at_s < period_s]
    if len(pattern) * until_s > REQUESTS_MAX * period_s:
        raise ValueError(f"more than {REQUESTS_MAX} requests")
    apart = 1 + max((key for arrival in pattern for key in arrival.prefix), default=0)
    for copy in count() if pattern else ():
        for arrival in pattern:
            at_s = arrival.at_s + copy * period_s
            if at_s >= until_s:
                return
            prefix = tuple(key + copy * apart for key in arrival.prefix)
            yield msgspec.structs.replace(arrival, at_s=at_s, prefix=prefix)


def sample_trace(arrivals: Iterable[Arrival], *, keep: float, seed: int) -> Iterator[Arrival]:
    """Keeps a random part of the arrivals, by whole families (``prefix_families``).

    Families are taken in random order, as long as they fit into the part; at least one is kept.
    """
    trace = list(arrivals)
    families = prefix_families(trace)
    sizes = Counter(families)
    order = [list(sizes)[at] for at in make_rng(seed).permutation(len(sizes)).tolist()]
    room = keep * len(trace)
    kept: set[int] = set()
    for family in order:
        if sizes[family] <= room:
            kept.add(family)
            room -= sizes[family]
    kept = kept or {min(order, key=sizes.__getitem__, default=0)}
    return (arrival for arrival, family in zip(trace, families, strict=True) if family in kept)


def prefix_families(trace: Sequence[Arrival]) -> list[int]:
    """Returns the family of each arrival: arrivals of one family share a session or a prefix.

    A prefix that more than ``FAMILY_PART`` of the arrivals share, such as a system prompt, makes no
    family: the blocks after it do.
    """
    families = list(range(len(trace)))
    limit = FAMILY_PART * len(trace)
    sessions: dict[str, int] = {}
    for place, arrival in enumerate(trace):
        if arrival.session:
            families[place] = sessions.setdefault(arrival.session, place)
    groups = [[place for place, arrival in enumerate(trace) if not arrival.session]]
    depth = 0
    while groups:
        by_prefix: dict[tuple[int, int], list[int]] = {}
        for group in groups:
            for place in group:
                blocks = trace[place].prefix
                if depth < len(blocks):
                    by_prefix.setdefault((group[0], blocks[depth]), []).append(place)
        groups = [members for members in by_prefix.values() if len(members) > limit]
        for members in by_prefix.values():
            if len(members) <= limit:
                for place in members:
                    families[place] = members[0]
        depth += 1
    return families


# Lengths.


class LengthDistribution(Struct, frozen=True):
    """Distribution of a length by quantiles, linear between them.

    Attributes:
        probabilities: ascending, from 0 to 1.
        tokens: the quantile of each probability.
    """

    probabilities: tuple[float, ...]
    tokens: tuple[float, ...]

    def sample(self, source: Rng, number: int) -> list[int]:
        """Returns ``number`` random lengths, each at least 1."""
        lengths = np.interp(source.random(number), self.probabilities, self.tokens)
        return [max(1, int(value + 0.5)) for value in lengths.tolist()]


def fixed_length(tokens: int) -> LengthDistribution:
    """Returns the distribution of a fixed length."""
    return LengthDistribution((0.0, 1.0), (tokens, tokens))


def uniform_length(least: int, most: int) -> LengthDistribution:
    """Returns the uniform distribution from ``least`` to ``most``, both included."""
    return LengthDistribution((0.0, 1.0), (least - 0.499, most + 0.499))


# Renewal processes.


class RateWindow(Struct, frozen=True):
    """A period with a constant rate and distribution of intervals.

    Attributes:
        begin_s, end_s: seconds from the start.
        rate_per_s: requests per second.
        family: ``even``, ``poisson``, ``gamma`` or ``weibull``.
        shape: of gamma and Weibull intervals (1 is Poisson; below it is burstier).
    """

    begin_s: float
    end_s: float
    rate_per_s: float
    family: str = "poisson"
    shape: float = 1.0


def draw_intervals(source: Rng, window: RateWindow, number: int) -> list[float]:
    """Returns random intervals of mean 1."""
    match window.family:
        case "even":
            return [1.0] * number
        case "poisson":
            drawn = source.standard_exponential(number)
        case "gamma":
            drawn = source.standard_gamma(window.shape, number) / window.shape
        case "weibull":
            mean = gamma_function(1.0 + 1.0 / window.shape)
            drawn = source.weibull(window.shape, number) / mean
        case _:
            raise ValueError(f"unknown family of intervals: {window.family!r}")
    return [float(value) for value in drawn]


def arrival_times(windows: Sequence[RateWindow], source: Rng) -> Iterator[float]:
    """Yields the arrival times of one client, seconds from the start.

    Windows do not overlap; nothing is sent between them. Even intervals have a random phase.
    """
    if not windows:
        return
    gap = _first_interval(windows[0], source)
    for window in windows:
        rate = window.rate_per_s
        room = (window.end_s - window.begin_s) * rate
        ready: list[float] = []
        while gap < room:
            yield window.begin_s + gap / rate
            if not ready:
                ready = draw_intervals(source, window, BLOCK)
            gap += ready.pop()
        gap -= room


def _first_interval(window: RateWindow, source: Rng) -> float:
    """Returns the time from the start to the first arrival of a stationary process."""
    if window.family == "even":
        return float(source.random())
    at = -WARM_UP
    ready: list[float] = []
    while at < 0.0:
        if not ready:
            ready = draw_intervals(source, window, BLOCK)
        at += ready.pop()
    return at


class ClientSpec(Struct, frozen=True):
    """A generated client.

    Attributes:
        name: of the client.
        windows: its rates over time.
        input_tokens, output_tokens: distributions of its lengths.
    """

    name: str
    windows: tuple[RateWindow, ...]
    input_tokens: LengthDistribution
    output_tokens: LengthDistribution


def steady_rate(
    rate_per_s: float, until_s: float, *, family: str = "even", shape: float = 1.0
) -> tuple[RateWindow, ...]:
    """Returns one window with a constant rate."""
    return (RateWindow(0.0, until_s, rate_per_s, family, shape),)


def on_off_rate(
    rate_per_s: float, until_s: float, *, on_s: float, off_s: float, family: str = "even"
) -> tuple[RateWindow, ...]:
    """Returns windows for alternating on and off periods, on first."""
    begins = np.arange(0.0, until_s, on_s + off_s).tolist()
    return tuple(
        RateWindow(begin, min(begin + on_s, until_s), rate_per_s, family) for begin in begins
    )


def rising_rate(
    first_per_s: float, last_per_s: float, until_s: float, *, family: str = "even", pieces: int = 60
) -> tuple[RateWindow, ...]:
    """Returns windows whose rate rises linearly, in ``pieces`` steps."""
    long_s = until_s / pieces
    return tuple(
        RateWindow(
            number * long_s,
            (number + 1) * long_s,
            first_per_s + (last_per_s - first_per_s) * (number + 0.5) / pieces,
            family,
        )
        for number in range(pieces)
    )


def generate_arrivals(clients: Sequence[ClientSpec], *, seed: int) -> Iterator[Arrival]:
    """Yields the arrivals of many clients, each with its own random stream, in order of time."""
    return merge(
        *(
            _client_arrivals(client, make_rng(seed, number))
            for number, client in enumerate(clients)
        ),
        key=lambda arrival: arrival.at_s,
    )


def _client_arrivals(client: ClientSpec, source: Rng) -> Iterator[Arrival]:
    inputs: list[int] = []
    outputs: list[int] = []
    lengths = source.spawn(1)[0]
    for at_s in arrival_times(client.windows, source):
        if not inputs:
            inputs = client.input_tokens.sample(lengths, BLOCK)
            outputs = client.output_tokens.sample(lengths, BLOCK)
        yield Arrival(at_s, client.name, inputs.pop(), outputs.pop())
