"""The chat in a real browser, on a real gateway: asking, stopping, editing, documents, receipts."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.browser import NEEDS
from tests.core.builders import entry
from tests.pages import documents
from tests.pages.signed_in import UsedPool, finish, used_pool
from tests.pages.support import VIEWS
from tests.scheduler.gateway_support import MODEL, chunk

from entraide.models import Artefact, ArtefactFile, Catalogue, OpennessClass
from entraide.types import Control, Effort, ServerPlace, SurplusEvidence
from entraide_node.models.model_files import DEMO_ALIAS as TOY
from entraide_scheduler.core import events as e
from entraide_scheduler.gateway import Settings
from entraide_scheduler.people import OPERATOR

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS)]

ANSWER = (
    "# Deux formes\n\n",
    "Une **coopérative** appartient à ses membres.\n\n",
    "| forme | qui décide |\n|---|---|\n| OSBL | le conseil |\n| coop | les membres |\n\n",
    "```python\nprint(1)\n```\n",
)


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[UsedPool]:
    async with used_pool(tmp_path, browser) as opened:
        yield opened


@pytest.mark.parametrize(("lang", "size"), VIEWS)
async def test_a_question_is_asked_and_explained_by_keyboard_alone(
    used: UsedPool, lang: str, size: tuple[int, int]
) -> None:
    """Ask, read, open the receipt, close it: with keys only; axe finds nothing on the way."""
    visit = await used.chat("Marie-Ève Tremblay", lang=lang, size=size)
    flaws = await visit.flaws()
    await visit.picture("chat-empty", full=False)
    await visit.page.locator("body").focus()
    await visit.tab_to("question")
    await visit.page.keyboard.type("Qui décide ?")
    await visit.page.keyboard.press("Enter")
    run = await used.pool.placed()
    run.accept()
    run.tokens(*ANSWER)
    await visit.page.locator(".answer-text table").wait_for()
    await visit.picture("chat-running", full=False)
    run.end(final=chunk("", "stop"))
    run.report()
    line = visit.page.locator(".receipt-line button")
    await line.wait_for()
    flaws += await visit.flaws()
    await visit.picture("chat-answer", full=False)
    text = await line.inner_text()
    await visit.tab_to(text)
    await visit.page.keyboard.press("Enter")
    dialog = visit.page.locator("dialog")
    await dialog.get_by_text("→").wait_for()
    flaws += await visit.flaws()
    await visit.picture("chat-receipt", full=False)
    said = await dialog.inner_text()
    await visit.page.keyboard.press("Escape")
    await dialog.wait_for(state="detached")

    assert [] == flaws + visit.errors + visit.foreign
    assert {"fr": "moins de 1 s", "en": "under 1 s"}[lang] in text.replace("\u00a0", " ")
    assert {"fr": "Québec", "en": "Quebec"}[lang] in text
    assert run.run.job in said
    assert {"fr": "Placée sur", "en": "Placed on"}[lang] in said
    assert text == await visit.focused()


@pytest.mark.parametrize(
    ("coop", "role", "told"),
    [
        ("alpha", "coop_admin", "conditions"),
        ("gamma", "person", "conditions"),
        ("gamma", "coop_admin", "utilisation"),
    ],
)
async def test_the_explanation_tells_only_its_own_admins_who_sits_at_a_machine(
    used: UsedPool, coop: str, role: str, told: str
) -> None:
    """A borrower and a colleague read that the machine is paused; an admin of its co-op, why."""
    used.pool.driver.feed(
        e.NodeChanged(*e.UNNUMBERED, node="n2", accepting=False, reason="owner_busy", energy=None)
    )
    visit = await used.chat("Ida", coop, role=role, lang="fr")
    await used.answered(visit, "Bonjour", "Oui")
    await visit.page.locator(".receipt-line button").click()
    dialog = visit.page.locator("dialog")
    await dialog.get_by_text("n2").first.wait_for()
    said = await dialog.inner_text()
    reasons = {"conditions": "conditions de son propriétaire", "utilisation": "utilisation par"}

    assert [told] == [name for name, words in reasons.items() if words in said]


async def test_an_answer_that_breaks_off_in_silence_says_so(used: UsedPool) -> None:
    """Something on the way ends the answer as if it were whole, without its last event."""
    visit = await used.chat()
    begun = "data: " + chunk("Il était une").decode() + "\n\n"
    headers = {"content-type": "text/event-stream"}
    await visit.page.route(
        "**/v1/chat/completions", lambda route: route.fulfill(body=begun, headers=headers)
    )
    await visit.page.fill("#question", "Bonjour")
    await visit.page.keyboard.press("Enter")
    await visit.page.locator(".notice.bad").wait_for()

    assert "Il était une" in await visit.page.inner_text(".answer-text")
    assert "perdu cette réponse" in await visit.page.inner_text(".notice.bad")


async def test_stopping_ends_the_work_of_the_engine(used: UsedPool) -> None:
    """Stop cancels the run on its machine; what came stays, and says that it was stopped."""
    visit = await used.chat()
    run = await used.asked(visit, "Une longue histoire")
    run.tokens("Il était ", "une fois")
    await visit.page.get_by_text("une fois").wait_for()
    await visit.page.get_by_role("button", name="Arrêter").click()
    cancelled = await used.pool.cancelled()
    await visit.page.get_by_text("Arrêtée à votre demande").wait_for()

    assert run.run.job == cancelled.job
    assert "Il était une fois" in await visit.page.inner_text(".answer-text")


async def test_leaving_the_page_ends_the_work_of_the_engine(used: UsedPool) -> None:
    """A tab that is closed in the middle of an answer leaves no work behind."""
    visit = await used.chat()
    run = await used.asked(visit, "Une longue histoire")
    run.tokens("Il était")
    await visit.page.get_by_text("Il était").wait_for()
    await visit.page.context.close()

    assert run.run.job == (await used.pool.cancelled()).job


async def test_signing_out_ends_an_answer_under_way(used: UsedPool) -> None:
    """Signing out in another tab of the same browser cancels what the first tab is asking."""
    visit = await used.chat()
    run = await used.asked(visit, "Une longue histoire")
    run.tokens("Il était")
    await visit.page.get_by_text("Il était").wait_for()
    other = await visit.page.context.new_page()
    await other.goto(f"{visit.url}/#/sessions")
    await other.get_by_role("button", name="Sortir").click()
    cancelled = await used.pool.cancelled()

    assert run.run.job == cancelled.job


async def test_a_session_that_ends_takes_nothing_that_was_written(used: UsedPool) -> None:
    """After its end the page asks to sign in; the same person then finds the conversation again."""
    visit = await used.chat("Ada")
    await used.answered(visit, "Un", "Premier")
    other = await visit.page.context.new_page()
    await other.goto(f"{visit.url}/#/sessions")
    await other.get_by_role("button", name="Sortir").click()
    await other.locator(".top .button").wait_for()
    await visit.page.fill("#question", "Deux")
    await visit.page.keyboard.press("Enter")
    await visit.page.get_by_role("heading", name="Il faut entrer d’abord").wait_for()
    hidden = await visit.page.inner_text("main")
    (person,) = await used.people.list_people(OPERATOR, "gamma")
    await visit.go(await used.link_of(person.person))
    await visit.page.locator("main button").click()
    await visit.page.get_by_text("Premier").wait_for()
    text = await visit.page.inner_text(".messages")

    assert "Premier" not in hidden
    assert ["Un", "Premier", "Deux"] == [word for word in ("Un", "Premier", "Deux") if word in text]


async def test_a_question_is_edited_and_asked_again(used: UsedPool) -> None:
    """An edited question replaces what came after it; asking again sends the same once more."""
    visit = await used.chat()
    await used.answered(visit, "Un", "Premier")
    await used.answered(visit, "Deux", "Deuxième")
    await visit.page.get_by_role("button", name="Modifier").first.click()
    await visit.page.fill("#edited", "Trois")
    await visit.page.locator(".editing button[type=submit]").click()
    edited = await used.pool.placed()
    edited.accept()
    finish(edited, "Troisième")
    await visit.page.get_by_text("Troisième").wait_for()
    await visit.page.locator(".receipt-line").wait_for()
    await visit.page.get_by_role("button", name="Redemander").click()
    again = await used.pool.placed()
    again.accept()
    finish(again, "Encore")
    await visit.page.get_by_text("Encore").wait_for()

    assert (
        [{"role": "user", "content": "Trois"}] == edited.body["messages"] == again.body["messages"]
    )
    assert 2 == await visit.page.locator(".messages > li").count()


async def test_an_answer_that_reached_its_length_is_continued(used: UsedPool) -> None:
    """An answer cut at the pool's limit says so, and one button asks for the rest."""
    visit = await used.chat()
    run = await used.asked(visit, "Raconte")
    run.tokens("Il était")
    run.end(final=chunk("", "length"))
    run.report()
    await visit.page.get_by_text("la longueur que le parc permet").wait_for()
    await visit.page.get_by_role("button", name="Continuer").click()
    rest = await used.pool.placed()
    contents = [message["content"] for message in rest.body["messages"]]

    assert ["Raconte", "Il était"] == contents[:2]
    assert "Continue" in contents[2]


