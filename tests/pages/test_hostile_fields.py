"""Hostile text in every field that a page has or shows, but the chat's own (test_hostile_text.py).

Each name is stored through the API as a member, an operator or a machine could, and is then shown
by a real browser; each form is filled and sent in the page itself.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page
from tests.browser import NEEDS
from tests.pages.hostile_support import (
    BARE,
    HUGE,
    SENTENCES_MAX,
    Hostile,
    fields_of,
    harm,
    hostile,
    hostile_pool,
    look,
)

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS), pytest.mark.timeout(300)]

# What is stored, and the views that show it.
PARTS = ("", "/machines", "/cooperatives", "/modeles", "/reseau", "/politique", "/simulation")
ROUTES = ("#/", "#/coop", "#/sessions", *(f"#/exploitation{part}" for part in PARTS))
SHOWN = {
    "person": {"#/", "#/coop", "#/sessions", *(f"#/exploitation{part}" for part in PARTS)},
    "colleague": {"#/coop", "#/exploitation/cooperatives"},
    "project": {"#/coop", "#/exploitation/cooperatives"},
    "label": {"#/coop", "#/exploitation/cooperatives"},
    "site": {"#/", "#/exploitation/machines"},
    "device": {"#/", "#/exploitation/simulation"},
    "model": {"#/", *(f"#/exploitation/{part}" for part in ("machines", "modeles", "simulation"))},
    "agent": {"#/exploitation/machines"},
    "document": {"#/exploitation/machines"},
    "reason": {"#/exploitation/politique"},
    "pool": set(ROUTES),
    "quota": {"#/coop", "#/exploitation/cooperatives", "#/exploitation/politique"},
    "title": {"#/exploitation/modeles"},
    "licence": {"#/exploitation/modeles"},
}

# Every field of every view, by its label, else its identifier. A new one needs a line here.
FIELDS = {
    "#/": set(), "#/sessions": set(), "#/nulle-part": set(),
    "#/entrer": {"Votre adresse courriel"},
    "#/coop": {
        "Les chiffres du mois", "Nom", "Courriel (facultatif)", "Projet (facultatif)", "Étiquette",
    },
    "#/exploitation": {
        "Coopérative", "Site", "Zone du réseau électrique", "Valable", "Qui contrôle la machine",
        "Preuve de son surplus renouvelable", "Nom ou numéro du document ou du compteur",
        "publiques", "internes", "restreintes",
    },
    "#/exploitation/machines": {
        "Chercher une machine ou un site", "Qui contrôle la machine",
        "Preuve de son surplus renouvelable", "Nom ou numéro du document ou du compteur",
        "Site", "Zone du réseau électrique",
    },
    "#/exploitation/cooperatives": {
        "Nom court", "Nom complet", "Parts dans le partage", "Ce qu’elle prête de ses places (%)",
        "Énergie prêtée par jour, au plus (Wh)", "Compte", "Limite", "Période", "Raison",
        "Coopérative", "Projet", "À quoi elle sert", "Montrer aussi les clés révoquées",
        f"Quota de \u2068{hostile('quota')}\u2069",
        "Nom", "Courriel (facultatif)", "Projet (facultatif)",
        "Langue des questions dont le texte ne la montre pas",
    },
    "#/exploitation/modeles": {
        "Machine", "Modèle", "Fichier d’entrées", "Format des poids", "Révision",
    },
    "#/exploitation/reseau": {
        "Zone du réseau électrique", "Nouvelle source", "Jeton d’Electricity Maps", "Fichier CSV",
        "Colonne de l’intensité directe", "Années à ajouter à ses heures",
    },
    "#/exploitation/politique": {
        "Texte de la politique (TOML)", "Raison", "De", "À", "Raison d’un retour",
        "Requêtes récentes",
    },
    "#/exploitation/simulation": {"Demande en plus, l’an prochain (%)", "Requêtes récentes"},
}  # fmt: skip
# The chat's, whose windows test_hostile_windows.py opens one after the other.
CHAT_FIELDS = {
    "documents", "Votre question", "Modèle", "Classe des données", "Modifier la question",
    "Phrase de passe (12 caractères ou plus)", "La même, encore une fois",
    "Votre phrase de passe", "Code de secours", "Réfléchir d’abord",
    "Chercher dans vos conversations",
}  # fmt: skip
# Boxes, which take no text: one shows only where the pool has a mail server, one with a link.
BOXES = {
    "M’écrire quand une machine de ma coopérative ne va pas, puis quand c’est fini",
    "Cet ordinateur est le mien",
}


@pytest_asyncio.fixture(loop_scope="session")
async def used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: Browser
) -> AsyncIterator[Hostile]:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # no hub is asked
    async with hostile_pool(tmp_path, browser) as opened:
        yield opened


async def test_what_is_stored_is_shown_as_text(used: Hostile) -> None:
    """Each view shows the names that the table says, whole, and none of them acts or reorders."""
    visit = await used.enter()
    shown: dict[str, set[str]] = {field: set() for field in SHOWN}
    reordering = []
    for route in ROUTES:
        await look(visit, route)
        text = await visit.page.inner_text("body")
        for select in await visit.page.locator("main select").all():
            text += await select.inner_text()
        for area in await visit.page.locator("main textarea").all():
            text += await area.input_value()
        for field, routes in shown.items():
            if hostile(field) in text:
                routes.add(route)
        reordering += [f"{route} {text}" for text in await visit.page.evaluate(BARE)]

    assert [] == await harm(visit)
    assert shown == SHOWN
    assert [] == reordering


async def choose_source(page: Page) -> None:
    await page.get_by_label("Nouvelle source").select_option("electricity_maps")


async def choose_evidence(page: Page) -> None:
    await page.get_by_label("Preuve").select_option("contract")


async def add_quota(page: Page) -> None:
    await page.get_by_role("button", name="Ajouter un quota").first.click()


async def check_policy(page: Page) -> None:
    text = page.locator("textarea")
    await text.fill(await text.input_value() + "\n# une remarque")
    await page.get_by_role("button", name="Vérifier").click()
    await page.get_by_label("Raison", exact=True).wait_for()


# What a person does in a view before its last fields are there.
OPENED = {
    "#/exploitation": choose_evidence, "#/exploitation/reseau": choose_source,
    "#/exploitation/cooperatives": add_quota, "#/exploitation/politique": check_policy,
}  # fmt: skip


async def test_the_table_names_every_field(used: Hostile) -> None:
    """A field of any view that the table lacks, or has too many, is found here."""
    stranger, visit = await used.visitors.open(), await used.enter()
    views = {}
    for route in FIELDS:
        looking = stranger if route == "#/entrer" else visit
        await look(looking, route)
        if opens := OPENED.get(route):
            await opens(looking.page)
        views[route] = await fields_of(looking)

    assert FIELDS == views


SOURCE = Path(__file__).parents[2] / "dashboard/src"
# Where a field's label stands in the source of the pages.
LABELS = (
    r"<(?:TextField|Choice|Field)\b[^<]*?\blabel=\{([^\n]*?)\}\s",
    r"<label\b.*?>(.*?)</label>",
)


def labels_in_source() -> dict[str, str]:
    """Returns the French beginning of each label of a field in the source, by its code."""
    catalogue = (SOURCE / "locales/fr.ftl").read_text("utf-8")
    codes = {
        code
        for path in SOURCE.rglob("*.tsx")
        for pattern in LABELS
        for label in re.findall(pattern, path.read_text("utf-8"), re.DOTALL)
        for code in re.findall(r't\("([\w-]+)"', label)
    }
    return {
        code: match[1].strip().partition("{")[0]
        for code in codes
        if (match := re.search(rf"^{code} =(.*)$", catalogue, re.MULTILINE))
    }


def test_each_label_in_the_source_is_in_the_table() -> None:
    """A field that appears only sometimes, and that no test opens, is missed here."""
    known = set.union(*FIELDS.values(), CHAT_FIELDS, BOXES)
    missed = {
        code: label
        for code, label in labels_in_source().items()
        if not any(name.startswith(label) for name in known)
    }

    assert {} == missed


# The forms that ask the pool something: by view, how many there are.
FORMS = {
    "#/entrer": 1, "#/coop": 2, "#/exploitation": 1, "#/exploitation/machines": 1,
    "#/exploitation/cooperatives": 4, "#/exploitation/modeles": 2, "#/exploitation/reseau": 2,
    "#/exploitation/politique": 1, "#/exploitation/simulation": 1,
}  # fmt: skip
TEXTS = (
    "input:is(:not([type]), [type=text], [type=email], [type=password]):not([readonly]), textarea"
)
OVERWRITE = """(field, text) => {
    field.type = 'text';
    field.value = text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
}"""
OTHERS = "input:is([type=number], [type=file])"
SAID = (
    "main :is(.notice.bad, .notice.good, .made, #once, form.email .notice, [role=status] .notice)"
)


async def write(form: Locator, text: str, *, numbers: bool) -> None:
    """Writes a text into every field of a form; into those of numbers, too, if it is asked for."""
    for field in await form.locator(TEXTS).all():
        await field.fill(text)
    for field in await form.locator("[type=file]").all():
        name = f"{text[:100].replace('/', '')}.csv"
        await field.set_input_files(
            {"name": name, "mimeType": "text/csv", "buffer": f"utc,a\n{text},{text}".encode()}
        )
    left = form.locator("[type=number]")
    while numbers and await left.count():  # each becomes a field of text
        await left.first.evaluate(OVERWRITE, text)


@pytest.mark.parametrize("route", FORMS)
async def test_each_form_takes_or_refuses_what_is_written(used: Hostile, route: str) -> None:
    """Markup and a megabyte in every field of every form: a sentence says what came of it."""
    visit = await (used.visitors.open() if route == "#/entrer" else used.enter())
    sentences = []
    for text, numbers in ((hostile("form"), False), (HUGE, False), (hostile("number"), True)):
        for place in range(FORMS[route]):
            await look(visit, route)
            if (opens := OPENED.get(route)) and route != "#/exploitation/politique":
                await opens(visit.page)
            forms = visit.page.locator("main form").filter(
                has=visit.page.locator(f"{TEXTS}, {OTHERS}")
            )
            counted = await forms.count()
            form = forms.nth(place)
            await write(form, text, numbers=numbers or route == "#/exploitation/simulation")
            await form.evaluate("it => { it.noValidate = true; it.requestSubmit(); }")
            await visit.page.locator(SAID).first.wait_for()
            sentences.append(await visit.page.locator("main").inner_text())

            assert FORMS[route] <= counted
            assert [] == await visit.page.evaluate(BARE)

    assert [] == await harm(visit)
    assert max(map(len, sentences)) < SENTENCES_MAX
