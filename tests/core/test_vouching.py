"""What the operator vouches for a node of the running pool: its control, its surplus's evidence."""

import msgspec
import pytest
from tests.core.builders import (
    START,
    Pool,
    card,
    excluded,
    of,
    placed,
    policy,
    replica,
    surplus,
    usage,
)

from entraide.types import Basis, Control, DataClass, EnergyStatus, NodeState, SurplusEvidence
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.carbon import make_receipt, settle
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Evidence

NONE, CONTRACT, METER = SurplusEvidence.NONE, SurplusEvidence.CONTRACT, SurplusEvidence.METER


def vouch(
    pool: Pool,
    node: str,
    controlled_by: Control = Control.UNSTATED,
    evidence: SurplusEvidence = NONE,
) -> list[commands.Command]:
    return pool.tell(events.NodeVouched, node, controlled_by, evidence)


def strict(part: float, **changes) -> Pool:
    """A pool whose policy counts a part of a surplus without evidence."""
    return Pool(evidence=Evidence(undocumented_part=part), **changes)


def test_new_word_on_control_counts_for_waiting_jobs_at_once(pool: Pool) -> None:
    """A job that waits for a member's node runs on one that is vouched for meanwhile."""
    pool.join(
        card("n1", replicas=(replica(slots=1),), controlled_by=Control.MEMBER), card("n2", "beta")
    )
    pool.ask("j1", controlled_by=Control.MEMBER)
    waits = of(pool.ask("j2", controlled_by=Control.MEMBER), commands.Place)
    vouch(pool, "n2", Control.MEMBER)

    assert [] == waits
    assert [("j1", "n1"), ("j2", "n2")] == [(place.job, place.node) for place in pool.places()]


def test_a_word_that_is_taken_back_ends_the_jobs_that_need_it(pool: Pool) -> None:
    """The job that waits for a member's node ends; the one that runs there stays."""
    pool.join(card("n1", replicas=(replica(slots=1),), controlled_by=Control.MEMBER))
    runs = placed(pool, "j1", controlled_by=Control.MEMBER)
    pool.ask("j2", controlled_by=Control.MEMBER)
    asked = vouch(pool, "n1")
    ended = pool.report(runs)

    assert [("j2", "no_node_live")] == [(end.job, end.code) for end in of(asked, commands.EndJob)]
    assert ["j1"] == [end.job for end in of(ended, commands.EndJob)]
    assert runs.terms.controlled_by is Control.MEMBER


def test_a_zone_counts_from_the_operators_word_on(pool: Pool) -> None:
    """A machine without a zone is in no jurisdiction, whatever its co-op asks; named, it serves."""
    pool.join(card("n1", zone=""), card("n2", "beta", zone="CA-ON"))
    own = placed(pool, "own", data_class=DataClass.PUBLIC)
    refused = pool.ask("bound", jurisdiction="CA-QC")
    pool.tell(events.NodeVouched, "n1", Control.UNSTATED, NONE, "CA-QC", "Gaspé")
    bound = placed(pool, "again", jurisdiction="CA-QC")

    assert ("n2", {"n1": "zone_unknown"}) == (own.node, excluded(own))
    assert [] == of(refused, commands.Place)
    assert ("n1", "CA-QC", "Gaspé") == (bound.node, bound.terms.zone, bound.terms.site)


def test_a_word_without_a_place_leaves_the_place(pool: Pool) -> None:
    """As the event of an earlier version has it."""
    pool.join(card("n1", zone="CA-AB", site="Calgary"))
    vouch(pool, "n1", Control.MEMBER)
    (node,) = pool.core.nodes()

    assert ("CA-AB", "Calgary") == (node.card.zone, node.card.site)


@pytest.mark.parametrize(("evidence", "counted_w"), [(NONE, None), (CONTRACT, 300.0)])
def test_by_default_a_bare_word_counts_for_nothing(
    evidence: SurplusEvidence, counted_w: float | None
) -> None:
    """Of a surplus for which the operator vouches for nothing, no watt counts."""
    pool = Pool(evidence=Evidence())
    pool.join(card("n1", energy=surplus(300.0), surplus_evidence=evidence))

    assert counted_w == placed(pool).explanation.values.get("surplus_w")


def test_evidence_is_on_terms_receipt_and_explanation(pool: Pool) -> None:
    """Of a job placed after the operator's word; the terms of before stay without it."""
    pool.join(card("n1", energy=surplus(300.0)))
    before = placed(pool, "j1")
    vouch(pool, "n1", evidence=METER)
    after = placed(pool, "j2")
    receipts = [
        make_receipt(
            place.terms, usage(), settle(place.terms, usage()), settled=True, issued_at=START
        )
        for place in (before, after)
    ]

    assert "surplus_evidence" not in msgspec.to_builtins(before.terms)
    assert "surplus_evidence" not in before.explanation.values
    assert METER is after.terms.surplus_evidence
    assert "meter" == after.explanation.values["surplus_evidence"]
    assert [NONE, METER] == [receipt.surplus_evidence for receipt in receipts]


