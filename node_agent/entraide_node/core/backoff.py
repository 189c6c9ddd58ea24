"""Back-off: how long to rest after failures in a row.

It decides the doubling and its limit, and nothing of what failed.
"""


def doubling_backoff_s(failures: int, *, first_s: float, max_s: float) -> float:
    """Returns the rest after so many failures in a row, seconds.

    Args:
        failures: at least one.
        first_s: after the first; each further one doubles it.
        max_s: the longest rest.
    """
    wait_s = first_s
    for _ in range(1, failures):
        wait_s = min(max_s, wait_s * 2)
        if wait_s == max_s:
            break
    return wait_s
