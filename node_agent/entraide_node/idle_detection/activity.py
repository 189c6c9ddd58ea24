"""Activity: the result of idle detection on every system; None means that it cannot be detected."""

from msgspec import Struct

RECENT_INPUT_S = 300.0  # terminal input this recent proves presence, even if a desktop is unknown


class Activity(Struct, frozen=True):
    """Whether somebody uses the machine.

    Attributes:
        idle_s: seconds since the last key or pointer input; infinite if nobody is signed in, None
            if it cannot be detected.
        how: the source (``wayland``, ``mutter``, ``x11``, ``screensaver``, ``logind``,
            ``terminals``, ``macos``, ``windows``), or "".
        watching: whether a program keeps the screen on, for example for a video or a call.
    """

    idle_s: float | None
    how: str = ""
    watching: bool = False
