"""Own nodes first: what a co-op is owed is what its own nodes could have run, by model and kind."""

import pytest
from tests.core.builders import MODEL, Pool, card, of, replica
from tests.core.fairplain import own_kind, own_slots, shape

from entraide.types import DataClass
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.owed import KINDS_PER_MODEL, OwnModel
from entraide_scheduler.core.policy import FairShare

LARGE = "grand"


def serve(pool: Pool, turns: int) -> dict[str, int]:
    """Ends runs one after the other, oldest first; returns whose jobs were placed meanwhile."""
    placed = dict.fromkeys(("alpha", "beta", "gamma"), 0)
    runs = list(pool.places())
    for _ in range(turns):
        for place in of(pool.report(runs.pop(0)), commands.Place):
            placed[place.terms.borrower] += 1
            runs.append(place)
    return placed


def ask(pool: Pool, coop: str, times: int, model: str = MODEL, **wanted) -> None:
    for number in range(times):
        pool.ask(f"{coop}-{model}-{number}", coop, model=model, **wanted)


def test_own_small_nodes_give_no_right_to_a_large_model(pool: Pool) -> None:
    """Four slots of a small model do not let their owner have another co-op's large one alone."""
    pool.join(
        card("small", "alpha", replicas=(replica(slots=4),)),
        card("large", "gamma", replicas=(replica(LARGE, slots=2),)),
    )
    ask(pool, "alpha", 60, LARGE)
    ask(pool, "beta", 60, LARGE)
    placed = serve(pool, 60)

    assert abs(placed["alpha"] - placed["beta"]) <= 2


@pytest.mark.parametrize(
    "wanted",
    [
        {"jurisdiction": "CA-QC"},
        {"features": ("tools",)},
        {"input_tokens_est": 2_000, "input_tokens_max": 2_000},
        {"max_carbon_ug": 10**9},
    ],
    ids=["jurisdiction", "features", "context", "cap"],
)
def test_own_nodes_that_could_not_run_a_job_owe_it_nothing(pool: Pool, wanted: dict) -> None:
    """Where, with what features and how long its own nodes may work decides, too."""
    pool.join(
        card("own", "alpha", "CA-AB", replicas=(replica(slots=4, context_tokens=1_024),)),
        card("theirs", "gamma", "CA-QC", replicas=(replica(slots=2, features=("tools",)),)),
    )
    pool.tell(events.IntensityChanged, "CA-AB", 1.0, 1.0, "measured", 2e9)
    for number in range(4):
        pool.ask(f"fills-{number}", "gamma")
    ask(pool, "alpha", 40, **wanted)
    ask(pool, "beta", 40, **{"jurisdiction": "CA-QC"} | wanted)
    runs = [place for place in pool.places() if place.node == "theirs"]
    placed = {"alpha": 0, "beta": 0}
    for _ in range(30):
        for place in of(pool.report(runs.pop(0)), commands.Place):
            if place.node == "theirs":
                placed[place.terms.borrower] += 1
                runs.append(place)

    assert placed["beta"] >= 10


def test_what_own_nodes_could_run_is_owed_anywhere(pool: Pool) -> None:
    """While others hold its two slots, the owner's jobs go first until it holds two."""
    pool.join(
        card("own", "alpha", replicas=(replica(slots=2),)),
        card("theirs", "gamma", replicas=(replica(slots=2),)),
    )
    ask(pool, "beta", 30)
    ask(pool, "alpha", 30)
    runs = list(pool.places())
    first = [
        place.terms.borrower
        for run in runs[:2]
        for place in of(pool.report(run, output_tokens=1), commands.Place)
    ]

    assert ["alpha", "alpha"] == first


def test_an_owner_goes_before_another_owner_on_its_own_node() -> None:
    """Another co-op that is owed a slot, too, does not take it on the first one's node."""
    pool = Pool(fair_share=FairShare(head_start_tokens=0))
    pool.join(
        card("a", "alpha", replicas=(replica(slots=1),)),
        card("b", "beta", replicas=(replica(slots=1),)),
    )
    pool.ask("g-0", "gamma")
    pool.ask("g-1", "gamma")
    on = {place.node: place for place in pool.places()}
    ask(pool, "alpha", 5, output_tokens_max=400)
    ask(pool, "beta", 5)
    served = []
    for node in ("b", "b", "a", "b", "a"):
        (place,) = of(pool.report(on[node]), commands.Place)
        served.append((place.node, place.terms.borrower))
        on[place.node] = place

    assert all(owner == {"a": "alpha", "b": "beta"}[node] for node, owner in served)


def test_a_lent_slot_comes_back_when_its_run_ends(pool: Pool) -> None:
    """Whatever the counters say, each slot is lent at most until the run that holds it ends."""
    pool.join(card("own", "alpha", replicas=(replica(slots=4),)))
    ask(pool, "alpha", 40)
    serve(pool, 40)
    ask(pool, "beta", 40)
    lent = [place for place in pool.places() if place.job in pool.core._state.leases]
    for number in range(8):
        pool.ask(f"back-{number}", "alpha")
    back = [place.terms.borrower for run in lent for place in of(pool.report(run), commands.Place)]

    assert ["alpha"] * 4 == back


class TestCounts:
    """Slots by kind."""

    def test_a_node_that_changes_its_kind_is_owed_no_more(self) -> None:
        """Runs that are booked on kinds that have gone still count against the slots there are."""
        own, booked = OwnModel(), 0
        for context in range(4_096, 4_106):
            own.add(own_slots("alpha", 2, own_kind(context_tokens=context)))
            while own.is_owed(shape()):
                own.book(own.kind_to_book(shape()), batch=False)
                booked += 1
            own.add(own_slots("alpha", -2, own_kind(context_tokens=context)))

        assert 2 == booked

    def test_kinds_beyond_the_limit_owe_nothing(self) -> None:
        """A co-op's first so many kinds of a model count."""
        own = OwnModel()
        for context in range(4_096, 4_096 + 2 * KINDS_PER_MODEL):
            own.add(own_slots("alpha", 1, own_kind(context_tokens=context)))
        taken = 0
        while own.is_owed(shape()):
            own.book(own.kind_to_book(shape()), batch=False)
            taken += 1

        assert KINDS_PER_MODEL == taken

    def test_who_holds_more_than_its_own_is_owed_nothing_when_one_run_ends(self) -> None:
        """Runs beyond its own slots count, too: two slots, three runs, and one of them ends."""
        own = OwnModel()
        own.add(own_slots("alpha", 2))
        for _ in range(3):
            own.book(own.kind_to_book(shape()), batch=False)
        own.release(own_kind(), batch=False)

        assert not own.is_owed(shape())

    def test_kinds_are_told_apart(self) -> None:
        """A kind that refuses the data or lies elsewhere runs nothing of the shape."""
        own = OwnModel()
        own.add(own_slots("alpha", 1, own_kind(zone="CA-AB")))
        own.add(own_slots("alpha", 1, own_kind()._replace(data_classes=(DataClass.PUBLIC,))))

        assert own.kind_to_book(shape(jurisdiction="CA-QC")) is None
        assert "CA-AB" == own.kind_to_book(shape()).zone
