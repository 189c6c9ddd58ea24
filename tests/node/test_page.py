"""The owner page: its content, what it saves, and which requests it answers."""

import asyncio
import datetime as dt
import re
import threading
import time
from collections.abc import AsyncIterator, Mapping
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import psutil
import pytest
from msgspec.structs import replace
from tests.browser import NEEDS, PHONE, chromium, visit
from tests.node.owner_terms import FULL_TERMS
from tests.waiting import eventually

from entraide.statements import Amounts, NodeShare, NodeStatement
from entraide_node.config import NodeConfig
from entraide_node.core.owner_terms import UNRESTRICTED_TERMS, OwnerTerms, WeeklyHours
from entraide_node.energy.power_sampler import PowerStatus
from entraide_node.owner import files as owner_files
from entraide_node.owner import terms_file as owner_terms
from entraide_node.owner.cli_output import owner_sentences
from entraide_node.owner.files import OwnerStatus
from entraide_node.owner.terms_file import TERMS_NAME
from entraide_node.page import machine_reader
from entraide_node.page.machine_summary import hours_sentence
from entraide_node.page.server import BODY_BYTES_MAX, OwnerPage


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[OwnerPage]:
    """A page of a node that does not run."""
    config = NodeConfig(
        node="mini", coop="boreale", zone="CA-QC", nats_urls=(), dir=str(tmp_path), lang="fr"
    )
    page = OwnerPage(config)
    await page.open()
    yield page
    await page.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser without scripts."""
    async with aiohttp.ClientSession() as session:
        yield session


def status(**fields: object) -> owner_files.NodeStatus:
    """What an agent says of itself."""
    values = {
        "node": "mini", "coop": "boreale", "zone": "CA-QC", "pool": "demo", "pid": 0,
        "started_at": 0.0, "state": "ready", "values": {}, "written_at": 0.0, **fields,
    }  # fmt: skip
    return owner_files.NodeStatus(**values)  # type: ignore[arg-type]


def form_of(html: str) -> list[tuple[str, str]]:
    """The form as a browser would send it untouched."""
    form = html.split('action="save?lang=')[1]
    values = []
    for tag in re.findall(r"<input [^>]*>", form):
        named = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        kind = named.get("type", "text")
        if kind not in ("checkbox", "radio") or " checked" in tag:
            values.append((named["name"], unescape(named.get("value", "on"))))
    area = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", form, re.S)
    assert area is not None
    return [*values, ("programs", unescape(area.group(1)))]


def changed(form: list[tuple[str, str]], fields: Mapping[str, str]) -> aiohttp.FormData:
    """A form with some fields filled in anew."""
    data = aiohttp.FormData()
    for name, value in form:
        data.add_field(name, fields.get(name, value))
    for name in fields.keys() - {name for name, _ in form}:
        data.add_field(name, fields[name])
    return data


async def test_an_owner_sets_their_terms(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """The form, sent as it is shown, changes nothing; sent with a change, it changes that."""
    owner_terms.write_terms(tmp_path, FULL_TERMS)
    async with session.get(page.url) as answer:
        form = form_of(await answer.text())
    async with session.post(page.url + "save", data=changed(form, {})) as answer:
        same, unchanged = owner_terms.read_terms(tmp_path), await answer.text()
    fields = {"row-0-from": "22:00", "row-0-to": "06:00", "idle_min": "12,5"}
    async with session.post(page.url + "save", data=changed(form, fields)) as answer:
        other, said = owner_terms.read_terms(tmp_path), unescape(await answer.text())

    assert same == FULL_TERMS
    assert "Rien n’a changé" in unchanged
    assert isinstance(other, OwnerTerms)
    assert 12.5 == other.idle_min
    assert WeeklyHours((0, 1, 2, 3, 4), 1_320, 360) == other.hours[0]
    assert "Il n’y a plus personne après\u00a0: 12,5\u00a0min (avant\u00a0: 7,5\u00a0min)" in said
    assert "Lun–Ven 22:00–06:00" in said


async def test_what_is_wrong_stays_on_the_page(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A refused form says why beside each field, keeps all input, and saves nothing."""
    owner_terms.write_terms(tmp_path, FULL_TERMS)
    async with session.get(page.url) as answer:
        form = form_of(await answer.text())
    fields = {"row-1-to": "<b>18 heures</b>", "settle_s": "vite", "give_back_s": "12"}
    async with session.post(page.url + "save?lang=en", data=changed(form, fields)) as answer:
        status, html = answer.status, await answer.text()

    assert (422, FULL_TERMS) == (status, owner_terms.read_terms(tmp_path))
    assert "“&lt;b&gt;18 heures&lt;/b&gt;” is not a time; write it as 18:00." in html
    assert "“vite” is not a number from 0 to 3,600." in html
    assert "2 fields need a correction" in html
    assert {**dict(form), **fields} == dict(form_of(html))
    assert 2 == html.count('aria-invalid="true"')
    assert re.search(r'name="row-1-to"[^>]* aria-describedby=" e-row-1-to"[^>]* autofocus', html)
    assert re.search(
        r"<details [^>]*open[^>]*>\s*<summary><h3>When you take the machine back", html
    )