async def test_a_conversation_of_five_turns_sends_all_that_was_said(used: UsedPool) -> None:
    """Each question takes the conversation along; two people of two co-ops keep theirs apart."""
    ada = await used.chat("Ada", "gamma")
    eve = await used.chat("Eve", "alpha")
    for turn in range(5):
        for visit in (ada, eve):
            last = await used.answered(visit, f"Question {turn}", f"Réponse {turn}")
    roles = [message["role"] for message in last.body["messages"]]

    assert ["user", *["assistant", "user"] * 4] == roles
    assert not last.body["chat_template_kwargs"]["enable_thinking"]
    assert 10 == await ada.page.locator(".messages > li").count()


async def test_what_is_chosen_below_the_question_goes_with_it(used: UsedPool) -> None:
    """Model, class of the data and thought; each class has its sentence, and thinking is off."""
    visit = await used.chat()
    sentences = []
    for name in ("public", "internal", "restricted"):
        await visit.page.select_option("#data-class", name)
        sentences.append(await visit.page.inner_text(".meaning"))
    await visit.page.select_option("#model", "petit")
    thinks = await visit.page.is_checked("#think")
    await visit.page.check("#think")
    cost = await visit.page.locator(".meaning").nth(1).inner_text()
    run = await used.asked(visit, "Bonjour")
    facts = used.pool.gateway._running_jobs.get(run.run.job).facts

    assert (False, Effort.MEDIUM) == (thinks, facts.effort)
    assert "mesuré" in cost
    assert 3 == len(set(sentences))
    assert ("petit", "restricted") == (facts.model, facts.data_class)
    assert facts.session


