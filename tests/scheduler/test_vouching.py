"""What the operator vouches for a node: by its invitation, and later by a command."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import RunningScheduler, ScriptedNode, running_scheduler
from tests.scheduler.test_control import reason, refusal
from tests.waiting import eventually

from entraide.types import Control, NodeCard, SurplusEvidence
from entraide.v1 import admin_pb2 as a
from entraide.wire import messages as m
from entraide.wire.nats import new_user_key

CONTRACT = {"evidence": "contract", "document": "PPA 2026-114"}


async def vouch(pool: RunningScheduler, node: str = "n1", **words: Any) -> a.Node:
    """Vouches for a node, as the operator does."""
    changed: a.Node = await pool.operator.ask("VouchNode", a.VouchNodeRequest(node=node, **words))
    return changed


async def live(pool: RunningScheduler, **card: Any) -> ScriptedNode:
    """Returns a node that said hello."""
    node = await pool.join()
    await node.send_hello(**card)
    await eventually(lambda: pool.state("n1") == "live")
    return node


def card_of(pool: RunningScheduler) -> NodeCard:
    """The card by which the core decides now."""
    (view,) = pool.driver.core.nodes()
    return view.card


def told(node: a.Node) -> tuple[str, str, str, str]:
    """What a node's message says is vouched for it, and by whom."""
    return node.controlled_by, node.surplus_evidence, node.evidence_document, node.vouched_by


async def test_a_word_counts_at_once_without_a_hello(pool: RunningScheduler) -> None:
    """A node that joined before anything was vouched is vouched for while it runs."""
    node, began = await live(pool), time.time()
    before = await pool.operator.node("n1")
    changed = await vouch(pool, controlled_by="member", author="Élise", **CONTRACT)
    card = card_of(pool)

    assert ("", "", "", "") == told(before)
    assert ("member", "contract", "PPA 2026-114", "Élise") == told(changed)
    assert began - 1.0 < changed.vouched_at < time.time() + 1.0
    assert (Control.MEMBER, SurplusEvidence.CONTRACT) == (card.controlled_by, card.surplus_evidence)
    assert 1 == len(node.received(m.Welcome))


async def test_what_is_left_out_stays_and_an_empty_word_takes_it_back(
    pool: RunningScheduler,
) -> None:
    """Control and evidence are independent of each other."""
    await live(pool)
    await vouch(pool, controlled_by="canadian", **CONTRACT)
    kept = await vouch(pool, controlled_by="member", author="a")
    taken = await vouch(pool, evidence="", author="b")

    assert ("member", "contract", "PPA 2026-114", "a") == told(kept)
    assert ("member", "", "", "b") == told(taken)
    assert SurplusEvidence.NONE is card_of(pool).surplus_evidence


async def test_a_nodes_own_word_on_evidence_is_not_believed(pool: RunningScheduler) -> None:
    """Its card says a meter: the operator's word counts, and the contradiction is counted."""
    honest = {"coop": "beta", "site": "home"}
    node = await live(pool, **honest, surplus_evidence=SurplusEvidence.METER)
    first = card_of(pool)
    await vouch(pool, **CONTRACT)
    await node.send_hello(**honest, surplus_evidence=SurplusEvidence.METER)
    await eventually(lambda: len(node.received(m.Welcome)) == 2)

    assert ("", "contract") == (first.surplus_evidence, card_of(pool).surplus_evidence)
    assert 2 == pool.driver.counts["node.contradicts_record"]


async def test_an_invitation_vouches_for_evidence(pool: RunningScheduler) -> None:
    """What its token says is on the record of the machine that joins."""
    request = a.CreateJoinTokenRequest(coop="beta", valid_s=60.0, controlled_by="other", **CONTRACT)
    made = await pool.operator.ask("CreateJoinToken", request)
    await pool.operator.join(made.token, new_user_key()[0])
    node = await pool.operator.node("n1")

    assert ("other", "contract", "PPA 2026-114", "") == told(node)
    assert node.vouched_at > 0.0


async def test_a_word_outlives_the_scheduler(tmp_path: Path, bus: NatsPool) -> None:
    """It is in the node's record, and in the core's state, when the pool starts again."""
    async with running_scheduler(tmp_path, bus) as pool:
        await live(pool)
        said = told(await vouch(pool, controlled_by="canadian", author="a", **CONTRACT))
    async with running_scheduler(tmp_path, bus) as pool:
        known = told(await pool.operator.node("n1"))
        card = card_of(pool)

    assert said == known
    assert ("canadian", "contract") == (card.controlled_by, card.surplus_evidence)


async def test_a_word_given_while_a_node_says_hello_counts(
    pool: RunningScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first hello waits for the store; what the operator vouches meanwhile is on the card."""
    node, registry = await pool.join(), pool.registry
    pin = registry.pin_device

    async def vouch_then_pin(row: Any, device: str) -> str:
        known = registry.get(row.node)
        assert known is not None
        await registry.put(msgspec.structs.replace(known, controlled_by=Control.MEMBER))
        return await pin(row, device)

    monkeypatch.setattr(registry, "pin_device", vouch_then_pin)
    await node.send_hello()
    await eventually(lambda: pool.state("n1") == "live")

    assert Control.MEMBER is card_of(pool).controlled_by


EVIDENCE_NEEDS = "«\u00a0evidence\u00a0» ne va pas sans le champ «\u00a0document\u00a0»"
DOCUMENT_NEEDS = "«\u00a0document\u00a0» ne va pas sans le champ «\u00a0evidence\u00a0»"
BAD = {
    "nothing": ({}, "controlled_by, evidence"),
    "an unknown control": ({"controlled_by": "us"}, "member, canadian, other"),
    "unknown evidence": (
        {"evidence": "word", "document": "x"}, "certificate, contract, meter",
    ),
    "evidence without a name": ({"evidence": "meter"}, EVIDENCE_NEEDS),
    "evidence with a blank name": ({"evidence": "meter", "document": "  "}, EVIDENCE_NEEDS),
    "a name without evidence": ({"document": "PPA"}, DOCUMENT_NEEDS),
    "a long name": ({"evidence": "meter", "document": "x" * 81}, "80"),
    "control signs": (
        {"evidence": "meter", "document": "a\nb"}, "document",
    ),
    "a long author": ({"controlled_by": "member", "author": "x" * 1_000}, "author"),
}  # fmt: skip


async def test_a_word_that_cannot_be_used_changes_nothing(pool: RunningScheduler) -> None:
    """Each refusal names the field, or the values that there are."""
    await live(pool)
    before = pool.registry.get("n1")
    for words, named in BAD.values():
        error = await refusal(vouch(pool, **words))

        assert "invalid_request" == reason(error), words
        assert named in error.details(), words
    unknown = await refusal(vouch(pool, "absent", controlled_by="member"))

    assert "unknown_node" == reason(unknown)
    assert before == pool.registry.get("n1")


async def test_an_invitation_names_the_document_of_its_evidence(pool: RunningScheduler) -> None:
    """As for the command: evidence without a name is nobody's evidence."""
    request = a.CreateJoinTokenRequest(coop="beta", evidence="meter")
    error = await refusal(pool.operator.ask("CreateJoinToken", request))

    assert "document" in error.details()