def test_a_meter_backs_no_declaration(pool: Pool) -> None:
    """While the meter gives no value, what its owner declares is without evidence."""
    declared = EnergyStatus(300.0, Basis.DECLARED, "panels", START, START + 3_600.0)
    pool.join(card("n1", energy=declared, surplus_evidence=METER))
    place = placed(pool)

    assert Basis.DECLARED is place.terms.surplus_basis
    assert "surplus_evidence" not in msgspec.to_builtins(place.terms)


def test_a_run_without_surplus_names_no_evidence(pool: Pool) -> None:
    """Evidence belongs to the surplus, not to the machine."""
    pool.join(card("n1", surplus_evidence=CONTRACT))
    place = placed(pool)

    assert "surplus_evidence" not in msgspec.to_builtins(place.terms)
    assert "surplus_evidence" not in place.explanation.values


def test_the_policy_counts_a_surplus_without_evidence_in_part() -> None:
    """The explanation says how much was reported and how much of it counted."""
    pool = strict(0.25)
    pool.join(card("n1", zone="CA-AB", energy=surplus(100.0)))
    place = placed(pool)

    assert (25.0, 100.0, 25.0) == tuple(
        place.explanation.values[name] for name in ("surplus_w", "undocumented_w", "counted_w")
    )


def test_a_surplus_that_counts_for_nothing_is_still_explained() -> None:
    """The node is on the grid's intensity, and the explanation says why."""
    pool = strict(0.0)
    pool.join(card("n1", zone="CA-AB", energy=surplus(100.0)))
    place = placed(pool)
    values = place.explanation.values

    assert place.terms.surplus_basis is None
    assert "surplus_w" not in values
    assert (100.0, 0.0) == (values["undocumented_w"], values["counted_w"])


def test_what_is_vouched_decides_from_the_next_job_on() -> None:
    """Two dirty sites with the same surplus: the one with evidence is the greener."""
    pool = strict(0.0)
    sunny = {"zone": "CA-AB", "energy": surplus(300.0)}
    pool.join(card("n1", **sunny), card("n2", "beta", **sunny))
    before = placed(pool, "j1")
    pool.report(before)
    vouch(pool, "n2", evidence=CONTRACT)
    after = placed(pool, "j2")

    assert ("n1", "n2") == (before.node, after.node)
    assert "undocumented_w" not in after.explanation.values


def test_a_policy_on_evidence_counts_at_once() -> None:
    """The members may decide it for nodes that already serve, and for what they report now."""
    pool = Pool()
    pool.join(card("n1", zone="CA-AB", energy=surplus(300.0)))
    before = placed(pool, "j1")
    pool.report(before)
    pool.tell(
        events.PolicyChanged,
        policy(*pool.core._state.policy.coops, evidence=Evidence(undocumented_part=0.0)),
    )
    after = placed(pool, "j2")

    assert (Basis.MEASURED, None) == (before.terms.surplus_basis, after.terms.surplus_basis)


@pytest.mark.parametrize("state", ["unknown", "left"])
def test_a_node_that_is_not_there_changes_nothing(pool: Pool, state: str) -> None:
    """Its card has the operator's word when it comes; the word of now is in the record."""
    if state == "left":
        pool.join(card("n1"))
        pool.tell(events.NodeLeft, "n1", "goodbye")

    assert [] == vouch(pool, "n1", Control.MEMBER)


def test_a_silent_node_is_vouched_for_without_being_heard(pool: Pool) -> None:
    """The operator's word says nothing on whether it lives, and counts when it comes back."""
    pool.join(card("n1"))
    pool.wait(5.0)
    vouch(pool, "n1", Control.MEMBER)
    node = pool.core._state.fleet.nodes["n1"]
    silent = node.state
    pool.tell(events.NodesSeen, ("n1",))
    place = placed(pool, controlled_by=Control.MEMBER)

    assert NodeState.SUSPECT is silent
    assert "n1" == place.node


def test_a_word_of_the_operator_survives_a_restart(pool: Pool) -> None:
    """The snapshot has it, and the decisions after it are the same."""
    pool.join(card("n1", energy=surplus(300.0)))
    vouch(pool, "n1", Control.CANADIAN, CONTRACT)
    restored = Core.restore(pool.core.snapshot())
    known = restored._state.fleet.nodes["n1"].card

    assert (Control.CANADIAN, CONTRACT) == (known.controlled_by, known.surplus_evidence)
