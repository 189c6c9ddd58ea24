"""Hostile text in every field that a page has or shows, but the chat's own (test_hostile_text.py).

Each name is stored through the API as a member, an operator or a machine could, and is then shown
by a real browser; each form is filled and sent in the page itself.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import Struct
from tests.browser import NEEDS
from tests.core.builders import replica
from tests.integration.nats_support import running_pool
from tests.pages.support import Visit, Visitors, visitors
from tests.scheduler.pool_support import RunningScheduler, ScriptedNode, running_scheduler
from tests.waiting import eventually

from entraide.types import Basis, Power
from entraide.v1 import admin_pb2
from entraide.wire import messages as m
from entraide.wire import subjects
from entraide.wire.nats import Identity, new_user_key

pytestmark = [
    pytest.mark.engines, pytest.mark.needs(NEEDS), pytest.mark.timeout(300)
]  # fmt: skip

BEACON = "http://beacon.example/x"
HEBREW = "\u05d0\u05d1\u05d2"
HUGE = "x" * 1_000_000
BEAT_S = 0.5
SENTENCES_MAX = 20_000  # characters of a view
SMTP = '[smtp]\nhost = "127.0.0.1"\nport = 9\nsecurity = "none"\nfrom = "parc@example.coop"\n'


def hostile(field: str) -> str:
    """Markup that would run and ask for a picture, after a word from right to left and a number."""
    return f"{HEBREW} 12 {field} <img src={BEACON} onerror=ran=1>"


# What is stored, and the views that show it.
PARTS = ("", "/machines", "/cooperatives", "/modeles", "/reseau", "/politique", "/simulation")
ROUTES = ("#/", "#/coop", "#/sessions", *(f"#/exploitation{part}" for part in PARTS))
SHOWN = {
    "person": {"#/", "#/coop", "#/sessions", *(f"#/exploitation{part}" for part in PARTS)},
    "colleague": {"#/coop"},
    "project": {"#/coop", "#/exploitation/cooperatives"},
    "label": {"#/coop", "#/exploitation/cooperatives"},
    "site": {"#/", "#/exploitation/machines"},
    "device": {"#/", "#/exploitation/simulation"},
    "model": {"#/", *(f"#/exploitation/{part}" for part in ("machines", "modeles", "simulation"))},
    "agent": {"#/exploitation/machines"},
    "document": {"#/exploitation/machines"},
    "reason": {"#/exploitation/politique"},
}

# Every field of every view, by its label, else its identifier. A new one needs a line here.
FIELDS = {
    "#/": set(), "#/sessions": set(), "#/nulle-part": set(),
    "#/entrer": {"Votre adresse courriel"},
    "#/chat": {
        "documents", "Votre question", "Modèle", "Classe des données",
        "Phrase de passe (12 caractères ou plus)", "La même, encore une fois",
    },
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
    },
    "#/exploitation/cooperatives": {
        "Nom court", "Parts dans le partage", "Ce qu’elle prête de ses places (%)",
        "Énergie prêtée par jour, au plus (Wh)", "Compte", "Limite", "Période", "Raison",
        "Coopérative", "Projet", "À quoi elle sert", "Montrer aussi les clés révoquées",
    },
    "#/exploitation/modeles": {
        "Machine", "Modèle", "Fichier d’entrées", "Format des poids", "Révision",
    },
    "#/exploitation/reseau": {
        "Zone du réseau électrique", "Nouvelle source", "Jeton d’Electricity Maps", "Fichier CSV",
        "Colonne de l’intensité directe", "Années à ajouter à ses heures",
    },
    "#/exploitation/politique": {
        "Texte de la politique (TOML)", "De", "À", "Raison d’un retour", "Requêtes récentes",
    },
    "#/exploitation/simulation": {"Demande en plus, l’an prochain (%)", "Requêtes récentes"},
}  # fmt: skip

COLLECT = """() => [...document.querySelectorAll('input, textarea, select')].map(
    each => (each.labels?.[0]?.textContent || each.id || each.name || '?').trim())"""
OPEN = """() => document.querySelectorAll('main button[aria-expanded=false], main summary')
    .forEach(each => each.click())"""
# Texts with letters from right to left that would reorder what stands beside them.
BARE = """() => {
    const found = [], walker = document.createTreeWalker(app, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode, parent = text.parentElement;
        if (parent.closest('bdi, [dir=auto], option, textarea, pre, code, .diff')) continue;
        if (/[\\u0590-\\u05ff]/.test(text.data.replace(/\\u2068[^\\u2069]*\\u2069/g, '')))
            found.push(`${parent.localName}.${parent.className}: ${text.data}`);
    }
    return found;
}"""


class Hostile(Struct):
    """A scheduler whose names are hostile, and browsers to visit it."""

    pool: RunningScheduler
    visitors: Visitors
    nodes: list[ScriptedNode]

    async def fill(self) -> None:
        """Stores a hostile text wherever the API takes one."""
        ask, coop = self.pool.operator.ask, "alpha"
        for role, field in (("person", "colleague"), ("coop_admin", "colleague")):
            name = hostile(field)
            added = admin_pb2.AddPersonRequest(coop=coop, name=name, role=role, project=name)
            await ask("AddPerson", added)
        key = admin_pb2.CreateKeyRequest(
            coop=coop, project=hostile("project"), label=hostile("label")
        )
        await ask("CreateKey", key)
        await self.join()
        held = await ask("GetPolicy", admin_pb2.GetPolicyRequest())
        change = admin_pb2.ApplyPolicyRequest(
            document=held.document.replace(b'approval = "token"', b'approval = "hand"'),
            author=hostile("author"),
            reason=hostile("reason"),
        )
        await ask("ApplyPolicy", change)

    async def join(self) -> None:
        """A machine joins and says of itself what its card has room for."""
        seed, public = new_user_key()
        operator = self.pool.operator
        joined = await operator.join(
            await operator.token("alpha"), public, node_name=hostile("node"), site=hostile("site")
        )
        identity = Identity(joined.jwt, seed, subjects.node_inbox(joined.node))
        node = await self.pool.enter(joined.node, identity, list(joined.nats_urls))
        vouched = admin_pb2.VouchNodeRequest(
            node=joined.node, controlled_by="member", evidence="contract",
            document=hostile("document"),
        )  # fmt: skip
        await operator.ask("VouchNode", vouched)
        await node.send_hello(
            site=hostile("site"), agent=hostile("agent"), replicas=(replica(hostile("model")),),
            power=Power(hostile("device"), 10.0, 110.0, Basis.DECLARED),
        )  # fmt: skip
        await eventually(lambda: node.received(m.Welcome))
        self.nodes.append(node)

    async def beat(self) -> None:
        while True:
            for node in self.nodes:
                await node.send_heartbeat()
            await asyncio.sleep(BEAT_S)

    async def enter(self, role: str = "operator") -> Visit:
        """A page in which a person with a hostile name has signed in."""
        visit = await self.visitors.open()
        person = admin_pb2.AddPersonRequest(coop="alpha", name=hostile("person"), role=role)
        added = await self.pool.operator.ask("AddPerson", person)
        link = admin_pb2.MakeSigninLinkRequest(person=added.person)
        made = await self.pool.operator.ask("MakeSigninLink", link)
        await visit.go(f"#/entrer/{made.link.rpartition('/')[2]}")
        await visit.page.locator("main button").click()
        await visit.page.locator(".who").wait_for()
        return visit


@pytest.fixture
async def used(tmp_path: Path) -> AsyncIterator[Hostile]:
    async with (
        running_pool(tmp_path) as bus,
        running_scheduler(tmp_path, bus, SMTP) as pool,
        visitors(pool.gateway.url) as guests,
    ):
        opened = Hostile(pool, guests, [])
        await opened.fill()
        beating = asyncio.create_task(opened.beat())
        try:
            yield opened
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating


async def look(visit: Visit, route: str) -> None:
    """Opens a view anew, with all its forms, once it has loaded."""
    await visit.page.goto("about:blank")
    await visit.go(route)
    await visit.page.wait_for_load_state("networkidle" if route != "#/" else "load")
    if route == "#/":
        await visit.page.locator(".machines li").first.wait_for()
    await visit.page.evaluate(OPEN)


async def harm(visit: Visit) -> list[str]:
    """Whatever ran, was asked of somebody else, or broke the page."""
    ran = await visit.page.evaluate("'ran' in window")
    beacons = [url for url in visit.requested if "beacon" in url.partition("#")[0]]
    return [*(["ran"] if ran else []), *visit.foreign, *visit.errors, *beacons]


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


async def fields_of(visit: Visit) -> list[str]:
    """Labels of the fields of the view as it stands."""
    return [str(name) for name in await visit.page.evaluate(COLLECT)]


async def test_the_table_names_every_field(used: Hostile) -> None:
    """A field of any view that the table lacks, or has too many, is found here."""
    stranger, visit = await used.visitors.open(), await used.enter()
    views = {}
    for route in FIELDS:
        looking = stranger if route == "#/entrer" else visit
        await look(looking, route)
        if route == "#/chat":
            await open_dialog(looking)
        if route == "#/exploitation/cooperatives":
            await looking.page.get_by_role("button", name="Ajouter un quota").first.click()
        if route == "#/exploitation/reseau":
            await looking.page.get_by_label("Nouvelle source").select_option("electricity_maps")
        if route == "#/exploitation":
            await looking.page.get_by_label("Preuve").select_option("contract")
        views[route] = set(await fields_of(looking))

    assert FIELDS == views


async def open_dialog(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="conversations gard").click()
    await visit.page.locator("dialog").wait_for()


# The forms that ask the pool something: by view, how many there are.
FORMS = {
    "#/entrer": 1, "#/coop": 2, "#/exploitation": 1, "#/exploitation/machines": 1,
    "#/exploitation/cooperatives": 4, "#/exploitation/politique": 1,
}  # fmt: skip
TEXTS = "input:is(:not([type]), [type=text], [type=email]):not([readonly]), textarea"
SAID = "main :is(.notice.bad, .notice.good, .made, #once, form.email .notice)"


@pytest.mark.parametrize("route", FORMS)
async def test_each_form_takes_or_refuses_what_is_written(used: Hostile, route: str) -> None:
    """Markup and a megabyte in every field of every form: a sentence says what came of it."""
    visit = await (used.visitors.open() if route == "#/entrer" else used.enter())
    sentences = []
    for text in (hostile("form"), HUGE):
        for place in range(FORMS[route]):
            await look(visit, route)
            forms = visit.page.locator("main form").filter(has=visit.page.locator(TEXTS))
            counted = await forms.count()
            for field in await forms.nth(place).locator(TEXTS).all():
                await field.fill(text)
            await forms.nth(place).evaluate("it => { it.noValidate = true; it.requestSubmit(); }")
            await visit.page.locator(SAID).first.wait_for()
            sentences.append(await visit.page.locator("main").inner_text())

            assert FORMS[route] <= counted
            assert [] == await visit.page.evaluate(BARE)

    assert [] == await harm(visit)
    assert max(map(len, sentences)) < SENTENCES_MAX
