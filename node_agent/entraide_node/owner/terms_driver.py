"""Terms driver: applies the owner's terms to the machine's state, once a second.

Input: the owner's file and the probes. Output: the limits of lending, and calls to end runs.
``core.owner_policy`` decides; this driver reads the inputs and carries out its commands. If a probe
fails, presence counts as undetectable.
"""

import asyncio
import time
from pathlib import Path

import msgspec
import structlog

from entraide.types import Lending
from entraide_node.core import run_admission
from entraide_node.core.machine_state import MachineState
from entraide_node.core.owner_policy import LendingState, OwnerPolicy, PolicyOutcome
from entraide_node.machine_probes import MachineProbes
from entraide_node.owner import files as owner_files
from entraide_node.owner.policy_driver import (
    OWNER_RETURNED,
    EndRunsCallback,
    NotifyChange,
    OwnerStatus,
    ReadWorkload,
)
from entraide_node.owner.terms_file import TermsFile

POLL_INTERVAL_S = 1.0


class TermsPolicyDriver:
    """The policy driver of an owner with terms."""

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

    # For the agent.

    def reason(self) -> str:
        """See ``PolicyDriver``."""
        if self._outcome is None:
            return "starting"
        return "" if self._outcome.reason is None else self._outcome.reason.code

    def limits(self) -> run_admission.LendingLimits:
        """See ``PolicyDriver``."""
        terms, now = self._file.terms, self._outcome
        if now is None:
            return run_admission.LendingLimits()
        lending = Lending.OWN_FIRST if terms.own_first else Lending.ALL
        return run_admission.LendingLimits(
            slots=now.slots,
            models_bytes=now.models_bytes,
            lending=Lending.OWN_ONLY if now.own_only else lending,
            data_classes=terms.data_classes,
        )

    def status(self) -> OwnerStatus:
        """See ``PolicyDriver``."""
        now, problem, activity = self._outcome, self._file.problem, self._probes.activity
        if now is None:
            return OwnerStatus()
        return OwnerStatus(
            number=0 if now.reason is None else now.reason.number,
            code="" if now.reason is None else now.reason.code,
            values={} if now.reason is None else now.reason.values,
            state=now.state,
            since_at=self._since_at,
            until_at=None if now.until is None else time.time() + now.until - time.monotonic(),
            give_back_s=self._file.terms.give_back_s,
            own_only=now.own_only,
            how=activity.how,
            watching=activity.watching,
            file_code="" if problem is None else problem.code,
            file_values={} if problem is None else problem.values(self._folder),
        )

    # Evaluation.

    async def run(
        self, *, notify: NotifyChange, end_runs: EndRunsCallback, read_workload: ReadWorkload
    ) -> None:
        """See ``PolicyDriver``."""
        try:
            while True:
                await self.evaluate(notify=notify, end_runs=end_runs, read_workload=read_workload)
                await asyncio.sleep(self._sleep_s())
        finally:
            await self._probes.close()

    async def evaluate(
        self, *, notify: NotifyChange, end_runs: EndRunsCallback, read_workload: ReadWorkload
    ) -> None:
        """Evaluates the terms once, and carries out the commands."""
        self._file.refresh()
        terms = self._file.terms
        machine_state = await self._read_machine_state()
        workload = read_workload()
        now = msgspec.structs.replace(
            machine_state,
            surplus_w=workload.surplus_w,
            idle_w=workload.idle_w,
            active_w=workload.active_w,
            slots=workload.slots,
        )
        previous, limits_before = self._outcome, self.limits()
        self._outcome, commands = self._policy.evaluate(
            terms, now, at=time.monotonic(), running=workload.running, foreign=workload.foreign
        )
        if previous is None or (previous.reason, previous.state) != (
            self._outcome.reason, self._outcome.state
        ):  # fmt: skip
            self._log_change(previous)
        for command in commands:
            self._log.info("node.owner_returned", foreign_only=command.foreign_only)
            end_runs(OWNER_RETURNED, command.foreign_only)
        if (
            previous is None
            or limits_before != self.limits()
            or _reason_code(previous) != _reason_code(self._outcome)
        ):
            notify()

    async def _read_machine_state(self) -> MachineState:
        paused = owner_files.is_paused(self._folder)
        try:
            return await self._probes.read_state(self._file.terms, paused=paused)
        except Exception:  # noqa: BLE001  (a probe's bug must not take the node away)
            self._log.exception("node.probe_broken")
            return MachineState(paused=paused, idle_s=None)

    def _log_change(self, previous: PolicyOutcome | None) -> None:
        assert self._outcome is not None
        now = self._outcome
        if previous is None or _reason_code(previous) != _reason_code(now):
            self._since_at = time.time()
            code = _reason_code(now)
            self._log.info("node.owner", state=now.state, reason=code)

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
