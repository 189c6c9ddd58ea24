"""A machine learns from its pool what it gave, and to whom; nobody else learns it."""

import asyncio
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import running_scheduler
from tests.scheduler.rows import settle_row

from entraide.statements import NODE_PATH
from entraide.v1 import admin_pb2
from entraide_node.config import CONFIG_NAME
from entraide_node.given import given_sentences, read_given
from entraide_node.join import JoinOptions, join_pool
from entraide_node.models.pool_access import read_pool_access
from entraide_scheduler.gateway.machines import node_statements
from entraide_scheduler.store.rows import SettlementRow

SETTLED_AT = 1_794_330_000.0  # 2026-11-10, 17:00 UTC: in the middle of a month and of a day
DAY_S = 86_400.0


def settled(number: int, node: str, *, borrower: str, at: float) -> SettlementRow:
    row = settle_row(f"j{number}", borrower=borrower, lender="beta", at=at)
    return replace(row, terms=replace(row.terms, node=node))


async def test_a_machine_knows_what_it_gave(
    nats_pool: NatsPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Today and the month, its own co-op and another, in Wh, grams and cents; revoked, nothing.

    Which co-ops it served is told of days that are over: a request that just ended tells nobody.
    """
    async with running_scheduler(tmp_path, nats_pool) as pool:
        token = await pool.operator.token("beta")
        folder, url = tmp_path / "node", pool.service.parts.gateway.url
        options = JoinOptions(name="mini")
        joined = await asyncio.to_thread(join_pool, url, token, folder=folder, options=options)
        node, store = joined.config.node, pool.service.parts.store
        clock = SimpleNamespace(time=lambda: SETTLED_AT)
        monkeypatch.setattr(node_statements, "time", clock)
        with (folder / CONFIG_NAME).open("a") as config:
            config.write("\n[energy]\ntariff_cad_per_kwh = 1000.0\n")
        for number, borrower in enumerate(("alpha", "alpha", "beta")):
            await store.write_settlement(settled(number, node, borrower=borrower, at=SETTLED_AT))
        await store.write_settlement(settled(3, "other", borrower="alpha", at=SETTLED_AT))
        statement = await asyncio.to_thread(read_given, folder)
        at_once = await asyncio.to_thread(given_sentences, folder, "en")
        clock.time = lambda: SETTLED_AT + DAY_S
        day_after = await asyncio.to_thread(read_given, folder)
        english = await asyncio.to_thread(given_sentences, folder, "en")
        french = await asyncio.to_thread(given_sentences, folder, "fr")
        _, access = read_pool_access(folder)
        assert access is not None
        foreign = urllib.request.Request(
            url + NODE_PATH, headers={"authorization": access.authorise("/weights/00")}
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            await asyncio.to_thread(urllib.request.urlopen, foreign)
        refused.value.close()
        await pool.operator.ask("RevokeNode", admin_pb2.NodeRequest(node=node))
        afterwards = await asyncio.to_thread(read_given, folder)

    assert statement is not None
    assert (node, "beta", 3, 3) == (
        statement.node, statement.coop, statement.today.jobs, statement.this_month.jobs,
    )  # fmt: skip
    assert () == statement.shares
    assert day_after is not None
    assert (0, 3) == (day_after.today.jobs, day_after.this_month.jobs)
    assert [("alpha", 2), ("beta", 1)] == [
        (share.coop, share.month.jobs) for share in day_after.shares
    ]
    assert 3 * 0.032 == pytest.approx(statement.today.energy_wh)
    assert [] == [each for each in at_once if "alpha" in each or "beta" in each]
    assert at_once[0].replace("\u00a0", " ") == (
        "Given today: 3 requests, 0.096 Wh, 0.000096 g CO2e, 9.60 ¢ of electricity."
    )
    assert english[3].startswith("Of these until yesterday to its own co-op, beta: 1, ")
    assert french[2].startswith("Dont, jusqu’à hier, à alpha\u00a0: 2, ")
    assert 401 == refused.value.code
    assert afterwards is None
