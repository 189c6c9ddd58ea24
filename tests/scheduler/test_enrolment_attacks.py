"""Joining with what is another's: a stolen public key, a stolen token, a recorded request."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import asdict, replace
from tests.core.builders import MODEL
from tests.scheduler.pool_support import RunningScheduler, signed_request
from tests.scheduler.test_enrolment import VOUCHED, Key, enter, invite, post, word
from tests.waiting import eventually

from entraide.types import SurplusEvidence
from entraide.v1 import admin_pb2 as a
from entraide.wire import messages as m
from entraide.wire.nats import new_user_key
from entraide_scheduler.store.rows import NodeRow

EVIDENCE = {"evidence": "contract", "document": "PPA 2026-114"}
ASK = {"model": MODEL, "max_tokens": 8, "messages": [{"role": "user", "content": "Bonjour"}]}


def record(pool: RunningScheduler, node: str = "n1") -> NodeRow:
    """The pool's record of a node, without the times of its newest identity."""
    row = pool.registry.get(node)
    assert row is not None
    return replace(row, jwt_issued_at=0.0, jwt_expires_at=0.0)


async def vouched_machine(pool: RunningScheduler) -> Key:
    """A machine that joined with all that the operator can vouch for."""
    key, made = new_user_key(), await invite(pool, **VOUCHED, **EVIDENCE)
    status, _, _ = await post(pool, word(made.token, key))
    assert 200 == status
    return key


async def test_what_was_vouched_for_stays(pool: RunningScheduler) -> None:
    """A machine that joins again with a bare invitation says other words, which change nothing."""
    key = await vouched_machine(pool)
    await pool.registry.pin_device(record(pool), "mac-mini")
    before, bare = record(pool), await invite(pool)
    status, answer, _ = await post(pool, word(bare.token, key, zone="CA-AB", site="Calgary"))

    assert (200, VOUCHED) == (status, {name: answer[name] for name in VOUCHED})
    assert replace(before, said_zone="CA-AB") == record(pool)
    assert (SurplusEvidence.CONTRACT, "mac-mini") == (before.surplus_evidence, before.device)


async def test_an_invitation_that_says_more_counts_where_it_says_something(
    pool: RunningScheduler,
) -> None:
    """The operator's newer word replaces the older one; what it leaves out stays."""
    key = await vouched_machine(pool)
    newer = await invite(pool, zone="CA-ON")
    _, answer, _ = await post(pool, word(newer.token, key))

    assert VOUCHED | {"zone": "CA-ON"} == {name: answer[name] for name in VOUCHED}
    assert "PPA 2026-114" == record(pool).evidence_document


async def test_a_stolen_public_key_changes_no_record(pool: RunningScheduler) -> None:
    """Who knows a machine's public key, and has an invitation of its co-op, is refused; and the
    invitation is as good as before."""
    made, key = await invite(pool, **VOUCHED), new_user_key()
    recorded = word(made.token, key)
    await post(pool, recorded)
    before, stolen = record(pool), await invite(pool, zone="CA-AB")
    thief = word(stolen.token, new_user_key(), zone="CA-AB")
    forged = [
        thief | {"node_public_key": key[1]},
        thief | {"node_public_key": key[1], "signature": ""},
        thief | {"node_public_key": key[1], "signature": recorded["signature"]},
        recorded | {"token": thief["token"]},
        recorded | {"zone": "CA-AB"},
    ]
    answers = [await post(pool, body) for body in forged]
    own = new_user_key()
    status, _, _ = await post(pool, word(stolen.token, own, node_name="n2"))

    assert {(403, "join_signature_refused")} == {
        (status, answer["error"]["code"]) for status, answer, _ in answers
    }
    assert before == record(pool)
    assert (200, own[1]) == (status, record(pool, "n2").public_key)


async def test_nobody_else_learns_whether_a_key_is_revoked(pool: RunningScheduler) -> None:
    """Only the holder of a key is told so, by a request without a token that the key signs."""
    gone, other = await vouched_machine(pool), new_user_key()
    await pool.operator.ask("RevokeNode", a.NodeRequest(node="n1"))
    asked = [
        await post(pool, asdict(signed_request("", key[0])) | changes)
        for key, changes in ((gone, {}), (other, {}), (gone, {"signature": ""}))
    ]

    assert ["node_key_revoked", "node_record_gone", "join_signature_refused"] == [
        answer["error"]["code"] for _, answer, _ in asked
    ]


async def test_a_stolen_token_lets_one_machine_in(pool: RunningScheduler) -> None:
    """Of two that show it at once one is taken in; later it is of no use to any other key."""
    made = await invite(pool)
    keys = [new_user_key() for _ in range(2)]
    both = await asyncio.gather(*(post(pool, word(made.token, key)) for key in keys))
    late, answer, _ = await post(pool, word(made.token, new_user_key()))

    assert [200, 403] == sorted(status for status, _, _ in both)
    assert (403, True) == (late, "déjà servi" in answer["error"]["message"])
    assert 1 == len(pool.registry.list_nodes())