async def test_documents_are_read_in_the_browser(used: UsedPool) -> None:
    """A PDF, a DOCX and a text go into the prompt and nowhere else; what is broken says so."""
    visit = await used.chat()
    files = [
        {"name": "bail.pdf", "mimeType": "application/pdf", "buffer": documents.pdf("Le loyer")},
        {"name": "avis.docx", "mimeType": "", "buffer": documents.docx("Premier", "Second")},
        {"name": "note.txt", "mimeType": "text/plain", "buffer": "Été".encode("cp1252")},
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8"},
    ]
    await visit.page.set_input_files("#documents", files)  # type: ignore[arg-type]
    await visit.page.locator(".attachments li").nth(2).wait_for()
    refused = await visit.page.inner_text(".composer .notice.bad")
    await visit.picture("chat-documents", full=False)
    flaws = await visit.flaws()
    run = await used.asked(visit, "Résume")
    content = run.body["messages"][0]["content"]

    assert [] == flaws + visit.foreign + visit.errors
    assert "photo.jpg" in refused
    assert '<document name="bail.pdf">\nLe loyer\n</document>' in content
    assert "Premier\nSecond" in content
    assert "Été" in content
    assert content.endswith("Résume")


@pytest.mark.parametrize(
    ("choice", "sent", "data_class"),
    [
        ("N’employer que nos machines", "Mon NAS : 130 692 544", "restricted"),
        ("Les enlever et envoyer", "Mon NAS : [numéro d’assurance sociale enlevé]", "internal"),
        ("Envoyer quand même", "Mon NAS : 130 692 544", "internal"),
    ],
)
async def test_personal_data_leaves_only_by_choice(
    used: UsedPool, choice: str, sent: str, data_class: str
) -> None:
    """A social insurance number is held back until the person restricts, removes or sends it."""
    visit = await used.chat()
    await visit.page.fill("#question", "Mon NAS : 130 692 544")
    await visit.page.keyboard.press("Enter")
    await visit.page.locator("dialog").wait_for()
    flaws = await visit.flaws()
    await visit.picture("chat-warning", full=False)
    asked_before = [address for address in visit.requested if "completions" in address]
    await visit.page.get_by_role("button", name=choice).click()
    run = await used.pool.placed()
    facts = used.pool.gateway._running_jobs.get(run.run.job).facts

    assert [] == flaws + asked_before
    assert sent == run.body["messages"][0]["content"]
    assert data_class == facts.data_class


