"""VTC metrics: the fairness figures of the VTC paper's artifact, from the times of each response.

Service of a request: its prompt plus twice its answer, spread evenly from first token to end.
Windows of 60 s around 19 moments of the arrival period. For weighted workloads service is divided
by the weight; with equal weights of 1 the figures are the artifact's.
"""

import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

WINDOW_S = 60.0
MOMENTS = 19
SETTLED_S = 120.0  # time after which length predictors have converged
REFUSED = -1.0


class Response(Struct, frozen=True, gc=False):
    """Times of one request.

    Attributes:
        client: its sender.
        prompt_len, output_len: tokens.
        req_time: arrival, seconds from the start.
        first_token_latency, request_latency: seconds from the arrival; -1 if refused.
    """

    client: str
    prompt_len: int
    output_len: int
    req_time: float
    first_token_latency: float
    request_latency: float


class ClientService:
    """One client's requests as columns.

    Args of the constructor:
        responses: its own.
        weight: service is divided by it.
    """

    def __init__(self, responses: Sequence[Response], weight: float) -> None:
        costs = [(response.prompt_len + 2 * response.output_len) / weight for response in responses]
        self._asked_at = np.array([response.req_time for response in responses])
        self._asked = np.array(costs)
        served = [
            (
                cost,
                response.req_time + response.first_token_latency,
                response.req_time + response.request_latency,
            )
            for cost, response in zip(costs, responses, strict=True)
            if response.first_token_latency != REFUSED
        ]
        served = [row for row in served if row[2] >= 1.0 and row[2] > row[1]]
        columns = np.array(served).reshape(len(served), 3)
        self._cost, self._first_at, self._end_at = columns[:, 0], columns[:, 1], columns[:, 2]

    def served_between(self, begin: float, end: float) -> float:
        """Returns the service within an interval."""
        overlap = np.minimum(end, self._end_at) - np.maximum(begin, self._first_at)
        parts = self._cost * np.maximum(0.0, overlap) / (self._end_at - self._first_at)
        return float(parts.sum())

    def requested_between(self, begin: float, end: float) -> float:
        """Returns the service requested within a closed interval."""
        inside = (begin <= self._asked_at) & (self._asked_at <= end)
        return float(self._asked[inside].sum())


def quantile(values: Sequence[float], part: float) -> float:
    """Returns a quantile as the artifact computes it."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def fairness_figures(
    responses: Sequence[Response],
    *,
    total_s: float | None = None,
    weights: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Returns the figures of one run.

    Args:
        responses: of all its requests.
        total_s: how long it took; None takes the last end.
        weights: of the clients; None for equal ones.

    Returns:
        ``clients``, ``n``, ``refused``; ``max_diff``, ``avg_diff``, ``diff_var`` of the windowed
        gap (service/s); ``acc_gap_max``, ``acc_gap_end`` of the accumulated one (service);
        ``tok_s``; ``ttft``: p50 and p99 seconds to the first token, by client. Ours alone:
        ``settled_diff``, the mean of the windowed gaps from ``SETTLED_S`` on.
    """
    done = [response for response in responses if response.first_token_latency != REFUSED]
    names = sorted({response.client for response in responses})
    mine = {name: [response for response in responses if response.client == name] for name in names}
    lines = {name: ClientService(mine[name], (weights or {}).get(name, 1.0)) for name in names}
    until = int(max(response.req_time for response in responses)) / 10 * 10
    moments = [until / (MOMENTS + 1) * number for number in range(1, MOMENTS + 1)]
    gaps = [_windowed_gap(lines.values(), moment) for moment in moments]
    settled = [gap for gap, moment in zip(gaps, moments, strict=True) if moment >= SETTLED_S]
    totals = [[line.served_between(0.0, moment) for line in lines.values()] for moment in moments]
    accumulated = [max(values) - min(values) for values in totals]
    if total_s is None:
        total_s = max(response.req_time + response.request_latency for response in done)
    waits = {
        name: [
            response.first_token_latency
            for response in mine[name]
            if response.first_token_latency != REFUSED
        ]
        for name in names
    }
    return {
        "clients": len(names),
        "n": len(responses),
        "refused": len(responses) - len(done),
        "max_diff": max(gaps),
        "avg_diff": statistics.mean(gaps),
        "diff_var": statistics.pvariance(gaps),
        "settled_diff": statistics.mean(settled or gaps),
        "acc_gap_max": max(accumulated),
        "acc_gap_end": accumulated[-1],
        "tok_s": sum(response.prompt_len + response.output_len for response in done) / total_s,
        "ttft": {name: (quantile(waits[name], 0.5), quantile(waits[name], 0.99)) for name in names},
    }


def _windowed_gap(lines: Collection[ClientService], moment: float) -> float:
    """Returns how far the worst-served client is behind the best, at most its demand."""
    begin, end = moment - WINDOW_S / 2, moment + WINDOW_S / 2
    served = [line.served_between(begin, end) / WINDOW_S for line in lines]
    asked = [line.requested_between(begin, end) / WINDOW_S for line in lines]
    best = max(served)
    return max(min(best - own, wanted - own) for own, wanted in zip(served, asked, strict=True))


def light_clients(responses: Sequence[Response]) -> tuple[str, ...]:
    """Returns the half of the clients with the least demand, at least one."""
    asked: dict[str, int] = {}
    for response in responses:
        asked[response.client] = (
            asked.get(response.client, 0) + response.prompt_len + 2 * response.output_len
        )
    ordered = sorted(asked, key=lambda name: (asked[name], name))
    return tuple(sorted(ordered[: max(1, len(ordered) // 2)]))
