"""Stewardship: what the agent asks of whoever speaks for the machine's owner.

It decides nothing: the agent obeys. Which terms an owner has set, and how presence is noticed, is
the steward's own affair.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from entraide_node.core.run_admission import LendingLimits

OWNER_RETURNED = "owner_returned"  # what a run ends with that is given back in mid-answer


class Workload(Struct, frozen=True):
    """What the agent does, for its steward to judge by.

    Attributes:
        running: runs that it holds.
        foreign: those of other co-ops.
        slots: sequences that its engines can run.
        surplus_w: of the site's own generation.
        idle_w, active_w: what the machine draws without and with work.
    """

    running: int = 0
    foreign: int = 0
    slots: int = 0
    surplus_w: float = 0.0
    idle_w: float = 0.0
    active_w: float = 0.0


class OwnerStatus(Struct, frozen=True, kw_only=True):
    """What the status says of the owner's terms.

    Attributes:
        number, code, values: why the machine takes no work; 0 and "" when it does.
        state: see ``core.owner_policy.State``; "" without terms.
        since_at: from when on that code holds, seconds since the epoch.
        until_at: when it works again if nothing objects until then; None when that is not known.
        give_back_s: how long a run may go on once the machine should step aside.
        own_only: whether it takes its own co-op's work only.
        how: which probe tells whether somebody is there, or "".
        watching: whether something keeps the screen on.
        file_code, file_values: what is wrong with the owner's file; "" when nothing is.
    """

    number: int = 0
    code: str = ""
    values: dict[str, str | int | float] = {}
    state: str = ""
    since_at: float = 0.0
    until_at: float | None = None
    give_back_s: float = 0.0
    own_only: bool = False
    how: str = ""
    watching: bool = False
    file_code: str = ""
    file_values: dict[str, str | int | float] = {}


NotifyChange = Callable[[], object]
EndRunsCallback = Callable[[str, bool], object]
ReadWorkload = Callable[[], Workload]


class PolicyDriver(Protocol):
    """Whoever speaks for the machine's owner: when it may work, and when it is given back."""

    def reason(self) -> str:
        """Returns the stable code why the machine takes no work now, or "" when it may."""
        ...

    def limits(self) -> LendingLimits:
        """Returns how much of the machine may be used now."""
        ...

    def status(self) -> OwnerStatus:
        """Returns what the status says of the owner's terms."""
        ...

    async def run(
        self, *, notify: NotifyChange, end_runs: EndRunsCallback, read_workload: ReadWorkload
    ) -> None:
        """Looks for as long as the agent lives.

        Args:
            notify: to be called when ``reason`` or ``lent`` has changed: the pool hears at once.
            end_runs: to be called, with ``OWNER_RETURNED``, when what runs must end now; with
                True, only what runs for other co-ops.
            read_workload: tells what the agent does.
        """
        ...


class UnrestrictedDriver:
    """The steward of a machine whose owner has set no terms."""

    def reason(self) -> str:
        """See ``PolicyDriver``."""
        return ""

    def limits(self) -> LendingLimits:
        """See ``PolicyDriver``."""
        return LendingLimits()

    def status(self) -> OwnerStatus:
        """See ``PolicyDriver``."""
        return OwnerStatus()

    async def run(  # nothing ever changes
        self,
        *,
        notify: NotifyChange,  # noqa: ARG002
        end_runs: EndRunsCallback,  # noqa: ARG002
        read_workload: ReadWorkload,  # noqa: ARG002
    ) -> None:
        """See ``PolicyDriver``."""
        await asyncio.Event().wait()
