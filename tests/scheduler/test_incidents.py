"""The register of confidentiality incidents: entered once, kept for good, read by the operator."""

import asyncio
import json
import os
from functools import partial

import grpc
import pytest
from tests.commands import forked_entraide
from tests.scheduler.pool_support import ADMIN_KEY, RunningScheduler
from tests.scheduler.rows import trust
from tests.scheduler.test_admin_http import Pages

from entraide.v1 import admin_pb2
from entraide_scheduler.store import erasures, people
from entraide_scheduler.store.person_rows import PersonRow
from entraide_scheduler.store.settlements import expire_explanations

ENTRY = {
    "happened": "12 janvier, entre 12 h et 13 h", "noticed": "12 janvier, 13 h 10",
    "circumstances": "ordinateur volé", "risk": "not_serious",
}  # fmt: skip
YEARS_6_S = 6 * 366 * 86_400.0


async def entraide(pool: RunningScheduler, *words: str, lang: str = "fr") -> tuple[int, str, str]:
    """Runs ``entraide incidents`` as the operator."""
    environment = {
        **os.environ,
        "ENTRAIDE_URL": pool.gateway.url,
        "ENTRAIDE_ADMIN_KEY": ADMIN_KEY,
    }
    run = partial(forked_entraide, "incidents", *words, lang=lang, env=environment)
    done = await asyncio.to_thread(run)
    return done.returncode, done.stdout, done.stderr


async def test_an_incident_is_entered_completed_and_listed(pool: RunningScheduler) -> None:
    """Both languages show each field; a later entry names the one that it completes."""
    options = [word for name, text in ENTRY.items() for word in (f"--{name}", text)]
    empty = await entraide(pool, "list")
    added = await entraide(pool, "add", *options, "--persons", "10", "--json")
    completed = await entraide(
        pool, "add", *options, "--amends", "1", "--told", "Commission, 14 janvier"
    )
    unknown = await entraide(pool, "add", *options, "--amends", "7")
    french = await entraide(pool, "list")
    english = await entraide(pool, "list", lang="en")
    listed = json.loads((await entraide(pool, "list", "--json"))[1])

    assert [0, 0, 0, 1, 0] == [r[0] for r in (empty, added, completed, unknown, french)]
    assert "Le registre est vide." == empty[1].strip()
    assert (1, 10, "") == tuple(
        json.loads(added[1])[name] for name in ("number", "persons", "entered_by")
    )
    assert [(1, 0, 10), (2, 1, -1)] == [
        (entry["number"], entry["amends"], entry["persons"]) for entry in listed
    ]
    assert all(text in french[1] for text in (ENTRY["happened"], "nombre inconnu", "non sérieux"))
    assert "which completes or corrects number 1" in english[1]
    assert "Told: Commission, 14 janvier" in english[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [("happened", " "), ("circumstances", "x" * 4_001), ("risk", "perhaps"), ("told", "\x1b[31m")],
)
async def test_a_field_that_is_wrong_is_named(
    pool: RunningScheduler, name: str, value: str
) -> None:
    """Nothing is entered, and the error says which field it is."""
    request = admin_pb2.ConfidentialityIncident(**ENTRY | {name: value})
    with pytest.raises(grpc.RpcError) as refused:
        await pool.operator.ask("AddIncident", request, lang="en")
    listed = await pool.operator.ask("ListIncidents", admin_pb2.ListIncidentsRequest())

    assert grpc.StatusCode.INVALID_ARGUMENT == refused.value.code()
    assert f'"{name}"' in str(refused.value.details())
    assert [] == list(listed.incidents)


async def test_nobody_but_the_operator_enters_an_incident(pool: RunningScheduler) -> None:
    """Roles of a co-op neither enter nor read; an auditor reads. Who entered it stands there."""
    pages = Pages(pool)
    codes = {}
    for role in ("person", "coop_admin", "auditor", "operator"):
        page = await pages.of(role)
        calls = [await page.ask("AddIncident", ENTRY), await page.ask("ListIncidents")]
        codes[role] = [call.code for call in calls]
    entered = (await pages.by_key(ADMIN_KEY).ask("ListIncidents")).json["incidents"]
    refused, allowed = "role_refused", ""

    assert {
        "person": [refused, refused],
        "coop_admin": [refused, refused],
        "auditor": [refused, allowed],
        "operator": [allowed, allowed],
    } == codes
    assert ["person-"] == [entry["enteredBy"][:7] for entry in entered]


async def test_who_is_forgotten_changes_no_entry(pool: RunningScheduler) -> None:
    """An entry stays word for word as it was entered, even if a name stands in it."""
    name, address = "Zoé Quetzal", "zoe@boreale.example.coop"
    words = ENTRY | {"circumstances": f"ordinateur de {name} volé", "measures": address}
    entered = await pool.operator.ask("AddIncident", admin_pb2.ConfidentialityIncident(**words))
    row = PersonRow("person-0123456789ab", "alpha", name, address, "person", "main", "", 1.0)
    store = pool.service.parts.store
    await store.write(partial(people.add_person, row=row, coop_max=100))
    await store.write(partial(erasures.erase_person, person=row.person, now=2.0))
    listed = await pool.operator.ask("ListIncidents", admin_pb2.ListIncidentsRequest())

    assert [entered] == list(listed.incidents)


async def test_an_entry_outlives_five_years_and_every_expiry(pool: RunningScheduler) -> None:
    """All that deletes old rows runs six years later: the register is whole."""
    entered = await pool.operator.ask("AddIncident", admin_pb2.ConfidentialityIncident(**ENTRY))
    store, later = pool.service.parts.store, entered.entered_at + YEARS_6_S
    await trust(store, later)
    await store.write(partial(people.expire_signins, now=later))
    await store.write(partial(expire_explanations, now=later))
    await store.expire_kept(later)
    await store.write(partial(erasures.repeat, listed=()))
    listed = await pool.operator.ask("ListIncidents", admin_pb2.ListIncidentsRequest())

    assert [entered] == list(listed.incidents)
