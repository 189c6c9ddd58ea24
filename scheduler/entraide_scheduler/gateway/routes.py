"""Routes: the HTTP codec of the pool API; dispatches each request to the handler of its path.

Handlers authenticate, translate the request for ``PoolApi`` and send the response. Each error
becomes one response in OpenAI's error format.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache, partial
from types import MappingProxyType

import msgspec
from msgspec import Raw, Struct

from entraide import i18n
from entraide.decoding import JsonDecoder
from entraide.errors import EntraideError
from entraide.metrics import CONTENT_TYPE
from entraide.statements import NODE_PATH
from entraide.wire import enrolment
from entraide.wire.enrolment import JoinRequest
from entraide.wire.messages import EnrolmentReply
from entraide_scheduler.config import BODY_MAX_BYTES, FILE_MAX_BYTES, UPLOAD_PATH
from entraide_scheduler.gateway import openapi
from entraide_scheduler.gateway.admin import ADMIN_PATHS
from entraide_scheduler.gateway.answers import explanation_json
from entraide_scheduler.gateway.api import (
    COOP_PATHS,
    JOBS_MAX,
    LAST_EVENT_ID,
    LIST_DEFAULT,
    EventEncoder,
    PoolApi,
    parse_event_id,
    send_events,
)
from entraide_scheduler.gateway.batches import BATCHES, FILES
from entraide_scheduler.gateway.http import (
    CorsPolicy,
    Exchange,
    Headers,
    HttpRequest,
    RouteCall,
    RouteGroup,
    RouteHandler,
    is_of_this_machine,
    page_assets,
    read_limit,
    read_query,
    read_switch,
)
from entraide_scheduler.gateway.jobs import (
    Caller,
    JobList,
    Metrics,
    Submission,
    TokenCount,
    TokenCountBasis,
    options_from_headers,
    receipt_json,
)
from entraide_scheduler.gateway.machines import NodeStatements, install, weights
from entraide_scheduler.gateway.pages import Liveness, Pages
from entraide_scheduler.gateway.refusals import (
    DEPTH_MAX,
    ErrorReply,
    Refused,
    clean_text,
    convert,
    read_object,
    refused,
    reply_of,
)
from entraide_scheduler.gateway.requests import (
    EVENT_STREAM,
    AnswerWriter,
    JobRequest,
    openai,
    send_refusal,
)
from entraide_scheduler.gateway.signin import (
    EXPORT,
    OIDC_PATHS,
    PEOPLE,
    SESSION,
    SESSIONS,
    SIGNIN,
    Callers,
)
from entraide_scheduler.gateway.views import POOL_PATHS

JOBS = "/v1/jobs"

PATHS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "/": {"GET": "page"},
        f"{page_assets.PATH}{{file}}": {"GET": "page_asset"},
        "/status.json": {"GET": "status"},
        "/.well-known/entraide": {"GET": "well_known"},
        "/openapi.json": {"GET": "openapi"},
        "/healthz": {"GET": "health"},
        "/readyz": {"GET": "readiness"},
        "/metrics": {"GET": "metrics"},
        "/v1/models": {"GET": "models"},
        openai.CHAT: {"POST": "chat"},
        openai.COMPLETION: {"POST": "completion"},
        openai.EMBEDDINGS: {"POST": "embeddings"},
        openai.RESPONSES: {"POST": "responses"},
        openai.MESSAGES: {"POST": "messages"},
        f"{openai.MESSAGES}/count_tokens": {"POST": "count_tokens"},
        JOBS: {"GET": "list_jobs", "POST": "submit_job"},
        f"{JOBS}/{{job}}": {"GET": "get_job", "DELETE": "cancel_job"},
        f"{JOBS}/{{job}}/cancel": {"POST": "cancel_job"},
        f"{JOBS}/{{job}}/explanation": {"GET": "explain_job"},
        f"{JOBS}/{{job}}/receipt": {"GET": "job_receipt"},
        f"{JOBS}/{{job}}/stream": {"GET": "job_stream"},
        FILES: {"GET": "list_files", "POST": "upload_file"},
        f"{FILES}/{{file}}": {"GET": "get_file", "DELETE": "delete_file"},
        f"{FILES}/{{file}}/content": {"GET": "file_content"},
        BATCHES: {"GET": "list_batches", "POST": "create_batch"},
        f"{BATCHES}/{{batch}}": {"GET": "get_batch"},
        f"{BATCHES}/{{batch}}/cancel": {"POST": "cancel_batch"},
        **POOL_PATHS,
        **COOP_PATHS,
        SESSION: {
            "GET": "get_session",
            "POST": "sign_in",
            "PATCH": "change_session",
            "DELETE": "sign_out",
        },
        EXPORT: {"GET": "export"},
        SESSIONS: {"GET": "list_sessions"},
        f"{SESSION}/browser": {"POST": "claim_browser_half"},
        f"{SESSION}/opening": {"POST": "ask_opening"},
        f"{SESSION}/earlier": {"DELETE": "erase_earlier"},
        f"{SESSION}/email": {"POST": "confirm_email"},
        f"{SESSIONS}/{{session}}": {"DELETE": "end_session"},
        f"{SESSIONS}/{{session}}/opening": {"POST": "open_session"},
        SIGNIN: {"GET": "signin_ways"},
        f"{SIGNIN}/email": {"POST": "send_signin_email"},
        PEOPLE: {"GET": "list_people", "POST": "add_person"},
        f"{PEOPLE}/{{person}}": {"PATCH": "change_person", "DELETE": "disable_person"},
        f"{PEOPLE}/{{person}}/link": {"POST": "make_signin_link"},
        **ADMIN_PATHS,
        **OIDC_PATHS,
        NODE_PATH: {"GET": "node_statement"},
        "/v1/models/{model}": {"GET": "model"},
        f"{weights.PATH}{{sha256}}": {"GET": "weights"},
        enrolment.PATH: {"POST": "enrol"},
        enrolment.INSTALL_PATH: {"GET": "install_page"},
        install.SCRIPT_PATH: {"GET": "install_script"},
        f"{install.WHEELS_PATH}{{file}}": {"GET": "install_file"},
    }
)
UNKNOWN = "unknown"


@cache
def _encode_document() -> bytes:
    """Returns ``/openapi.json``, which is the same for all gateways of a process."""
    return msgspec.json.encode(openapi.build_document(PATHS))


class Route(Struct, frozen=True):
    """A matched path: its pattern, the value of its placeholder, and its handlers by method."""

    pattern: str
    name: str
    methods: Mapping[str, str]


def route_of(path: str) -> Route | None:
    """Returns the route of a path, or None.

    >>> route_of("/v1/jobs/job-1/receipt").pattern
    '/v1/jobs/{job}/receipt'
    """
    methods = PATHS.get(path)
    if methods is not None and "{" not in path:
        return Route(path, "", methods)
    for prefix, placeholder in (
        (f"{JOBS}/", "{job}"), (f"{FILES}/", "{file}"), (f"{BATCHES}/", "{batch}"),
        (f"{SESSIONS}/", "{session}"), (f"{PEOPLE}/", "{person}"), ("/v1/models/", "{model}"),
        (weights.PATH, "{sha256}"),
        (install.WHEELS_PATH, "{file}"), (page_assets.PATH, "{file}"),
    ):  # fmt: skip
        if path.startswith(prefix):
            name, slash, rest = path[len(prefix) :].partition("/")
            pattern = f"{prefix}{placeholder}{slash}{rest}"
            if placeholder == "{model}":  # a model's name may hold a slash
                name, pattern = path[len(prefix) :], f"{prefix}{placeholder}"
            if name and pattern in PATHS:
                return Route(pattern, name, PATHS[pattern])
    return None


class _Body(Struct):
    """The raw request in a job's body."""

    request: Raw


