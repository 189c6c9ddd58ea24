"""Converts the messages of the gRPC contract to the vocabulary's structs."""

from typing import Any

from google.protobuf import json_format, struct_pb2

from entraide.client.answers import Job, ModelInfo, TokenUsage, Waiting
from entraide.decoding import decode_json
from entraide.models import TaskQuality
from entraide.types import (
    Basis,
    Candidate,
    Candidates,
    ComparedModel,
    Control,
    Exclusion,
    Explanation,
    JobClass,
    Promise,
    Receipt,
    ReceiptRun,
    ServerPlace,
    SurplusEvidence,
    Task,
)
from entraide.units import UG_PER_G, UWH_PER_WH, round_half_up
from entraide.v1 import common_pb2, pool_pb2

TASKS = frozenset(Task)  # a later pool may know more


def waiting(message: pool_pb2.Waiting) -> Waiting:
    """Returns why a request waits."""
    retry_after_s = message.retry_after_s or None
    return Waiting(message.reason, message.position, retry_after_s, message.message)


def usage(message: common_pb2.Usage) -> TokenUsage:
    """Returns the tokens of one job."""
    return TokenUsage(
        message.input_tokens,
        message.cached_tokens,
        message.output_tokens,
        Basis(message.basis or Basis.ESTIMATED),
        message.reasoning_tokens,
    )


def receipt(message: common_pb2.Receipt) -> Receipt | None:
    """Returns a receipt; None for an empty message."""
    if not message.job:
        return None
    tokens = usage(message.usage)
    return Receipt(
        job=message.job,
        coop=message.coop,
        node=message.node,
        node_coop=message.node_coop,
        site=message.site,
        province=message.province,
        engine=message.engine,
        model=message.model,
        model_revision=message.model_revision,
        job_class=JobClass(message.job_class),
        promise=Promise(message.promise),
        at_risk=message.at_risk,
        queue_ms=message.queue_ms,
        ttft_ms=message.ttft_ms,
        input_tokens=tokens.input_tokens,
        cached_tokens=tokens.cached_tokens,
        output_tokens=tokens.output_tokens,
        tokens_basis=tokens.basis,
        energy_wh=message.energy_wh,
        energy_basis=Basis(message.energy_basis),
        carbon_gco2e=message.carbon_gco2e,
        carbon_lifecycle_gco2e=message.carbon_lifecycle_gco2e,
        intensity_g_per_kwh=message.intensity_g_per_kwh,
        intensity_basis=Basis(message.intensity_basis),
        surplus_basis=Basis(message.surplus_basis) if message.surplus_basis else None,
        policy_version=message.policy_version,
        settled=message.settled,
        issued_at=message.issued_at,
        key=message.key,
        signature=message.signature,
        smaller=_compared(message.smaller) if message.HasField("smaller") else None,
        controlled_by=Control(message.controlled_by),
        surplus_evidence=SurplusEvidence(message.surplus_evidence),
        runs=tuple(map(_receipt_run, message.runs)),
        place=place(message.place) if message.HasField("place") else None,
        further_places=tuple(map(place, message.further_places)),
        node_key=message.node_key,
        coop_names=dict(message.coop_names),
        reasoning_tokens=tokens.reasoning_tokens,
        reasoning_wh=message.reasoning_wh,
        always_thinks=message.always_thinks,
        larger=_compared(message.larger) if message.HasField("larger") else None,
    )


def place(message: common_pb2.ServerPlace) -> ServerPlace:
    """Returns where a server of the pool stands."""
    return ServerPlace(message.zone, message.controlled_by, message.invented)


def _receipt_run(message: common_pb2.ReceiptRun) -> ReceiptRun:
    return ReceiptRun(
        node=message.node,
        node_coop=message.node_coop,
        site=message.site,
        province=message.province,
        engine=message.engine,
        output_tokens=message.output_tokens,
        energy_wh=message.energy_wh,
        energy_basis=Basis(message.energy_basis),
        carbon_gco2e=message.carbon_gco2e,
        carbon_lifecycle_gco2e=message.carbon_lifecycle_gco2e,
        ended=message.ended,
        controlled_by=Control(message.controlled_by),
        node_key=message.node_key,
    )


