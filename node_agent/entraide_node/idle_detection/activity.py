"""What a presence probe tells.

It decides one form for all of them. A probe that cannot tell says None, and never guesses.
"""

from msgspec import Struct


class Activity(Struct, frozen=True):
    """Whether somebody is at the machine.

    Attributes:
        idle_s: since a key or a pointer was last touched; infinite where nobody is signed in, None
            where it cannot be detected.
        how: which probe told (``wayland``, ``mutter``, ``x11``, ``screensaver``, ``logind``,
            ``terminals``, ``macos``, ``windows``), or "".
        watching: whether something keeps the screen on: a film, a call, a talk.
    """

    idle_s: float | None
    how: str = ""
    watching: bool = False
