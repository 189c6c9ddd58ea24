"""The owner page: its content, what it saves, and which requests it answers."""

import re
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from tests.node.test_terms_file import terms as any_terms
from tests.sim import browser

from entraide.types import DataClass
from entraide_node.config import NodeConfig
from entraide_node.core.owner_terms import (
    UNRESTRICTED_TERMS,
    OwnerTerms,
    PresencePolicy,
    ResourceCaps,
    UnknownPresencePolicy,
    WeeklyHours,
)
from entraide_node.owner import files as owner_files
from entraide_node.owner import terms_file as owner_terms
from entraide_node.owner.cli_output import owner_sentences
from entraide_node.owner.files import OwnerStatus
from entraide_node.owner.terms_file import TERMS_NAME
from entraide_node.page.form import FormProblem, fields_to_terms, terms_to_fields
from entraide_node.page.server import OwnerPage

NIGHTS = WeeklyHours((0, 1, 2, 3, 4), 1_080, 480)
SET = OwnerTerms(
    hours=(NIGHTS, WeeklyHours((5, 6), 0, 1_440)),
    present=PresencePolicy.OWN,
    idle_min=7.5,
    unseen=UnknownPresencePolicy.ABSENT,
    on_battery=True,
    charge_min_percent=40.0,
    temperature_max_c=85.0,
    load_max_percent=25.0,
    memory_free_min_gb=2.0,
    programs=("blender", "obs"),
    surplus_only=True,
    own_first=True,
    data_classes=(DataClass.PUBLIC, DataClass.RESTRICTED),
    give_back_s=20.0,
    settle_s=45.0,
    caps_idle=ResourceCaps(memory_gb=12.0),
    caps_present=ResourceCaps(memory_gb=4.0, power_w=60.0),
)


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
    form = html.split("save?lang=")[1]
    values = []
    for tag in re.findall(r"<input [^>]*>", form):
        named = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        kind = named.get("type", "text")
        if kind not in ("checkbox", "radio") or " checked" in tag:
            values.append((named["name"], named.get("value", "on")))
    area = re.search(r"<textarea[^>]*>(.*?)</textarea>", form, re.S)
    assert area is not None
    return [*values, ("programs", area.group(1))]


def changed(form: list[tuple[str, str]], **fields: str) -> aiohttp.FormData:
    """A form with some fields filled in anew."""
    data = aiohttp.FormData()
    for name, value in form:
        data.add_field(name, fields.get(name.replace("-", "_"), value))
    return data


@given(any_terms)
def test_terms_come_back_from_the_form_with_the_same_meaning(said: OwnerTerms) -> None:
    """The form's fields give the same terms, at each minute of the week."""
    terms = fields_to_terms(terms_to_fields(said))

    assert isinstance(terms, OwnerTerms)
    assert float(f"{said.idle_min:g}") == terms.idle_min
    assert set(said.data_classes) == set(terms.data_classes)
    for day in range(7):
        for minute in (0, 479, 480, 720, 1_080, 1_439):
            assert any(span.contains(day, minute) for span in said.hours) is any(
                span.contains(day, minute) for span in terms.hours
            )


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        ("hours-0", "8-18", "wrong-hours"),
        ("hours-3", "mo 08:00-18:00", "wrong-hours"),
        ("idle_min", "long", "wrong-number"),
        ("charge_min_percent", "101", "wrong-number"),
        ("caps_idle.power_w", "-5", "wrong-number"),
        ("give_back_s", "nan", "wrong-number"),
    ],
)
def test_what_cannot_be_is_not_saved(field: str, text: str, code: str) -> None:
    """An invalid field is named with its content."""
    fields = terms_to_fields(SET) | {field: text}

    assert FormProblem(code, field, text) == fields_to_terms(fields)


def test_no_form_writes_a_file_that_is_refused() -> None:
    """More programs or time ranges than the file may list are refused, and not cut."""
    fields = terms_to_fields(OwnerTerms())
    spans = ", ".join(f"{n // 60:02}:{n % 60:02}-23:00" for n in range(65))

    assert FormProblem("too-many", "hours", "64") == fields_to_terms(fields | {"hours-0": spans})
    assert FormProblem("too-many", "programs", "64") == fields_to_terms(
        fields | {"programs": "\n".join(map(str, range(65)))}
    )


def test_numbers_are_read_as_either_language_writes_them() -> None:
    """A comma is a point, and an empty field is none."""
    terms = fields_to_terms(terms_to_fields(SET) | {"idle_min": "2,5", "load_max_percent": ""})

    assert isinstance(terms, OwnerTerms)
    assert (2.5, 0.0) == (terms.idle_min, terms.load_max_percent)


