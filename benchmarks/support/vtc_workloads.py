"""Workloads of the VTC paper's artifact (Ying1123/VTC-artifact at 192c2e2, OSDI '24).

Clients, rates and lengths are the artifact's; ``even`` arrivals have one random phase per client,
drawn from the seed. Two workloads are not the artifact's (``unknown_length_workloads``):
``overload`` with answers whose lengths cannot be learned, because each is drawn independently.
"""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from entraide_sim import (
    Arrival,
    ClientSpec,
    LengthDistribution,
    fixed_length,
    generate_arrivals,
    on_off_rate,
    read_azure,
    rising_rate,
    steady_rate,
    uniform_length,
)
from entraide_sim.workload import RateWindow

TRACE = Path(__file__).resolve().parents[3] / "shared/data/traces/lmsys_arena_27clients_10min.csv"
POOL_TOKENS = 10_000
LARGE_POOL_TOKENS = 35_000  # the artifact's A100
OVERLOAD_PER_S = (1.5, 3.0)
ANY_ANSWER = uniform_length(16, 496)  # mean 256, as the fixed answers of ``overload`` are long
LONG_TAIL = LengthDistribution((0.0, 0.5, 0.9, 0.97, 1.0), (8, 120, 560, 1_000, 1_024))  # mean 253


class Workload(Struct, frozen=True):
    """A workload.

    Attributes:
        name: as in the artifact.
        clients: senders; empty where a trace says it.
        trace: file with arrivals of named clients.
        weights: by client; empty for equal ones.
        pool_tokens: KV memory of the node that serves it.
    """

    name: str
    clients: tuple[ClientSpec, ...] = ()
    trace: Path | None = None
    weights: tuple[tuple[str, float], ...] = ()
    pool_tokens: int = POOL_TOKENS

    def arrivals(self, seed: int) -> list[Arrival]:
        """Returns its requests, in order of time."""
        if self.trace is not None:
            return list(read_azure(self.trace))
        return list(generate_arrivals(self.clients, seed=seed))


def _client(
    number: int,
    windows: tuple[RateWindow, ...],
    prompt: int | LengthDistribution,
    answer: int | LengthDistribution,
) -> ClientSpec:
    name = f"client-{number:02}"
    lengths = [
        fixed_length(length) if isinstance(length, int) else length for length in (prompt, answer)
    ]
    return ClientSpec(name, windows, *lengths)


def _even(rates: Sequence[float], until_s: float, tokens: int = 256) -> tuple[ClientSpec, ...]:
    return tuple(
        _client(number, steady_rate(rate, until_s), tokens, tokens)
        for number, rate in enumerate(rates, 1)
    )


def _poisson(rows: Sequence[tuple[float, int, int]], until_s: float) -> tuple[ClientSpec, ...]:
    return tuple(
        _client(number, steady_rate(rate, until_s, family="poisson"), prompt, answer)
        for number, (rate, prompt, answer) in enumerate(rows, 1)
    )


def _on_off(first: float, second: float) -> tuple[ClientSpec, ...]:
    return (
        _client(1, on_off_rate(first, 600.0, on_s=60.0, off_s=60.0), 256, 256),
        _client(2, steady_rate(second, 600.0), 256, 256),
    )


def _poisson_on_off() -> tuple[ClientSpec, ...]:
    # One Poisson stream whose client is drawn by rate is two Poisson streams.
    any_length = uniform_length(16, 512)
    windows = on_off_rate(0.5, 600.0, on_s=60.0, off_s=60.0, family="poisson")
    return (
        _client(1, windows, any_length, any_length),
        _client(2, steady_rate(2.0, 600.0, family="poisson"), any_length, any_length),
    )


def _dist_shift() -> tuple[ClientSpec, ...]:
    part = on_off_rate(0.5, 300.0, on_s=60.0, off_s=60.0)
    first = (*part, RateWindow(300.0, 600.0, 1.0, "even"), RateWindow(600.0, 900.0, 0.5, "even"))
    second = (
        RateWindow(0.0, 300.0, 2.0, "even"),
        RateWindow(300.0, 600.0, 1.0, "even"),
        RateWindow(600.0, 900.0, 1.5, "even"),
    )
    return (_client(1, first, 256, 256), _client(2, second, 256, 256))


def _increase() -> tuple[ClientSpec, ...]:
    return (
        _client(1, steady_rate(0.5, 600.0), 256, 256),
        _client(2, rising_rate(0.2, 2.0, 600.0), 256, 256),
    )


def _weighted() -> Workload:
    clients = _even((0.8, 0.8, 1.2, 1.6), 360.0)
    weights = tuple((client.name, float(weight)) for weight, client in enumerate(clients, 1))
    return Workload("overload-weighted", clients, weights=weights)


def _large(name: str, rates: Sequence[float], tokens: int) -> Workload:
    clients = _even(rates, 600.0, tokens)
    return Workload(f"overload-s4-{name}", clients, pool_tokens=LARGE_POOL_TOKENS)


def synthetic_workloads() -> tuple[Workload, ...]:
    """Returns the synthetic workloads for the small node."""
    return (
        Workload("overload", _even(OVERLOAD_PER_S, 360.0)),
        Workload("overload-multi", _even((0.4,) * 3 + (0.6,) * 5, 360.0)),
        _weighted(),
        Workload("proportional", _even((0.25, 0.5, 1.5), 600.0)),
        Workload("on_off_less", _on_off(0.5, 2.0)),
        Workload("on_off_overload", _on_off(2.0, 3.0)),
        Workload("poisson_on_off_overload", _poisson_on_off()),
        Workload("poisson_short_long", _poisson(((8.0, 64, 64), (1.5, 256, 256)), 600.0)),
        Workload("poisson_short_long_2", _poisson(((8.0, 512, 32), (1.5, 32, 512)), 600.0)),
        Workload("increase", _increase()),
        Workload("dist_shift", _dist_shift()),
    )


def unknown_length_workloads() -> tuple[Workload, ...]:
    """Returns ``overload`` with independent answer lengths: uniform, or with a long tail."""
    return tuple(
        Workload(
            name,
            tuple(
                _client(number, steady_rate(rate, 360.0), 256, answers)
                for number, rate in enumerate(OVERLOAD_PER_S, 1)
            ),
        )
        for name, answers in (
            ("overload-unknown", ANY_ANSWER),
            ("overload-long-tail", LONG_TAIL),
        )
    )


def large_node_workloads() -> tuple[Workload, ...]:
    """Returns the workloads for the artifact's large node."""
    return (
        _large("256", (3.0, 6.0), 256),
        _large("512", (1.5, 3.0), 512),
        _large("768", (1.0, 2.0), 768),
    )


def trace_workload() -> Workload | None:
    """Returns the trace of 27 clients, or None if the file is missing."""
    return Workload("real", trace=TRACE) if TRACE.is_file() else None
