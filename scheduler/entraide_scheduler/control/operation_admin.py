"""Operation administration: the Admin service's calls about the doctor's findings and operations.

The checks, replays and pins are those of the commands; they run in bounded processes, so that the
scheduler and its gateway go on undisturbed.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from entraide.v1 import admin_pb2
from entraide_scheduler.catalogue import PoolCatalogue
from entraide_scheduler.config import SchedulerConfig
from entraide_scheduler.control.errors import Context, language
from entraide_scheduler.control.operator_access import OperatorAccess
from entraide_scheduler.findings import Finding, Report, merge, report
from entraide_scheduler.operations.doctor_run import FINDINGS_MAX, URGENCY, DoctorRun
from entraide_scheduler.operations.operation_runner import (
    GROUPS,
    PIN,
    POLICY,
    OperationPlan,
    OperationRunner,
    operation_message,
)
from entraide_scheduler.operations.pin_operation import PIN_LIMITS, PinWish, run_pin
from entraide_scheduler.operations.replay_operation import REPLAY_LIMITS, ReplayWish, run_replay
from entraide_scheduler.policy_versions.documents import read_document, write_document

DAYS_DEFAULT, DAYS_MAX = 7.0, 366.0
GROWTH_PERCENT_MAX = 1_000.0
REVISION_CHARS_MAX = 100


def _message(each: Report) -> admin_pb2.Finding:
    values = each.values.items()
    return admin_pb2.Finding(
        level=each.level,
        code=each.code,
        sentence=each.sentence,
        remedy=each.remedy,
        since=each.since,
        names={name: value for name, value in values if isinstance(value, str)},
        numbers={name: float(value) for name, value in values if not isinstance(value, str)},
        problem=each.problem,
        watched=each.watched,
    )


class OperationAdmin:
    """The calls about findings and operations.

    Args:
        config: the scheduler's.
        access: checks the operator's key.
        catalogue: the pool's models.
        operations: starts and holds operations.
        watched: returns what the running scheduler finds.
        backup_at: returns when the last backup was made; 0 where none is known.
        grpc: returns ``host:port`` of the Admin service.
        admin_key: the operator's key.
    """

    def __init__(
        self,
        config: SchedulerConfig,
        *,
        access: OperatorAccess,
        catalogue: PoolCatalogue,
        operations: OperationRunner,
        watched: Callable[[], Sequence[Finding]],
        backup_at: Callable[[], float],
        grpc: Callable[[], str],
        admin_key: str,
    ) -> None:
        self._access = access
        self._home = Path(config.dir).absolute()
        self._store_url = config.effective_store_url
        self._lang = config.lang
        self._catalogue = catalogue
        self._operations = operations
        self._watched = watched
        self._backup_at = backup_at
        self._grpc = grpc
        self._admin_key = admin_key
        self._doctor = DoctorRun(self._home)

    async def ListFindings(
        self, request: admin_pb2.ListFindingsRequest, context: Context
    ) -> admin_pb2.Findings:
        """Returns what the doctor finds, the most urgent first; takes some seconds.

        What the running scheduler finds it returns at once, if the request asks for that alone.
        """
        lang, at = language(context, self._lang), time.time()
        reports = [report(each, lang) for each in self._watched()]
        if not request.running_only:
            inspected = await self._doctor.inspect(lang)
            own = [each for each in inspected.findings if not each.watched]
            at, reports = inspected.at, merge(own, reports)
            reports.sort(key=lambda each: URGENCY.index(each.level))
        findings = [_message(each) for each in reports[:FINDINGS_MAX]]
        return admin_pb2.Findings(at=at, findings=findings, backup_at=self._backup_at())

    async def StartOperation(
        self, request: admin_pb2.StartOperationRequest, context: Context
    ) -> admin_pb2.Operation:
        """Starts an operation."""
        await self._check_kind(request.kind, context)
        if request.kind == PIN:
            plan = await self._plan_pin(request, context)
        else:
            plan = await self._plan_replay(request, context)
        running = self._operations.find_running(request.kind)
        if running is not None:
            await self._access.abort(context, "operation_busy", kind=running.plan.kind)
        return operation_message(request.kind, self._operations.start(plan))

    async def GetOperation(
        self, request: admin_pb2.GetOperationRequest, context: Context
    ) -> admin_pb2.Operation:
        """Returns the last operation of a kind."""
        await self._check_kind(request.kind, context)
        held = self._operations.get(request.kind)
        return operation_message(request.kind, held, report=request.report)

    async def CancelOperation(
        self, request: admin_pb2.CancelOperationRequest, context: Context
    ) -> admin_pb2.Operation:
        """Ends the running operation of a kind, if there is one."""
        await self._check_kind(request.kind, context)
        return operation_message(request.kind, await self._operations.cancel(request.kind))

    async def _check_kind(self, kind: str, context: Context) -> None:
        if kind not in GROUPS:
            choices = ", ".join(GROUPS)
            await self._access.abort(
                context, "invalid_request", param="kind", fault="not_one_of", choices=choices
            )

    async def _plan_replay(
        self, request: admin_pb2.StartOperationRequest, context: Context
    ) -> OperationPlan:
        document, growth_percent, about = b"", 0.0, ""
        if request.kind == POLICY:
            read = read_document(request.document)
            for fault in read.faults:
                await self._access.refuse_policy(fault, context)
            assert read.policy is not None
            document, about = write_document(read.policy).encode(), read.policy.version
        else:
            growth_percent = await self._check_number(
                "growth_percent", request.growth_percent, GROWTH_PERCENT_MAX, context
            )
        days = await self._check_number("days", request.days or DAYS_DEFAULT, DAYS_MAX, context)
        wish = ReplayWish(
            store_url=self._store_url,
            days=days,
            policy=document,
            growth_percent=growth_percent,
            lang=language(context, self._lang),
        )
        return OperationPlan(request.kind, about, REPLAY_LIMITS.wall_s, partial(run_replay, wish))

    async def _check_number(self, param: str, value: float, most: float, context: Context) -> float:
        if not (math.isfinite(value) and 0.0 < value <= most):
            values: dict[str, str | float] = {"param": param, "fault": "between"}
            await self._access.abort(context, "invalid_request", **values, low=0, high=most)
        return value

    async def _plan_pin(
        self, request: admin_pb2.StartOperationRequest, context: Context
    ) -> OperationPlan:
        names = {entry.name: entry for entry in self._catalogue.catalogue.models}
        entry = names.get(request.model)
        if entry is None:
            known = ", ".join(sorted(names))
            await self._access.abort(
                context, "invalid_request", param="model", fault="not_one_of", choices=known
            )
        formats = {artefact.format for artefact in entry.artefacts}
        if request.format and request.format not in formats:
            await self._access.abort(
                context,
                "invalid_request",
                param="format",
                fault="not_one_of",
                choices=", ".join(sorted(formats)),
            )
        if len(request.revision) > REVISION_CHARS_MAX or request.revision.startswith("-"):
            await self._access.abort(context, "invalid_request", param="revision", fault="unusable")
        wish = PinWish(
            model=entry.name,
            format=request.format,
            revision=request.revision,
            home=self._home,
            grpc=self._grpc(),
            admin_key=self._admin_key,
            lang=language(context, self._lang),
        )
        return OperationPlan(PIN, entry.name, PIN_LIMITS.wall_s, partial(run_pin, wish))
