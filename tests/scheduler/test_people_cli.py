"""``entraide people`` against a real scheduler."""

import asyncio
import json
import os

import aiohttp
from tests.commands import forked_entraide
from tests.scheduler.pool_support import ADMIN_KEY, RunningScheduler


async def entraide(pool: RunningScheduler, *arguments: str) -> tuple[int, str, str]:
    """Runs the command as the operator; returns status, output and error output."""
    environment = {
        **os.environ,
        "ENTRAIDE_URL": pool.gateway.url,
        "ENTRAIDE_ADMIN_KEY": ADMIN_KEY,
    }
    words = ("people", *arguments)
    done = await asyncio.to_thread(forked_entraide, *words, lang="fr", env=environment)
    return done.returncode, done.stdout, done.stderr


async def test_a_person_is_added_listed_disabled_and_let_in_again(pool: RunningScheduler) -> None:
    """The link alone is on the output; a disabled person gets none until let in again."""
    added = await entraide(pool, "add", "alpha", "Zoé", "--email", "Z@x.coop", "--json")
    person, link = (json.loads(added[1])[name] for name in ("person", "link"))
    another = await entraide(pool, "link", person, "--hours", "72")
    stranger = await entraide(pool, "add", "nobody", "X")
    disabled = await entraide(pool, "disable", person)
    refused = await entraide(pool, "link", person)
    enabled = await entraide(pool, "enable", person)
    listed = await entraide(pool, "list", "--coop", "alpha", "--json")
    fresh = await entraide(pool, "link", person)
    token = fresh[1].strip().rpartition("/")[2]
    async with (
        aiohttp.ClientSession(pool.gateway.url) as session,
        session.post("/v1/session", json={"token": token}) as answer,
    ):
        view = await answer.json()

    assert 0 == added[0] == another[0] == disabled[0] == enabled[0]
    assert another[1].startswith(f"{pool.gateway.url}/#/entrer/")
    assert link != another[1].strip()
    assert person in another[2]
    assert (1, True) == (stranger[0], "nobody" in stranger[2])
    assert (1, True) == (refused[0], f"entraide people enable {person}" in refused[2])
    assert ["z@x.coop"] == [each["email"] for each in json.loads(listed[1])]
    assert ("Zoé", "person") == (view["person"]["name"], view["person"]["role"])
