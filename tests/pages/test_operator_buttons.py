"""Every button of the operator's view, pressed in a real browser on a scheduler with a bus."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from tests.core.builders import GB, entry, loadable, replica
from tests.node.weights import REPOSITORY, a_hub
from tests.pages.operator_support import Operated, operated, read_text
from tests.waiting import eventually

from entraide import catalogue as documents
from entraide.models import Catalogue, OpennessClass
from entraide.v1 import admin_pb2
from entraide.wire import messages as m
from entraide.wire.nats import new_user_key
from entraide_scheduler.core import events as e
from entraide_scheduler.core.records import SenderKind

pytestmark = [pytest.mark.engines, pytest.mark.needs("chromium|google-chrome")]

SMALL, OTHER = "petit-essai", "autre-essai"
ROOM: dict[str, Any] = {
    "loadable": (loadable(SMALL, memory_bytes=GB),), "models_bytes": 3 * GB, "replicas": (),
}  # fmt: skip
WEIGHTS = b"weights" * 1_000
HELD = {"reason": "engines_ended", "detail": "", "ends_work": False}
OPERATION_WITHIN_MS = 500_000.0  # it has only the time that nothing else wants
PATIENT = pytest.mark.timeout(600)


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[Operated]:
    """A pool whose catalogue has one small model."""
    (tmp_path / "models.json").write_bytes(documents.write(Catalogue(1, 1.0, (entry(SMALL),))))
    async with operated(tmp_path, browser) as opened:
        yield opened


async def press(page: Page, name: str, *, exact: bool = False) -> None:
    """Presses the one button of this name."""
    await page.get_by_role("button", name=name, exact=exact).click()


async def confirm(page: Page, name: str) -> str:
    """Presses a button that asks once, and says yes; returns the sentence that it asks with."""
    await press(page, name, exact=True)
    sentence = await page.locator("dialog p").first.inner_text()
    await page.locator("dialog .danger").click()
    await page.locator("dialog").wait_for(state="detached")
    return sentence


async def said(page: Page, *words: str) -> None:
    """Waits until the page says so."""
    for each in words:
        await page.locator(".notice.good", has_text=each).first.wait_for()


async def test_an_operator_invites_the_first_person_of_a_co_op_and_ends_her_access(
    used: Operated,
) -> None:
    """The first person administers the co-op; her link is shown once; her access ends at once."""
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation/cooperatives")
    people = page.locator(".coop-people")
    await people.get_by_label("Coopérative").select_option("beta")
    await people.get_by_text("n’a encore personne").wait_for()
    await people.get_by_label("Nom").fill("Alice Roy")
    await people.get_by_role("button", name="Inviter", exact=True).click()
    link = await people.locator(".once input").input_value()
    role = await people.locator(".rows .tag").inner_text()
    flaws = await visit.flaws()
    await press(page, "Retirer l’accès Alice Roy")
    await people.get_by_role("button", name="oui").click()
    await people.get_by_role("button", name="Redonner l’accès").wait_for()

    assert "#/entrer/" in link
    assert "administration" == role
    assert [] == flaws + visit.errors


async def test_machines_are_vouched_for_refused_and_forgotten(used: Operated) -> None:
    """Each button of a machine changes it; those that cut off ask once, and say what follows."""
    await used.approve_by_hand()
    await used.join("serre", "CA-ON")
    await used.join("grange")
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation")
    await page.locator(".finding.node-waiting").nth(1).wait_for()
    refused = await confirm(page, "Révoquer grange")
    await page.locator(".finding.node-waiting", has_text="grange").wait_for(state="detached")
    await press(page, "Approuver serre")
    await said(page, "serre est approuvée")
    await visit.go("#/exploitation/machines")
    await page.get_by_label("Chercher une machine ou un site").fill("serre")
    await press(page, "Attester serre")
    await page.get_by_label("Zone du réseau").select_option("CA-ON")
    await page.get_by_label("Site", exact=True).fill("moulin")
    await page.get_by_label("Qui contrôle la machine").select_option("member")
    await page.get_by_label("Preuve de son surplus").select_option("meter")
    await page.get_by_label("Nom ou numéro").fill("compteur 12")
    await press(page, "Enregistrer l’attestation")
    await said(page, "Votre attestation pour serre")
    vouched = await used.pool.operator.node("serre")
    await page.get_by_label("Chercher une machine ou un site").fill("")
    forgotten = await confirm(page, "Oublier grange")
    await said(page, "grange")
    left = (await used.pool.operator.ask("ListNodes", admin_pb2.ListNodesRequest())).nodes

    assert "coupée" in refused
    assert "effacée" in forgotten
    assert ("member", "meter", "compteur 12", "CA-ON", "moulin") == (
        vouched.controlled_by, vouched.surplus_evidence, vouched.evidence_document,
        vouched.zone, vouched.site,
    )  # fmt: skip
    assert "approved" == vouched.approval
    assert ["atelier-1", "serre"] == sorted(node.node for node in left)
    assert [] == visit.errors


async def test_quarantines_are_ended(used: Operated) -> None:
    """A key and a machine that the pool ignores are heard again."""
    await used.pool.operator.key("alpha")
    (key,) = (await used.pool.operator.ask("ListKeys", admin_pb2.ListKeysRequest())).keys
    feed = used.pool.driver.feed
    feed(e.SenderQuarantined(*e.UNNUMBERED, kind=SenderKind.KEY, name=key.key, **HELD))
    feed(e.SenderQuarantined(*e.UNNUMBERED, kind=SenderKind.NODE, name="atelier-1", **HELD))
    visit = await used.enter()
    await visit.go("#/exploitation")
    await press(visit.page, f"Lever la quarantaine {key.key}")
    await visit.page.locator(".finding.key-quarantined").wait_for(state="detached")
    await press(visit.page, "Lever la quarantaine atelier-1")
    await visit.page.locator(".finding.node-quarantined").wait_for(state="detached")
    feed(e.SenderQuarantined(*e.UNNUMBERED, kind=SenderKind.KEY, name=key.key, **HELD))
    feed(e.SenderQuarantined(*e.UNNUMBERED, kind=SenderKind.NODE, name="atelier-1", **HELD))
    await visit.go("#/exploitation/cooperatives")
    await press(visit.page, f"Lever la quarantaine {key.key}")
    await said(visit.page, key.key)
    await visit.go("#/exploitation/machines")
    await press(visit.page, "Approuver atelier-1")
    await said(visit.page, "atelier-1 est approuvée")
    core = used.pool.driver.core

    assert None is core.quarantine(SenderKind.KEY, key.key)
    assert None is core.quarantine(SenderKind.NODE, "atelier-1")
    assert [] == visit.errors


async def test_an_invitation_lets_one_machine_join(used: Operated) -> None:
    """The page shows a link once; a machine joins by its token, with what the operator vouched."""
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation")
    await page.get_by_label("Coopérative", exact=True).select_option("beta")
    await page.get_by_label("Site", exact=True).fill("moulin")
    await page.get_by_label("Zone du réseau").select_option("CA-ON")
    await press(page, "Créer l’invitation")
    link = await page.locator(".made code").first.inner_text()
    await press(page, "Copier le lien")
    token = link.rpartition("/")[2].partition("#")[2] or link.rpartition("/")[2]
    seed, _ = new_user_key()
    joined = await used.pool.operator.join(token.rpartition("=")[2], seed)
    node = await used.pool.operator.node(joined.node)

    assert ("beta", "moulin", "CA-ON") == (node.coop, node.site, node.zone)
    assert [] == visit.errors


async def test_co_ops_and_keys_come_and_go(used: Operated) -> None:
    """A co-op is added, changed and removed; a key made, shown once, and revoked."""
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation/cooperatives")
    await press(page, "Ajouter une coopérative")
    await page.get_by_label("Nom court").fill("gamma")
    await page.get_by_label("Nom complet").fill("Les <b>Abeilles</b>")
    await press(page, "Enregistrer")
    await said(page, "Les <b>Abeilles</b>")
    await press(page, "Changer Les <b>Abeilles</b>")
    await press(page, "Ajouter un quota")
    await press(page, "Ajouter un quota")
    await page.get_by_role("button", name="Enlever ce quota").first.click()
    await page.get_by_label("Parts dans le partage").fill("2")
    await page.get_by_label("Langue des questions").select_option("Anglais")
    await press(page, "Enregistrer")
    await said(page, "Les <b>Abeilles</b>")
    listed = await page.locator(".nodes .what").last.inner_text()
    ask = used.pool.operator.ask
    changed = (await ask("ListCoops", admin_pb2.ListCoopsRequest())).coops[-1]
    await page.get_by_label("À quoi elle sert").fill("courriel")
    await press(page, "Créer une clé")
    await page.locator(".made code").wait_for()
    revoked = await confirm(page, "Révoquer courriel")
    await said(page, "courriel")
    await page.get_by_label("Montrer aussi les clés révoquées").check()
    await page.locator(".rows .tag.off").wait_for()
    removed = await confirm(page, "Retirer Les <b>Abeilles</b>")
    await said(page, "Abeilles")
    (key,) = (await ask("ListKeys", admin_pb2.ListKeysRequest())).keys
    left = [coop.coop for coop in (await ask("ListCoops", admin_pb2.ListCoopsRequest())).coops]

    assert ("gamma", 2.0, 1, "en") == (
        changed.coop, changed.shares, len(changed.quotas), changed.language,
    )  # fmt: skip
    assert ("Les <b>Abeilles</b>", "Les <b>Abeilles</b> gamma") == (changed.name, listed)
    assert "refusé" in revoked
    assert key.key in revoked
    assert "quitte le parc" in removed
    assert key.revoked
    assert ["alpha", "beta"] == left
    assert [] == visit.errors


async def test_a_model_is_placed_and_unloaded(used: Operated) -> None:
    """The page first says what it would come to; the machine is told to load, then to unload."""
    node = await used.join("serre", **ROOM)
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation/modeles")
    await page.get_by_label("Machine", exact=True).select_option("serre")
    await press(page, "Voir d’abord")
    await page.locator(".faults", has_text=SMALL).last.wait_for()
    await press(page, "Placer le modèle")
    await eventually(lambda: node.received(m.LoadModel))
    await node.send_hello(**ROOM | {"loading": (SMALL,)})
    await node.send_hello(**ROOM | {"replicas": (replica(SMALL),)})
    await eventually(
        lambda: [o for o in used.pool.driver.core.model_loads() if o.state == "loaded"]
    )
    await page.reload()
    unloaded = await confirm(page, f"Décharger {SMALL}")
    await eventually(lambda: node.received(m.UnloadModel))

    assert [m.LoadModel(SMALL)] == node.received(m.LoadModel)
    assert "serre" in unloaded
    assert [] == visit.errors


async def test_the_catalogue_is_changed_from_the_page(used: Operated, tmp_path: Path) -> None:
    """Models come from a file and from what is shipped, and leave; what is no entry is refused."""
    good, bad = tmp_path / "entree.json", tmp_path / "autre.json"
    stated = {"openness_class": OpennessClass.OPEN_MODEL, "openness_source": "assemblée"}
    good.write_bytes(msgspec.json.encode(entry(OTHER, **stated)))
    bad.write_text('{"a": 1}')
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation/modeles")
    await page.get_by_label("Fichier d’entrées").set_input_files(bad)
    await press(page, "Ajouter depuis le fichier")
    refused = await page.locator(".notice.bad").inner_text()
    await page.get_by_label("Fichier d’entrées").set_input_files(good)
    await press(page, "Ajouter depuis le fichier")
    await said(page, "Un modèle a été ajouté")
    await page.get_by_text(f"{OTHER} ·").get_by_text("III, modèle ouvert").wait_for()
    removed = await confirm(page, f"Retirer {OTHER}")
    await said(page, OTHER)
    await press(page, "Ajouter ceux qu’Entraide fournit")
    await said(page, "modèles ont été ajoutés")
    answer = await used.pool.operator.ask("GetCatalogue", admin_pb2.GetCatalogueRequest())
    names = {model["name"] for model in json.loads(answer.document)["models"]}

    assert "entrées de modèles" in refused
    assert "catalogue" in removed
    assert {each.name for each in documents.shipped().models} | {SMALL} == names
    assert [] == visit.errors


@PATIENT
async def test_a_model_is_pinned_to_what_the_hub_has(
    used: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of its own asks the hub and records the checksum; the page says what it did."""
    known = documents.find(documents.shipped(), "qwen3-8b")
    assert known is not None
    weights = msgspec.structs.replace(known.artefacts[0], repository=REPOSITORY)
    model = msgspec.structs.replace(known, artefacts=(weights,))
    document = documents.write(Catalogue(1, 1.0, (model,)))
    ask = used.pool.operator.ask
    await ask("SetCatalogue", admin_pb2.SetCatalogueRequest(document=document, base_version=1))
    async with a_hub({"m-Q4_K_M.gguf": WEIGHTS}, large=("m-Q4_K_M.gguf",)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        visit = await used.enter()
        page = visit.page
        await visit.go("#/exploitation/modeles")
        await page.get_by_label("Format des poids").select_option("gguf")
        await press(page, "Épingler le modèle")
        await page.get_by_text("qwen3-8b est épinglé.").wait_for(timeout=OPERATION_WITHIN_MS)
        flaws = await visit.flaws()
        await visit.picture("operator-pinned")
    answer = await ask("GetCatalogue", admin_pb2.GetCatalogueRequest())
    (artefact,) = json.loads(answer.document)["models"][0]["artefacts"]

    assert [hashlib.sha256(WEIGHTS).hexdigest()] == [file["sha256"] for file in artefact["files"]]
    assert [] == flaws + visit.errors


@PATIENT
async def test_a_pin_that_cannot_be_made_says_why(used: Operated) -> None:
    """The hub has no such repository, or cannot be reached: one sentence, and the pool goes on."""
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation/modeles")
    await press(page, "Épingler le modèle")
    await page.get_by_text("Cela n’a pas abouti").wait_for(timeout=OPERATION_WITHIN_MS)
    flaws = await visit.flaws()
    task = await used.pool.operator.ask("GetOperation", admin_pb2.GetOperationRequest(kind="pin"))

    assert ("failed", SMALL) == (task.state, task.about)
    assert SMALL in task.fault
    assert [] == flaws + visit.errors


async def test_the_grid_gets_hours_from_a_file_and_another_source(
    used: Operated, tmp_path: Path
) -> None:
    """A file's fault is named with its line; hours count at once; the average can be chosen."""
    bad, good = tmp_path / "faux.csv", tmp_path / "ontario.csv"
    bad.write_text("utc,ci_direct_g_per_kwh\n2026-01-01T00:00Z,beaucoup\n")
    good.write_text("utc,ci_direct_g_per_kwh\n2026-01-01T00:00Z,31.5\n")
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation/reseau")
    imports = page.locator("section", has=page.get_by_role("heading", name="Importer les heures"))
    await imports.get_by_label("Zone").select_option("CA-ON")
    await imports.get_by_label("Fichier CSV").set_input_files(bad)
    await press(page, "Importer les heures")
    refused = await imports.locator(".notice.bad").inner_text()
    await imports.get_by_label("Fichier CSV").set_input_files(good)
    await press(page, "Importer les heures")
    await said(page, "Les heures de CA-ON")
    await page.locator(".rows .tag.warn").wait_for()  # the file has no value of this hour
    flaws = await visit.flaws()
    await visit.picture("operator-grid-missing")
    choices = page.locator("section", has=page.get_by_role("heading", name="Choisir une source"))
    await choices.get_by_label("Zone").select_option("CA-ON")
    await choices.get_by_label("Nouvelle source").select_option("electricity_maps")
    await press(page, "Choisir cette source")
    no_token = await choices.locator(".notice.bad").inner_text()
    await choices.get_by_label("Nouvelle source").select_option("annual")
    await press(page, "Choisir cette source")
    await said(page, "La source de CA-ON")
    zones = (await used.pool.operator.ask("ListGrid", admin_pb2.ListGridRequest())).zones
    ontario = next(zone for zone in zones if zone.zone == "CA-ON")

    assert "moyenne annuelle de 20" in await page.locator(".zones li").first.inner_text()
    assert "faux.csv ligne 2" in refused
    assert "beaucoup" in refused
    assert "token" in no_token
    assert ("annual", "annual", "ontario.csv") == (ontario.source, ontario.chosen, ontario.file)
    assert [] == flaws + visit.errors


async def test_the_doctor_is_asked_again_and_its_command_copied(used: Operated) -> None:
    """Its findings are on the page with their remedies; the age of the backup is told."""
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation")
    finding = page.locator(".finding.config-unfounded")
    await finding.wait_for()
    text = await finding.inner_text()
    await finding.get_by_role("button", name="Copier").click()
    none = await page.locator("#op-doctor ~ .notice").inner_text()
    (used.pool.home / "last-backup.json").write_text(
        json.dumps({"at": used.pool.driver.now() - 3.5 * 86_400.0})
    )
    await press(page, "Vérifier de nouveau")
    await page.get_by_text("La dernière sauvegarde a 3 jours").wait_for()
    flaws = await visit.flaws()

    assert "pool.toml" in text
    assert "entraide pool create" in text
    assert "Aucune sauvegarde" in none
    assert [] == flaws + visit.errors


@PATIENT
async def test_next_years_demand_is_simulated_and_its_report_saved(used: Operated) -> None:
    """A button runs it beside the pool; the page shows before and after, and saves the report."""
    await ask_some(used)
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation/simulation")
    await page.get_by_label("Demande en plus").fill("100")
    await press(page, "Simuler ce parc avec la demande")
    await press(page, "Arrêter")
    await page.get_by_text("Arrêté avant la fin").wait_for()
    await press(page, "Simuler ce parc avec la demande")
    await page.locator(".replayed table").wait_for(timeout=OPERATION_WITHIN_MS)
    rows = await page.locator(".replayed tbody tr").all_inner_texts()
    flaws = await visit.flaws()
    await visit.picture("operator-simulated")
    async with page.expect_download() as saving:
        await press(page, "Enregistrer le rapport")
    report = read_text(await (await saving.value).path())

    assert 2 == len(rows)  # all, and alpha
    assert "→" in rows[0]
    assert "<html" in report
    assert [] == flaws + visit.errors + visit.foreign


@PATIENT
async def test_a_policy_is_tried_before_it_counts(used: Operated) -> None:
    """Both lives come first, then what the changed text would decide; the policy in force stays."""
    await ask_some(used)
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation/politique")
    held = await page.locator("textarea").input_value()
    is_off = await page.get_by_role("button", name="Essayer ce texte").is_disabled()
    await page.locator("textarea").fill(held.replace('version = "1"', 'version = "vote"'))
    await press(page, "Essayer ce texte")
    await page.locator(".replayed table").wait_for(timeout=OPERATION_WITHIN_MS)
    lead = await page.locator(".replayed").inner_text()
    lives = [
        await page.locator(f".replayed > :nth-child({place})").inner_text() for place in (1, 2)
    ]
    served = [int(next(iter(re.findall(r"\d+", line)))) for line in lives]
    flaws = await visit.flaws()
    await visit.picture("operator-tried")
    in_force = await used.pool.operator.ask("GetPolicy", admin_pb2.GetPolicyRequest())

    assert is_off
    assert lives[0].startswith("Selon le journal")
    assert lives[1].startswith("Simulé sous la même politique")
    assert served[0] == served[1] > 0
    assert "vote" in lead
    assert "1" == in_force.version
    assert [] == flaws + visit.errors


async def ask_some(used: Operated) -> None:
    """Some requests of alpha, answered by the machine at work."""
    node = used.nodes[0]

    async def answer(number: int) -> None:
        await eventually(lambda: len(node.runs) > number)
        await node.finish(node.runs[number])

    async with used.pool.session(await used.pool.operator.key("alpha")) as session:
        for number in range(3):
            body = {"model": "petit", "messages": [{"role": "user", "content": "Bonjour"}]}
            asked = session.post("/v1/chat/completions", json=body)
            answered, _ = await asyncio.gather(asked, answer(number))

            assert 200 == answered.status
