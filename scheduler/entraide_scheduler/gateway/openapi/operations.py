"""Operations: what each handler of ``routes`` takes and answers, as one table.

``texts.toml`` has their sentences, ``codes`` the errors of each kind of request.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from entraide.metrics import CONTENT_TYPE
from entraide.statements import CSV_KIND, NodeStatement, Statement
from entraide.types import Receipt
from entraide.wire.enrolment import JoinRequest, JoinResponse
from entraide_scheduler.gateway.admin import METHODS, handler_of
from entraide_scheduler.gateway.answers import ExplanationView
from entraide_scheduler.gateway.batches import (
    CONTENT_KIND,
    PER_LINE,
    BatchList,
    BatchObject,
    BatchRequest,
    FileDeletion,
    FileForm,
    FileList,
    FileObject,
)
from entraide_scheduler.gateway.chat import ChatRequest, CompletionRequest, EmbeddingsRequest
from entraide_scheduler.gateway.http import KINDS as ASSET_KINDS
from entraide_scheduler.gateway.jobs import (
    OPTIONS,
    JobList,
    JobStatus,
    ModelList,
    OfferedModel,
    PublicStatus,
    TokenCount,
)
from entraide_scheduler.gateway.messages import MessagesRequest
from entraide_scheduler.gateway.openapi import codes
from entraide_scheduler.gateway.openapi.admin import schema_name
from entraide_scheduler.gateway.openapi.chat_answers import (
    ChatCompletion,
    ChatCompletionChunk,
    Completion,
    EmbeddingList,
)
from entraide_scheduler.gateway.openapi.translated_answers import (
    Error,
    MessageAnswer,
    MessageEvent,
    Response,
    ResponseEvent,
)
from entraide_scheduler.gateway.pages import Liveness, Readiness, WellKnown
from entraide_scheduler.gateway.requests import EVENT_STREAM, JobRequest
from entraide_scheduler.gateway.responses import ResponsesRequest
from entraide_scheduler.gateway.signin import (
    Accepted,
    BrowserHalf,
    BrowserRequest,
    EmailRequest,
    EndedSession,
    LinkRequest,
    NewPerson,
    Person,
    PersonChanges,
    PersonList,
    Preferences,
    SessionList,
    SessionView,
    SigninLink,
    SignInRequest,
    SigninWays,
)
from entraide_scheduler.gateway.views import (
    CoopOverview,
    GridView,
    OwnMachines,
    PoolChange,
    PoolView,
)
from entraide_scheduler.statement_pdf.render import PDF_KIND

JSON = "application/json"
HTML = "text/html; charset=utf-8"
BYTES = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"
SCRIPT = "text/x-shellscript"
TOKEN_COUNT_REQUEST = "TokenCountRequest"  # noqa: S105  (a schema's name)

JOB_HEADERS = ("x-request-id", "x-ratelimit")
PART_HEADERS = ("content-range",)


class Access(StrEnum):
    """Who may call an operation."""

    ALL = "all"
    KEY = "key"  # with an API key, or in a person's session
    PERSON = "person"  # in a person's session
    ADMIN = "admin"  # in a session of a role that may, or with the operator's key
    NODE = "node"  # an approved node, with a signed pass


class OperationAnswer(Struct, frozen=True):
    """A successful answer.

    Attributes:
        schema: type of its JSON, or the name of its schema; None for a text, bytes or a stream.
        kind: media type.
        status: HTTP status.
        events: types of the events of a stream.
        headers: names of its headers; ``x-ratelimit`` stands for all of these.
    """

    schema: type[Struct] | str | None = None
    kind: str = JSON
    status: int = 200
    events: tuple[type[Struct], ...] = ()
    headers: tuple[str, ...] = ()


class Operation(Struct, frozen=True, kw_only=True):
    """One method of a path.

    Attributes:
        answers: the successful answers.
        codes: error codes, besides those of any request (and of any with a key).
        request: type of the JSON body, or the name of its schema; None without a body.
        form: type of a body that is a form.
        access: who may call it.
        query: names of the parameters in the query.
        headers: names of the request's headers, besides the options.
        options: names of the pool's own options that apply.
    """

    answers: tuple[OperationAnswer, ...]
    codes: tuple[str, ...] = ()
    request: type[Struct] | str | None = None
    form: type[Struct] | None = None
    access: Access = Access.KEY
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def all_codes(self) -> tuple[str, ...]:
        """Every code with which it may be answered."""
        keyed = () if self.access in (Access.ALL, Access.NODE) else codes.KEYED
        return (*codes.ANY, *keyed, *self.codes)


ALL_OPTIONS = tuple(option.name for option in OPTIONS)
BATCH_OPTIONS = tuple(name for name in ALL_OPTIONS if name not in PER_LINE)
PLACE_OPTIONS = ("jurisdiction", "controlled_by")


def _open(
    *answers: OperationAnswer,
    codes: tuple[str, ...] = (),
    query: tuple[str, ...] = (),
    headers: tuple[str, ...] = (),
) -> Operation:
    return Operation(answers=answers, access=Access.ALL, codes=codes, query=query, headers=headers)


def _inference(
    request: type[Struct], answer: type[Struct], event: type[Struct] | None = None
) -> Operation:
    whole = OperationAnswer(answer, headers=JOB_HEADERS)
    if event is None:
        return Operation(
            request=request, answers=(whole,), codes=codes.LIVE_JOB, options=ALL_OPTIONS
        )
    stream = OperationAnswer(kind=EVENT_STREAM, events=(event,), headers=JOB_HEADERS)
    return Operation(
        request=request,
        answers=(whole, stream),
        codes=(*codes.LIVE_JOB, *codes.RECONNECTION),
        options=ALL_OPTIONS,
        headers=("last_event_id",),
    )


def _read(answer: type[Struct], *read_codes: str, query: tuple[str, ...] = ()) -> Operation:
    return Operation(answers=(OperationAnswer(answer),), codes=read_codes, query=query)


def _of_person(
    answer: type[Struct],
    *its_codes: str,
    request: type[Struct] | None = None,
    status: int = 200,
    headers: tuple[str, ...] = (),
    query: tuple[str, ...] = (),
) -> Operation:
    return Operation(
        answers=(OperationAnswer(answer, status=status, headers=headers),),
        access=Access.PERSON,
        request=request,
        query=query,
        codes=(*(codes.BODY if request is not None else ()), *its_codes),
    )


def _admin(name: str) -> Operation:
    method = METHODS[name]
    return Operation(
        answers=(OperationAnswer(schema_name(method.output_type)),),
        access=Access.ADMIN,
        request=schema_name(method.input_type),
        codes=codes.ADMIN,
    )


SET_COOKIE = ("set-cookie",)
_REDIRECTS = tuple(
    OperationAnswer(kind="text/plain", status=status, headers=("location", *SET_COOKIE))
    for status in (302, 303)
)

_FILE_PARTS = (
    OperationAnswer(kind=BYTES, headers=("accept-ranges",)),
    OperationAnswer(kind=TEXT, headers=("accept-ranges",)),
    OperationAnswer(kind=BYTES, status=206, headers=("accept-ranges", *PART_HEADERS)),
    OperationAnswer(kind=TEXT, status=206, headers=("accept-ranges", *PART_HEADERS)),
    OperationAnswer(kind=BYTES, status=416, headers=PART_HEADERS),
)

# By the handler's name in ``routes``.
OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "page": _open(OperationAnswer(kind=HTML), query=("lang",)),
        "page_asset": _open(
            *(OperationAnswer(kind=kind) for kind in sorted(set(ASSET_KINDS.values()))),
            codes=("unknown_path",),
        ),
        "status": _open(OperationAnswer(PublicStatus), codes=("unauthorised", *codes.SCHEDULER)),
        "well_known": _open(OperationAnswer(WellKnown)),
        "openapi": _open(OperationAnswer()),
        "health": _open(OperationAnswer(Liveness)),
        "readiness": _open(OperationAnswer(Readiness), OperationAnswer(Readiness, status=503)),
        "metrics": _open(OperationAnswer(kind=CONTENT_TYPE), codes=("unauthorised",)),
        "models": _read(ModelList, *codes.SCHEDULER),
        "model": _read(OfferedModel, "unknown_model", *codes.SCHEDULER),
        "weights": Operation(
            answers=(
                OperationAnswer(kind=BYTES, status=206, headers=PART_HEADERS),
                OperationAnswer(kind=BYTES, status=416, headers=PART_HEADERS),
            ),
            access=Access.NODE,
            headers=("range",),
            codes=("unauthorised", "unknown_path", "queue_full"),
        ),
        "enrol": Operation(
            request=JoinRequest,
            answers=(OperationAnswer(JoinResponse),),
            access=Access.ALL,
            codes=codes.ENROLMENT,
        ),
        "install_page": _open(OperationAnswer(kind=HTML), query=("lang",)),
        "install_script": _open(OperationAnswer(kind=SCRIPT)),
        "install_file": _open(
            *_FILE_PARTS, headers=("range",), codes=("unknown_path", "queue_full")
        ),
        "chat": _inference(ChatRequest, ChatCompletion, ChatCompletionChunk),
        "completion": _inference(CompletionRequest, Completion, Completion),
        "embeddings": _inference(EmbeddingsRequest, EmbeddingList),
        "responses": _inference(ResponsesRequest, Response, ResponseEvent),
        "messages": _inference(MessagesRequest, MessageAnswer, MessageEvent),
        "count_tokens": Operation(
            request=TOKEN_COUNT_REQUEST,
            answers=(OperationAnswer(TokenCount),),
            codes=(*codes.BODY, "deadline_passed"),
        ),
        "list_jobs": _read(JobList, query=("limit_jobs",)),
        "submit_job": Operation(
            request=JobRequest,
            answers=(OperationAnswer(JobStatus, status=202, headers=("x-request-id", "location")),),
            codes=(*codes.NEW_JOB, *codes.NEW_KEPT, *codes.PLACE),
            options=ALL_OPTIONS,
        ),
        "get_job": _read(JobStatus, *codes.UNKNOWN_JOB, *codes.SCHEDULER, *codes.PLACE),
        "cancel_job": _read(
            JobStatus, *codes.UNKNOWN_JOB, "job_ended", *codes.SCHEDULER, query=("erase",)
        ),
        "explain_job": _read(ExplanationView, *codes.UNKNOWN_JOB, *codes.SCHEDULER),
        "job_receipt": _read(Receipt, *codes.UNKNOWN_JOB, "not_ready", *codes.SCHEDULER),
        "job_stream": Operation(
            answers=(
                OperationAnswer(
                    kind=EVENT_STREAM,
                    events=(ChatCompletionChunk, Completion, ResponseEvent, MessageEvent),
                    headers=JOB_HEADERS,
                ),
            ),
            codes=(*codes.LIVE_JOB, *codes.RECONNECTION),
            headers=("last_event_id",),
        ),
        "upload_file": Operation(
            form=FileForm,
            answers=(OperationAnswer(FileObject),),
            codes=(*codes.NEW_KEPT, "files_full", *codes.PLACE),
            options=PLACE_OPTIONS,
        ),
        "list_files": _read(FileList, query=("purpose", "order", "after", "limit_files")),
        "get_file": _read(FileObject, *codes.UNKNOWN_FILE),
        "delete_file": _read(FileDeletion, *codes.UNKNOWN_FILE, "file_in_use"),
        "file_content": Operation(
            answers=(OperationAnswer(kind=CONTENT_KIND),),
            codes=(*codes.UNKNOWN_FILE, *codes.PLACE),
            options=PLACE_OPTIONS,
        ),
        "create_batch": Operation(
            request=BatchRequest,
            answers=(OperationAnswer(BatchObject),),
            codes=(*codes.BODY, *codes.NEW_BATCH, *codes.PLACE),
            options=BATCH_OPTIONS,
        ),
        "list_batches": _read(BatchList, query=("after", "limit_batches")),
        "get_batch": _read(BatchObject, *codes.UNKNOWN_BATCH),
        "cancel_batch": _read(BatchObject, *codes.UNKNOWN_BATCH, "batch_ended"),
        "coop": _read(CoopOverview, *codes.SCHEDULER, query=("month", "lang")),
        "machines": _of_person(
            OwnMachines, "role_refused", *codes.SCHEDULER, query=("coop", "lang")
        ),
        "pool": _read(PoolView, *codes.SCHEDULER, query=("lang",)),
        "pool_events": Operation(
            answers=(OperationAnswer(kind=EVENT_STREAM, events=(PoolView, PoolChange, Error)),),
            codes=codes.SCHEDULER,
            query=("lang",),
        ),
        "grid": _read(GridView, *codes.SCHEDULER, query=("lang",)),
        "statement": Operation(
            answers=(
                OperationAnswer(Statement),
                OperationAnswer(kind=CSV_KIND),
                OperationAnswer(kind=PDF_KIND),
            ),
            codes=("statement_of_another", "role_refused", "pdf_unavailable"),
            query=("month", "coop", "lang"),
        ),
        "sign_in": Operation(
            request=SignInRequest,
            answers=(OperationAnswer(SessionView, headers=SET_COOKIE),),
            access=Access.ALL,
            codes=codes.SIGN_IN,
        ),
        "get_session": _of_person(SessionView),
        "export": Operation(
            answers=(OperationAnswer(),), access=Access.PERSON, codes=("session_new_start",)
        ),
        "change_session": _of_person(
            SessionView, "session_new_start", "role_refused", "email_unproven", request=Preferences
        ),
        "sign_out": _of_person(EndedSession, "unknown_session", headers=SET_COOKIE),
        "claim_browser_half": _of_person(BrowserHalf, request=BrowserRequest),
        "list_sessions": _of_person(SessionList),
        "end_session": _of_person(
            EndedSession, "unknown_session", "session_new_start", headers=SET_COOKIE
        ),
        "ask_opening": _of_person(SessionView),
        "open_session": _of_person(SessionList, "unknown_session", "session_new_start"),
        "erase_earlier": _of_person(SessionView),
        "confirm_email": _of_person(
            SessionView, "session_new_start", "email_unproven", request=EmailRequest
        ),
        "signin_ways": _open(OperationAnswer(SigninWays)),
        "send_signin_email": Operation(
            request=EmailRequest,
            answers=(OperationAnswer(Accepted, status=202),),
            access=Access.ALL,
            codes=(*codes.BODY, "csrf_refused", "too_many_signins"),
        ),
        "start_oidc": _open(*_REDIRECTS, codes=("unknown_path",)),
        "finish_oidc": _open(_REDIRECTS[1], codes=("unknown_path",), query=("code", "state")),
        "list_people": _of_person(PersonList, "role_refused", query=("coop",)),
        "add_person": _of_person(
            Person, *codes.PEOPLE, "people_full", "unknown_coop", request=NewPerson, status=201
        ),
        "change_person": _of_person(Person, *codes.PEOPLE, "unknown_person", request=PersonChanges),
        "disable_person": _of_person(Person, "role_refused", "unknown_person"),
        "make_signin_link": _of_person(
            SigninLink,
            "role_refused",
            "unknown_person",
            "person_disabled",
            "email_failed",
            request=LinkRequest,
            status=201,
        ),
        **{handler_of(name): _admin(name) for name in METHODS},
        "node_statement": Operation(
            answers=(OperationAnswer(NodeStatement),),
            access=Access.NODE,
            codes=("unauthorised", "unknown_path"),
        ),
    }
)
