"""Routes: which function answers which method and path.

It decides paths, methods, who must show a key, and that every refusal on the way becomes one
answer in OpenAI's error shape. It does none of the work.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType

import msgspec
from msgspec import Raw, Struct

from entraide import i18n
from entraide.decoding import JsonDecoder
from entraide.errors import EntraideError
from entraide.types import JobKind
from entraide_scheduler.gateway import openai, openapi, weights
from entraide_scheduler.gateway.auth import Keys
from entraide_scheduler.gateway.coop_jobs import LIST_MAX, CoopJobs
from entraide_scheduler.gateway.field_faults import convert
from entraide_scheduler.gateway.fields import JobRequest
from entraide_scheduler.gateway.http import BODY_MAX_BYTES, Exchange
from entraide_scheduler.gateway.jobs import RunningJobs
from entraide_scheduler.gateway.kept import KeptJobs
from entraide_scheduler.gateway.metrics import Metrics
from entraide_scheduler.gateway.options import Caller, FactsMaker, from_headers
from entraide_scheduler.gateway.pages import Pages
from entraide_scheduler.gateway.refusals import Refusal, Refused, refused
from entraide_scheduler.gateway.streams import StreamedAnswer, WholeAnswer, refuse
from entraide_scheduler.gateway.strict_json import DEPTH_MAX, read_object
from entraide_scheduler.gateway.views import explanation_json, receipt_json

JOBS = "/v1/jobs"
LIMIT_DIGITS_MAX = 9

PATHS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "/": {"GET": "page"},
        "/status.json": {"GET": "status"},
        "/.well-known/entraide": {"GET": "well_known"},
        "/openapi.json": {"GET": "openapi"},
        "/healthz": {"GET": "health"},
        "/readyz": {"GET": "readiness"},
        "/metrics": {"GET": "metrics"},
        "/v1/models": {"GET": "models"},
        openai.CHAT: {"POST": "chat"},
        openai.COMPLETION: {"POST": "completion"},
        JOBS: {"GET": "list_jobs", "POST": "submit_job"},
        f"{JOBS}/{{job}}": {"GET": "get_job", "DELETE": "cancel_job"},
        f"{JOBS}/{{job}}/cancel": {"POST": "cancel_job"},
        f"{JOBS}/{{job}}/explanation": {"GET": "explain_job"},
        f"{JOBS}/{{job}}/receipt": {"GET": "job_receipt"},
        "/v1/models/{model}": {"GET": "model"},
        f"{weights.PATH}{{sha256}}": {"GET": "weights"},
    }
)
UNKNOWN = "unknown"


class Route(Struct, frozen=True):
    """A known path: its pattern, what stands in its braces, and its methods."""

    pattern: str
    name: str
    methods: Mapping[str, str]


def route_of(path: str) -> Route | None:
    """Returns the route of a path, if any.

    >>> route_of("/v1/jobs/job-1/receipt").pattern
    '/v1/jobs/{job}/receipt'
    """
    methods = PATHS.get(path)
    if methods is not None and "{" not in path:
        return Route(path, "", methods)
    for prefix, hole in (
        (f"{JOBS}/", "{job}"), ("/v1/models/", "{model}"), (weights.PATH, "{sha256}"),
    ):  # fmt: skip
        if path.startswith(prefix):
            name, slash, rest = path[len(prefix) :].partition("/")
            pattern = f"{prefix}{hole}{slash}{rest}"
            if hole == "{model}":  # a model's name may hold a slash
                name, pattern = path[len(prefix) :], f"{prefix}{hole}"
            if name and pattern in PATHS:
                return Route(pattern, name, PATHS[pattern])
    return None


class _Body(Struct):
    """The request in a job's body, byte for byte."""

    request: Raw


_BODY = JsonDecoder[_Body](_Body)


def _request_of(body: bytes) -> bytes:
    """Returns the request in a job's body, byte for byte: the same job sent again is the same."""
    try:
        return bytes(_BODY.decode(body).request)
    except (msgspec.DecodeError, RecursionError):
        raise refused("invalid_json", fault="json_too_deep", limit=DEPTH_MAX) from None