_BODY = JsonDecoder[_Body](_Body)


def _request_bytes(body: bytes) -> bytes:
    """Returns the raw request in a job's body, for comparison with a repeated submission."""
    try:
        return bytes(_BODY.decode(body).request)
    except (msgspec.DecodeError, RecursionError):
        raise refused("invalid_json", fault="json_too_deep", limit=DEPTH_MAX) from None


Enrol = Callable[[JoinRequest, str], Awaitable[EnrolmentReply]]


class Routes:
    """Handles every HTTP request of a gateway."""

    def __init__(
        self,
        api: PoolApi,
        *,
        callers: Callers,
        groups: Iterable[RouteGroup],
        pages: Pages,
        metrics: Metrics,
        pool_weights: weights.WeightServer | None,
        node_statements: NodeStatements | None,
        installer: install.InstallServer,
        enrol: Enrol,
        cors: CorsPolicy,
        lang: i18n.Lang,
        common_headers: Headers = (),
    ) -> None:
        self._api = api
        self._callers = callers
        self._pages = pages
        self._metrics = metrics
        self._pool_weights = pool_weights
        self._node_statements = node_statements
        self._installer = installer
        self._enrol_machine = enrol
        self._cors = cors
        self._lang = lang
        self._common_headers = common_headers
        self._handlers: dict[str, RouteHandler] = {
            "page": self._send_page,
            "page_asset": self._send_page_asset,
            "status": self._send_status,
            "well_known": self._send_well_known,
            "openapi": self._send_openapi,
            "health": self._send_health,
            "readiness": self._send_readiness,
            "metrics": self._send_metrics,
            "models": self._list_models,
            "model": self._get_model,
            "weights": self._send_weights,
            "enrol": self._enrol,
            "install_page": self._send_install_page,
            "install_script": self._send_install_script,
            "install_file": self._send_install_file,
            "chat": partial(self._run_inference, openai.CHAT),
            "completion": partial(self._run_inference, openai.COMPLETION),
            "embeddings": partial(self._run_inference, openai.EMBEDDINGS),
            "responses": partial(self._run_inference, openai.RESPONSES),
            "messages": partial(self._run_inference, openai.MESSAGES),
            "count_tokens": self._count_tokens,
            "list_jobs": self._list_jobs,
            "submit_job": self._submit_job,
            "get_job": self._get_job,
            "cancel_job": self._cancel_job,
            "explain_job": self._explain_job,
            "job_receipt": self._get_receipt,
            "job_stream": self._send_stream,
            "node_statement": self._get_node_statement,
        }
        for group in groups:
            self._handlers.update(group.handlers)

    def _choose_error_languages(self, exchange: Exchange) -> str:
        return i18n.error_langs(exchange.request.headers.get("accept-language"), self._lang)

    def refuse(self, exchange: Exchange, refusal: ErrorReply) -> None:
        """Sends an error for a request that the server refused."""
        exchange.common_headers = self._headers(exchange.request)
        exchange.on_ended = partial(self._metrics.count_request, UNKNOWN)
        if refusal.code == "body_too_large" and not refusal.values:
            is_upload = exchange.request.path == UPLOAD_PATH
            limit_bytes = FILE_MAX_BYTES if is_upload else BODY_MAX_BYTES
            refusal = ErrorReply(refusal.code, {"limit_bytes": limit_bytes})
        send_refusal(exchange, refusal, self._choose_error_languages(exchange))

    def _headers(self, request: HttpRequest) -> Headers:
        return [*self._common_headers, *self._cors.headers(request)]

    async def __call__(self, exchange: Exchange) -> None:
        """Handles a request."""
        request = exchange.request
        exchange.common_headers = self._headers(request)
        if self._cors.is_preflight(request):
            headers = self._cors.preflight_headers(request)
            exchange.respond(200, b"", kind="text/plain", headers=headers)
            return
        lang = i18n.lang_of_header(request.headers.get("accept-language"), self._lang)
        error_langs = self._choose_error_languages(exchange)
        route = route_of(request.path)
        pattern = route.pattern if route else UNKNOWN
        exchange.on_ended = partial(self._metrics.count_request, pattern)
        try:
            if route is None:
                raise refused("unknown_path", path=request.path)
            method = "GET" if request.method == "HEAD" else request.method
            handle = route.methods.get(method)
            if handle is None:
                raise refused(
                    "method_not_allowed", method=request.method, allow=", ".join(route.methods)
                )
            await self._handlers[handle](RouteCall(exchange, route.name, lang, error_langs))
        except (Refused, EntraideError) as problem:
            send_refusal(exchange, reply_of(problem), error_langs)

    async def _authenticate(self, call: RouteCall) -> Caller:
        return await self._callers.authenticate(call.exchange.request)

    # Jobs.

    async def _run_inference(self, path: str, call: RouteCall) -> None:
        exchange = call.exchange
        caller = await self._authenticate(call)
        await self._api.wait_for_tables()
        if exchange.is_over:
            return
        headers = exchange.request.headers
        if (
            LAST_EVENT_ID.lower() in headers and path != openai.EMBEDDINGS
        ):  # the client comes back; its body is not read
            await self._send_rest(call, caller, "")
            return
        options = options_from_headers(headers)
        submission = Submission(path, exchange.request.body, options, began_at=exchange.began_at)
        prepared = self._api.prepare(caller, submission)
        if prepared.reconnect_s:
            encoder = EventEncoder(prepared.facts.job, prepared.request, call.error_langs)
            stream = self._api.stream_reconnectably(prepared, encoder)
            await send_events(exchange, stream, start=0, is_new=True, langs=call.error_langs)
            return
        writer = AnswerWriter(exchange, call.error_langs)
        job = self._api.stream(prepared, writer)
        exchange.on_client_left = partial(self._api.end_stream, job, writer)

    async def _send_stream(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        if not call.exchange.is_over:
            await self._send_rest(call, caller, call.name)

    async def _send_rest(self, call: RouteCall, caller: Caller, job: str) -> None:
        """Sends the rest of a stream to a client that comes back.

        Args:
            call: the request.
            caller: who sends it.
            job: the job that the path names, or "".
        """
        text, start = call.exchange.request.headers.get(LAST_EVENT_ID.lower(), ""), 0
        if text or not job:
            last = parse_event_id(text)
            if job and last.job != job:
                raise refused("unknown_job", job=clean_text(job))
            job, start = last.job, last.number + 1
        stream = self._api.reconnect(caller, job, start, EventEncoder)
        if call.exchange.request.method == "HEAD":  # reads nothing, so it takes nothing over
            call.exchange.respond(200, b"", kind=EVENT_STREAM)
            return
        await send_events(call.exchange, stream, start=start, is_new=False, langs=call.error_langs)

    async def _count_tokens(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        tokens = self._api.count_tokens(caller, call.exchange.request.body)
        call.respond(msgspec.json.encode(TokenCount(tokens, TokenCountBasis())))

    async def _submit_job(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        request = call.exchange.request
        fields = convert(read_object(request.body), JobRequest)
        body = _request_bytes(request.body)
        options = options_from_headers(request.headers)
        submission = Submission(fields.path, body, options, fields.keep_s)
        view = (await self._api.submit(caller, submission, call.error_langs)).view
        if not call.exchange.is_over:
            headers = [("x-request-id", view.id), ("location", f"{JOBS}/{view.id}")]
            call.exchange.respond(202, msgspec.json.encode(view), headers=headers)

    async def _list_jobs(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        query = read_query(call.exchange.request.query)
        limit = read_limit(query, default=LIST_DEFAULT, most=JOBS_MAX)
        jobs = await self._api.list_jobs(caller, limit, call.error_langs)
        call.respond(msgspec.json.encode(JobList(jobs)))

    async def _get_job(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        details = await self._api.get(caller, call.name, call.error_langs)
        call.respond(msgspec.json.encode(details.view))

    async def _cancel_job(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        query = read_query(call.exchange.request.query)
        end = self._api.erase if read_switch(query, "erase") else self._api.cancel
        view = await end(caller, call.name, call.error_langs)
        call.respond(msgspec.json.encode(view))

    async def _explain_job(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        call.respond(explanation_json(await self._api.explain(caller, call.name)))

    async def _get_receipt(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        call.respond(receipt_json(await self._api.get_receipt(caller, call.name, call.error_langs)))

    async def _get_node_statement(self, call: RouteCall) -> None:
        request = call.exchange.request
        if self._node_statements is None:  # as for weights
            raise refused("unknown_path", path=request.path)
        authorization = request.headers.get("authorization", "")
        call.respond(msgspec.json.encode(await self._node_statements.read(authorization)))

    async def _list_models(self, call: RouteCall) -> None:
        await self._authenticate(call)
        call.respond(await self._pages.list_models())

    async def _get_model(self, call: RouteCall) -> None:
        await self._authenticate(call)
        model = await self._pages.get_model(call.name)
        if model is None:
            raise refused("unknown_model", model=call.name)
        call.respond(model)

    # Without a key.

    async def _enrol(self, call: RouteCall) -> None:
        request = call.exchange.request
        machine = convert(read_object(request.body), JoinRequest)
        reply = await self._enrol_machine(machine, request.peer)
        if reply.response is None:
            raise Refused(ErrorReply(reply.code, reply.values, reply.retry_after_s))
        call.respond(msgspec.json.encode(reply.response))

    async def _send_weights(self, call: RouteCall) -> None:
        if self._pool_weights is None:  # a gateway in a process of its own has no node registry
            raise refused("unknown_path", path=call.exchange.request.path)
        await self._pool_weights.send_part(call.exchange, call.name)

    async def _send_install_page(self, call: RouteCall) -> None:
        await self._installer.send_page(call.exchange, self._choose_page_language(call))

    async def _send_install_script(self, call: RouteCall) -> None:
        if not call.exchange.is_over:
            self._installer.send_script(call.exchange)

    async def _send_install_file(self, call: RouteCall) -> None:
        await self._installer.send_file(call.exchange, call.name)

    async def _send_page(self, call: RouteCall) -> None:
        if not call.exchange.is_over:
            self._pages.send_page(call.exchange, self._choose_page_language(call))

    async def _send_page_asset(self, call: RouteCall) -> None:
        self._pages.send_asset(call.exchange, call.name)

    def _choose_page_language(self, call: RouteCall) -> str:
        requested = read_query(call.exchange.request.query).get("lang")
        return i18n.lang_of(requested) if requested else call.lang

    async def _send_status(self, call: RouteCall) -> None:
        is_member = await self._callers.is_known(call.exchange.request)
        call.respond(await self._pages.render_status() if is_member else self._pages.render_name())

    async def _send_well_known(self, call: RouteCall) -> None:
        call.respond(self._pages.render_well_known())

    async def _send_openapi(self, call: RouteCall) -> None:
        call.respond(_encode_document())

    async def _send_health(self, call: RouteCall) -> None:
        call.respond(msgspec.json.encode(Liveness()))

    async def _send_readiness(self, call: RouteCall) -> None:
        ready = self._pages.ready
        call.respond(self._pages.render_readiness(), 200 if ready else 503)

    async def _send_metrics(self, call: RouteCall) -> None:
        request = call.exchange.request
        if not is_of_this_machine(request.peer, request.headers):
            await self._authenticate(call)  # they count who is there
        if not call.exchange.is_over:
            page = self._metrics.render(self._api.running_count, self._api.held_bytes)
            call.exchange.respond(200, page, kind=CONTENT_TYPE)
