"""Confidence sequence of a rate: an interval that holds however often one looks at it.

Input: how many of n answers were right. Output: an interval that holds the true rate at every n
with a probability of 95 %, so that an evaluation may look after each answer and stop when it likes.

Theory: if the true rate is p, the likelihood of the answers under a Beta(1/2, 1/2) mixture of
rates, divided by their likelihood under p,

    M(p) = B(s + 1/2, n - s + 1/2) / (B(1/2, 1/2) p^s (1 - p)^(n - s)),

with s right answers of n and the beta function B, is a martingale that begins at 1. By Ville's
inequality it ever reaches 1 / alpha with a probability of alpha at most (Robbins 1970, Ann. Math.
Statist. 41:1397; Howard, Ramdas, McAuliffe and Sekhon 2021, Ann. Statist. 49:1055). The interval
holds the rates for which it has not.
"""

from collections.abc import Callable
from enum import StrEnum
from math import inf, lgamma, log

ALPHA = 0.05  # probability that the interval ever misses the true rate, at most
STEPS = 50  # of the bisection; the interval's ends are then exact to 1e-15


class RateVerdict(StrEnum):
    """What an interval says about a least rate."""

    PASSES = "passes"  # the whole interval lies at the least rate or above
    FAILS = "fails"  # the whole interval lies below
    OPEN = "open"  # it holds the least rate


def interval(right: int, answered: int, *, alpha: float = ALPHA) -> tuple[float, float]:
    """Returns the interval of the rate; it holds ``right / answered``."""
    if not answered:
        return 0.0, 1.0
    rate, bound = right / answered, log(1.0 / alpha)
    mixture = _log_beta(right + 0.5, answered - right + 0.5) - _log_beta(0.5, 0.5)

    def is_outside(p: float) -> bool:
        return mixture - _log_power(right, p) - _log_power(answered - right, 1.0 - p) >= bound

    return _find_end(is_outside, rate, 0.0), _find_end(is_outside, rate, 1.0)


def verdict(low: float, high: float, least: float) -> RateVerdict:
    """Returns what an interval says about a least rate."""
    if low >= least:
        return RateVerdict.PASSES
    return RateVerdict.FAILS if high < least else RateVerdict.OPEN


def _find_end(is_outside: Callable[[float], bool], inside: float, bound: float) -> float:
    """Returns the end of the interval towards a bound, by bisection."""
    if inside == bound or not is_outside(bound):
        return bound
    outside = bound
    for _ in range(STEPS):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if is_outside(middle) else (middle, outside)
    return inside


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _log_power(times: int, p: float) -> float:
    """Returns the logarithm of ``p ** times``; that of ``0 ** 0`` is 0."""
    return 0.0 if not times else -inf if p <= 0.0 else times * log(p)
