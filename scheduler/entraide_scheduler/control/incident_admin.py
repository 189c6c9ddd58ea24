"""Incident administration: the Admin service's calls about the register of incidents."""

import time
from functools import partial
from typing import Any

import structlog
from msgspec import structs

from entraide.printable import is_printable
from entraide.v1 import admin_pb2
from entraide_scheduler.control.errors import Context
from entraide_scheduler.control.local_calls import LocalContext
from entraide_scheduler.control.operator_access import OperatorAccess
from entraide_scheduler.store.incidents import ConfidentialityIncident, add_incident, list_incidents
from entraide_scheduler.store.store import Store

TEXT_MAX = 4_000
PERSONS_MAX = 10**9
RISKS = ("serious", "not_serious")
REQUIRED = ("happened", "noticed", "circumstances", "risk")
TEXTS = (
    "happened", "noticed", "circumstances", "information", "risk", "risk_reasons", "told",
    "measures",
)  # fmt: skip


class IncidentAdmin:
    """The calls about the register of confidentiality incidents.

    Args:
        access: checks the operator's key.
        store: holds the register.
    """

    def __init__(self, access: OperatorAccess, store: Store) -> None:
        self._access = access
        self._store = store
        self._log = structlog.get_logger("entraide.admin")

    async def AddIncident(
        self, request: admin_pb2.ConfidentialityIncident, context: Context
    ) -> admin_pb2.ConfidentialityIncident:
        """Adds an entry, which is on disk on return."""
        if fault := _find_fault(request):
            await self._access.abort(context, "invalid_request", **fault)
        row = ConfidentialityIncident(
            number=0,
            entered_at=time.time(),
            entered_by=context.actor.person if isinstance(context, LocalContext) else "",
            amends=request.amends,
            persons=request.persons,
            **{name: getattr(request, name).strip() for name in TEXTS},
        )
        added = await self._store.write(partial(add_incident, row=row))
        if added is None:
            await self._access.abort(context, "invalid_request", param="amends", fault="unreadable")
        self._log.warning("incident.entered", number=added.number)
        return _message(added)

    async def ListIncidents(
        self, _: admin_pb2.ListIncidentsRequest, _context: Context
    ) -> admin_pb2.ListIncidentsResponse:
        """Lists all entries."""
        rows = await self._store.read(list_incidents)
        return admin_pb2.ListIncidentsResponse(incidents=map(_message, rows))


def _message(row: ConfidentialityIncident) -> admin_pb2.ConfidentialityIncident:
    return admin_pb2.ConfidentialityIncident(**structs.asdict(row))


def _find_fault(request: admin_pb2.ConfidentialityIncident) -> dict[str, Any]:
    """Returns what is wrong with an entry, as values of ``invalid_request``; {} if nothing is."""
    for name in TEXTS:
        text = getattr(request, name).strip()
        if name in REQUIRED and not text:
            return {"param": name, "fault": "empty"}
        if len(text) > TEXT_MAX:
            return {"param": name, "fault": "too_long", "limit": TEXT_MAX}
        if not is_printable(text):
            return {"param": name, "fault": "control_signs"}
    if request.risk.strip() not in RISKS:
        return {"param": "risk", "fault": "not_one_of", "choices": ", ".join(RISKS)}
    if not -1 <= request.persons <= PERSONS_MAX:
        return {"param": "persons", "fault": "between", "low": -1, "high": PERSONS_MAX}
    return {}