async def test_what_went_to_the_own_machines_alone_leaves_them_only_by_choice(
    used: UsedPool,
) -> None:
    """A restricted question is held back when a wider class would take it along."""
    visit = await used.chat()
    await visit.page.select_option("#data-class", "restricted")
    await used.answered(visit, "Le loyer du 12", "Compris")
    await visit.page.select_option("#data-class", "internal")
    await visit.page.fill("#question", "Et après ?")
    await visit.page.keyboard.press("Enter")
    await visit.page.get_by_text("n’a été envoyée qu’aux machines").wait_for()
    flaws = await visit.flaws()
    await visit.page.get_by_role("button", name="Envoyer quand même").click()
    run = await used.pool.placed()
    facts = used.pool.gateway._running_jobs.get(run.run.job).facts

    assert [] == flaws
    assert ("internal", "Le loyer du 12") == (facts.data_class, run.body["messages"][0]["content"])


async def test_a_conversation_that_is_left_stays_in_the_list_of_the_tab(used: UsedPool) -> None:
    """A new conversation loses nothing: the one before it is a click away, with its day."""
    visit = await used.chat()
    await used.answered(visit, "Le loyer du 12", "Compris")
    await visit.page.get_by_role("button", name="Nouvelle conversation").click()
    await visit.page.get_by_text("Dans cet onglet", exact=True).wait_for()
    flaws = await visit.flaws()
    await visit.page.locator(".kept .link").click()
    await visit.page.locator(".answer-text").wait_for()

    assert [] == flaws
    assert "Compris" in await visit.page.inner_text(".answer-text")
    assert 0 == await visit.page.locator(".kept .link").count()


async def test_an_answer_says_that_nothing_left_canada_only_if_somebody_vouches(
    used: UsedPool,
) -> None:
    """The line names Canada where the receipt states jurisdiction and control, and not before."""
    visit = await used.chat()
    await used.answered(visit, "Un", "Premier")
    used.pool.driver.feed(
        e.NodeVouched(
            *e.UNNUMBERED,
            node="n1",
            controlled_by=Control.MEMBER,
            surplus_evidence=SurplusEvidence.NONE,
        )
    )
    await used.answered(visit, "Deux", "Deuxième")
    first, second = await visit.page.locator(".receipt-line").all_inner_texts()

    assert "Canada" not in first
    assert "rien n’est sorti du Canada" in second


async def test_an_unknown_place_of_the_server_is_said_instead(
    tmp_path: Path, browser: Browser
) -> None:
    """Where nobody stated the server's place, a vouched machine in Québec is not enough."""
    settings = Settings(drain_s=0.0)
    async with used_pool(tmp_path, browser, settings=settings) as used:
        used.pool.driver.feed(
            e.NodeVouched(
                *e.UNNUMBERED,
                node="n1",
                controlled_by=Control.MEMBER,
                surplus_evidence=SurplusEvidence.NONE,
            )
        )
        visit = await used.chat()
        await used.answered(visit, "Un", "Premier")
        line = await visit.page.inner_text(".receipt-line")
        await visit.page.locator(".receipt-line .link").click()
        sentences = await visit.page.get_by_text(
            "par le serveur du parc, à un endroit inconnu"
        ).count()

    assert "rien n’est sorti" not in line
    assert "on ne sait pas où est le serveur du parc" in line
    assert 1 == sentences


