"""Page server: serves the owner page on the loopback.

The address contains a secret that is new at each start; the request's host must be the loopback
(against DNS rebinding); each POST request must contain a CSRF token. The server reads and writes
the node's folder, as the other commands do.
"""

import asyncio
import contextlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import typer
from aiohttp import web

from entraide import i18n
from entraide_node.config import NodeConfig
from entraide_node.core.owner_terms import OwnerTerms
from entraide_node.owner import files as owner_files
from entraide_node.owner import terms_file as owner_terms
from entraide_node.owner.terms_file import LISTED_MAX, TERMS_NAME
from entraide_node.page.changes import change_sentences
from entraide_node.page.fields import Fields, FormProblem, read_fields
from entraide_node.page.form import fields_to_terms, merge_changes, show_terms
from entraide_node.page.hours_rows import add_row, remove_row, row_numbers
from entraide_node.page.machine_reader import MachineReader
from entraide_node.page.view import STYLE_NAME, Notice, PageContent, read_asset, render_page

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HOST = "127.0.0.1"
BODY_BYTES_MAX = 64 * 1024
SECRET_BYTES = 24
FORM_KIND = "application/x-www-form-urlencoded"  # of the page's own forms
START_COMMAND = "entraide node run"

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
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
        self._machine = MachineReader(config)
        self._secret = secrets.token_urlsafe(SECRET_BYTES)
        self._csrf = secrets.token_urlsafe(SECRET_BYTES)
        self._runner: web.AppRunner | None = None
        self._last_saved: tuple[OwnerTerms, OwnerTerms] | None = None  # before, and saved
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
                web.post("/{secret}/rows", self._change_rows),
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
        await self._machine.close()
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
            if request.content_type != FORM_KIND:
                raise web.HTTPForbidden(headers=HEADERS)
            try:
                form = await request.post()
            except web.HTTPRequestEntityTooLarge:
                refusal = await self._refuse_size(request)
                refusal.headers.update(HEADERS)
                return refusal
            except (ValueError, LookupError):  # no text in the charset that it names
                raise web.HTTPBadRequest(headers=HEADERS) from None
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
        lang = self._lang(request)
        terms, notices = self._read_terms(lang)
        fields = show_terms(terms, self._config.data_classes)
        if request.query.get("saved"):
            notices = [*self._saved_notices(terms, lang), *notices]
        return await self._respond(lang, fields, notices=notices)

    async def _save(self, request: web.Request) -> web.StreamResponse:
        lang = self._lang(request)
        fields = read_fields((await request.post()).items())
        terms = fields_to_terms(fields)
        if isinstance(terms, tuple):
            focus = terms[0].field
            return await self._respond(lang, fields, problems=terms, focus=focus, status=422)
        before, problem = self._machine.terms()
        terms = merge_changes(terms, fields, before, self._config.data_classes)
        if terms != before or problem is not None:
            await asyncio.to_thread(owner_terms.save_terms, self._folder, terms)
        self._last_saved = before, terms
        await self._machine.wait_for_terms()
        raise web.HTTPSeeOther(f"./?lang={lang}&saved=1", headers=HEADERS)

    async def _change_rows(self, request: web.Request) -> web.StreamResponse:
        """Adds or removes a row of hours; what else was typed stays as it is."""
        lang = self._lang(request)
        fields = read_fields((await request.post()).items())
        action, _, number = str(fields.pop("change", "")).partition("-")
        if action == "remove" and number.isdecimal() and int(number) in row_numbers(fields):
            place = row_numbers(fields).index(int(number)) + 1
            text = i18n.text("page-row-removed", lang, number=place)
            fields, focus = remove_row(fields, int(number)), "add"
        elif len(row_numbers(fields)) < LISTED_MAX:
            fields, row = add_row(fields)
            focus = f"row-{row}-days"
            text = i18n.text("page-row-added", lang, number=row + 1)
        else:
            text, focus = i18n.text("page-rows-full", lang, most=LISTED_MAX), "add"
        return await self._respond(lang, fields, notices=[Notice(text)], focus=focus)

    async def _pause(self, request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(owner_files.pause, self._folder)
        await self._machine.wait_for_pause()
        raise web.HTTPSeeOther(f"./?lang={self._lang(request)}", headers=HEADERS)

    async def _resume(self, request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(owner_files.resume, self._folder)
        await self._machine.wait_for_resume()
        raise web.HTTPSeeOther(f"./?lang={self._lang(request)}", headers=HEADERS)

    async def _refuse_size(self, request: web.Request) -> web.Response:
        lang = self._lang(request)
        text = i18n.text("page-too-large", lang, most=BODY_BYTES_MAX // 1024)
        terms, _ = self._read_terms(lang)
        notices = [Notice(text, good=False)]
        fields = show_terms(terms, self._config.data_classes)
        return await self._respond(lang, fields, notices=notices, status=413)

    def _lang(self, request: web.Request) -> str:
        """The reader's choice, else the browser's language, else the node's."""
        requested = request.query.get("lang")
        if requested:
            return i18n.lang_of(requested)
        header = request.headers.get("Accept-Language")
        return i18n.lang_of_header(header, i18n.lang_of(self._config.lang))

    def _read_terms(self, lang: str) -> tuple[OwnerTerms, list[Notice]]:
        """Returns the terms that the form shows, and what their reader must know."""
        path = self._folder / TERMS_NAME
        terms, fault = self._machine.terms()
        if fault is not None:
            problem = i18n.text(f"owner-file-{fault.code}", lang, **fault.values(path))
            return terms, [Notice(problem, good=False)]
        if not path.exists():
            return terms, [Notice(i18n.text("page-no-terms", lang))]
        return terms, []

    def _saved_notices(self, terms: OwnerTerms, lang: str) -> list[Notice]:
        if self._last_saved is None or self._last_saved[1] != terms:
            return [Notice(i18n.text("page-saved", lang))]
        changes = change_sentences(*self._last_saved, lang)
        code = "page-saved-changes" if changes else "page-saved-same"
        notices = [Notice(i18n.text(code, lang), changes)]
        if not self._machine.is_running():
            notices.append(Notice(i18n.text("page-saved-stopped", lang)))
        elif not self._machine.follows_terms():
            notices.append(Notice(i18n.text("page-saved-late", lang)))
        return notices

    async def _respond(
        self,
        lang: str,
        fields: Fields,
        *,
        problems: Sequence[FormProblem] = (),
        notices: Sequence[Notice] = (),
        focus: str = "",
        status: int = 200,
    ) -> web.Response:
        terms, _ = self._read_terms(lang)
        content = PageContent(
            lang=lang, node=self._config.node, now=self._machine.now(lang),
            given=await self._machine.given(lang), paused=owner_files.is_paused(self._folder),
            give_back_s=terms.give_back_s, start_command=START_COMMAND,
            path=str(self._folder / TERMS_NAME), csrf=self._csrf, fields=fields,
            allowed=self._config.data_classes,
            problems=problems, notices=notices, focus=focus,
        )  # fmt: skip
        return web.Response(text=render_page(content), content_type="text/html", status=status)


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
