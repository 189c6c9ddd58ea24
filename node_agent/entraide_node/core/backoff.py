"""Exponential back-off: the wait before the next attempt after consecutive failures.

Input: the number of failures, the first wait and the longest wait. Output: the wait in seconds,
which doubles with each failure.
"""


def doubling_backoff_s(failures: int, *, first_s: float, max_s: float) -> float:
    """Returns the wait after a number of consecutive failures, in seconds.

    Args:
        failures: number of consecutive failures, at least one.
        first_s: the wait after the first failure; each further failure doubles the wait.
        max_s: the longest wait.
    """
    wait_s = first_s
    for _ in range(1, failures):
        wait_s = min(max_s, wait_s * 2)
        if wait_s == max_s:
            break
    return wait_s
