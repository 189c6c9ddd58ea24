"""Pool messages: conversions between gRPC messages and the gateway's structs.

A gRPC request becomes the JSON body that the same request has over HTTP, so that both are parsed
and limited by the same code.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from google.protobuf import json_format, struct_pb2
from msgspec import structs

from entraide import explanations, i18n
from entraide.decoding import decode_json
from entraide.types import Explanation, Receipt, ServerPlace, Usage
from entraide.units import g_from_ug, wh_from_uwh
from entraide.v1 import common_pb2, pool_pb2
from entraide_scheduler.gateway.answers import CompleteAnswer
from entraide_scheduler.gateway.embeddings import read_embeddings
from entraide_scheduler.gateway.jobs import GRPC_NAMES, JobStatus, Options, Submission
from entraide_scheduler.gateway.refusals import ErrorReply, refused
from entraide_scheduler.gateway.requests import AnswerSeam, AnswerWaiting, openai

# Fields that the message has itself, so that ``extra`` must not.
OWN_FIELDS = frozenset({"model", "messages", "prompt", "input", "stream", "stream_options"})
WHOLE_MAX = 2.0**53
REQUEST_FIELDS = frozenset({"model", "messages", "prompt", "inputs", "keep_s"})
GRPC_PARAM_NAMES: Mapping[str, str] = MappingProxyType({"max_tokens": "max_output_tokens"})


def _restore_integers(value: Any) -> Any:
    """Returns JSON values with integral floats as integers: protobuf has floats only."""
    if isinstance(value, float) and abs(value) < WHOLE_MAX and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _restore_integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_restore_integers(item) for item in value]
    return value


def build_request_body(request: pool_pb2.InferenceRequest, *, stream: bool) -> tuple[str, bytes]:
    """Returns the path and the JSON body of a request.

    Args:
        request: the message.
        stream: whether it is a live job: an answer in text is streamed.

    Raises:
        Refused: ``invalid_request``, for a non-finite number or a field of the message itself.
    """
    try:
        extra = json_format.MessageToDict(request.extra)
    except (json_format.SerializeToJsonError, ValueError, RecursionError):
        raise refused("invalid_request", param="extra", fault="not_finite") from None
    if own := OWN_FIELDS & extra.keys():
        raise refused("invalid_request", param=f"extra.{min(own)}", fault="own_field")
    body: dict[str, Any] = {key: _restore_integers(value) for key, value in extra.items()}
    body["model"] = request.model
    if request.max_output_tokens:
        body["max_tokens"] = request.max_output_tokens
    if request.inputs:
        body["input"] = list(request.inputs)
        if stream:  # the message has numbers; the node need not write them as text
            body["encoding_format"] = "base64"
        return openai.EMBEDDINGS, msgspec.json.encode(body)
    if stream:
        body["stream"] = True
    if request.messages:
        body["messages"] = [{"role": m.role, "content": m.content} for m in request.messages]
        return openai.CHAT, msgspec.json.encode(body)
    body["prompt"] = request.prompt
    return openai.COMPLETION, msgspec.json.encode(body)


def read_submission(
    request: pool_pb2.InferenceRequest,
    *,
    stream: bool,
    keep_s: float = 0.0,
    began_at: float = 0.0,
) -> Submission:
    """Returns the submission of a request.

    Raises:
        Refused: as ``build_request_body``.
    """
    path, body = build_request_body(request, stream=stream)
    return Submission(path, body, read_options(request.options), keep_s, began_at)


def rename_param(refusal: ErrorReply) -> ErrorReply:
    """Returns a refusal with its field named as in the gRPC contract."""
    param = refusal.values.get("param")
    if not isinstance(param, str) or param.startswith(("extra", "options.")):
        return refusal
    first = re.split(r"[.\[]", param, maxsplit=1)[0]
    if first in REQUEST_FIELDS:
        return refusal
    if first == "input":
        renamed = param.replace("input", "inputs", 1)
    else:
        renamed = GRPC_PARAM_NAMES.get(param, f"extra.{param}")
    return structs.replace(refusal, values={**refusal.values, "param": renamed})


def read_options(message: pool_pb2.JobOptions) -> Options:
    """Returns the options in a message."""
    return Options(
        job_class=message.job_class,
        data_class=message.data_class,
        jurisdiction=message.jurisdiction,
        controlled_by=message.controlled_by,
        deadline=message.deadline_s or None,
        max_gco2e=message.max_gco2e or None,
        session=message.session,
        explain=message.explain or None,
        resume_events=message.resume_events or None,
        reconnect_s=message.reconnect_s or None,
        waiting_events=message.waiting_events or None,
        max_wait_s=message.max_wait_s or None,
        task=message.task,
        language=message.language,
        openness=message.openness,
        prefix=message.prefix,
        idempotency=message.idempotency_key,
        names=GRPC_NAMES,
    )


def usage_message(facts: Usage) -> common_pb2.Usage:
    """Returns the message of a usage."""
    return common_pb2.Usage(
        input_tokens=facts.input_tokens,
        cached_tokens=facts.cached_tokens,
        output_tokens=facts.output_tokens,
        basis=facts.counted,
        reasoning_tokens=facts.reasoning_tokens,
    )


def receipt_message(facts: Receipt) -> common_pb2.Receipt:
    """Returns the message of a receipt."""
    fields = msgspec.structs.asdict(facts)
    tokens = common_pb2.Usage(
        input_tokens=fields.pop("input_tokens"),
        cached_tokens=fields.pop("cached_tokens"),
        output_tokens=fields.pop("output_tokens"),
        basis=fields.pop("tokens_basis"),
        reasoning_tokens=fields.pop("reasoning_tokens"),
    )
    fields["surplus_basis"] = fields["surplus_basis"] or ""
    for name, compared in (("smaller", facts.smaller), ("larger", facts.larger)):
        if compared is not None:
            fields[name] = common_pb2.ComparedModel(**msgspec.structs.asdict(compared))
    fields["place"] = place_message(facts.place) if facts.place is not None else None
    fields["further_places"] = [place_message(place) for place in facts.further_places]
    fields["runs"] = [common_pb2.ReceiptRun(**msgspec.structs.asdict(run)) for run in facts.runs]
    return common_pb2.Receipt(usage=tokens, **fields)


def place_message(place: ServerPlace) -> common_pb2.ServerPlace:
    """Returns the message of a place."""
    return common_pb2.ServerPlace(**msgspec.structs.asdict(place))


def waiting_message(waiting: AnswerWaiting, lang: str) -> pool_pb2.Waiting:
    """Returns why a job waits as a message, with a sentence for its reader."""
    reason, position, retry_after_s = waiting.reason, waiting.position, waiting.retry_after_s
    return pool_pb2.Waiting(
        reason=reason,
        position=position,
        retry_after_s=retry_after_s or 0,
        message=i18n.wait_line(reason, position, retry_after_s, lang),
    )


def resumed_message(seam: AnswerSeam) -> pool_pb2.Resumed:
    """Returns the message of an answer that goes on at another node."""
    return pool_pb2.Resumed(**msgspec.structs.asdict(seam))


def done_message(answer: CompleteAnswer, text: str, finish_reason: str, lang: str) -> pool_pb2.Done:
    """Returns the last message of a stream, with the whole text of its answer."""
    explanation = answer.explanation
    return pool_pb2.Done(
        embeddings=[
            pool_pb2.Embedding(values=values)
            for values in (read_embeddings(answer.body) if answer.body else ())
        ],
        text=text,
        finish_reason=finish_reason,
        usage=usage_message(answer.usage),
        receipt=receipt_message(answer.receipt) if answer.receipt else None,
        explanation=explanation_message(explanation, lang) if explanation else None,
    )


def job_message(view: JobStatus, result: bytes = b"") -> pool_pb2.Job:
    """Returns the message of a job."""
    message = pool_pb2.Job(
        job=view.id,
        state=view.state,
        code=view.code,
        message=view.message,
        message_fr=view.message_fr,
        model=view.model,
        job_class=view.job_class,
        submitted_at=view.submitted_at,
        ended_at=view.ended_at,
        result_json=result,
    )
    if view.receipt is not None:
        message.receipt.CopyFrom(receipt_message(decode_json(view.receipt, type=Receipt)))
    return message


def _struct_message(values: Any) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(values)
    return message


def explanation_message(facts: Explanation, lang: str) -> common_pb2.Explanation:
    """Returns the message of an explanation, with its sentences in one language."""
    return common_pb2.Explanation(
        job=facts.job,
        at=facts.at,
        policy_version=facts.policy_version,
        decision=facts.decision,
        reason=facts.reason,
        values=_struct_message(facts.values),
        node=facts.node,
        candidates=[
            common_pb2.Candidate(
                node=candidate.node,
                coop=candidate.coop,
                zone=candidate.zone,
                ttft_s=candidate.ttft_s,
                tpot_s=candidate.tpot_s,
                energy_wh=wh_from_uwh(candidate.energy_uwh),
                carbon_gco2e=g_from_ug(candidate.carbon_ug),
                intensity_g_per_kwh=candidate.intensity_g_per_kwh,
                intensity_basis=candidate.intensity_basis,
                surplus_w=candidate.surplus_w,
                keeps_promise=candidate.keeps_promise,
                ttft_upper_s=candidate.ttft_upper_s,
            )
            for candidate in facts.candidates
        ],
        excluded=[
            common_pb2.Exclusion(
                node=exclusion.node,
                coop=exclusion.coop,
                zone=exclusion.zone,
                rule=exclusion.rule,
                values=_struct_message(exclusion.values),
                waiting_helps=exclusion.waiting_helps,
                sentence=sentence,
            )
            for exclusion, sentence in zip(
                facts.excluded, explanations.rule_sentences(facts, lang), strict=True
            )
        ],
        excluded_counts=facts.excluded_counts,
        waiting_helps=facts.waiting_helps,
        objective_ttft_s=facts.objective_ttft_s,
        sentence=explanations.sentence(facts, lang),
        coop_names=facts.coop_names,
    )
