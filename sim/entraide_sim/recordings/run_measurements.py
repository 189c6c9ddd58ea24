"""Run measurements: speed and power of a machine, fitted to the usage reports of its runs.

Input: for each run its receipt, first token and end, its prompt tokens that were read, its output
tokens and its energy. Output: rates, start time and added power, in the terms of ``Engine``:

    TTFT    = prompts * start + tokens / prefill rate + prompts * step(b)
    decode  = steps * step(b) + prompts * start + tokens / prefill rate
    step(b) = base + per sequence * b

where prompts and tokens are those that the engine read in that time: of the run itself and of those
ahead for the first token, of the others for the rest; ``b`` is the mean number of sequences that
decoded. Least squares with coefficients that are not negative (Lawson and Hanson, *Solving Least
Squares Problems*, chapter 23, here by dropping negative ones), each time weighted by its inverse,
so that the sum of all times is kept; what is known of the machine before weighs little. The power
is the energy of the reported runs over their share of the time, as the node agent allocates it: in
each moment all runs share alike, those that were lost or have not ended, too.
"""

from array import array
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from entraide.types import Basis, Rates, Usage

SHARE_MIN_S = 0.01  # from which a power is used
PRIOR_WEIGHT = 0.02  # of the speed that was known before, as a part of the weight of all runs
FIELDS = 6
TOGETHER_MAX = 0.5  # gap between first tokens, as a part of a reading time, of one step
TINY_S = 1e-4
WINDOW_S = 300.0  # a machine's speed changes with what else it does
WINDOW_PRIOR = 4.0  # weight of the mean speed in a window, in mean times
SLOWDOWN_MOST = 5.0

Floats = npt.NDArray[np.float64]


class MeasuredSpeed(Struct, frozen=True):
    """Fitted speed of a model on a machine.

    Attributes:
        rates: of prefill and decode.
        start_s: time of each prompt that does not depend on its length.
        batches_prefill: whether prompts that wait together are read in one step.
        slowdowns: (from, factor on all times), ascending, where its speed changed.
    """

    rates: Rates
    start_s: float
    batches_prefill: bool = True
    slowdowns: tuple[tuple[float, float], ...] = ()


