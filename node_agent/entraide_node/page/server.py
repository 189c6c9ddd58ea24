"""Page server: serves the owner page on the loopback.

The address contains a secret that is new at each start; the request's host must be the loopback
(against DNS rebinding); each POST request must contain a CSRF token. The server reads and writes
the node's folder, as the other commands do.
"""

import asyncio
import contextlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import typer
from aiohttp import web
from msgspec.structs import replace

from entraide import i18n
from entraide_node.config import NodeConfig
from entraide_node.core.owner_terms import OwnerTerms
from entraide_node.given import given_sentences
from entraide_node.owner import files as owner_files
from entraide_node.owner import terms_file as owner_terms
from entraide_node.owner.cli_output import owner_sentences
from entraide_node.owner.terms_file import BOUNDS, TERMS_NAME, TermsProblem
from entraide_node.page.form import Fields, FormProblem, fields_to_terms, terms_to_fields
from entraide_node.page.view import STYLE_NAME, PageContent, read_asset, render_page

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HOST = "127.0.0.1"
BODY_BYTES_MAX = 64 * 1024
SECRET_BYTES = 24

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class OwnerPage:
    """The page of one node."""

    def __init__(self, config: NodeConfig) -> None:
        """Does not listen yet."""
        self._config = config
        self._folder = Path(config.dir)
        self._secret = secrets.token_urlsafe(SECRET_BYTES)
        self._csrf = secrets.token_urlsafe(SECRET_BYTES)
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def open(self, port: int = 0) -> None:
        """Starts to listen; ``url`` is then the page's address.

        Raises:
            OSError: the port is taken.
        """
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._authorise])
        app.add_routes(
            [
                web.get("/{secret}/", self._show_page),
                web.get(f"/{{secret}}/{STYLE_NAME}", self._send_style),
                web.post("/{secret}/save", self._save),
                web.post("/{secret}/pause", self._pause),
                web.post("/{secret}/resume", self._resume),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port)
        await site.start()
        bound_port = self._runner.addresses[0][1]
        self._allowed_hosts = {f"{HOST}:{bound_port}", f"localhost:{bound_port}"}
        self.url = f"http://{HOST}:{bound_port}/{self._secret}/"

    async def close(self) -> None:
        """Stops listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _authorise(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        secret = request.match_info.get("secret", "")
        has_secret = hmac.compare_digest(secret.encode(), self._secret.encode())
        if not has_secret or request.host not in self._allowed_hosts:
            raise web.HTTPNotFound(headers=HEADERS)
        if request.method == "POST":
            origin = request.headers.get("Origin", "")
            form = await request.post()
            csrf_token = str(form.get("csrf", ""))
            is_same_origin = (
                origin in ("", "null") or origin.removeprefix("http://") in self._allowed_hosts
            )
            if not is_same_origin or not hmac.compare_digest(
                csrf_token.encode(), self._csrf.encode()
            ):
                raise web.HTTPForbidden(headers=HEADERS)
        response = await handler(request)
        response.headers.update(HEADERS)
        return response

    async def _send_style(self, _: web.Request) -> web.Response:
        return web.Response(text=read_asset(STYLE_NAME), content_type="text/css")

    async def _show_page(self, request: web.Request) -> web.Response:
        notice = ""
        lang = self._lang(request)
        terms = owner_terms.read_terms(self._folder)
        if isinstance(terms, TermsProblem):
            problem = i18n.text(
                f"owner-file-{terms.code}", lang, **terms.values(self._folder / TERMS_NAME)
            )
            return self._make_response(lang, terms_to_fields(OwnerTerms()), problem=problem)
        if not (self._folder / TERMS_NAME).exists():
            notice = i18n.text("page-no-terms", lang)
            terms = OwnerTerms()
        if request.query.get("saved"):
            notice = i18n.text("page-saved", lang)
        given = await asyncio.to_thread(given_sentences, self._folder, lang)
        return self._make_response(lang, terms_to_fields(terms), notice=notice, given=given)

    async def _save(self, request: web.Request) -> web.StreamResponse:
        lang = self._lang(request)
        form = await request.post()
        fields: Fields = {key: str(value) for key, value in form.items() if isinstance(value, str)}
        fields["data_classes"] = [str(value) for value in form.getall("data_classes", [])]
        terms = fields_to_terms(fields)
        if isinstance(terms, FormProblem):
            problem = i18n.text("page-refused", lang, problem=_problem_sentence(terms, lang))
            return self._make_response(lang, fields, problem=problem, faulty_field=terms.field)
        await asyncio.to_thread(owner_terms.write_terms, self._folder, terms)
        raise web.HTTPSeeOther(f"./?lang={lang}&saved=1", headers=HEADERS)

    async def _pause(self, request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(owner_files.pause, self._folder)
        raise web.HTTPSeeOther(f"./?lang={self._lang(request)}", headers=HEADERS)

    async def _resume(self, request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(owner_files.resume, self._folder)
        raise web.HTTPSeeOther(f"./?lang={self._lang(request)}", headers=HEADERS)

    def _lang(self, request: web.Request) -> str:
        """The reader's choice, else the browser's language, else the node's."""
        requested = request.query.get("lang")
        if requested:
            return i18n.lang_of(requested)
        header = request.headers.get("Accept-Language")
        return i18n.lang_of_header(header, i18n.lang_of(self._config.lang))

    def _make_response(
        self,
        lang: str,
        fields: Fields,
        *,
        notice: str = "",
        problem: str = "",
        faulty_field: str = "",
        given: Sequence[str] = (),
    ) -> web.Response:
        paused = owner_files.is_paused(self._folder)
        said, is_working = self._describe_state(lang, paused=paused)
        state = [*said, *given]
        content = PageContent(
            lang=lang, node=self._config.node, state=state, works=is_working, paused=paused,
            path=str(self._folder / TERMS_NAME), csrf=self._csrf, fields=fields, notice=notice,
            problem=problem, wrong=faulty_field,
        )  # fmt: skip
        return web.Response(text=render_page(content), content_type="text/html")

    def _describe_state(self, lang: str, *, paused: bool) -> tuple[list[str], bool]:
        now = time.time()
        status = owner_files.read_status(self._folder, now=now)
        node = self._config.node
        if status is None:
            return [i18n.text("page-stopped", lang)], False
        if paused and status.state != "paused":  # the agent has not read the file yet
            status = replace(status, state="paused")
        state_sentence = i18n.text(f"node-status-{status.state}", lang, node=node, **status.values)
        is_working = status.state in ("working", "ready")
        return [state_sentence, *owner_sentences(status, lang, now=now)], is_working


def _problem_sentence(problem: FormProblem, lang: str) -> str:
    if problem.code == "wrong-hours":
        return i18n.text("page-wrong-hours", lang, text=problem.text)
    if problem.code == "too-many":
        name = i18n.text("page-when" if problem.field == "hours" else "page-programs", lang)
        return i18n.text("page-too-many", lang, name=name, most=int(problem.text))
    low, high = BOUNDS[problem.field]
    name = i18n.text(f"page-{problem.field.rpartition('.')[2]}", lang)
    return i18n.text("page-wrong-number", lang, text=problem.text, name=name, low=low, high=high)


def show_page(config: NodeConfig, *, port: int, lang: str, opens_browser: bool) -> int:
    """Serves the page until Ctrl-C; returns the exit status."""
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(serve_page(config, port=port, lang=lang, opens_browser=opens_browser))
    return 0


async def serve_page(config: NodeConfig, *, port: int, lang: str, opens_browser: bool) -> int:
    """Serves the page until it is cancelled; returns the exit status."""
    page = OwnerPage(config)
    try:
        await page.open(port)
    except OSError:
        typer.echo(i18n.text("page-port-taken", lang, port=port), err=True)
        return 1
    typer.echo(i18n.text("page-open", lang, url=page.url))
    try:
        if opens_browser:
            await asyncio.to_thread(typer.launch, page.url)
        await asyncio.Event().wait()
    finally:
        await page.close()
    return 0
