"""What each kind of event or deadline records as changed, and that the state follows."""

from collections.abc import Callable

import pytest
from msgspec import structs
from tests.core.builders import Pool, card, catalogue, loadable, of, policy, replica

from entraide.types import Lending, Outcome
from entraide_scheduler.core import commands, events, machine
from entraide_scheduler.core.policy import CoopTerms, Period, Quota, QuotaKind
from entraide_scheduler.core.policy.policy import Timing
from entraide_scheduler.core.reconcile import reconcile
from entraide_scheduler.core.records import Changes
from entraide_scheduler.core.state import State

LOADER = card("n2", "beta", replicas=(), loadable=(loadable("grand"),), models_bytes=10**11)


def load_fails(pool: Pool) -> None:
    pool.join(LOADER)
    pool.ask("j1", model="grand")
    pool.tell(events.LoadFailed, "n2", "grand", "load_failed")


def falls_silent(pool: Pool, seconds: float) -> None:
    pool.now += seconds
    pool.tell(events.Woke)


def speaks_again(pool: Pool) -> None:
    falls_silent(pool, 5.0)
    pool.tell(events.NodesSeen, ("n1",))


def lends(lending: Lending) -> Callable[[Pool], object]:
    return lambda pool: pool.tell(events.NodeChanged, "n1", True, "", None, lending=lending)


CASES: dict[str, tuple[Callable[[Pool], object], str]] = {
    "a policy comes into force": (
        lambda pool: pool.tell(events.PolicyChanged, policy()),
        "aliases credits servable service shapes",
    ),
    "a period begins": (
        lambda pool: pool.tell(events.PeriodBegan, Period.DAY, pool.now + 86_400.0),
        "credits",
    ),
    "the catalogue changes": (
        lambda pool: pool.tell(events.CatalogueChanged, catalogue()),
        "aliases",
    ),
    "a node joins": (
        lambda pool: pool.join(card("n3", replicas=(replica("other"),))),
        "aliases opened shapes servable service",
    ),
    "a node that can load a model joins": (
        lambda pool: pool.join(LOADER),
        "aliases opened plan shapes servable service",
    ),
    "a node says hello again": (lambda pool: pool.join(card("n1")), "opened service"),
    "an owner restricts lending": (lends(Lending.OWN_ONLY), "opened service shapes"),
    "a heartbeat says the same": (lends(Lending.ALL), "opened"),
    "a node becomes suspect": (lambda pool: falls_silent(pool, 5.0), "service"),
    "a suspect node speaks again": (speaks_again, "opened service"),
    "a node is lost": (lambda pool: falls_silent(pool, 60.0), "aliases servable service"),
    "a node leaves": (
        lambda pool: pool.tell(events.NodeLeft, "n1", "goodbye"),
        "aliases shapes servable service",
    ),
    "a load fails": (load_fails, "aliases plan servable service"),
}


@pytest.mark.parametrize(("act", "expected"), CASES.values(), ids=list(CASES))
def test_a_change_is_recorded_by_who_makes_it(
    pool: Pool,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[Pool], object],
    expected: str,
) -> None:
    """The last changes that were recorded are those that others must follow."""
    recorded: list[Changes] = []

    def spy(state: State) -> None:
        names = ("opened", "servable", "service")
        copies = {name: dict(getattr(state.changes, name)) for name in names}
        recorded.append(structs.replace(state.changes, **copies))
        reconcile(state)

    terms = Timing(suspect_after_s=3.0, lost_after_s=30.0)
    pool.tell(events.PolicyChanged, policy(timing=terms))
    pool.join(card("n1"))
    monkeypatch.setattr(machine, "reconcile", spy)
    act(pool)
    some = [changes for changes in recorded if changes != Changes()] or [Changes()]

    assert sorted(expected.split()) == sorted(
        name for name in Changes.__struct_fields__ if getattr(some[-1], name)
    )


def test_a_jobs_shape_follows_the_contexts_on_offer(pool: Pool) -> None:
    """A waiting job is matched with the shortest context that holds it, as nodes come and go."""
    pool.tell(
        events.NodeJoined, card("n1", replicas=(replica(context_tokens=4_096),)), False, "paused"
    )
    pool.ask("j1")
    state = pool.core._state
    contexts = [state.jobs["j1"].shape.context_tokens]
    pool.tell(
        events.NodeJoined, card("n2", replicas=(replica(context_tokens=512),)), False, "paused"
    )
    contexts.append(state.jobs["j1"].shape.context_tokens)
    pool.tell(events.NodeLeft, "n2", "goodbye")
    contexts.append(state.jobs["j1"].shape.context_tokens)

    assert contexts == [4_096, 512, 4_096]


def test_a_job_whose_run_was_lost_waits_under_the_present_policy(pool: Pool) -> None:
    """A quota that came into force while a job ran limits the job when it waits again."""
    pool.join(card("n1", "beta"))
    pool.ask("j1")
    quota = CoopTerms("alpha", quotas=(Quota(QuotaKind.ENERGY_WH, 5, Period.DAY),))
    pool.tell(events.PolicyChanged, policy(quota, "beta"))
    pool.decline(pool.places()[0], "draining")

    assert [True] == [job.shape.limited for job in pool.core._state.queue.jobs()]


def test_a_job_whose_run_was_lost_ends_if_its_model_is_gone(pool: Pool) -> None:
    """Its node has dropped the model meanwhile: the live job fails at once, as admission would."""
    pool.join(card("n1", "beta"))
    pool.ask("j1")
    pool.join(card("n1", "beta", replicas=(replica("other"),)))
    asked = pool.report(pool.places()[0], Outcome.FAILED, code="engine_failed")

    assert [("j1", "no_node_live")] == [(end.job, end.code) for end in of(asked, commands.EndJob)]