class RunTimes:
    """The runs of a model on a machine."""

    def __init__(self) -> None:
        self._values = array("d")  # receipt, first token, end, tokens read, output tokens, joules
        self._lost = array("d")  # begin and end of runs without a report

    def __len__(self) -> int:
        return len(self._values) // FIELDS

    def add(self, ended_at: float, usage: Usage, *, choices: int) -> None:
        """Adds a run that its node reported; one without a token counts for the power alone."""
        begun_at = ended_at - usage.run_s
        energy_uwh = usage.energy_prefill_uwh + usage.energy_decode_uwh
        read = max(0, usage.input_tokens - usage.cached_tokens)
        produced = usage.output_tokens / max(1, choices)
        first_at = begun_at + usage.ttft_s if usage.ttft_s > 0.0 else ended_at
        self._values.extend(
            (begun_at, min(first_at, ended_at), ended_at, read, produced, energy_uwh * 3.6e-3)
        )

    def add_lost(self, begun_at: float, ended_at: float) -> None:
        """Adds a run that its node did not report, as far as it is known."""
        self._lost.extend((begun_at, max(begun_at, ended_at)))

    def lost(self) -> Floats:
        """Returns begins and ends of the runs without a report."""
        spans: Floats = np.array(self._lost).reshape(-1, 2).T
        return spans

    def columns(self) -> Floats:
        """Returns a row for each field, in order of receipt."""
        rows = np.array(self._values).reshape(-1, FIELDS)
        columns: Floats = rows[np.argsort(rows[:, 0], kind="stable")].T
        return columns

    def busy(self) -> Floats:
        """Returns begins and ends of the periods in which a run was there."""
        reported = self.columns()
        spans = np.concatenate([reported[[0, 2]], self.lost()], axis=1)
        begin, end = spans[:, np.argsort(spans[0], kind="stable")]
        until = np.maximum.accumulate(end)
        opens = np.append(True, begin[1:] > until[:-1])[: len(begin)]
        closes = np.append(opens[1:], True)[: len(begin)]
        periods: Floats = np.stack([begin[opens], until[closes]])
        return periods

    def speed(self, prior: MeasuredSpeed, beside: Sequence["RunTimes"] = ()) -> MeasuredSpeed:
        """Returns the fitted speed; without a run, what was known before.

        Args:
            prior: what was known before.
            beside: runs of the machine's other models, with which this one shares its time while
                they work.
        """
        if not len(self):
            return prior
        begun, first, end, read, produced, _ = self.columns()
        moments = np.concatenate([begun, first])
        others = np.concatenate([np.empty((2, 0)), *(times.busy() for times in beside)], axis=1)
        if others.size:
            lost = _Integral(*others, weigh=lambda counts: counts / (1.0 + counts))
            begun, first, end = (at - lost.until(at) for at in (begun, first, end))
        times, terms, known = _equations(begun, first, end, read, produced)
        if not len(times):
            return prior
        rates = prior.rates
        before = np.array(
            [prior.start_s, 1.0 / rates.prefill_tokens_per_s, rates.tpot_base_s,
             rates.tpot_per_sequence_s]
        )  # fmt: skip
        solution = _solve(terms, times, before)
        start_s, prefill_s, base_s, sequence_s = solution
        slowdowns = _slowdowns(moments[known], times, terms @ np.array(solution))
        rates = Rates(1.0 / prefill_s, base_s, sequence_s, Basis.MEASURED)
        together = _reads_together(begun, first, read * prefill_s)
        return MeasuredSpeed(rates, start_s, together, slowdowns)


def added_power_w(every_model: list[RunTimes]) -> float | None:
    """Returns the power that the runs of a machine's models added; None if they ran too briefly."""
    reported = np.concatenate([times.columns() for times in every_model], axis=1)
    lost = np.concatenate([times.lost() for times in every_model], axis=1)
    begun, end = reported[0], reported[2]
    running = _Integral(
        np.append(begun, lost[0]),
        np.append(end, lost[1]),
        weigh=lambda counts: np.divide(1.0, np.maximum(1.0, counts)),
    )
    share_s = float(running.between(begun, end).sum())
    return float(reported[5].sum()) / share_s if share_s >= SHARE_MIN_S else None