Handle = Callable[["Call"], Awaitable[None]]


class Call(Struct, frozen=True):
    """One request on its way: the exchange, the name in its path, and its language."""

    exchange: Exchange
    name: str
    lang: str

    def answer(self, body: bytes, status: int = 200) -> None:
        """Answers with JSON, unless the client has left."""
        if not self.exchange.over:
            self.exchange.respond(status, body)


class Routes:
    """Answers every request of a gateway."""

    def __init__(
        self,
        *,
        keys: Keys,
        maker: FactsMaker,
        running: RunningJobs,
        kept: KeptJobs,
        coop_jobs: CoopJobs,
        pages: Pages,
        metrics: Metrics,
        lang: i18n.Lang,
    ) -> None:
        self._keys = keys
        self.pool_weights: weights.Weights | None = None
        self._maker = maker
        self._running = running
        self._kept = kept
        self._coop_jobs = coop_jobs
        self._pages = pages
        self._metrics = metrics
        self._lang = lang
        self._document = msgspec.json.encode(openapi.document(PATHS))
        self.stopping = False
        self._handles: dict[str, Handle] = {
            "page": self._page,
            "status": self._status,
            "well_known": self._well_known,
            "openapi": self._openapi,
            "health": self._health,
            "readiness": self._readiness,
            "metrics": self._metrics_page,
            "models": self._models,
            "model": self._model,
            "weights": self._pool_weights,
            "chat": partial(self._complete, openai.CHAT),
            "completion": partial(self._complete, openai.COMPLETION),
            "list_jobs": self._list_jobs,
            "submit_job": self._submit_job,
            "get_job": self._get_job,
            "cancel_job": self._cancel_job,
            "explain_job": self._explain_job,
            "job_receipt": self._job_receipt,
        }

    def lang_of(self, exchange: Exchange) -> str:
        """Returns the language to answer in."""
        return i18n.lang_of_header(exchange.request.headers.get("accept-language"), self._lang)

    def refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        """Answers a request that the server did not hand over."""
        exchange.on_over = partial(self._metrics.answered, UNKNOWN)
        if refusal.code == "body_too_large" and not refusal.values:
            refusal = Refusal(refusal.code, {"limit_bytes": BODY_MAX_BYTES})
        refuse(exchange, refusal, self.lang_of(exchange))

    async def __call__(self, exchange: Exchange) -> None:
        """Answers a request."""
        request = exchange.request
        lang = self.lang_of(exchange)
        route = route_of(request.path)
        pattern = route.pattern if route else UNKNOWN
        exchange.on_over = partial(self._metrics.answered, pattern)
        try:
            if route is None:
                raise refused("unknown_path", path=request.path)
            method = "GET" if request.method == "HEAD" else request.method
            handle = route.methods.get(method)
            if handle is None:
                raise refused("method_not_allowed", method=request.method)
            await self._handles[handle](Call(exchange, route.name, lang))
        except Refused as problem:
            refuse(exchange, problem.refusal, lang)
        except EntraideError as problem:
            refusal = Refusal(problem.code, problem.values, problem.retry_after_s, problem.job)
            refuse(exchange, refusal, lang)

    async def _caller(self, call: Call) -> Caller:
        return await self._keys.caller(call.exchange.request.headers.get("authorization", ""))

    # Inference.

    async def _complete(self, path: str, call: Call) -> None:
        exchange = call.exchange
        request = exchange.request
        caller = await self._caller(call)
        if self.stopping:
            raise refused("shutting_down")
        ask = openai.parse(path, request.body)
        options = from_headers(request.headers, time.time())
        facts = self._maker.facts(ask, caller, options, JobKind.LIVE)
        if exchange.over:
            return
        if facts.idempotency and self._running.has(facts.coop, facts.idempotency):
            raise refused("already_exists", name="Idempotency-Key")
        if not self._running.has_room:
            raise Refused(Refusal("queue_full", retry_after_s=1.0))
        listener: StreamedAnswer | WholeAnswer
        if ask.stream:
            listener = StreamedAnswer(
                exchange,
                facts.job,
                call.lang,
                include_usage=ask.include_usage,
                on_first=lambda: self._metrics.first_token(time.monotonic() - exchange.began_at),
            )
        else:
            listener = WholeAnswer(exchange, facts.job, call.lang)

        def gone() -> None:
            listener.stop()
            self._running.cancel(facts.job, "client_gone")

        exchange.on_gone = gone
        self._running.start(facts, ask, listener)

    # Jobs.

    async def _submit_job(self, call: Call) -> None:
        caller = await self._caller(call)
        if self.stopping:
            raise refused("shutting_down")
        request = call.exchange.request
        asked = convert(read_object(request.body), JobRequest)
        body = _request_of(request.body)
        options = from_headers(request.headers, time.time())
        row = await self._kept.submit(caller, asked.path, body, options, asked.keep_s)
        view = (await self._coop_jobs.find(caller, row.job, call.lang)).view
        if not call.exchange.over:
            headers = [("x-request-id", row.job), ("location", f"{JOBS}/{row.job}")]
            call.exchange.respond(202, msgspec.json.encode(view), headers=headers)

    async def _list_jobs(self, call: Call) -> None:
        caller = await self._caller(call)
        limit = dict(
            part.partition("=")[::2] for part in call.exchange.request.query.split("&")
        ).get("limit", "0")
        if not (limit.isascii() and limit.isdigit() and len(limit) <= LIMIT_DIGITS_MAX):
            raise refused("invalid_request", param="limit", fault="limit_list", limit=LIST_MAX)
        jobs = await self._coop_jobs.list(caller, int(limit), call.lang)
        call.answer(msgspec.json.encode({"object": "list", "data": jobs}))

    async def _get_job(self, call: Call) -> None:
        caller = await self._caller(call)
        found = await self._coop_jobs.find(caller, call.name, call.lang)
        call.answer(msgspec.json.encode(found.view))

    async def _cancel_job(self, call: Call) -> None:
        caller = await self._caller(call)
        view = await self._coop_jobs.cancel(caller, call.name, call.lang)
        call.answer(msgspec.json.encode(view))

    async def _explain_job(self, call: Call) -> None:
        caller = await self._caller(call)
        call.answer(explanation_json(await self._coop_jobs.explanation(caller, call.name)))

    async def _job_receipt(self, call: Call) -> None:
        caller = await self._caller(call)
        call.answer(receipt_json(await self._coop_jobs.receipt(caller, call.name, call.lang)))

    async def _models(self, call: Call) -> None:
        await self._caller(call)
        call.answer(await self._pages.models())

    async def _model(self, call: Call) -> None:
        await self._caller(call)
        found = await self._pages.model(call.name)
        if found is None:
            raise refused("unknown_model", model=call.name)
        call.answer(found)

    # Pages: no key, no secret.

    async def _pool_weights(self, call: Call) -> None:
        if self.pool_weights is None:  # a gateway in a process of its own has no roster
            raise refused("unknown_path", path=call.exchange.request.path)
        await self.pool_weights.answer(call.exchange, call.name)

    async def _page(self, call: Call) -> None:
        if not call.exchange.over:
            self._pages.send_page(call.exchange)

    async def _status(self, call: Call) -> None:
        call.answer(await self._pages.status())

    async def _well_known(self, call: Call) -> None:
        call.answer(self._pages.well_known())

    async def _openapi(self, call: Call) -> None:
        call.answer(self._document)

    async def _health(self, call: Call) -> None:
        call.answer(b'{"status":"ok"}')

    async def _readiness(self, call: Call) -> None:
        ready = self._pages.ready and not self.stopping
        call.answer(self._pages.readiness(ready=ready), 200 if ready else 503)

    async def _metrics_page(self, call: Call) -> None:
        if not call.exchange.over:
            page, kind = self._metrics.page(len(self._running)), self._metrics.CONTENT_TYPE
            call.exchange.respond(200, page, kind=kind)
