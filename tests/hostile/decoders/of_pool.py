"""What nodes, gateways, clients and feeds send to a pool, and the files that its operator gives."""

import base64
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from google.protobuf.message import DecodeError, Message
from msgspec import structs
from tests.contract.samples import DOORS, RECEIPT, SAMPLES, decoder
from tests.hostile.decoders.case import Case
from tests.hostile.decoders.request_bodies import (
    FULL_CHAT,
    FULL_COMPLETION,
    FULL_MESSAGES,
    FULL_RESPONSES,
    bodies,
)
from tests.hostile.mutations import binary_like, json_like, text_like

from entraide import catalogue, receipts
from entraide.catalogue import InvalidCatalogue, signature
from entraide.errors import PoolError
from entraide.types import UNKNOWN_PLACE, JobKind
from entraide.v1 import admin_pb2, pool_pb2
from entraide.wire import codec, enrolment_signature, node_pass
from entraide.wire import messages as m
from entraide.wire.enrolment import JoinRequest
from entraide_scheduler.config import SchedulerConfig, read_toml
from entraide_scheduler.control.convert import read_coop_terms
from entraide_scheduler.control.corrections import correction_fault, correction_fields
from entraide_scheduler.gateway import routes
from entraide_scheduler.gateway.answers import AnswerPart, CompleteAnswer
from entraide_scheduler.gateway.embeddings import answer_validation, embeddings
from entraide_scheduler.gateway.jobs import (
    Caller,
    FactsBuilder,
    Options,
    Partitions,
    TokenEstimator,
    options_from_headers,
    run_limits,
)
from entraide_scheduler.gateway.jobs.resumption import EmittedAnswer
from entraide_scheduler.gateway.refusals import Refused, convert, read_object
from entraide_scheduler.gateway.requests import (
    PATHS,
    JobRequest,
    TextReader,
    answer_formats,
    openai,
)
from entraide_scheduler.gateway.rpc import pool_messages
from entraide_scheduler.gateways.request_bounds import find_facts_fault
from entraide_scheduler.grid import electricitymaps
from entraide_scheduler.grid.forecasts import read_forecasts
from entraide_scheduler.grid.import_file import read_import
from entraide_scheduler.grid.series import read_series
from entraide_scheduler.nats.claims import is_user_key
from entraide_scheduler.node_validation import check
from entraide_scheduler.node_validation.bounds import ANSWER_BYTES
from entraide_scheduler.node_validation.message_reader import MessageReader
from entraide_scheduler.nodes.enrolment import _find_unusable_field
from entraide_scheduler.policy_versions.documents import read_document, read_file, write_document
from entraide_scheduler.pool import sealed_file
from entraide_scheduler.pool.backup_records import RecordWriter, read_records
from entraide_scheduler.pool.sealed_file import SealedFault, SealedHead, SealedWriter, read_head
from entraide_scheduler.store.dump import TableRows

NOW = 1_700_000_000.0
PUBLISHED_KEY = receipts.ReceiptKey(
    receipts.compute_key_id(bytes(32)), base64.b64encode(bytes(32)).decode()
)
RECEIPT_TEXT = msgspec.json.encode(
    structs.replace(RECEIPT, key=PUBLISHED_KEY.id, signature="A" * 86 + "==")
)
CALLER = Caller("key-1", "alpha", "")
MAKER = FactsBuilder(
    gateway="g",
    kept_gateway="g",
    place=UNKNOWN_PLACE,
    secret=bytes(32),
    token_estimator=TokenEstimator(),
    partitions=Partitions(bytes(32)),
)


def messages_at(door: str) -> tuple[bytes, ...]:
    """One message of each kind that a decoder of the codec takes."""
    expected_decoder = DOORS[door][0]
    return tuple(
        codec.encode(message) for message in SAMPLES if decoder(message) is expected_decoder
    )


def read_request(path: str) -> Callable[[bytes, Path], object]:
    """Reads a request as HTTP's handler does, to what the core and the node are given."""

    def read(data: bytes, _: Path) -> None:
        ask = openai.parse_request(path, data)
        facts = MAKER.build_facts(ask, CALLER, Options(), JobKind.LIVE)

        assert not find_facts_fault(facts, now=time.time())
        codec.encode(m.SubmitJob(facts))
        json.loads(openai.encode_for_engine(ask, 9, model="m", stream=ask.stream))

    return read