async def test_rows_are_added_and_removed_without_scripts(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A button sends the form: the row comes or goes, nothing is saved, nothing typed is lost."""
    owner_terms.write_terms(tmp_path, FULL_TERMS)
    async with session.get(page.url) as answer:
        form = form_of(await answer.text())
    data = changed(form, {"change": "add", "idle_min": "lon"})
    async with session.post(page.url + "rows?lang=fr", data=data) as answer:
        added = await answer.text()
    data = changed(form_of(added), {"change": "remove-0"})
    async with session.post(page.url + "rows?lang=fr", data=data) as answer:
        removed = await answer.text()

    assert FULL_TERMS == owner_terms.read_terms(tmp_path)
    assert "La plage 3 est ajoutée" in added
    assert 1 == len(re.findall(r'name="row-2-days"[^>]* autofocus', added))
    assert 'name="idle_min"' in removed
    assert "lon" == dict(form_of(removed))["idle_min"]
    assert [("row-0-days", "5"), ("row-0-days", "6")] == [
        field for field in form_of(removed) if field[0] == "row-0-days"
    ]
    assert "row-2-from" not in removed


@pytest.mark.parametrize(
    "change", ["", "add", "remove-", "remove-999", "remove-x", "drop-0", "\x00"]
)
async def test_any_button_value_leaves_the_page_whole(
    page: OwnerPage, session: aiohttp.ClientSession, change: str
) -> None:
    """A value that no button sends adds a row at most."""
    async with session.get(page.url) as answer:
        form = form_of(await answer.text())
    data = changed(form, {"change": change})
    async with session.post(page.url + "rows", data=data) as answer:
        html = await answer.text()

    assert 200 == answer.status
    assert dict(form).items() <= (dict(form_of(html)) | {"hours_mode": "always"}).items()


def markup_of(html: str) -> set[tuple[str, str]]:
    """Every element of a page, with each of its attributes."""
    markup: set[tuple[str, str]] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            markup.update({(tag, ""), *((tag, name) for name, _ in attrs)})

    Reader().feed(html)
    return markup


HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)",
    "{{ 7 * 8731 }}", "{% raw %}", "$title ${title}", "\u202egnp.exe\u202c", "\x00\x1b[2J",
    "a\r\nb: c", "x" * 1_000,
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_in_each_field_stays_text(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path, text: str
) -> None:
    """Each field shows what was typed as text: no element, attribute or template comes of it."""
    owner_terms.write_terms(tmp_path, FULL_TERMS)
    async with session.get(page.url) as answer:
        clean = await answer.text()
    fields = {name: text for name, _ in form_of(clean) if name != "csrf"}
    async with session.post(page.url + "save", data=changed(form_of(clean), fields)) as answer:
        html = await answer.text()
    markup = markup_of(clean) | {("a", "href"), ("p", "id"), ("details", "open"), ("ul", "")}
    markup |= {("input", name) for name in ("aria-invalid", "aria-describedby", "autofocus")}

    assert 422 == answer.status
    assert FULL_TERMS == owner_terms.read_terms(tmp_path)
    assert set() == markup_of(html) - markup
    assert "61117" not in html
    assert " ".join(text.split()) == " ".join(dict(form_of(html))["programs"].split())


async def test_hostile_names_of_the_pool_stay_text(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A model's name is the pool's word: it is shortened, and shown as text."""
    me = psutil.Process()
    model = "<img src=//evil.example/a>" + "m" * 500
    models = (owner_files.ModelStatus(model, "serving", 0),)
    owner_files.write_status(
        tmp_path,
        status(pid=me.pid, started_at=me.create_time(), written_at=time.time(), models=models),
    )
    async with session.get(page.url) as answer:
        html = await answer.text()

    assert "&lt;img src=//evil.example/a&gt;" in html
    assert "m" * 100 not in html
    assert "<img" not in html


async def test_a_form_that_is_too_large_is_refused_in_words(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """The page comes back with a sentence, and nothing is saved."""
    data = {"csrf": "unknown", "programs": "x" * BODY_BYTES_MAX}
    async with session.post(page.url + "save?lang=en", data=data) as answer:
        html = await answer.text()

    assert 413 == answer.status
    assert "the form is larger than 64 KB" in html
    assert UNRESTRICTED_TERMS == owner_terms.read_terms(tmp_path)


async def test_a_pool_that_does_not_answer_keeps_nobody_waiting(
    page: OwnerPage, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page opens without the figures, and has them once the pool has answered."""
    answered = threading.Event()
    statement = NodeStatement(
        "mini", "boreale", "2026-11-27", "2026-11", Amounts(jobs=2), Amounts(jobs=7),
        (NodeShare("<b>lac</b>", Amounts(jobs=5)), NodeShare("pre", Amounts(jobs=6))),
        coop_names={"pre": "Le <i>Pré</i>"},
    )  # fmt: skip

    def read_slowly(_: Path) -> NodeStatement:
        answered.wait(60.0)
        return statement

    monkeypatch.setattr(machine_reader, "read_given", read_slowly)
    monkeypatch.setattr(machine_reader, "GIVEN_WAIT_S", 0.05)
    async with session.get(page.url + "?lang=en") as answer:
        without = await answer.text()
    answered.set()
    monkeypatch.setattr(machine_reader, "GIVEN_WAIT_S", 60.0)
    async with session.get(page.url + "?lang=en") as answer:
        figures = await answer.text()

    assert "what the machine gave cannot be shown" in without
    assert "<dd>2</dd>" in figures
    assert "<dd>7</dd>" in figures
    assert "&lt;b&gt;lac&lt;/b&gt;" in figures
    assert "Le &lt;i&gt;Pré&lt;/i&gt;" in figures


MONDAY = dt.datetime(2026, 11, 30, 17, 30)  # noqa: DTZ001  (the machine's own clock)


@pytest.mark.parametrize(
    ("hours", "now", "sentence"),
    [
        ((), MONDAY, "It may work at any time."),
        ((WeeklyHours((0, 1, 2, 3, 4, 5, 6), 0, 1_440),), MONDAY, "It may work at any time."),
        (FULL_TERMS.hours, MONDAY, "It is outside its hours. Next change: today at 6:00 p.m. EST"),
        (
            FULL_TERMS.hours,
            MONDAY.replace(hour=18),
            "It may work now. Next change: tomorrow at 8:00 a.m. EST",
        ),
        (
            (WeeklyHours((3,), 720, 780),),
            MONDAY,
            "It is outside its hours. Next change: Thursday at 12:00 p.m. EST",
        ),
    ],
)
def test_the_next_change_of_hours_is_said(
    hours: tuple[WeeklyHours, ...],
    now: dt.datetime,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An owner reads whether the hours are open, and when that changes, with the time zone."""
    try:
        with monkeypatch.context() as patch:
            patch.setenv("TZ", "America/Toronto")
            time.tzset()
            said = hours_sentence(OwnerTerms(hours=hours), now, "en")
    finally:
        time.tzset()

    assert sentence == said.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("query", "header", "lang"),
    [
        ("", "en-CA,fr;q=0.5", "en"),
        ("", "de", "fr"),
        ("?lang=fr", "en", "fr"),
    ],
)
async def test_the_page_opens_in_the_readers_language(
    page: OwnerPage, session: aiohttp.ClientSession, query: str, header: str, lang: str
) -> None:
    """The reader's choice goes before the browser's language, and that before the node's."""
    async with session.get(page.url + query, headers={"Accept-Language": header}) as answer:
        html = await answer.text()

    assert f'<html lang="{lang}">' in html


async def test_pause_and_resume(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """The button does what the command does."""
    async with session.get(page.url) as answer:
        csrf = dict(form_of(await answer.text()))["csrf"]
    async with session.post(page.url + "pause", data={"csrf": csrf}) as answer:
        paused, said = owner_files.is_paused(tmp_path), await answer.text()
    async with session.post(page.url + "resume", data={"csrf": csrf}):
        resumed = owner_files.is_paused(tmp_path)

    assert (True, False) == (paused, resumed)
    assert "Relancer" in said


async def test_a_pause_is_shown_as_the_agent_follows_it(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """The page waits for the agent after a pause, and says what becomes of a running request."""
    process = psutil.Process()
    runs = status(pid=process.pid, started_at=process.create_time(), running=1)
    owner = OwnerStatus(number=1, code="paused", state="giving-back", give_back_s=30.0)
    owner_files.write_status(tmp_path, replace(runs, written_at=time.time()))

    async def follow() -> None:
        await eventually(lambda: owner_files.is_paused(tmp_path))
        paused = replace(runs, state="paused", owner=owner, written_at=time.time())
        owner_files.write_status(tmp_path, paused)

    agent = asyncio.create_task(follow())
    async with session.get(page.url) as answer:
        csrf = dict(form_of(await answer.text()))["csrf"]
    async with session.post(page.url + "pause", data={"csrf": csrf}) as answer:
        said = unescape(await answer.text())
    await agent

    assert "Ses requêtes en cours se terminent en 30 s" in said.replace("\u00a0", " ")


async def test_the_whole_power_stands_beside_the_cap(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """Who wants to lend half of the machine's power reads what the whole is."""
    process, power = psutil.Process(), PowerStatus(idle_w=8.0, active_w=51.0)
    runs = status(
        pid=process.pid, started_at=process.create_time(), written_at=time.time(), power=power
    )
    owner_files.write_status(tmp_path, runs)
    async with session.get(page.url) as answer:
        said = unescape(await answer.text()).replace("\u00a0", " ")

    assert "8 W au repos et 51 W en plein travail (par défaut, d’après" in said


async def test_only_this_machine_is_answered(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """Neither without the address's secret, nor under a foreign name, nor from a foreign page."""
    port = page.url.split(":")[2].split("/")[0]
    statuses = []
    async with session.get(page.url) as answer:
        csrf = dict(form_of(await answer.text()))["csrf"]
        policy = answer.headers["Content-Security-Policy"]
    for path, headers in ((f"http://127.0.0.1:{port}/guess/style.css", {}),
                          (f"http://127.0.0.1:{port}/guess/", {}),
                          (f"http://127.0.0.1:{port}/", {}),
                          (page.url, {"Host": f"evil.example:{port}"})):  # fmt: skip
        async with session.get(path, headers=headers) as answer:
            statuses.append(answer.status)
    for action in ("pause", "resume", "save", "rows"):
        for data, headers in (({}, {}), ({"csrf": "guess"}, {}),
                              ({"csrf": csrf}, {"Origin": "http://evil.example"})):  # fmt: skip
            async with session.post(page.url + action, data=data, headers=headers) as answer:
                statuses.append(answer.status)

    assert [404] * 4 + [403] * 12 == statuses
    assert not (tmp_path / TERMS_NAME).exists()
    assert not owner_files.is_paused(tmp_path)
    assert "default-src 'none'; style-src 'self'; form-action 'self'" in policy
    assert "unsafe" not in policy


async def test_a_broken_file_is_shown_with_its_line(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """The page shows the fault of a file that was edited by hand."""
    (tmp_path / TERMS_NAME).write_text("\nidle_mins = 5")
    async with session.get(f"{page.url}?lang=en") as answer:
        said = await answer.text()

    assert "line 2" in said
    assert "idle_mins" in said


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_the_reason_is_said_with_since_when_and_what_would_change_it(lang: str) -> None:
    """Beside the state's sentence, an owner reads why, since when, and until what."""
    owner = OwnerStatus(
        number=9, code="owner_busy", values={"idle_min": 5.0}, state="away", since_at=1_000.0
    )
    said = list(owner_sentences(status(state="owner_busy", owner=owner), lang, now=1_750.0))
    waits = OwnerStatus(number=13, code="settling", state="settling", until_at=1_030.0)
    settling = list(owner_sentences(status(state="settling", owner=waits), lang, now=1_000.0))

    assert 2 == len(said) == len(settling)
    assert "12 minutes" in said[0]
    assert "5 minutes" in said[1]
    assert re.search(r"\b30 s\b[^s]*$", settling[1])


def test_nothing_more_is_said_of_a_machine_that_works() -> None:
    """No reason, no sentence; but an owner whose own work goes on beside them is told."""
    beside = OwnerStatus(state="working", own_only=True)

    assert [] == list(owner_sentences(status(), "fr", now=0.0))
    assert 1 == len(list(owner_sentences(status(owner=beside), "fr", now=0.0)))


@pytest.mark.needs(NEEDS)
async def test_a_browser_without_scripts_saves_it(page: OwnerPage, tmp_path: Path) -> None:
    """A real browser shows the form at a phone's width, nothing wider, and sends it."""
    async with (
        chromium() as browser,
        visit(browser, f"{page.url}?lang=fr", width=PHONE, scripts=False) as opened,
    ):
        overflow_px = await opened.overflow_px()
        await opened.page.fill("[name=idle_min]", "8")
        await opened.page.click(".save")
        said = await opened.page.locator(".notice").first.inner_text()
    terms = owner_terms.read_terms(tmp_path)

    assert 0 == overflow_px
    assert isinstance(terms, OwnerTerms)
    assert 8.0 == terms.idle_min
    assert "Enregistré" in said
    assert [] == opened.complaints
