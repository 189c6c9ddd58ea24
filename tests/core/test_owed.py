"""Own nodes first: a co-op is owed what its own nodes could run, by model and kind."""

import pytest
from msgspec import structs
from tests.core.builders import MODEL, START, Pool, card, of, replica, usage
from tests.core.fair_jobs import own_kind, own_slots, shape

from entraide.types import Control, DataClass, JobClass, Outcome
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import FairShare
from entraide_scheduler.core.rules import OwnModelSlots, OwnSlotsChange
from entraide_scheduler.core.rules.own_capacity import KINDS_PER_MODEL

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
        {"controlled_by": Control.MEMBER},
        {"features": ("tools",)},
        {"input_tokens_est": 2_000, "input_tokens_max": 2_000},
        {"max_carbon_ug": 10**9},
    ],
    ids=["jurisdiction", "control", "features", "context", "cap"],
)
def test_own_nodes_that_could_not_run_a_job_owe_it_nothing(pool: Pool, wanted: dict) -> None:
    """Jurisdiction, control, features, context and carbon cap must fit the own nodes, too."""
    pool.join(
        card("own", "alpha", "CA-AB", replicas=(replica(slots=4, context_tokens=1_024),)),
        card(
            "theirs",
            "gamma",
            "CA-QC",
            replicas=(replica(slots=2, features=("tools",)),),
            controlled_by=Control.MEMBER,
        ),
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
    """A lent slot returns to its owner when the run on it ends, whatever the counters are."""
    pool.join(card("own", "alpha", replicas=(replica(slots=4),)))
    ask(pool, "alpha", 40)
    serve(pool, 40)
    ask(pool, "beta", 40)
    lent = [place for place in pool.places() if place.job in pool.core._state.leases]
    for number in range(8):
        pool.ask(f"back-{number}", "alpha")
    back = [place.terms.borrower for run in lent for place in of(pool.report(run), commands.Place)]

    assert ["alpha"] * 4 == back


def test_batch_runs_beyond_the_batch_share_take_no_slot_from_other_work(pool: Pool) -> None:
    """Own nodes alone would run two batch jobs: four more elsewhere leave two slots owed."""
    pool.join(
        card("own", "alpha", replicas=(replica(slots=4),)),
        card("theirs", "gamma", replicas=(replica(slots=8),)),
    )
    for number in range(8):
        pool.ask(f"batch-{number}", job_class=JobClass.BATCH, output_tokens_max=2_000)
    batch_runs = len(pool.places())
    ask(pool, "beta", 30)
    ask(pool, "alpha", 3)
    runs = [place for place in pool.places() if place.terms.borrower == "beta"]
    first = [
        place.terms.borrower
        for run in runs[:3]
        for place in of(pool.report(run, output_tokens=1), commands.Place)
    ]

    assert 6 == batch_runs
    assert ["alpha", "alpha", "beta"] == first


class TestEarlierRuns:
    """Runs that began before their co-op's node came count against what it gives."""

    def elsewhere(self) -> Pool:
        """A pool in which alpha holds all four slots of another's node, and both wait."""
        pool = Pool()
        pool.join(card("theirs", "gamma", replicas=(replica(slots=4),)))
        ask(pool, "alpha", 10, output_tokens_max=400)
        ask(pool, "beta", 10)
        return pool

    def own(self, slots: int = 4) -> events.NodeJoined:
        mine = card("own", "alpha", replicas=(replica(slots=slots),))
        return events.NodeJoined(1_000, START + 1.0, mine, True, "")

    def test_who_holds_as_much_elsewhere_is_owed_nothing(self) -> None:
        """It brings four slots and holds four: the counters decide. Each that ends is owed."""
        pool = self.elsewhere()
        runs = pool.places()
        joined = of(pool.core.handle(self.own()), commands.Place)
        ended = [
            place.terms.borrower for run in runs for place in of(pool.report(run), commands.Place)
        ]

        assert ["beta"] * 4 == [place.terms.borrower for place in joined]
        assert ["alpha"] * 4 == ended

    def test_a_node_that_leaves_and_comes_again_is_owed_no_more(self) -> None:
        """The runs that began while it was away count when it is back."""
        pool = Pool()
        pool.join(
            card("own", "alpha", replicas=(replica(slots=4),)),
            card("theirs", "gamma", replicas=(replica(slots=4),)),
        )
        pool.tell(events.NodeLeft, "own", "goodbye")
        ask(pool, "alpha", 10, output_tokens_max=400)
        ask(pool, "beta", 10)
        joined = of(pool.tell(events.NodeJoined, self.own().card, True, ""), commands.Place)

        assert ["beta"] * 4 == [place.terms.borrower for place in joined]

    def test_only_a_run_that_is_not_booked_keeps_its_shape(self) -> None:
        """The shape serves to book the run later; a snapshot holds no other."""
        pool = Pool()
        pool.join(
            card("own", "alpha", replicas=(replica(slots=1),)),
            card("theirs", "gamma", replicas=(replica(slots=1),)),
        )
        ask(pool, "alpha", 1)
        ask(pool, "beta", 1)
        leases = pool.core._state.leases.values()

        assert {"alpha": False, "beta": True} == {
            lease.terms.borrower: lease.shape is not None for lease in leases
        }

    def test_runs_that_the_node_could_not_run_do_not_count(self) -> None:
        """A node whose context is too small for the runs elsewhere gives all its slots."""
        pool = Pool()
        pool.join(card("theirs", "gamma", replicas=(replica(slots=4),)))
        ask(pool, "alpha", 4, input_tokens_est=2_000, input_tokens_max=2_000)
        ask(pool, "beta", 10)
        for number in range(6):
            pool.ask(f"short-{number}")
        small = card("own", "alpha", replicas=(replica(slots=4, context_tokens=1_024),))
        joined = of(pool.tell(events.NodeJoined, small, True, ""), commands.Place)

        assert ["alpha"] * 4 == [place.terms.borrower for place in joined]

    def test_a_hello_that_changes_no_kind_looks_at_no_run(self) -> None:
        """The kinds that count are the same as before it, and so nothing is booked anew."""
        pool = self.elsewhere()
        mine = self.own().card
        pool.join(mine)
        own = pool.core._state.counters.coops["alpha"].own[MODEL]
        before = own.version
        pool.join(mine)

        assert before == own.version

    def test_a_restored_core_counts_them_too(self) -> None:
        """The lease of each run holds its shape."""
        pool = self.elsewhere()
        twin = Core.restore(pool.core.snapshot())
        (first, *_) = pool.places()
        ended = events.RunReported(
            1_001, START + 2.0, first.job, first.epoch, first.node, Outcome.COMPLETED, "", False,
            usage(),
        )  # fmt: skip
        then = [self.own(2), self.own(4), ended, self.own(1), self.own(4)]

        assert [pool.core.handle(event) for event in then] == [twin.handle(event) for event in then]
        assert pool.core.snapshot() == twin.snapshot()


class TestCounts:
    """Slots by kind."""

    def test_batch_runs_count_against_the_batch_share_alone(self) -> None:
        """Of four slots batch work may hold two: six batch runs leave two to other work."""
        own = OwnModelSlots()
        own.add(OwnSlotsChange("alpha", own_kind(), 4, 2))
        batch = structs.replace(shape(), batch=True)
        for _ in range(6):
            own.book(own.kind_to_book(batch), batch=True)
        other_runs = 0
        while own.is_owed(shape()):
            own.book(own.kind_to_book(shape()), batch=False)
            other_runs += 1
        own.release(own_kind(), batch=False)
        for _ in range(4):
            assert not own.is_owed(batch)
            own.release(own_kind(), batch=True)

        assert 2 == other_runs
        assert not own.is_owed(batch)
        assert own.is_owed(shape())

    def test_batch_runs_of_kinds_that_have_gone_count_against_the_share(self) -> None:
        """A node that changes its kind is owed no more batch work, and all its other slots."""
        own = OwnModelSlots()
        batch = structs.replace(shape(), batch=True)
        own.add(OwnSlotsChange("alpha", own_kind(), 4, 2))
        for _ in range(4):
            own.book(own.kind_to_book(batch), batch=True)
        own.add(OwnSlotsChange("alpha", own_kind(), -4, -2))
        own.add(OwnSlotsChange("alpha", own_kind(context_tokens=6_000), 4, 2))
        other_runs = 0
        while own.is_owed(shape()):
            own.book(own.kind_to_book(shape()), batch=False)
            other_runs += 1

        assert not own.is_owed(batch)
        assert 2 == other_runs

    def test_a_node_that_changes_its_kind_is_owed_no_more(self) -> None:
        """Runs that are booked on kinds that have gone still count against the slots there are."""
        own, booked = OwnModelSlots(), 0
        for context in range(4_096, 4_106):
            own.add(own_slots("alpha", 2, own_kind(context_tokens=context)))
            while own.is_owed(shape()):
                own.book(own.kind_to_book(shape()), batch=False)
                booked += 1
            own.add(own_slots("alpha", -2, own_kind(context_tokens=context)))

        assert 2 == booked

    def test_kinds_beyond_the_limit_owe_nothing(self) -> None:
        """Only a co-op's first ``KINDS_PER_MODEL`` kinds of a model count."""
        own = OwnModelSlots()
        for context in range(4_096, 4_096 + 2 * KINDS_PER_MODEL):
            own.add(own_slots("alpha", 1, own_kind(context_tokens=context)))
        taken = 0
        while own.is_owed(shape()):
            own.book(own.kind_to_book(shape()), batch=False)
            taken += 1

        assert KINDS_PER_MODEL == taken

    def test_who_holds_more_than_its_own_is_owed_nothing_when_one_run_ends(self) -> None:
        """Runs beyond its own slots count, too: two slots, three runs, and one of them ends."""
        own = OwnModelSlots()
        own.add(own_slots("alpha", 2))
        for _ in range(3):
            own.book(own.kind_to_book(shape()), batch=False)
        own.release(own_kind(), batch=False)

        assert not own.is_owed(shape())

    def test_kinds_are_told_apart(self) -> None:
        """A kind that refuses the data or lies elsewhere runs nothing of the shape."""
        own = OwnModelSlots()
        own.add(own_slots("alpha", 1, own_kind(zone="CA-AB")))
        own.add(own_slots("alpha", 1, own_kind()._replace(data_classes=(DataClass.PUBLIC,))))

        assert own.kind_to_book(shape(jurisdiction="CA-QC")) is None
        assert "CA-AB" == own.kind_to_book(shape()).zone