def _compared(message: common_pb2.ComparedModel) -> ComparedModel:
    return ComparedModel(
        message.model, message.energy_wh, message.carbon_gco2e, Basis(message.basis)
    )


def values(message: struct_pb2.Struct) -> dict[str, str | int | float]:
    """Returns a sentence's values; protobuf's floats that are whole numbers become integers."""
    converted: dict[str, str | int | float] = {}
    for key, value in json_format.MessageToDict(message).items():
        whole = isinstance(value, float) and value.is_integer()
        converted[key] = int(value) if whole else value
    return converted


def candidate(message: common_pb2.Candidate) -> Candidate:
    """Returns a node that could have run the job."""
    return Candidate(
        node=message.node,
        coop=message.coop,
        zone=message.zone,
        ttft_s=message.ttft_s,
        tpot_s=message.tpot_s,
        energy_uwh=round_half_up(message.energy_wh * UWH_PER_WH),
        carbon_ug=round_half_up(message.carbon_gco2e * UG_PER_G),
        intensity_g_per_kwh=message.intensity_g_per_kwh,
        intensity_basis=Basis(message.intensity_basis or Basis.DEFAULT),
        surplus_w=message.surplus_w,
        keeps_promise=message.keeps_promise,
        ttft_upper_s=message.ttft_upper_s,
    )


def exclusion(message: common_pb2.Exclusion) -> Exclusion:
    """Returns an excluded node."""
    return Exclusion(
        node=message.node,
        coop=message.coop,
        zone=message.zone,
        rule=message.rule,
        values=values(message.values),
        waiting_helps=message.waiting_helps,
    )


def explanation(message: common_pb2.Explanation) -> Explanation:
    """Returns an explanation; its epoch is 0, since the contract does not have it."""
    objective = message.objective_ttft_s if message.HasField("objective_ttft_s") else None
    return Explanation(
        job=message.job,
        at=message.at,
        policy_version=message.policy_version,
        decision=message.decision,
        reason=message.reason,
        values=values(message.values),
        epoch=0,
        node=message.node,
        candidates=Candidates.of(map(candidate, message.candidates)),
        excluded=tuple(map(exclusion, message.excluded)),
        excluded_counts=dict(message.excluded_counts),
        waiting_helps=message.waiting_helps,
        objective_ttft_s=objective,
        coop_names=dict(message.coop_names),
    )


def job(message: pool_pb2.Job) -> Job:
    """Returns a job, with its result decoded."""
    result: dict[str, Any] | None = None
    if message.result_json:
        result = decode_json(message.result_json, type=dict[str, Any])
    return Job(
        job=message.job,
        state=message.state,
        code=message.code,
        message=message.message,
        model=message.model,
        job_class=message.job_class,
        submitted_at=message.submitted_at,
        ended_at=message.ended_at,
        result=result,
        receipt=receipt(message.receipt),
    )


def model(message: pool_pb2.Model) -> ModelInfo:
    """A model that the pool serves."""
    return ModelInfo(
        model=message.model,
        revisions=tuple(message.revisions),
        context_tokens=message.context_tokens,
        features=tuple(message.features),
        replicas=message.replicas,
        loaded=message.loaded or message.replicas > 0,
        means=message.means,
        zones=tuple(message.zones),
        controlled_by=tuple(message.controlled_by),
        pinned_at=message.pinned_at,
        quality=tuple(_quality(cell) for cell in message.quality if cell.task in TASKS),
        openness=message.openness,
    )


def _quality(message: pool_pb2.TaskQuality) -> TaskQuality:
    values = {name: getattr(message, name) for name in TaskQuality.__struct_fields__}
    return TaskQuality(**values | {"task": Task(message.task)})
