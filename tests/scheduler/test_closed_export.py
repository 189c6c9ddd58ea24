"""What is held of a person is exported and erased by a session to which nothing is closed."""

from pathlib import Path

from tests.scheduler.gateway_support import open_pool
from tests.scheduler.people_support import open_people, signed_in
from tests.scheduler.test_new_starts import CLOSED, OPEN, begin, codes_of, send_all


async def test_who_makes_a_link_neither_exports_nor_erases_what_was_sent(tmp_path: Path) -> None:
    """The operator signs in as the person: both are refused, and the person still has all."""
    async with open_pool(tmp_path) as pool:
        people = await open_people(pool)
        attack = await begin(pool, people, "operator")
        ada = await signed_in(pool, people, attack.person)
        sent = await send_all(ada)
        intruder = await attack.enter()
        exported = await intruder.call("GET", "/v1/session/export")
        erased = await intruder.call("DELETE", f"/v1/jobs/{sent['job']}?erase=true")
        own = await ada.call("GET", "/v1/session/export")
        codes = await codes_of(ada, sent)

    assert CLOSED == {(each.status, each.code) for each in (exported, erased)}
    assert b"Secret" not in exported.body
    assert b"Secret" in own.body
    assert OPEN == codes
