"""Decision: ``clock.json``, which has the operator's decision on the clock, and past settings.

A decision counts for a day on the clock on which it was made, and only as long as the clock is on
the side on which the operator saw it. The scheduler that acts on it removes it.
"""

from pathlib import Path

import msgspec
from msgspec import Struct, structs

from entraide.decoding import decode_json
from entraide.files import write_private
from entraide_scheduler.driver import ClockState
from entraide_scheduler.nats.keyfiles import read_private, unreadable_error
from entraide_scheduler.store.wrong_dates import WrongDates

FILE = "clock.json"
VALID_S = 86_400.0
SETTINGS_MAX = 20  # the latest are kept


class Decision(Struct, frozen=True):
    """What the operator decided.

    Attributes:
        state: where the system clock was, which is right: ahead, or back.
        at: when, on the system clock, seconds since the epoch.
    """

    state: ClockState
    at: float


class Setting(Struct, frozen=True):
    """A pool that was set back to the right time.

    Attributes:
        at: the right time, seconds since the epoch.
        was_at: the pool's time before.
        records: those that carry wrong dates, between ``at`` and ``was_at``.
    """

    at: float
    was_at: float
    records: list[WrongDates]


class ClockFile(Struct, frozen=True):
    """Content of ``clock.json``."""

    decision: Decision | None = None
    settings: list[Setting] = []

    def allows(self, state: ClockState, now: float) -> bool:
        """Whether the operator decided that a clock on this side is right."""
        decision = self.decision
        if decision is None or decision.state is not state:
            return False
        return 0.0 <= now - decision.at < VALID_S


def read_clock_file(state: Path) -> ClockFile:
    """Returns the file of a pool's directory; an empty one if there is none.

    Raises:
        PoolError: ``identity_unreadable`` or ``identity_file_open``: it cannot be read.
    """
    path = state / FILE
    if not path.exists():
        return ClockFile()
    try:
        return decode_json(read_private(path), type=ClockFile)
    except msgspec.MsgspecError as problem:
        raise unreadable_error(path, "not a decision on the clock") from problem


def decide(state: Path, side: ClockState, now: float) -> None:
    """Notes the operator's decision that a system clock on this side is right."""
    _write(state, structs.replace(read_clock_file(state), decision=Decision(side, now)))


def forget_decision(state: Path) -> None:
    """Removes a decision, which was acted on or has become needless."""
    known = read_clock_file(state)
    if known.decision is not None:
        _write(state, structs.replace(known, decision=None))


def add_setting(state: Path, setting: Setting) -> None:
    """Notes that the pool was set back."""
    known = read_clock_file(state)
    others = [each for each in known.settings if each.was_at != setting.was_at]
    kept = [*others, setting][-SETTINGS_MAX:]  # one that broke off is done again
    _write(state, structs.replace(known, settings=kept))


def _write(state: Path, file: ClockFile) -> None:
    write_private(state / FILE, msgspec.json.encode(file))
