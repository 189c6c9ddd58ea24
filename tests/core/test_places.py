"""Places: what a request asks of the pool's own servers, which its text passes."""

import pytest
from tests.cases import all_cases
from tests.core.builders import Pool, card, facts, of

from entraide.types import UNKNOWN, Control, JobKind, JobState, ServerPlace
from entraide_scheduler.core import commands
from entraide_scheduler.core.carbon import make_receipt
from entraide_scheduler.core.rules import find_place_fault

QUEBEC = ServerPlace("CA-QC", "member")
ONTARIO = ServerPlace("CA-ON", "canadian")
ABROAD = ServerPlace("US-NY", "other")
NOWHERE = ServerPlace()
UNVOUCHED = ServerPlace("CA-QC", UNKNOWN)
ANY = {"jurisdiction": ""}

# What a request names, the servers that it passes, and the code with the parameter and the server.
CASES = {
    "a server in the jurisdiction": ({"jurisdiction": "CA-QC"}, (QUEBEC,), None),
    "a server elsewhere": (
        {"jurisdiction": "CA-ON"}, (QUEBEC,), ("outside", "jurisdiction", "pool"),
    ),
    "a gateway elsewhere": (
        {"jurisdiction": "CA-QC"}, (QUEBEC, ONTARIO), ("outside", "jurisdiction", "further"),
    ),
    "a server nobody knows of": (
        {"jurisdiction": "CA"}, (NOWHERE,), ("unknown", "jurisdiction", "pool"),
    ),
    "a gateway nobody knows of": (
        {"jurisdiction": "CA"}, (QUEBEC, NOWHERE), ("unknown", "jurisdiction", "further"),
    ),
    "nothing named, nothing known": (ANY, (NOWHERE,), None),
    "nothing named, and outside of the default": (
        ANY, (ABROAD,), ("outside", "jurisdiction", "pool"),
    ),
    "a control that the server has": ({**ANY, "controlled_by": Control.CANADIAN}, (QUEBEC,), None),
    "a control that it lacks": (
        {**ANY, "controlled_by": Control.MEMBER}, (ONTARIO,), ("outside", "controlled_by", "pool"),
    ),
    "a control nobody knows of": (
        {**ANY, "controlled_by": Control.OTHER}, (UNVOUCHED,), ("unknown", "controlled_by", "pool"),
    ),
    "a simulation, which has no servers": ({"jurisdiction": "CA-QC"}, (), None),
}  # fmt: skip


@all_cases("case", CASES)
def test_a_server_is_checked_like_a_machine(case: str) -> None:
    """What a request names holds for each server; the policy's default for those that are known."""
    named, places, expected = CASES[case]
    asked = facts("j1", places=places, **named)
    fault = find_place_fault(asked, facts("j1", places=places, **{**named, **_defaults(named)}))
    named_fault = fault and (fault[0].removeprefix("place_"), fault[1]["param"], fault[1]["server"])

    assert expected == named_fault


def _defaults(named: dict[str, object]) -> dict[str, object]:
    return {} if named["jurisdiction"] else {"jurisdiction": "CA"}


def test_a_policys_control_binds_the_machines_only_while_a_server_is_unknown() -> None:
    """The default of the policy refuses a server that is known to differ, and no unknown one."""
    pool = Pool(controlled_by=Control.MEMBER)
    pool.join(card("n1", controlled_by=Control.MEMBER))
    (placed,) = of(pool.ask("j1", places=(NOWHERE,), **ANY), commands.Place)
    (refused,) = of(pool.ask("j2", places=(ONTARIO,), **ANY), commands.Refuse)

    assert "n1" == placed.node
    assert ("place_outside", "controlled_by") == (refused.code, refused.values["param"])


def test_a_refusal_for_a_place_is_explained() -> None:
    """It never waits, no node is blamed, and the explanation has the same code and values."""
    pool = Pool()
    pool.join(card("n1"))
    (refused,) = pool.ask("j1", jurisdiction="CA-QC", places=(NOWHERE,))
    explanation = refused.explanation

    assert ("place_unknown", None) == (refused.code, refused.retry_after_s)
    assert ("refused", "place_unknown", refused.values, ()) == (
        explanation.decision,
        explanation.reason,
        explanation.values,
        explanation.excluded,
    )


def test_a_receipt_has_the_places_of_its_request() -> None:
    """The pool's server stands apart from the others; a run without places leaves both empty."""
    pool = Pool()
    pool.join(card("n1"))
    receipts = []
    for number, places in enumerate(((QUEBEC, ONTARIO), ())):
        (place,) = of(pool.ask(f"j{number}", places=places), commands.Place)
        pool.accept(place)
        (settle,) = of(pool.report(place), commands.Settle)
        receipts.append(
            make_receipt(settle.terms, settle.usage, settle.settlement, settled=True, issued_at=1.0)
        )
    with_places, without = receipts

    assert (QUEBEC, (ONTARIO,)) == (with_places.place, with_places.further_places)
    assert (None, ()) == (without.place, without.further_places)


@pytest.mark.parametrize("waits", [True, False])
def test_a_job_ends_where_the_server_that_came_back_must_not_see_it(waits: bool) -> None:
    """A kept job is requested anew at each start; a server that has moved ends what it may not."""
    (pool, _), wish = _pool(waits=waits), {"jurisdiction": "CA-QC", "kind": JobKind.KEPT}
    first = pool.ask("j1", places=(QUEBEC,), **wish)
    again = pool.ask("j1", places=(QUEBEC,), **wish)
    moved = pool.ask("j1", places=(ONTARIO, QUEBEC), **wish)
    (ended,) = of(moved, commands.EndJob)

    assert waits != bool(of(first, commands.Place))
    assert [] == of(again, commands.EndJob)
    assert (JobState.FAILED, "place_outside") == (ended.state, ended.code)
    assert waits != bool(of(moved, commands.CancelRun))


@pytest.mark.parametrize("waits", [True, False])
def test_a_job_goes_on_at_a_server_that_moved_where_it_may_pass(waits: bool) -> None:
    """Its receipt names the server that is there now, and the one that took the request."""
    (pool, held), wish = _pool(waits=waits), {"jurisdiction": "CA", "kind": JobKind.KEPT}
    first = pool.ask("j1", places=(QUEBEC,), **wish)
    moved = pool.ask("j1", places=(ONTARIO, QUEBEC), **wish)
    if waits:
        (before, *_) = held
        pool.accept(before)
        first = pool.report(before)
    (place,) = of(first, commands.Place)
    pool.accept(place)
    (settle,) = of(pool.report(place), commands.Settle)

    assert [] == of(moved, commands.EndJob)
    assert (ONTARIO, QUEBEC) == settle.terms.places


def _pool(*, waits: bool) -> tuple[Pool, list[commands.Place]]:
    """A pool of one machine, and what runs in its four slots if the next job is to wait."""
    pool = Pool()
    pool.join(card("n1", "CA-QC"))
    asked = [pool.ask(f"first-{number}") for number in range(4 * waits)]
    return pool, [place for commanded in asked for place in of(commanded, commands.Place)]
