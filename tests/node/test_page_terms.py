"""The owner page's form: it shows the rules in force, and saves only what was changed."""

import os
import time
from pathlib import Path

import aiohttp
import psutil
from msgspec.structs import replace
from tests.node.owner_terms import FULL_TERMS
from tests.node.test_page import changed, form_of, page, session, status

from entraide.types import DataClass
from entraide_node.config import NodeConfig
from entraide_node.core.owner_terms import UNRESTRICTED_TERMS, PresencePolicy, ResourceCaps
from entraide_node.owner import files as owner_files
from entraide_node.owner import terms_file as owner_terms
from entraide_node.owner.files import OwnerStatus
from entraide_node.owner.terms_file import TERMS_NAME
from entraide_node.page.fields import read_fields
from entraide_node.page.form import fields_to_terms
from entraide_node.page.server import OwnerPage

__all__ = ["page", "session"]  # fixtures


async def shown_form(page: OwnerPage, session: aiohttp.ClientSession) -> list[tuple[str, str]]:
    async with session.get(page.url) as answer:
        return form_of(await answer.text())


async def save(
    page: OwnerPage, session: aiohttp.ClientSession, form: list[tuple[str, str]], **fields: str
) -> None:
    async with session.post(page.url + "save", data=changed(form, fields)) as answer:
        assert 200 == answer.status


async def test_without_a_file_the_form_shows_that_nothing_is_limited(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A machine without terms works at any time: one saved field leaves all else so."""
    form = await shown_form(page, session)
    shown = fields_to_terms(read_fields(form))
    await save(page, session, form)
    untouched = (tmp_path / TERMS_NAME).exists()
    await save(page, session, form, idle_min="7")

    assert UNRESTRICTED_TERMS == shown
    assert not untouched
    assert replace(UNRESTRICTED_TERMS, idle_min=7.0) == owner_terms.read_terms(tmp_path)


async def test_saving_one_field_keeps_what_was_changed_elsewhere(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """While the page was open somebody edited the file: only the field changed here is written."""
    owner_terms.write_terms(tmp_path, FULL_TERMS)
    form = await shown_form(page, session)
    caps = ResourceCaps(memory_gb=3.0, power_w=FULL_TERMS.caps_idle.power_w)
    edited = replace(FULL_TERMS, present=PresencePolicy.ALL, hours=(), caps_idle=caps)
    owner_terms.write_terms(tmp_path, edited)
    await save(page, session, form, **{"settle_s": "77", "caps_idle.power_w": "55"})
    expected = replace(edited, settle_s=77.0, caps_idle=replace(caps, power_w=55.0))

    assert expected == owner_terms.read_terms(tmp_path)


async def test_saving_one_field_leaves_the_other_lines_of_the_file(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """The owner's comments and keys stay, and no other key is written."""
    text = (
        "# chez nous\nidle_min = 7.123456789  # min\nsettle_s = 9.0\n[caps_idle]\npower_w = 4.0\n"
    )
    (tmp_path / TERMS_NAME).write_text(text, "utf-8")
    form = await shown_form(page, session)
    await save(page, session, form, **{"settle_s": "8", "caps_present.power_w": "20"})
    saved = (tmp_path / TERMS_NAME).read_text("utf-8")

    assert text.replace("9.0", "8.0") + "[caps_present]\npower_w = 20.0\n" == saved


async def test_a_file_that_cannot_be_edited_gets_no_key_that_it_had_not(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A list of several lines is replaced with the file; values by default stay out of it."""
    (tmp_path / TERMS_NAME).write_text('programs = [\n  "blender",\n]\nidle_min = 5.0\n', "utf-8")
    form = await shown_form(page, session)
    await save(page, session, form, programs="blender\ngimp")
    saved = (tmp_path / TERMS_NAME).read_text("utf-8")

    assert {"programs", "idle_min"} == owner_terms.decode_toml(saved).keys()


async def test_with_a_faulty_file_the_form_shows_what_the_agent_follows(
    page: OwnerPage, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A running agent keeps the last valid terms: the form shows these, and not the defaults."""
    me = psutil.Process(os.getpid())
    running = status(
        pid=me.pid, started_at=me.create_time(), written_at=time.time(),
        owner=OwnerStatus(terms=FULL_TERMS),
    )  # fmt: skip
    owner_files.write_status(tmp_path, running)
    (tmp_path / TERMS_NAME).write_text("idle_min = lots", "utf-8")
    form = await shown_form(page, session)

    assert FULL_TERMS == fields_to_terms(read_fields(form))


async def test_a_data_class_that_the_configuration_excludes_is_not_shown_as_processed(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """It is not ticked, cannot be, and stays in the owner's file when another is unticked."""
    config = NodeConfig(
        node="mini", coop="boreale", zone="CA-QC", nats_urls=(), dir=str(tmp_path), lang="fr",
        data_classes=(DataClass.PUBLIC, DataClass.INTERNAL),
    )  # fmt: skip
    owner_terms.write_terms(tmp_path, replace(FULL_TERMS, data_classes=tuple(DataClass)))
    page = OwnerPage(config)
    await page.open()
    try:
        form = await shown_form(page, session)
        await save(page, session, [each for each in form if each[1] != "internal"])
        async with session.get(page.url) as answer:
            html = await answer.text()
    finally:
        await page.close()
    saved = owner_terms.read_terms(tmp_path)

    assert [("data_classes", "public"), ("data_classes", "internal")] == [
        each for each in form if each[0] == "data_classes"
    ]
    assert 'value="restricted" disabled' in html
    assert replace(FULL_TERMS, data_classes=(DataClass.PUBLIC, DataClass.RESTRICTED)) == saved
