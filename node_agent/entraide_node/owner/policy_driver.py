"""Policy driver: the interface between the agent and the owner's policy.

``TermsPolicyDriver`` implements it with the owner's terms; ``UnrestrictedDriver`` is for an owner
without terms. The agent applies the driver's limits.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from entraide_node.core.run_admission import LendingLimits

OWNER_RETURNED = "owner_returned"  # end code of a run that is ended for the owner


class AgentLoad(Struct, frozen=True):
    """The agent's current load, input of the policy.

    Attributes:
        running: number of current runs.
        foreign: number of current runs of other co-ops.
        slots: concurrent sequences of its engines.
        surplus_w: surplus of the site's own generation.
        idle_w, active_w: power of the machine without and with jobs.
    """

    running: int = 0
    foreign: int = 0
    slots: int = 0
    surplus_w: float = 0.0
    idle_w: float = 0.0
    active_w: float = 0.0


class OwnerStatus(Struct, frozen=True, kw_only=True):
    """The status of the owner's terms.

    Attributes:
        number, code, values: why the machine accepts no work; 0 and "" if it does.
        state: see ``core.owner_policy.LendingState``; "" without terms.
        since_at: since when that code applies, seconds since the epoch.
        until_at: when work starts again if no rule becomes effective; None if unknown.
        give_back_s: how long a run may continue after a rule became effective.
        own_only: whether only jobs of its own co-op are accepted.
        how: source of idle detection, or "".
        watching: whether a program keeps the screen on.
        file_code, file_values: fault of the owner's file; "" without one.
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
ReadWorkload = Callable[[], AgentLoad]


class PolicyDriver(Protocol):
    """Applies the owner's policy: limits of lending, and the end of runs."""

    def reason(self) -> str:
        """Returns the stable code of why the machine accepts no work now, or ""."""
        ...

    def limits(self) -> LendingLimits:
        """Returns the current limits of lending."""
        ...

    def status(self) -> OwnerStatus:
        """Returns the status of the owner's terms."""
        ...

    async def run(
        self, *, notify: NotifyChange, end_runs: EndRunsCallback, read_workload: ReadWorkload
    ) -> None:
        """Evaluates the policy for as long as the agent lives.

        Args:
            notify: called when ``reason`` or ``limits`` has changed: the pool is told at once.
            end_runs: called with ``OWNER_RETURNED`` when all runs must end now; with
                True, only the runs of other co-ops.
            read_workload: returns the agent's current load.
        """
        ...


class UnrestrictedDriver:
    """The policy driver of an owner without terms."""

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