def backup_records() -> bytes:
    """The content of a small backup."""
    content = io.BytesIO()
    records = RecordWriter(content.write)
    records.add_file("identity/a", io.BytesIO(b"a"))
    records.add_rows(TableRows("journal", ("seq", "event"), [[1, b"e"], [2, None]]))
    records.finish()
    return content.getvalue()


def backup_head() -> bytes:
    """The head of a backup, whose passphrase costs nothing to check."""
    with patch.object(sealed_file, "SCRYPT_N", 2):
        head = SealedHead(sealed_file.FORMAT, "0.1.0", "0006", NOW)
        SealedWriter(content := io.BytesIO(), "mot", head)
    return content.getvalue()


def read_backup(data: bytes, _: Path) -> None:
    """Reads the content of a backup whose passphrase the sender knows."""
    content = io.BytesIO(data)

    def read(size: int) -> bytes:
        part = content.read(size)
        if len(part) < size:
            raise SealedFault("damaged")
        return part

    list(read_records(read))


BACKUP_RECORDS, BACKUP_HEAD = backup_records(), backup_head()


def read_job(data: bytes, _: Path) -> object:
    """Reads the body of a job that is kept."""
    path = convert(read_object(data), JobRequest).path
    return openai.parse_request(path, routes._request_bytes(data))


def read_enrolment(data: bytes, _: Path) -> object:
    """Reads the request of a machine that joins."""
    request = convert(read_object(data), JoinRequest)
    return _find_unusable_field(request) or enrolment_signature.is_genuine(request)


def read_options(data: bytes, _: Path) -> None:
    """Reads the request headers that are the pool's own."""
    pairs = (line.partition(":") for line in data.decode("latin-1").split("\n"))
    options = options_from_headers({name: value for name, _, value in pairs})
    ask = openai.parse_request(openai.COMPLETION, FULL_COMPLETION)
    facts = MAKER.build_facts(ask, CALLER, options, JobKind.LIVE)

    assert not find_facts_fault(facts, now=time.time())


def read_call(data: bytes, _: Path) -> None:
    """Reads a request over gRPC, once grpc itself took its bytes."""
    request = pool_pb2.InferenceRequest.FromString(data)
    path, body = pool_messages.build_request_body(request, stream=True)
    options = pool_messages.read_options(request.options)
    MAKER.build_facts(openai.parse_request(path, body), CALLER, options, JobKind.LIVE)


def read_correction(data: bytes, _: Path) -> None:
    """Reads a correction of the books."""
    correction = admin_pb2.Correction.FromString(data)
    if not correction_fault(correction, {"a", "b"}):
        msgspec.msgpack.encode(correction_fields(correction))


def read_terms(data: bytes, _: Path) -> object:
    """Reads a co-op's terms."""
    return read_coop_terms(admin_pb2.Coop.FromString(data), ())


def read_control(data: bytes, _: Path) -> object:
    """Reads a node's control message."""
    return MessageReader(lambda *_: True).read_message("n1", data, NOW)


def read_answer(data: bytes, _: Path) -> None:
    """Reads what a node streams, alone or joined, to what a client is given."""
    for part in codec.split_parts(data):
        if check.find_size_fault(part, ANSWER_BYTES):
            return
        message = codec.node_out.decode(part)
        if isinstance(message, m.RunEnded):
            message = check.clip_message_usage(message)
            answer_validation.is_valid_answer(message, 1 << 20, stream=True)
            if answer_validation.is_valid_answer(message, 1 << 20, stream=False):
                answer_validation.replace_usage(message.body, message.usage)
            run_limits._estimate_answer_tokens(message.body)
        check.find_fault(message)


VECTORS = tuple(
    msgspec.json.encode(
        {"data": [{"object": "embedding", "index": index, "embedding": each} for index in range(2)]}
    )
    for each in ("AACAPwAAAEA=", [0.5, 1.0])
)


def read_embeddings(data: bytes, _: Path) -> None:
    """Reads the embeddings of two inputs, when they were found whole."""
    if embeddings.holds_embeddings(data, 2):
        first, second = embeddings.read_embeddings(data)
        assert len(first) == len(second) > 0


def read_last_chunk(data: bytes, _: Path) -> None:
    """Reads the last chunk of a stream, when it was found whole."""
    end = structs.replace(END, final=data)
    if answer_validation.is_valid_answer(end, 1 << 20, stream=True):
        answer = CompleteAnswer(data, b"", END.usage, None)
        answer_formats.last_events(answer, include_usage=True)
        for path, body in ((openai.RESPONSES, FULL_RESPONSES), (openai.MESSAGES, FULL_MESSAGES)):
            request = openai.parse_request(path, body)
            format_ = answer_formats.make_format("job-1", request, created_at=NOW)
            format_.write_part(AnswerPart(0, b"data: " + data + b"\n\n"))
            format_.write_last(answer)
            format_ = answer_formats.make_format("job-1", request, created_at=NOW)
            format_.write_document(CompleteAnswer(b"", data, END.usage, None))
        TextReader().read_part(AnswerPart(0, b"data: " + data + b"\n\n"))
        TextReader().read_final(data)
        emitted = EmittedAnswer()
        emitted.add(b"data: " + data + b"\n\n")
        emitted.text()


