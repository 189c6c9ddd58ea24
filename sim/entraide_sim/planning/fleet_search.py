"""Fleet search: finds the fleets of a range of counts that meet goals at the least objective.

Input: a ``FleetSpace`` and functions that score fleets with one seed. Output: the trials of all
fleets that were scored; the caller decides between the best of them with more seeds. The search
assumes nothing about the effect of a further machine: with a picker that prefers slow green nodes a
further machine can make every answer later.

Up to ``EXHAUSTIVE_MAX`` fleets each one is scored, in the order of a lower bound of the objective;
once a fleet meets the goals, those are skipped whose bound is above its objective. The bound is a
sum over the machines that the caller has proved (their number, or what they cost before any job
runs), so no optimum is skipped. A larger space is searched from several starts by best-first
expansion: the best trial whose neighbours have not been scored is expanded next. Neighbours differ
by one machine, by one machine exchanged, or by one group at its least, middle or greatest count.

Scores of one seed only screen. ``decide`` lets the caller score the contenders again with several
seeds, one at a time from the most promising, and searches on where such a score makes a skipped
fleet possible again. It ends when no fleet that may still be better is without its several seeds.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from math import inf, prod

from msgspec import Struct

Counts = tuple[int, ...]

EXHAUSTIVE_MAX = 64  # fleets; a larger space is searched from several starts
NEAR_MISS = 0.25  # sum of the relative misses by which more seeds may still turn a fleet's result
OBJECTIVE_NOISE = 0.03  # relative difference of objectives that more seeds may still turn
PATIENCE = 6  # expansions without a better trial after which a search ends


class FleetSpace(Struct, frozen=True):
    """All fleets whose counts lie within a range for each group, without the empty fleet.

    Attributes:
        least, most: machines by group.
    """

    least: Counts
    most: Counts

    @property
    def size(self) -> int:
        """Number of fleets."""
        fleets = prod(high - low + 1 for low, high in zip(self.least, self.most, strict=True))
        return fleets - (not any(self.least))

    def fleets(self) -> Iterator[Counts]:
        """Returns each fleet once, in lexicographic order."""
        ranges = (range(low, high + 1) for low, high in zip(self.least, self.most, strict=True))
        return (counts for counts in product(*ranges) if any(counts))

    def contains(self, counts: Counts) -> bool:
        """Whether a fleet belongs to the space."""
        within = zip(self.least, counts, self.most, strict=True)
        return any(counts) and all(low <= count <= high for low, count, high in within)

    def neighbours(self, counts: Counts) -> list[Counts]:
        """Returns the neighbours of a fleet, each once: see the module."""
        near: dict[Counts, None] = {}
        numbers = range(len(counts))
        for number in numbers:
            for step in (-1, 1):
                near[_with_count(counts, number, counts[number] + step)] = None
        for less in numbers:
            fewer = _with_count(counts, less, counts[less] - 1)
            for more in numbers:
                if more != less:
                    near[_with_count(fewer, more, counts[more] + 1)] = None
        for number in numbers:
            low, high = self.least[number], self.most[number]
            for count in (low, (low + high) // 2, high):
                near[_with_count(counts, number, count)] = None
        return [fleet for fleet in near if fleet != counts and self.contains(fleet)]

    def starts(self, current: Counts) -> list[Counts]:
        """Returns where a search begins: the present fleet, the largest, and one group alone."""
        alone = (_with_count(self.least, number, high) for number, high in enumerate(self.most))
        middle = tuple(
            (low + high + 1) // 2 for low, high in zip(self.least, self.most, strict=True)
        )
        starts = dict.fromkeys((current, self.most, middle, *alone))
        return [counts for counts in starts if self.contains(counts)]


class Trial(Struct, frozen=True):
    """The score of one fleet with one seed, or of the mean of several seeds.

    Attributes:
        counts: machines by group.
        missed: sum of the relative amounts by which goals are missed; 0 if all are met.
        objective: to minimise, then the values that decide between equal ones.
    """

    counts: Counts
    missed: float
    objective: tuple[float, ...]

    def rank(self, near: float = 0.0) -> tuple[float, tuple[float, ...], Counts]:
        """Returns the key by which trials are ordered; misses up to ``near`` count as none."""
        return 0.0 if self.missed <= near else self.missed, self.objective, self.counts


ScoreFleets = Callable[[Sequence[Counts]], Iterable[Trial]]
Bound = Callable[[Counts], float]


class FleetSearch:
    """One search; it remembers each trial, and scores no fleet twice.

    Args of the constructor:
        space: the fleets.
        score: returns the trials of fleets, with the seed that screens.
        bound: a proved lower bound of a fleet's first objective.
        at_once: number of fleets that are scored together.
        screen: a faster, inexact score that orders the neighbours and leaves out those that clearly
            miss a goal; None to score all of them.
        trials_max: limit on the number of exact scores of a search from several starts.
        confirmed_max: limit on the number of fleets that are scored with several seeds.
    """

    def __init__(
        self,
        space: FleetSpace,
        score: ScoreFleets,
        bound: Bound,
        *,
        at_once: int = 1,
        screen: ScoreFleets | None = None,
        trials_max: int = 1_000,
        confirmed_max: int = 40,
    ) -> None:
        self._space = space
        self._score = score
        self._bound = bound
        self._at_once = at_once
        self._screen = screen
        self._trials_max = trials_max
        self._confirmed_max = confirmed_max
        self.trials: dict[Counts, Trial] = {}
        self.confirmed: dict[Counts, Trial] = {}
        self._screened: dict[Counts, Trial] = {}
        self._expanded: set[Counts] = set()

    def find(self, current: Counts, *, exhaustive_max: int = EXHAUSTIVE_MAX) -> bool:
        """Scores fleets; returns whether every fleet was scored or proved to be no better.

        A later call goes on where the last one ended, with the scores that were replaced since.

        Args:
            current: the present fleet, where a search may begin.
            exhaustive_max: size of the largest space that is scored completely; 0 for none.
        """
        if self._space.size <= exhaustive_max:
            self._score_all()
            return True
        self._expand_best(self._space.starts(current))
        return len(self.trials) == self._space.size

    def decide(
        self, current: Counts, confirm: ScoreFleets, *, exhaustive_max: int = EXHAUSTIVE_MAX
    ) -> tuple[Trial | None, bool]:
        """Returns the best fleet by several seeds, and whether the search was complete.

        Args:
            current: the present fleet.
            confirm: returns the trials of fleets, with the mean of several seeds.
            exhaustive_max: as in ``find``.

        Returns:
            None for the fleet when no fleet within the space, or none that was scored, meets the
            goals.
        """
        while True:
            complete = self.find(current, exhaustive_max=exhaustive_max)
            waiting = self._contenders()[:1]
            if not waiting or len(self.confirmed) >= self._confirmed_max:
                break
            for trial in confirm([trial.counts for trial in waiting]):
                if trial.missed and not self.trials[trial.counts].missed:
                    self._expanded.clear()  # it limited what was scored, and wrongly
                self.trials[trial.counts] = self.confirmed[trial.counts] = trial
        return self._best_confirmed(), complete and not self._contenders()

    def _best_confirmed(self) -> Trial | None:
        met = (trial for trial in self.confirmed.values() if not trial.missed)
        return min(met, key=Trial.rank, default=None)

    def _contenders(self) -> list[Trial]:
        """Returns the trials of one seed that several seeds may make the best, best first."""
        best = self._best_confirmed()
        waiting = [
            trial
            for counts, trial in self.trials.items()
            if counts not in self.confirmed
            and trial.missed <= NEAR_MISS
            and (best is None or _may_be_less(trial.objective, best.objective))
        ]
        return sorted(waiting, key=Trial.rank)

    def _best(self) -> Trial | None:
        """Returns the best trial by one seed or several; None without any."""
        return min(self.trials.values(), key=Trial.rank, default=None)

    # Small spaces.

    def _score_all(self) -> None:
        """Scores all fleets in the order of their bounds, until the bounds exceed the best."""
        bounds = {counts: self._bound(counts) for counts in self._space.fleets()}
        waiting = sorted(bounds, key=lambda counts: (bounds[counts], counts))
        for first in range(0, len(waiting), self._at_once):
            batch = waiting[first : first + self._at_once]
            self._add([counts for counts in batch if bounds[counts] <= self._objective_met()])

    def _objective_met(self) -> float:
        """Returns the least first objective of the trials that meet the goals."""
        met = (trial.objective[0] for trial in self.trials.values() if not trial.missed)
        return min(met, default=inf)

    # Large spaces.

    def _expand_best(self, starts: Sequence[Counts]) -> None:
        self._add(self._promising(starts) or starts[:1])
        idle = 0
        while idle < PATIENCE and len(self.trials) < self._trials_max:
            waiting = [
                trial for counts, trial in self.trials.items() if counts not in self._expanded
            ]
            if not waiting:
                break
            base = min(waiting, key=lambda trial: trial.rank(NEAR_MISS))
            if self._expand(base):
                idle = 0  # its other neighbours are scored when it is the best to expand again
            else:
                self._expanded.add(base.counts)
                idle += 1

    def _expand(self, base: Trial) -> bool:
        """Scores the neighbours of a trial; returns as soon as one is better than all before."""
        before = self._best()
        near = self._promising(self._space.neighbours(base.counts))
        for first in range(0, len(near), self._at_once):
            self._add(near[first : first + self._at_once])
            best = self._best()
            if best is not None and (before is None or best.rank() < before.rank()):
                return True
            if len(self.trials) >= self._trials_max:
                break
        return False

    def _promising(self, fleets: Sequence[Counts]) -> list[Counts]:
        """Returns the fleets that may be better than the best, the most promising first."""
        limit = self._objective_met()
        left = [
            counts
            for counts in fleets
            if counts not in self.trials and self._bound(counts) <= limit
        ]
        if self._screen is None:
            return sorted(left, key=lambda counts: (self._bound(counts), counts))
        new = [counts for counts in left if counts not in self._screened]
        for trial in self._screen(new):
            self._screened[trial.counts] = trial
        screened = [self._screened[counts] for counts in left]
        ranked = sorted(screened, key=lambda trial: trial.rank(NEAR_MISS))
        clear = [trial.counts for trial in ranked if trial.missed <= NEAR_MISS]
        return clear or [trial.counts for trial in ranked[: self._at_once]]

    def _add(self, fleets: Sequence[Counts]) -> None:
        left = [counts for counts in dict.fromkeys(fleets) if counts not in self.trials]
        for trial in self._score(left):
            self.trials[trial.counts] = trial


def _may_be_less(objective: tuple[float, ...], best: tuple[float, ...]) -> bool:
    """Whether several seeds may find an objective less than the best one.

    A value above the best by no more than the noise may still turn out to be less; only values that
    are equal leave the decision to the next ones.
    """
    for value, least in zip(objective, best, strict=True):
        if value != least:
            return value < least + OBJECTIVE_NOISE * abs(least)
    return False


def _with_count(counts: Counts, number: int, count: int) -> Counts:
    return (*counts[:number], count, *counts[number + 1 :])
