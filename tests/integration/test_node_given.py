"""A machine learns from its pool what it gave, and to whom; nobody else learns it."""

import asyncio
import time
import urllib.error
import urllib.request
from pathlib import Path

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
from entraide_scheduler.store.rows import SettlementRow


def settled(number: int, node: str, *, borrower: str, at: float) -> SettlementRow:
    row = settle_row(f"j{number}", borrower=borrower, lender="beta", at=at)
    return replace(row, terms=replace(row.terms, node=node))


async def test_a_machine_knows_what_it_gave(nats_pool: NatsPool, tmp_path: Path) -> None:
    """Today and the month, its own co-op and another, in Wh, grams and cents; revoked, nothing."""
    async with running_scheduler(tmp_path, nats_pool) as pool:
        token = await pool.operator.token("beta")
        folder, url = tmp_path / "node", pool.service.parts.gateway.url
        options = JoinOptions(name="mini")
        joined = await asyncio.to_thread(join_pool, url, token, folder=folder, options=options)
        node, store, now = joined.config.node, pool.service.parts.store, time.time()
        with (folder / CONFIG_NAME).open("a") as config:
            config.write("\n[energy]\ntariff_cad_per_kwh = 1000.0\n")
        for number, borrower in enumerate(("alpha", "alpha", "beta")):
            await store.write_settlement(settled(number, node, borrower=borrower, at=now))
        await store.write_settlement(settled(3, "other", borrower="alpha", at=now))
        statement = await asyncio.to_thread(read_given, folder)
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
    assert [("alpha", 2), ("beta", 1)] == [
        (share.coop, share.month.jobs) for share in statement.shares
    ]
    assert 3 * 0.032 == pytest.approx(statement.today.energy_wh)
    assert english[0].replace("\u00a0", " ") == (
        "Given today: 3 requests, 0.096 Wh, 0.000096 g CO2e, 9.60 ¢ of electricity."
    )
    assert english[3].startswith("Of these to its own co-op, beta: 1, ")
    assert french[2].startswith("Dont à alpha\u00a0: 2, ")
    assert 401 == refused.value.code
    assert afterwards is None