def read_gateway(data: bytes, _: Path) -> None:
    """Reads what a gateway in a process of its own asks."""
    message = codec.gateway_up.decode(data)
    if isinstance(message, m.SubmitJob):
        find_facts_fault(message.facts, now=NOW)


def decoded(door: Any) -> Callable[[bytes, Path], object]:
    """Decodes by one decoder of the codec."""
    return lambda data, _: door.decode(data)


def from_file(name: str, reader: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    """Writes the bytes into a file and reads that."""

    def read(data: bytes, folder: Path) -> object:
        path = folder / name
        path.write_bytes(data)
        return reader(path)

    return read


def packed(*messages: Message) -> Any:
    """Protobuf messages that were changed."""
    return binary_like(*(message.SerializeToString() for message in messages))


def policy_of(path: Path) -> None:
    """Reads a policy, and writes a sound one so that it reads back as the same."""
    document = read_file(path)
    assert document.faults or document.policy is not None
    if document.policy is not None and not document.faults:
        again = read_document(write_document(document.policy).encode())
        assert again.policy == document.policy


def chat_call() -> pool_pb2.InferenceRequest:
    """A request over gRPC with every kind of field."""
    call = pool_pb2.InferenceRequest(model="m", max_output_tokens=5)
    call.messages.add(role="user", content="x")
    call.extra.update({"n": 2, "stop": ["a"], "response_format": {"type": "json_object"}})
    call.options.CopyFrom(pool_pb2.JobOptions(deadline_s=5.0, max_gco2e=1.0, session="s"))
    return call


END = next(message for message in SAMPLES if isinstance(message, m.RunEnded))
SERIES = b"utc,d,l\n2026-01-01T00:00:00,1.5,2.5\n2026-01-01T01:00:00+00:00,1,2\n"
FORECASTS = b"issued_utc,utc,d,l\n2026-01-01T00:00:00,2026-01-01T00:00:00,1.5,2.5\n"
LATEST = b'{"zone":"CA-QC","carbonIntensity":3.5,"datetime":"2026-01-01T00:00:00.000Z"}'
FORECAST = b'{"zone":"CA-QC","updatedAt":"2026-01-01T00:00:00Z","forecast":[%s,%s]}' % (
    LATEST,
    LATEST.replace(b"T00", b"T01"),
)
HEADERS = (
    b"x-entraide-deadline:60\nx-entraide-max-gco2e:1.5\nx-entraide-class:batch\n"
    b"x-entraide-data-class:internal\nx-entraide-jurisdiction:CA-QC\nidempotency-key:k"
)
POLICY = b'version = "1"\npicker = "greenest"\n[[coops]]\ncoop = "a"\nshares = 1.0\n'
PASS = b"Entraide-Node n1 1700000000 " + b"A" * 86 + b"=="
USER_KEY = b"UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
FILE = (PoolError,)
QUOTA = {"kind": "tokens", "limit": 5, "period": "day"}

CASES: dict[str, Case] = {
    "a node's control message": Case(
        read_control, binary_like(*messages_at("node_up")), (),
        ("entraide.wire.codec:",
         "entraide_scheduler.node_validation.message_reader:MessageReader.read_message"),
    ),
    "a node's answer": Case(
        read_answer, binary_like(*messages_at("node_out"), *messages_at("joined_parts")),
        (msgspec.DecodeError,),
        ("entraide_scheduler.bus.bus:subscribe_answers.on_message",
         "entraide_scheduler.gateway.embeddings.answer_validation:",
         "entraide_scheduler.gateway.jobs.run_limits:"),
    ),
    "a node's embeddings": Case(
        read_embeddings, json_like(*VECTORS), (),
        ("entraide_scheduler.gateway.embeddings.embeddings:",
         "entraide_scheduler.gateway.embeddings.embeddings:_length",
         "entraide_scheduler.gateway.embeddings.embeddings:_numbers"),
    ),
    "the last chunk of a stream": Case(
        read_last_chunk,
        json_like(
            b'{"id":"x","choices":[{"index":0,"delta":{"content":"a"}}]}',
            b'{"choices":[{"index":0,"finish_reason":"tool_calls","message":{"content":"a",'
            b'"reasoning_content":"b","tool_calls":[{"index":1,"id":"c","function":'
            b'{"name":"f","arguments":"{}"}}]}}]}',
        ),
        (msgspec.DecodeError,),
        ("entraide_scheduler.gateway.requests.answer_events:",
         "entraide_scheduler.gateway.requests.answer_formats:last_events",
         "entraide_scheduler.gateway.chat.chat_answer:",
         "entraide_scheduler.gateway.messages.messages_answer:_read_input",
         "entraide_scheduler.gateway.jobs.resumption:"),
    ),
    "a gateway's message": Case(
        read_gateway, binary_like(*messages_at("gateway_up")), (msgspec.DecodeError,),
        ("entraide_scheduler.gateways.gateway_listener:GatewayListener._on_message",),
    ),
    **{
        f"a message at {door}": Case(
            decoded(DOORS[door][0]), binary_like(*messages_at(door)), (msgspec.DecodeError,),
            sites,
        )
        for door, sites in {
            "gateway_down": ("entraide_scheduler.bus.bus:NatsSchedulerAdapter._on_message",),
            "explained": ("entraide_scheduler.bus.bus:NatsSchedulerAdapter.explain",),
            "models": ("entraide_scheduler.bus.bus:NatsSchedulerAdapter.list_models",),
            "pool": ("entraide_scheduler.bus.bus:NatsSchedulerAdapter.describe_pool",),
            "enrolled": ("entraide_scheduler.bus.bus:NatsSchedulerAdapter.enrol",),
            "node_down_ctl": (
                "entraide_node.bus:NodeBus._receive_control",
                "entraide_node.doctor.inspection:_count_hello_requests.on_message",
            ),
            "node_in": ("entraide_node.bus:NodeBus._receive_from_gateway",),
        }.items()
    },
    **{
        f"POST {path}": Case(
            read_request(path), json_like(*bodies(path)), (Refused,),
            ("entraide_scheduler.gateway.refusals.strict_json:",
             "entraide_scheduler.gateway.requests.openai:_parse_fields",
             "entraide_scheduler.gateway.refusals.field_faults:convert"),
        )
        for path in PATHS
    },
    "POST /v1/jobs": Case(
        read_job, json_like(b'{"keep_s":60,"path":"/v1/completions","request":%s}'
                            % FULL_COMPLETION, b'{"request":%s}' % FULL_CHAT), (Refused,),
        ("entraide_scheduler.gateway.routes:",
         "entraide_scheduler.gateway.routes:Routes._submit_job"),
    ),
    "POST /v1/enrolment": Case(
        read_enrolment,
        json_like(msgspec.json.encode(JoinRequest(
            token="join_abc", node_public_key=USER_KEY.decode(), node_name="n", site="s",
            zone="CA-QC", sealing_public_key="A" * 43 + "=", signature="A" * 86 + "==",
        ))), (Refused,),
        ("entraide_scheduler.gateway.routes:Routes._enrol",
         "entraide_scheduler.control.enrolment:EnrolmentService.Join",
         "entraide.wire.enrolment_signature:is_genuine",
         "entraide_scheduler.nodes.enrolment:_is_sealing_key"),
    ),
    "a path": Case(
        lambda data, _: routes.route_of(data.decode("latin-1")),
        text_like(b"/v1/jobs/job-1/receipt", b"/v1/models/a/b", b"/weights/00"),
    ),
    "request headers": Case(
        read_options, text_like(HEADERS, b"x-entraide-deadline:2030-01-01T00:00:00"), (Refused,),
        ("entraide_scheduler.gateway.jobs.options:find_deadline",),
    ),
    "gRPC InferenceRequest": Case(
        read_call, packed(chat_call()), (Refused, DecodeError),
        ("entraide_scheduler.gateway.rpc.pool_messages:build_request_body",),
    ),
    "gRPC Correction": Case(
        read_correction, packed(admin_pb2.Correction(
            correction="c", reason="r", lender="a", borrower="b", tokens=5, energy_wh=1.5)),
        (DecodeError,),
    ),
    "gRPC Coop": Case(
        read_terms, packed(admin_pb2.Coop(coop="a", shares=2.0, quotas=[admin_pb2.Quota(**QUOTA)])),
        (DecodeError, ValueError),
    ),
    "a node's public key": Case(
        lambda data, _: is_user_key(data.decode("latin-1")), text_like(USER_KEY), (),
        ("entraide_scheduler.nats.claims:is_user_key",),
    ),
    "a node's pass": Case(
        lambda data, _: (
            (shown := node_pass.read(data.decode("latin-1")))
            and node_pass.is_genuine(shown, public_key=USER_KEY.decode(), path="/", now=NOW)
        ),
        text_like(PASS), (),
        ("entraide.wire.node_pass:read", "entraide.wire.node_pass:is_genuine"),
    ),
    "a catalogue of models": Case(
        lambda data, _: catalogue.write(catalogue.read(data)),
        json_like(catalogue.write(catalogue.shipped())), (InvalidCatalogue,),
        ("entraide.catalogue:read",),
    ),
    "a catalogue's signature": Case(
        lambda data, _: signature.verify_catalogue(b"{}", data, data.decode("latin-1")),
        text_like(b"A" * 43 + b"="), (), ("entraide.catalogue.signature:verify_catalogue",),
    ),
    "a pool's receipt keys": Case(
        lambda data, _: receipts.read_keys(data),
        json_like(msgspec.json.encode({"receipt_keys": [PUBLISHED_KEY]})), (msgspec.DecodeError,),
        ("entraide.receipts:read_keys", "entraide.decoding:decode_json_exactly"),
    ),
    "receipts to verify": Case(
        lambda data, _: receipts.verify_document(data, {PUBLISHED_KEY.id: PUBLISHED_KEY}),
        json_like(RECEIPT_TEXT, b'{"entraide":%s}' % RECEIPT_TEXT), (),
        ("entraide.receipts:_verify_value", "entraide.receipts:is_signed",
         "entraide.receipts:_decode_strictly"),
    ),
    "an hour of Electricity Maps": Case(
        lambda data, _: electricitymaps._parse_latest(data, zone="CA-QC", factor="direct"),
        json_like(LATEST), (),
        ("entraide_scheduler.grid.electricitymaps:_parse_latest",
         "entraide_scheduler.grid.electricitymaps:_parse_time"),
    ),
    "a forecast of Electricity Maps": Case(
        lambda data, _: (
            (read := electricitymaps._parse_forecast(data, zone="CA-QC"))
            and electricitymaps._build_forecast("CA-QC", read[0], read[1], read[1])
        ),
        json_like(FORECAST), (), ("entraide_scheduler.grid.electricitymaps:_parse_forecast",),
    ),
    "a series": Case(
        from_file("series.csv", lambda path: read_series(
            path, zone="CA-QC", column="d", lifecycle_column="l", year_shift=1)),
        text_like(SERIES), FILE,
        ("entraide_scheduler.grid.csv_rows:read_rows",
         "entraide_scheduler.grid.csv_rows:parse_time"),
    ),
    "an import of intensities": Case(
        from_file("import.csv", lambda path: read_import(path, zone="CA-QC", column="d")),
        text_like(SERIES), FILE, ("entraide_scheduler.grid.csv_rows:read_header",),
    ),
    "a file of forecasts": Case(
        from_file("forecasts.csv", lambda path: read_forecasts(
            path, zone="CA-QC", column="d", lifecycle_column="l")),
        text_like(FORECASTS), FILE,
    ),
    "a scheduler's configuration": Case(
        from_file("c.toml", lambda path: read_toml(path, SchedulerConfig)),
        text_like(b'pool = "p"\nlang = "fr"\n[http]\nport = 1\n'), FILE,
        ("entraide_scheduler.config.config:read_toml",),
    ),
    "the head of a backup": Case(
        lambda data, _: read_head(io.BytesIO(data)), binary_like(BACKUP_HEAD), (SealedFault,),
        ("entraide_scheduler.pool.sealed_file:read_head",
         "entraide_scheduler.pool.sealed_file:_length"),
    ),
    "the content of a backup": Case(
        read_backup, binary_like(BACKUP_RECORDS), (SealedFault,),
        ("entraide_scheduler.pool.backup_records:",
         "entraide_scheduler.pool.backup_records:read_records"),
    ),
    "a policy in TOML": Case(
        from_file("p.toml", policy_of), text_like(POLICY), FILE,
        (
            "entraide_scheduler.policy_versions.documents:read_document",
            "entraide_scheduler.policy_versions.documents:_convert",
        ),
    ),
    "a policy in JSON": Case(
        from_file("p.json", policy_of),
        json_like(b'{"version":"1","coops":[{"coop":"a","shares":1.0}],"objectives":{}}'), FILE,
    ),
}  # fmt: skip
