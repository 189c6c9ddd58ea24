"""macOS: since when no key or pointer was touched, as the system's own tools tell.

``ioreg`` shows the time since the last event of any input device; ``pmset`` shows who keeps the
screen on (a film, a call), and how much the system slows down for heat. It decides how their words
are read, and refuses to guess where they say nothing.
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
    """Returns the time since the last input, from what ``ioreg`` says.

    >>> parse_idle_s('    | |   "HIDIdleTime" = 4521000000')
    4.521
    """
    values_ns = [int(value) for value in _IDLE.findall(output)]
    return min(values_ns) / 1e9 if values_ns else None


def is_screen_kept_on(output: str) -> bool:
    """Tells whether something keeps the screen on, from what ``pmset -g assertions`` says.

    >>> is_screen_kept_on("   PreventUserIdleDisplaySleep    1")
    True
    """
    match = _SCREEN.search(output)
    return match is not None and match.group(1) != "0"


def is_throttled(output: str) -> bool:
    """Tells whether the system slows down for heat, from what ``pmset -g therm`` says.

    >>> is_throttled("CPU_Speed_Limit = 100"), is_throttled("CPU_Speed_Limit = 72")
    (False, True)
    """
    speed, level = _SPEED.search(output), _LEVEL.search(output)
    slowed = speed is not None and int(speed.group(1)) < 100
    return slowed or (level is not None and level.group(1) != "0")