async def test_a_refused_machine_uses_no_token_up(pool: RunningScheduler) -> None:
    """Whose record is another co-op's is refused; the machine that was meant then joins. Both are
    told the name of the co-op, not its identifier."""
    named = a.Coop(coop="alpha", name="Les Abeilles", shares=1.0)
    await pool.operator.ask("SetCoop", named)
    key, foreign = await vouched_machine(pool), await invite(pool, "alpha")
    refused, answer, _ = await post(pool, word(foreign.token, key))
    joined, member, _ = await post(pool, word(foreign.token, new_user_key()))

    assert (403, "join_token_refused", 200) == (refused, answer["error"]["code"], joined)
    assert "l’invitation vaut pour Les Abeilles\u00a0:" in answer["error"]["message"]
    assert ("alpha", "Les Abeilles") == (member["coop"], member["coop_name"])


async def test_a_machine_whose_record_is_not_written_uses_no_token_up(
    pool: RunningScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Token and record are one step: where the second fails, the first has not happened."""
    made, key = await invite(pool), new_user_key()

    def fail(*_: Any) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("entraide_scheduler.store.members.put_node", fail)
        failed, _, _ = await post(pool, word(made.token, key))
    other, _, _ = await post(pool, word(made.token, new_user_key()))

    assert failed >= 500
    assert 200 == other


async def test_a_recorded_request_takes_nothing_back(pool: RunningScheduler) -> None:
    """Sent again after the operator said something else, it changes no record; the identity that it
    is answered with is of no use without the key."""
    made, key = await invite(pool, **VOUCHED), new_user_key()
    recorded = word(made.token, key)
    await post(pool, recorded)
    newer = a.VouchNodeRequest(node="n1", zone="CA-AB", site="Calgary", controlled_by="other")
    await pool.operator.ask("VouchNode", newer)
    before = record(pool)
    status, answer, _ = await post(pool, recorded)
    with pytest.raises(Exception, match=r"(?i)auth"):
        await enter(pool, new_user_key()[0], answer)
    after = record(pool)
    await pool.operator.ask("ForgetNode", a.NodeRequest(node="n1"))
    late, _, _ = await post(pool, recorded)

    assert (200, "CA-AB", before) == (status, answer["zone"], after)
    assert (409, 0) == (late, len(pool.registry.list_nodes()))


async def test_a_machine_without_a_zone_gets_no_request(pool: RunningScheduler) -> None:
    """It says CA-QC, and gets nothing until the operator names its zone; then it is told so."""
    key, made = new_user_key(), await invite(pool, "alpha")
    _, answer, _ = await post(pool, word(made.token, key, zone="CA-QC"))
    node = await enter(pool, key[0], answer)
    await node.send_hello(zone="CA-QC")
    await eventually(lambda: pool.state("n1") == "live")
    async with pool.session(await pool.operator.key("alpha")) as session:
        async with session.post("/v1/chat/completions", json=ASK) as refused:
            error = (await refused.json())["error"]
        await pool.operator.ask("VouchNode", a.VouchNodeRequest(node="n1", zone="CA-QC"))
        await eventually(lambda: node.received(m.HelloRequest))
        await node.send_hello()
        await eventually(lambda: len(node.received(m.Welcome)) == 2)
        asking = asyncio.create_task(session.post("/v1/chat/completions", json=ASK))
        await eventually(lambda: node.runs)
        await node.finish(node.runs[0])
        async with await asking as served:
            status = served.status

    assert 400 <= refused.status
    assert "zone" in error["message"]
    assert ["", "CA-QC"] == [welcome.zone for welcome in node.received(m.Welcome)]
    assert (200, 1) == (status, len(node.runs))


async def test_a_request_bound_to_a_province_stays_there(pool: RunningScheduler) -> None:
    """A machine of Alberta that joins again and says Québec answers nothing that is bound there."""
    key, made = new_user_key(), await invite(pool, "alpha", zone="CA-AB")
    await post(pool, word(made.token, key))
    _, answer, _ = await post(pool, word((await invite(pool, "alpha")).token, key, zone="CA-QC"))
    node = await enter(pool, key[0], answer)
    await node.send_hello(zone="CA-QC")
    await eventually(lambda: pool.state("n1") == "live")
    bound = {"x-entraide-jurisdiction": "CA-QC"}
    async with pool.session(await pool.operator.key("alpha")) as session:
        for _ in range(5):
            async with session.post("/v1/chat/completions", json=ASK, headers=bound) as refused:
                assert 400 <= refused.status

    assert "CA-AB" == answer["zone"]
    assert [] == node.runs