def _equations(
    begun: Floats, first: Floats, end: Floats, read: Floats, produced: Floats
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Returns the times, for each the factors of start, prompt token, step and sequence, and which.

    The last value tells for each first token and each rest whether it is among the times.
    """
    decoding = _Integral(first, end)
    ones = np.ones_like(read)
    ahead = [
        _sum_before(begun, value, begun) - _sum_before(first, value, begun, inclusive=True)
        for value in (ones, read)
    ]
    beside = decoding.mean(begun, first)
    prompts = 1.0 + ahead[0]
    ttft = np.stack([prompts, read + ahead[1], prompts * (beside >= 0.5), prompts * beside], axis=1)
    others = [
        _sum_before(first, value, end) - _sum_before(first, value, first, inclusive=True)
        for value in (ones, read)
    ]
    steps = np.maximum(0.0, produced - 1.0)
    batch = np.maximum(1.0, decoding.mean(first, end))
    decode = np.stack(
        [others[0], others[1], steps + others[0], (steps + others[0]) * batch], axis=1
    )
    times = np.concatenate([first - begun, end - first])
    terms = np.concatenate([ttft, decode])
    known = (times > TINY_S) & np.concatenate([read > 0, steps > 0])
    return times[known], terms[known], known


def _solve(terms: Floats, times: Floats, before: Floats) -> tuple[float, float, float, float]:
    """Returns the coefficients in the order of ``_equations``: prompt tokens and steps take time.

    ``before`` are those that were known, which weigh little.
    """
    weights = 1.0 / np.sqrt(times)
    left, right = terms * weights[:, None], times * weights
    prior = np.diag(np.sqrt(PRIOR_WEIGHT * (left**2).sum(axis=0)) + TINY_S)
    left, right = np.concatenate([left, prior]), np.append(right, prior @ before)
    used = [0, 1, 2, 3]
    solution = np.zeros(4)
    while used:
        fitted, *_ = np.linalg.lstsq(left[:, used], right, rcond=None)
        if (fitted >= 0.0).all():
            solution[used] = fitted
            break
        used.pop(int(np.argmin(fitted)))
    solution[1] = solution[1] or before[1]
    if not solution[2:].any():
        solution[2:] = before[2:]
    solution *= times.sum() / (terms @ solution).sum()
    start_s, prefill_s, base_s, sequence_s = (float(value) for value in solution)
    return start_s, prefill_s, base_s, sequence_s


def _slowdowns(moments: Floats, times: Floats, expected: Floats) -> tuple[tuple[float, float], ...]:
    """Returns by how much a machine was slower than its mean, from the begin of each window on."""
    windows = np.floor(moments / WINDOW_S)
    prior_s = WINDOW_PRIOR * float(times.mean())
    steps = []
    for window in np.unique(windows):
        here = windows == window
        factor = float((times[here].sum() + prior_s) / (expected[here].sum() + prior_s))
        limited = min(SLOWDOWN_MOST, max(1.0 / SLOWDOWN_MOST, factor))
        steps.append((float(window) * WINDOW_S, limited))
    return tuple(steps) if len(steps) > 1 else ()


def _reads_together(begun: Floats, first: Floats, reading_s: Floats) -> bool:
    """Returns whether prompts that wait together have their first tokens together.

    Looked at are prompts that waited when the reading of the prompt before them began: read one by
    one, the gap between both first tokens is the later one's reading time.
    """
    order = np.argsort(first, kind="stable")
    begun, first, reading_s = begun[order], first[order], reading_s[order]
    waited = (begun[1:] < first[:-1] - reading_s[:-1]) & (reading_s[1:] > TINY_S)
    if not waited.any():
        return True
    gaps = (first[1:] - first[:-1])[waited] / reading_s[1:][waited]
    return float(np.median(gaps)) < TOGETHER_MAX


def _sum_before(moments: Floats, values: Floats, at: Floats, *, inclusive: bool = False) -> Floats:
    """Returns the sum of the values whose moments come before each of some others."""
    order = np.argsort(moments, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(values[order])])
    places = np.searchsorted(moments[order], at, side="right" if inclusive else "left")
    summed: Floats = sums[places]
    return summed


class _Integral:
    """The integral over time of the number of open intervals, or of a function of it."""

    def __init__(
        self, begin: Floats, end: Floats, *, weigh: Callable[[Floats], Floats] | None = None
    ) -> None:
        moments = np.concatenate([begin, end])
        changes = np.concatenate([np.ones_like(begin), -np.ones_like(end)])
        order = np.argsort(moments, kind="stable")
        self._moments = moments[order]
        counts = np.cumsum(changes[order])[:-1]
        if weigh is not None:
            counts = weigh(counts)
        self._sums = np.concatenate([[0.0], np.cumsum(counts * np.diff(self._moments))])

    def until(self, at: Floats) -> Floats:
        """Returns the integral until each of some moments."""
        integrals: Floats = np.interp(at, self._moments, self._sums)
        return integrals

    def between(self, begin: Floats, end: Floats) -> Floats:
        """Returns the integral over each of some intervals."""
        return self.until(end) - self.until(begin)

    def mean(self, begin: Floats, end: Floats) -> Floats:
        """Returns the mean count in each of some intervals."""
        means: Floats = self.between(begin, end) / np.maximum(TINY_S, end - begin)
        return means