async def test_a_refusal_of_the_pool_is_a_sentence(tmp_path: Path, browser: Browser) -> None:
    """A pool without machines says so in place of the answer; the question can be asked again."""
    async with used_pool(tmp_path, browser) as used:
        visit = await used.chat()
        for node in ("n1", "n2"):
            used.pool.driver.feed(e.NodeLeft(*e.UNNUMBERED, node=node, reason="goodbye"))
        await visit.page.fill("#question", "Bonjour")
        await visit.page.keyboard.press("Enter")
        notice = visit.page.locator(".answer .notice.bad")
        await notice.wait_for()

        assert "machine" in await notice.inner_text()
        assert await visit.page.get_by_role("button", name="Redemander").is_visible()


@pytest.mark.parametrize("kind", ["Markdown", "JSON"])
async def test_a_conversation_is_exported(used: UsedPool, kind: str) -> None:
    """The file holds question, answer and receipt, in a form that is read elsewhere."""
    visit = await used.chat()
    await used.answered(visit, "Bonjour", "Salut")
    async with visit.page.expect_download() as waiting:
        await visit.page.get_by_role("button", name=kind).click()
    text = Path(await (await waiting.value).path()).read_text("utf-8")  # noqa: ASYNC240  # small

    if kind == "JSON":
        exported = json.loads(text)

        assert ["Bonjour", "Salut"] == [message["text"] for message in exported["messages"]]
        assert exported["messages"][1]["receipt"]["signature"]
    else:
        assert text.startswith("# Bonjour\n\n## Question\n\nBonjour\n\n## Réponse\n\nSalut\n\n*n1")


@pytest.mark.parametrize("invented", [False, True])
async def test_only_a_demonstrations_model_is_called_a_toy(
    tmp_path: Path, browser: Browser, invented: bool
) -> None:
    """A pool for use may have the same small model, of which the page then says nothing."""
    place = ServerPlace(zone="CA-QC", controlled_by=Control.MEMBER, invented=invented)
    models = {
        "object": "list",
        "data": [{"id": TOY, "features": [], "means": "", "context_tokens": 2048}],
    }
    async with used_pool(tmp_path, browser, settings=Settings(drain_s=0.0, place=place)) as used:
        visit = await used.visitors.open(lang="fr")
        await visit.page.route("**/v1/models", lambda route: route.fulfill(json=models))
        async with visit.page.expect_response("**/.well-known/entraide"):
            await visit.go(await used.link())
            await visit.page.locator("main button").click()
            await visit.page.locator(".who").wait_for()
            await visit.go("#/chat")
        await visit.page.locator("#model option").first.wait_for(state="attached")
        await visit.settled()

        assert int(invented) == await visit.page.locator(".toy").count()


async def test_the_page_says_how_open_the_chosen_model_is(used: UsedPool) -> None:
    """By the class that the catalogue states for the weights that the machine serves."""
    pin = Artefact("gguf", "Q4_K_M", "", files=(ArtefactFile("m.gguf", 1, "abc"),))
    stated = entry(MODEL, artefacts=(pin,), openness_class=OpennessClass.OPEN_TOOLING)
    changed = e.CatalogueChanged(*e.UNNUMBERED, catalogue=Catalogue(1, 0.0, (stated,)))
    used.pool.driver.feed(changed)
    visit = await used.chat()
    await visit.page.select_option("#model", MODEL)
    line = await visit.page.locator(".openness").inner_text()
    flaws = await visit.flaws()

    assert f"Ouverture du modèle {MODEL}" in line
    assert line.endswith("II, outils ouverts")
    assert [] == flaws + visit.errors + visit.foreign
