"""macOS: time since the last input, and heat, from the output of the system's own tools.

``ioreg`` reports the time since the last event of any input device; ``pmset`` reports what keeps
the screen on (a video, a call), and whether the system throttles for heat. Input: their output.
Output: parsed values; None if a value is missing.
"""

import re

IDLE_COMMAND = ("ioreg", "-c", "IOHIDSystem", "-d", "4")
SCREEN_COMMAND = ("pmset", "-g", "assertions")
HEAT_COMMAND = ("pmset", "-g", "therm")

_IDLE = re.compile(r'"HIDIdleTime"\s*=\s*(\d+)')
_SCREEN = re.compile(r"^\s*PreventUserIdleDisplaySleep\s+(\d+)", re.M)
_SPEED = re.compile(r"CPU_Speed_Limit\s*=\s*(\d+)")
_LEVEL = re.compile(r"thermal warning level[^\n]*?(\d+)", re.I)


def parse_idle_s(output: str) -> float | None:
    """Returns the time since the last input, from the output of ``ioreg``.

    >>> parse_idle_s('    | |   "HIDIdleTime" = 4521000000')
    4.521
    """
    values_ns = [int(value) for value in _IDLE.findall(output)]
    return min(values_ns) / 1e9 if values_ns else None


def is_screen_kept_on(output: str) -> bool:
    """Tells whether something keeps the screen on, from the output of ``pmset -g assertions``.

    >>> is_screen_kept_on("   PreventUserIdleDisplaySleep    1")
    True
    """
    match = _SCREEN.search(output)
    return match is not None and match.group(1) != "0"


def is_throttled(output: str) -> bool:
    """Tells whether the system throttles for heat, from the output of ``pmset -g therm``.

    >>> is_throttled("CPU_Speed_Limit = 100"), is_throttled("CPU_Speed_Limit = 72")
    (False, True)
    """
    speed, level = _SPEED.search(output), _LEVEL.search(output)
    slowed = speed is not None and int(speed.group(1)) < 100
    return slowed or (level is not None and level.group(1) != "0")
