"""Vouching: what the operator vouches for a node, when it joins and later, and what is refused.

In: requests of the Admin service. Out: the node's record, or the values of ``invalid_request``.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from entraide.types import Control, DataClass, SurplusEvidence
from entraide.v1 import admin_pb2
from entraide_scheduler.nodes import ZONE
from entraide_scheduler.store.rows import NodeRow

VALID_DEFAULT_S = 3_600.0
VALID_MAX_S = 30 * 86_400.0
WORDS = ("zone", "site", "controlled_by", "evidence")
NAME_MAX = 80  # characters of a site or a document

Fault = dict[str, str | int]


def find_token_fault(request: admin_pb2.CreateJoinTokenRequest) -> Fault:
    """Returns the values of the refusal of an invalid request for a token; none if it is valid."""
    valid_s = request.valid_s or VALID_DEFAULT_S
    if not 0 < valid_s <= VALID_MAX_S:
        limits = {"low": 1, "high": round(VALID_MAX_S)}
        return {"param": "valid_s", "fault": "between", **limits}
    return (
        _find_place_fault(request.zone, request.site)
        or _find_unknown("controlled_by", Control, [request.controlled_by])
        or _find_unknown("data_classes", DataClass, request.data_classes)
        or _find_evidence_fault(request.evidence, request.document)
    )


def find_vouching_fault(request: admin_pb2.VouchNodeRequest) -> Fault:
    """Returns the values of the refusal of an invalid request to vouch; none if it is valid."""
    given = {field.name for field, _ in request.ListFields()}  # an empty word is given, too
    if given.isdisjoint((*WORDS, "document")):
        return {"fault": "none_given", "choices": ", ".join(WORDS)}
    if request.HasField("site") and not request.site.strip():
        return {"param": "site", "fault": "empty"}
    return (
        _find_place_fault(request.zone, request.site)
        or _find_unknown("controlled_by", Control, [request.controlled_by])
        or _find_evidence_fault(request.evidence, request.document)
    )


def read_vouched(row: NodeRow, request: admin_pb2.VouchNodeRequest, *, now: float) -> NodeRow:
    """Returns a node's record with what a valid request changes.

    Args:
        row: the record.
        request: what changes.
        now: moment of the change, seconds since the epoch.
    """
    row = msgspec.structs.replace(row, vouched_at=now, vouched_by=request.author)
    if request.HasField("zone"):
        row = msgspec.structs.replace(row, zone=request.zone)
    if request.HasField("site"):
        row = msgspec.structs.replace(row, site=request.site)
    if request.HasField("controlled_by"):
        row = msgspec.structs.replace(row, controlled_by=Control(request.controlled_by))
    if request.HasField("evidence"):
        row = msgspec.structs.replace(
            row,
            surplus_evidence=SurplusEvidence(request.evidence),
            evidence_document=request.document,
        )
    return row


def _find_place_fault(zone: str, site: str) -> Fault:
    if zone and not ZONE.fullmatch(zone):
        return {"param": "zone", "fault": "wrong_form", "form": "CA-QC", "found": zone[:40]}
    return _find_name_fault("site", site)


def _find_evidence_fault(evidence: str, document: str) -> Fault:
    """Evidence and the name of its document are given together, or neither."""
    fault = _find_unknown("evidence", SurplusEvidence, [evidence])
    fault = fault or _find_name_fault("document", document)
    if not fault and bool(evidence) != bool(document.strip()):
        given, needed = ("evidence", "document") if evidence else ("document", "evidence")
        fault = {"param": given, "fault": "needs", "needed": needed}
    return fault


def _find_name_fault(param: str, name: str) -> Fault:
    if len(name) > NAME_MAX:
        return {"param": param, "fault": "too_long", "limit": NAME_MAX}
    return {} if name.isprintable() else {"param": param, "fault": "control_signs"}


def _find_unknown(param: str, kind: type[StrEnum], values: Sequence[str]) -> Fault:
    known = [code.value for code in kind]
    unknown = [value for value in values if value not in known]
    if not unknown:
        return {}
    choices = ", ".join(filter(None, known))
    return {"param": param, "fault": "not_one_of", "choices": choices, "found": unknown[0][:40]}