async def test_an_owner_sets_their_terms(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """The form, sent as it is shown, changes nothing; sent with a change, it changes that."""
    owner_terms.write_terms(tmp_path, SET)
    async with session.get(page.url) as answer:
        form = form_of(await answer.text())
    async with session.post(page.url + "save", data=changed(form)) as answer:
        same, said = owner_terms.read_terms(tmp_path), await answer.text()
    async with session.post(
        page.url + "save", data=changed(form, hours_0="22:00-06:00", idle_min="12,5")
    ):
        other = owner_terms.read_terms(tmp_path)

    assert same == SET
    assert "Enregistré" in said
    assert isinstance(other, OwnerTerms)
    assert 12.5 == other.idle_min
    assert WeeklyHours((0,), 1_320, 360) in other.hours


async def test_what_is_wrong_stays_on_the_page(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A refused form says why, marks the field, keeps the input, and saves nothing."""
    async with session.get(page.url) as answer:
        form = form_of(await answer.text())
    data = changed(form, hours_2="de 8 h <b>à</b> 18 h", give_back_s="12")
    async with session.post(page.url + "save?lang=en", data=data) as answer:
        said = await answer.text()

    assert UNRESTRICTED_TERMS == owner_terms.read_terms(tmp_path)
    assert "Not saved: “de 8 h &lt;b&gt;à&lt;/b&gt; 18 h” is not a time range" in said
    assert 'value="12"' in said
    assert 1 == said.count("aria-invalid")


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


async def test_a_list_that_is_too_long_stays_on_the_page(
    page: OwnerPage, session: aiohttp.ClientSession
) -> None:
    """A refused list is named with its limit."""
    async with session.get(page.url) as answer:
        form = form_of(await answer.text())
    data = changed(form, programs="\n".join(map(str, range(65))))
    async with session.post(page.url + "save?lang=en", data=data) as answer:
        html = await answer.text()

    assert "lists more than 64" in html


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


async def test_only_this_machine_is_answered(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """Neither without the address's secret, nor under a foreign name, nor from a foreign page."""
    port = page.url.split(":")[2].split("/")[0]
    statuses = []
    async with session.get(page.url) as answer:
        csrf = dict(form_of(await answer.text()))["csrf"]
        policy = answer.headers["Content-Security-Policy"]
    for path, headers in ((f"http://127.0.0.1:{port}/guess/", {}),
                          (f"http://127.0.0.1:{port}/", {}),
                          (page.url, {"Host": f"evil.example:{port}"})):  # fmt: skip
        async with session.get(path, headers=headers) as answer:
            statuses.append(answer.status)
    for data, headers in (({}, {}), ({"csrf": "guess"}, {}),
                          ({"csrf": csrf}, {"Origin": "http://evil.example"})):  # fmt: skip
        async with session.post(page.url + "pause", data=data, headers=headers) as answer:
            statuses.append(answer.status)

    assert [404, 404, 404, 403, 403, 403] == statuses
    assert not owner_files.is_paused(tmp_path)
    assert "default-src 'none'" in policy


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
def test_the_reason_is_said_with_its_number_since_when_and_what_would_change_it(lang: str) -> None:
    """Beside the state's sentence, an owner reads why, since when, and until what."""
    owner = OwnerStatus(
        number=9, code="owner_busy", values={"idle_min": 5.0}, state="away", since_at=1_000.0
    )
    said = list(owner_sentences(status(state="owner_busy", owner=owner), lang, now=1_750.0))
    waits = OwnerStatus(number=13, code="settling", state="settling", until_at=1_030.0)
    settling = list(owner_sentences(status(state="settling", owner=waits), lang, now=1_000.0))

    assert 2 == len(said) == len(settling)
    assert "9" in said[0]
    assert "12 minutes" in said[0]
    assert "5 minutes" in said[1]
    assert re.search(r"\b30 s\b[^s]*$", settling[1])


def test_nothing_more_is_said_of_a_machine_that_works() -> None:
    """No reason, no sentence; but an owner whose own work goes on beside them is told."""
    beside = OwnerStatus(state="working", own_only=True)

    assert [] == list(owner_sentences(status(), "fr", now=0.0))
    assert 1 == len(list(owner_sentences(status(owner=beside), "fr", now=0.0)))


@pytest.mark.needs("chromium|google-chrome")
async def test_a_browser_without_scripts_saves_it(page: OwnerPage, tmp_path: Path) -> None:
    """A real browser shows the form at a phone's width, nothing wider, and sends it."""
    blank = tmp_path / "blank.html"
    blank.write_text("<title>blank</title>")
    async with browser.opened(blank, tmp_path / "home") as shown:
        await shown.call(
            "Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1,
            mobile=True,
        )  # fmt: skip
        await shown.call("Emulation.setScriptExecutionDisabled", value=True)
        await _go(shown, f"{page.url}?lang=fr")
        width = await shown.evaluate("document.documentElement.scrollWidth")
        await shown.evaluate("document.querySelector('[name=idle_min]').value = '8'")
        shown.heard.clear()
        await shown.evaluate("document.querySelector('.save').click()")
        await _loaded(shown)
        said = await shown.evaluate("document.querySelector('.notice').textContent")
        wrong = [params for name, params in shown.heard if name == "Log.entryAdded"]
    shutil.rmtree(tmp_path / "home", ignore_errors=True)
    terms = owner_terms.read_terms(tmp_path)

    assert 390 >= width
    assert isinstance(terms, OwnerTerms)
    assert 8.0 == terms.idle_min
    assert "Enregistré" in said
    assert [] == wrong


async def _go(shown: browser.Page, url: str) -> None:
    shown.heard.clear()
    await shown.call("Page.navigate", url=url)
    await _loaded(shown)


async def _loaded(shown: browser.Page) -> None:
    """Waits until a page is loaded: each call takes in what the browser has sent."""
    deadline = time.monotonic() + browser.DEADLINE_S
    while not any(name == "Page.loadEventFired" for name, _ in shown.heard):
        assert time.monotonic() < deadline, "it was never loaded"
        await shown.evaluate("1")
