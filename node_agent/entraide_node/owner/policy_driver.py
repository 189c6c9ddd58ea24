"""Policy driver: applies the owner's policy to the machine's state, once a second.

Input: the owner's files, the probes and the agent's load. Output: the limits of lending, and calls
to end runs. ``core.owner_policy`` decides; this driver reads the inputs and carries out its
commands. If a probe fails, presence counts as undetectable.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from msgspec import Struct
from msgspec.structs import replace

from entraide.lent_terms import LentTerms
from entraide.types import Lending
from entraide_node.core.machine_state import MachineState
from entraide_node.core.owner_policy import (
    EndRuns,
    LendingLimits,
    LendingState,
    OwnerPolicy,
    PolicyOutcome,
)
from entraide_node.core.owner_terms import ReasonNotice, told_terms
from entraide_node.machine_probes import MachineProbes
from entraide_node.owner import files as owner_files
from entraide_node.owner.files import OwnerStatus
from entraide_node.owner.terms_file import TermsFile

POLL_INTERVAL_S = 1.0
UNTOLD = "owner_terms"  # told instead of a reason that the owner keeps to the machine


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


NotifyChange = Callable[[], object]
EndRunsCallback = Callable[[EndRuns], object]
ReadWorkload = Callable[[], AgentLoad]


class PolicyDriver:
    """Keeps the owner policy's outcome up to date while the agent lives."""

    def __init__(self, folder: Path, probes: MachineProbes) -> None:
        """Lends nothing before the first evaluation.

        Args:
            folder: of the node, with the owner's files.
            probes: of the machine; this driver closes them.
        """
        self._folder = folder
        self._probes = probes
        self._file = TermsFile(folder)
        self._policy = OwnerPolicy()
        self._outcome: PolicyOutcome | None = None
        self._since_at = time.time()
        self._log = structlog.get_logger("entraide.node")

    def reason(self) -> str:
        """Returns the stable code of why the machine accepts no work now, or ""."""
        return "starting" if self._outcome is None else _reason_code(self._outcome)

    def told_reason(self) -> str:
        """Returns the code that the pool is told instead of ``reason``."""
        reason = self.reason()
        if (
            self._outcome is not None
            and reason
            and self._file.terms.tell_pool is ReasonNotice.STATE
        ):
            return UNTOLD
        return reason

    def told_terms(self) -> LentTerms | None:
        """Returns the hours and caps that the pool is told; None if the owner tells none."""
        return told_terms(self._file.terms)

    @property
    def keeps_awake(self) -> bool:
        """Whether the owner lets active runs keep the machine awake."""
        return self._file.terms.keep_awake

    @property
    def prefix_part(self) -> float | None:
        """Part of the memory for prompts at rest; None while the machine is not lent."""
        return None if self.reason() else self._file.terms.prefix.memory_part

    def limits(self) -> LendingLimits:
        """Returns the current limits of lending."""
        return LendingLimits() if self._outcome is None else self._outcome.limits

    def status(self) -> OwnerStatus:
        """Returns the status of the owner's terms."""
        now, problem, activity = self._outcome, self._file.problem, self._probes.activity
        if now is None:
            return OwnerStatus()
        return OwnerStatus(
            number=0 if now.reason is None else now.reason.number,
            code=_reason_code(now),
            values={} if now.reason is None else now.reason.values,
            state=now.state,
            since_at=self._since_at,
            until_at=None if now.until is None else time.time() + now.until - time.monotonic(),
            give_back_s=self._file.terms.give_back_s,
            own_only=now.limits.lending is Lending.OWN_ONLY,
            how=activity.how,
            watching=activity.watching,
            file_code="" if problem is None else problem.code,
            file_values={} if problem is None else problem.values(self._folder),
            terms=self._file.terms,
            terms_ns=self._file.changed_ns,
        )

    async def run(
        self, *, notify: NotifyChange, end_runs: EndRunsCallback, read_workload: ReadWorkload
    ) -> None:
        """Evaluates the policy for as long as the agent lives.

        Args:
            notify: called when ``reason`` or ``limits`` has changed: the pool is told at once.
            end_runs: called when runs must end now.
            read_workload: returns the agent's current load.
        """
        try:
            while True:
                await self._evaluate(notify=notify, end_runs=end_runs, read_workload=read_workload)
                await asyncio.sleep(self._sleep_s())
        finally:
            await self._probes.close()

    async def _evaluate(
        self, *, notify: NotifyChange, end_runs: EndRunsCallback, read_workload: ReadWorkload
    ) -> None:
        """Evaluates the policy once, and carries out the commands."""
        self._file.refresh()
        machine_state = await self._read_machine_state()
        workload = read_workload()
        now = replace(
            machine_state,
            surplus_w=workload.surplus_w,
            idle_w=workload.idle_w,
            active_w=workload.active_w,
            slots=workload.slots,
        )
        previous = self._outcome
        self._outcome, commands = self._policy.evaluate(
            self._file.terms,
            now,
            at=time.monotonic(),
            running=workload.running,
            foreign=workload.foreign,
        )
        is_new = previous is None or _reason_code(previous) != _reason_code(self._outcome)
        if is_new:
            self._since_at = time.time()
            code = _reason_code(self._outcome)
            self._log.info("node.owner", state=self._outcome.state, reason=code)
        for command in commands:
            end_runs(command)
        if is_new or previous is None or previous.limits != self._outcome.limits:
            notify()

    async def _read_machine_state(self) -> MachineState:
        paused = owner_files.is_paused(self._folder)
        try:
            return await self._probes.read_state(self._file.terms, paused=paused)
        except Exception:  # noqa: BLE001  (a probe's bug must not take the node away)
            self._log.exception("node.probe_broken")
            return MachineState(paused=paused, idle_s=None)

    def _sleep_s(self) -> float:
        """Returns the time until the next evaluation, seconds."""
        deadline = self._policy.next_deadline(self._file.terms)
        if self._outcome is not None and self._outcome.state is LendingState.GIVING_BACK:
            return POLL_INTERVAL_S / 4
        if deadline is None:
            return POLL_INTERVAL_S
        return min(POLL_INTERVAL_S, max(0.01, deadline - time.monotonic()))


def _reason_code(outcome: PolicyOutcome) -> str:
    return "" if outcome.reason is None else outcome.reason.code
