"""What an erasure leaves on the disk of SQLite: no copy of a row that the database has moved."""

import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs
from tests.scheduler.gateway_support import everything
from tests.scheduler.postgres_support import programs, running_postgres

from entraide_scheduler.store import erasures
from entraide_scheduler.store import people as table
from entraide_scheduler.store.members import create_key
from entraide_scheduler.store.person_rows import PersonRow
from entraide_scheduler.store.policies import list_versions
from entraide_scheduler.store.rows import KeyRow, PolicyRow
from entraide_scheduler.store.schema import policies
from entraide_scheduler.store.store import Store

PEOPLE = 400  # enough for several pages of the table and of each of its indexes


def person(number: int) -> PersonRow:
    """A person with a name and an address like no other."""
    name = f"Quetzal-{number:04}-{'x' * (number % 37)}"
    address = f"axolotl{number:04}@boreale.example.coop"
    return PersonRow(f"person-{number:012x}", "boreale", name, address, "person", "a", "", 1.0)


@pytest.mark.parametrize("seed", range(3))
async def test_no_page_keeps_a_copy_of_an_erased_person(tmp_path: Path, seed: int) -> None:
    """Rows are added and changed in random order, so that pages split and rows move; then some
    people are erased, and no byte of the files has their names or addresses."""
    luck = random.Random(seed)
    rows = [person(number) for number in range(PEOPLE)]
    luck.shuffle(rows)
    store = await Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    for row in rows:
        store.write(partial(table.add_person, row=row, coop_max=PEOPLE))
    for row in luck.sample(rows, 200):
        renamed = row.name + "-" * luck.randrange(1, 300)
        store.write(lambda c, row=row, name=renamed: table.change_person(c, row.person, name=name))
    erased = luck.sample(rows, 25)
    for row in erased:
        await store.write(partial(erasures.erase_person, person=row.person, now=2.0))
    is_overwritten = await store.overwrite_log()
    left = await store.read(table.list_people)
    stored = everything(tmp_path)
    await store.close()
    gone = [word.encode() for row in erased for word in (row.name[:12], row.email)]

    assert is_overwritten
    assert PEOPLE - len(erased) == len(left)
    assert [] == [word for word in gone if word in stored]


async def test_words_are_replaced_whole_and_whatever_their_case(tmp_path: Path) -> None:
    """The number stands for the name and the address, and parts of longer words stay."""
    store = await Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    row = PersonRow("person-1", "boreale", "Roy", "roy@x.coop", "person", "a", "", 1.0)
    await store.write(partial(table.add_person, row=row, coop_max=9))
    reason = "pour ROY, royal, roy@x.coop et Leroy"

    def add(connection: Any) -> None:
        values = {"version": "1", "number": 1, "document": b"x", "author": "roy", "reason": reason}
        connection.execute(policies.insert().values(**values))

    await store.write(add)
    await store.write(partial(erasures.erase_person, person="person-1", now=2.0))
    listed = await store.read(list_versions)
    await store.close()

    said = "pour person-1, royal, person-1 et Leroy"
    assert (PolicyRow("1", author="person-1", reason=said),) == listed


async def test_former_names_are_replaced_and_go(tmp_path: Path) -> None:
    """Whoever had another name or address is found by these too, and nothing of them is left; a
    first name alone is not looked for. Accents may be missing, or marks of their own."""
    store = await Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    row = PersonRow("person-1", "boreale", "Zoé Roy", "zoe.roy@x.coop", "person", "a", "", 1.0)
    await store.write(partial(table.add_person, row=row, coop_max=9))
    label = "clé de Zoe Roy, puis de Zoe\u0301 Ouellet (zoe.roy@x.coop, zoe@x.coop), pour Zoé"
    await store.write(partial(create_key, row=KeyRow("key-1", "boreale", "a", label), digest="0"))
    changes = {"name": "Zoé Ouellet"}, {"name": "Zoé Ouellet-Roy", "email": "zoe@x.coop"}
    for change in changes:
        await store.write(partial(table.change_person, person="person-1", **change))
    former = await store.read(partial(table.list_former_names, person="person-1"))
    await store.write(partial(erasures.erase_person, person="person-1", now=2.0))
    await store.overwrite_log()
    (key,) = await store.list_keys("boreale")
    stored = everything(tmp_path)
    await store.close()

    assert {"Zoé Roy", "Zoé Ouellet", "zoe.roy@x.coop"} == set(former)
    said = "clé de person-1, puis de person-1 (person-1, person-1), pour Zoé"
    assert said == key.label
    assert [] == [word for word in ("Ouellet", "zoe.roy") if word.encode() in stored]


async def test_former_names_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a person who is renamed again and again the newest are kept."""
    monkeypatch.setattr(table, "FORMER_NAMES_MAX", 2)
    store = await Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    row = PersonRow("person-1", "boreale", "Zoé 0", "", "person", "a", "", 1.0)
    await store.write(partial(table.add_person, row=row, coop_max=9))
    for number in range(1, 5):
        change = partial(table.change_person, person="person-1", name=f"Zoé {number}")
        await store.write(change)
    former = await store.read(partial(table.list_former_names, person="person-1"))
    await store.close()

    assert ("Zoé 2", "Zoé 3") == former


async def test_a_failed_write_is_logged_without_its_values(tmp_path: Path) -> None:
    """The error of a statement says what failed and for no person."""
    store = await Store.open(f"sqlite:///{tmp_path / 'store.db'}")

    def add_twice(connection: Any) -> None:
        for _ in range(2):
            values = {**_fields(person(1)), "oidc_issuer": None, "oidc_subject": None}
            connection.execute(table.people.insert().values(**values))

    with capture_logs() as logs, pytest.raises(IntegrityError) as raised:
        await store.write(add_twice)
    await store.close()

    assert "store.write_failed" in {line["event"] for line in logs}
    assert "axolotl" not in repr(logs) + str(raised.value)


def _fields(row: PersonRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


async def test_the_log_of_postgresql_has_no_address() -> None:
    """An address that somebody else has is refused before the database would log it."""
    home = programs()
    if home is None:
        pytest.skip("no PostgreSQL here")
    with running_postgres(home) as url:
        store = await Store.open(url)
        first, other = person(1), person(2)
        add = [
            await store.write(partial(table.add_person, row=row, coop_max=9))
            for row in (first, other, replace(person(3), email=first.email))
        ]
        changed = await store.write(
            lambda c: table.change_person(c, other.person, email=first.email)
        )
        await store.close()
        log = (Path(url.rpartition("host=")[2]) / "log").read_text()

    assert [True, True, False] == add
    assert changed is None
    assert first.email not in log
