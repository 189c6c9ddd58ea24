"""Windows: time since the last input, from ``GetLastInputInfo``.

Its counter of milliseconds wraps around after 49.7 days, like the clock that it is compared with.
"""

import ctypes

WRAP_MS = 1 << 32


class _LastInput(ctypes.Structure):
    _fields_ = (("size", ctypes.c_uint), ("at_ms", ctypes.c_uint))


def elapsed_s(now_ms: int, at_ms: int) -> float:
    """Returns the time between two counter values, the later of which may have wrapped around.

    >>> elapsed_s(500, WRAP_MS - 500)
    1.0
    """
    return (now_ms - at_ms) % WRAP_MS / 1_000


def idle_s() -> float | None:
    """Returns the time since the last input; None if the system does not report it."""
    system = getattr(ctypes, "windll", None)
    last = _LastInput(ctypes.sizeof(_LastInput), 0)
    if system is None or not system.user32.GetLastInputInfo(ctypes.byref(last)):
        return None
    return elapsed_s(system.kernel32.GetTickCount(), last.at_ms)
