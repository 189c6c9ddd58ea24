"""The search over fleets gives what brute force gives, on landscapes that mislead it."""

import random
from collections.abc import Sequence

import pytest

from entraide_sim.planning.fleet_search import Counts, FleetSearch, FleetSpace, Trial


class Landscape:
    """Scores of fleets by made-up devices, in which a further machine may make goals worse.

    Each machine has a capacity, a price and grams a job. Jobs go to the greenest machines first, so
    a slow green machine takes work from a fast one and raises the delay. Each seed disturbs the
    delay of all fleets alike.
    """

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        groups = rng.randint(2, 4)
        self.space = FleetSpace(
            tuple(rng.choice((0, 0, 0, 1)) for _ in range(groups)),
            tuple(rng.randint(1, 3) for _ in range(groups)),
        )
        self.speed = [rng.uniform(0.5, 4.0) for _ in range(groups)]
        self.price = [rng.choice((0.0, rng.uniform(1.0, 9.0))) for _ in range(groups)]
        self.grams = [rng.uniform(0.1, 5.0) for _ in range(groups)]
        self.demand = rng.uniform(1.0, 8.0)
        self.delay_max = rng.uniform(0.4, 3.0)
        self.minimise = rng.choice(("machines", "cost", "carbon"))
        self.noise = [rng.uniform(0.95, 1.05) for _ in range(5)]
        self.scored = 0

    def trial(self, counts: Counts, seeds: Sequence[int]) -> Trial:
        """The mean score of some seeds."""
        left, grams, busy_s, taken = self.demand, 0.0, 0.0, 0.0
        order = sorted(range(len(counts)), key=lambda number: self.grams[number])
        for number in order:
            capacity = counts[number] * self.speed[number]
            work = min(left, capacity)
            left -= work
            grams += work * self.grams[number]
            busy_s += work / self.speed[number]
            taken += work
        delay = busy_s / max(taken, 1e-9) + 4.0 * left
        delay *= sum(self.noise[seed] for seed in seeds) / len(seeds)
        cost = sum(count * price for count, price in zip(counts, self.price, strict=True))
        missed = max(0.0, delay / self.delay_max - 1.0)
        machines = float(sum(counts))
        objective = {
            "machines": (machines, cost, grams),
            "cost": (cost, machines, grams),
            "carbon": (grams, cost, machines),
        }[self.minimise]
        return Trial(counts, missed, objective)

    def screen(self, fleets: Sequence[Counts]) -> list[Trial]:
        """Scores with one seed."""
        self.scored += len(fleets)
        return [self.trial(counts, (0,)) for counts in fleets]

    def confirm(self, fleets: Sequence[Counts]) -> list[Trial]:
        """Scores with all seeds."""
        return [self.trial(counts, range(5)) for counts in fleets]

    def bound(self, counts: Counts) -> float:
        """What the first objective is at least."""
        return {
            "machines": float(sum(counts)),
            "cost": sum(count * price for count, price in zip(counts, self.price, strict=True)),
            "carbon": 0.0,
        }[self.minimise]

    def best(self) -> Trial | None:
        """The answer of brute force."""
        met = (trial for trial in self.confirm(list(self.space.fleets())) if not trial.missed)
        return min(met, key=Trial.rank, default=None)


def decided(landscape: Landscape, *, exhaustive_max: int) -> tuple[Trial | None, bool]:
    """The search's answer from the smallest fleet as the present one."""
    search = FleetSearch(landscape.space, landscape.screen, landscape.bound, at_once=2)
    current = landscape.space.least
    return search.decide(current, landscape.confirm, exhaustive_max=exhaustive_max)


def equal(answer: Trial | None, best: Trial | None) -> bool:
    """Whether two answers are of one value, within the noise of the seeds."""
    if answer is None or best is None:
        return answer is best
    return answer.objective[0] == pytest.approx(best.objective[0], rel=0.03)


@pytest.mark.parametrize("first", range(0, 400, 100))
@pytest.mark.parametrize("exhaustive_max", [64, 0])
def test_the_search_gives_what_brute_force_gives(exhaustive_max: int, first: int) -> None:
    """On small spaces the answer is the optimum, with the complete search and without it."""
    wrong = []
    for seed in range(first, first + 100):
        landscape = Landscape(seed)
        best = landscape.best()
        answer, _ = decided(landscape, exhaustive_max=exhaustive_max)
        if not equal(answer, best):
            wrong.append((seed, landscape.minimise, answer, best))

    assert [] == wrong


def test_pruning_skips_fleets_and_no_optimum() -> None:
    """A proved bound spares scores in most spaces."""
    spared = 0
    for seed in range(60):
        landscape = Landscape(seed)
        decided(landscape, exhaustive_max=64)
        spared += landscape.scored < landscape.space.size

    assert 10 < spared


def test_a_complete_search_says_so() -> None:
    """An answer of a small space is complete."""
    answer, complete = decided(Landscape(3), exhaustive_max=64)

    assert complete
    assert answer == Landscape(3).best()


def test_the_empty_fleet_is_none() -> None:
    """A space has every fleet once, and the empty one not at all."""
    space = FleetSpace((0, 0), (1, 2))

    assert [(0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] == list(space.fleets())
    assert space.size == 5
    assert FleetSpace((0,), (0,)).size == 0


@pytest.mark.parametrize("exhaustive_max", [64, 0])
def test_a_fleet_that_one_seed_rules_out_is_best_by_the_mean(exhaustive_max: int) -> None:
    """Two machines cost a little less than one, but miss the goal with the seed that screens."""
    one_seed = {1: Trial((1,), 0.0, (2.757, 1.0)), 2: Trial((2,), 0.12, (2.754, 2.0))}
    mean = {1: Trial((1,), 0.0, (2.757, 1.0)), 2: Trial((2,), 0.0, (2.755, 2.0))}
    search = FleetSearch(
        FleetSpace((1,), (2,)),
        lambda fleets: [one_seed[count] for (count,) in fleets],
        lambda _: 0.0,
    )
    best, complete = search.decide(
        (1,), lambda fleets: [mean[count] for (count,) in fleets], exhaustive_max=exhaustive_max
    )

    assert complete
    assert mean[2] == best
