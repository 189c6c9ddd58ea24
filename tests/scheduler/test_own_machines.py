"""A co-op's machines for those who run it: state, figures of the books, and what owners tell."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.scheduler.gateway_support import Pool, card, open_pool
from tests.scheduler.people_support import Answer, add_person, open_people, signed_in
from tests.scheduler.rows import settle_row
from tests.scheduler.test_pool_view import change

from entraide.lent_terms import LentCaps, LentHours, LentTerms
from entraide.types import Lending
from entraide_scheduler.gateway.views.lent_words import terms_sentences

WEEK = LentHours((0, 1, 2, 3, 4), 1_080, 480)
TERMS = LentTerms(
    hours=(WEEK, LentHours((5, 6), 0, 1_440)),
    caps_idle=LentCaps(12.0),
    present=Lending.OWN_ONLY,
    caps_present=LentCaps(4.5, 60.0),
)
HOURS = "Monday to Friday, 6:00\u202fp.m. to 8:00\u202fa.m.; Saturday and Sunday, all day."
CAPS = "at most 4.5\u00a0GB for the models and at most 60\u00a0W for the whole machine."
JOINED = (
    replace(card("n1"), coop="alpha", terms=TERMS), replace(card("n2"), coop="alpha"), card("n3")
)  # fmt: skip


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    """A pool with two machines of alpha, of which one tells its terms, and one of beta."""
    async with open_pool(tmp_path, joined=JOINED) as opened:
        yield opened


async def read(pool: Pool, role: str = "coop_admin", query: str = "?lang=en") -> Answer:
    people = await open_people(pool)
    browser = await signed_in(pool, people, await add_person(people, role=role))
    return await browser.call("GET", f"/v1/machines{query}")


async def machines(pool: Pool, query: str = "?lang=en") -> dict[str, Any]:
    return {each["node"]: each for each in (await read(pool, query=query)).json["machines"]}


async def test_an_admin_sees_what_the_owner_tells(pool: Pool) -> None:
    """Hours and caps in sentences and as numbers; of the other machine, that they are not told."""
    shown = await machines(pool)

    assert ["n1", "n2"] == sorted(shown)
    assert [
        f"It may work, by its own clock: {HOURS}",
        "While nobody uses it: at most 12\u00a0GB for the models.",
        f"While somebody uses it, it works for its own co-op only: {CAPS}",
    ] == shown["n1"]["terms_sentences"]
    assert {"days": [5, 6], "begin_min": 0, "end_min": 1_440} == shown["n1"]["terms"]["hours"][1]
    assert None is shown["n2"]["terms"]
    assert ["Its owner does not tell the pool its hours and limits."] == (
        shown["n2"]["terms_sentences"]
    )


async def test_the_reason_is_shown_where_the_owner_tells_the_terms(pool: Pool) -> None:
    """Elsewhere nobody learns that somebody sits at the machine."""
    for node in ("n1", "n2"):
        change(pool, node, accepting=False, reason="owner_busy")
    shown = await machines(pool)
    first, second = shown["n1"]["now"], shown["n2"]["now"]

    assert ("owner_busy", "Takes no work: the owner of the machine is using it.") == (
        first["reason"],
        first["sentence"],
    )
    assert ("owner_terms", "Takes no work: paused by its owner’s terms.") == (
        second["reason"],
        second["sentence"],
    )


async def test_others_see_neither_terms_nor_reason(pool: Pool) -> None:
    """The pool's page and the public status have nothing of what an owner tells the co-op."""
    change(pool, "n1", accepting=False, reason="owner_busy")
    _, status = await pool.call("GET", "/status.json")
    _, view = await pool.call("GET", "/v1/pool")
    _, coop = await pool.call("GET", "/v1/coop")
    text = json.dumps([status, view, coop])

    assert "owner_busy" not in text
    assert "begin_min" not in text
    assert "caps" not in text


async def test_figures_are_those_of_the_books(pool: Pool) -> None:
    """What a machine did for others and for its own co-op today; one that left is still there."""
    now = time.time()
    for name, borrower, node in (("a", "beta", "n1"), ("b", "alpha", "n1"), ("c", "beta", "gone")):
        row = settle_row(name, borrower=borrower, lender="alpha", at=now)
        await pool.store.write_settlement(replace(row, terms=replace(row.terms, node=node)))
    shown = await machines(pool)
    today, month = shown["n1"]["today"], shown["n1"]["this_month"]

    assert (1, 1) == (today["given"]["jobs"], today["own"]["jobs"])
    assert today == month
    assert 140 == today["given"]["tokens"]
    assert (None, "", [], 1) == (
        shown["gone"]["now"], shown["gone"]["site"], shown["gone"]["terms_sentences"],
        shown["gone"]["this_month"]["given"]["jobs"],
    )  # fmt: skip
    assert 0 == shown["n2"]["today"]["given"]["jobs"]


async def test_a_person_is_sent_totals_and_no_machine(pool: Pool) -> None:
    """A machine may stand at one colleague's desk; an admin is sent the co-op's machines."""
    people = await open_people(pool)
    sent = {}
    for role in ("person", "coop_admin"):
        browser = await signed_in(pool, people, await add_person(people, role=role))
        sent[role] = (await browser.call("GET", "/v1/coop")).json

    assert ["n1", "n2"] == sorted(each["node"] for each in sent["coop_admin"]["machines"])
    assert [] == sent["person"]["machines"]
    assert '"n1"' not in json.dumps(sent["person"])


@pytest.mark.parametrize(
    ("role", "query", "status"),
    [
        ("person", "", 403), ("coop_admin", "", 200), ("auditor", "", 200), ("operator", "", 200),
        ("coop_admin", "?coop=alpha", 200), ("coop_admin", "?coop=beta", 403),
        ("auditor", "?coop=beta", 200), ("operator", "?coop=beta", 200),
    ],
)  # fmt: skip
async def test_who_sees_the_machines(pool: Pool, role: str, query: str, status: int) -> None:
    """An admin those of the own co-op; the operator and auditors those of each; a person none."""
    answer = await read(pool, role, query)

    assert status == answer.status
    assert ("role_refused" if status == 403 else "") == answer.code


@pytest.mark.parametrize(
    ("terms", "lang", "first", "last"),
    [
        (LentTerms(), "fr", "Elle peut travailler à toute heure.", "elle ne prend pas de travail."),
        (
            LentTerms((WEEK, LentHours(tuple(range(7)), 0, 390)), present=Lending.ALL),
            "fr",
            "de 18\u00a0h à 8\u00a0h\u00a0; tous les jours, de minuit à 6\u00a0h\u00a030.",
            "aucune limite de mémoire ni de puissance.",
        ),
        (LentTerms((LentHours((1,), 0, 0), LentHours((), 1, 2))), "en", "Tuesday, all day.", ""),
    ],
)
def test_terms_in_words(terms: LentTerms, lang: str, first: str, last: str) -> None:
    """Ranges of days, midnight and missing limits are written as people say them."""
    sentences = terms_sentences(terms, lang)

    assert sentences[0].endswith(first)
    assert sentences[-1].endswith(last)
