"""Sensitivity: which assumption would overturn the answer of a plan or of a comparison.

Input: a few candidates (the answer, the present fleet, the runner-ups) with their results, and the
rule that chose the answer. Output: for each assumed change, what the rule would choose, and by how
much the answer's margin shrinks. A candidate replaces the answer only if it is better by the paired
95 % interval of the seeds; with one seed, if it is better by more than ``OBJECTIVE_NOISE``.

One seed screens each change. Where it chooses another candidate, or where the order is within the
noise, the candidates concerned run with all seeds, as long as ``FURTHER_RUNS_MAX`` allows. A row
says how many seeds it has.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from entraide_sim.planning.assumed_changes import (
    SIMULATED,
    AssumedChange,
    change_result,
    change_scenario,
    relevant_changes,
)
from entraide_sim.planning.fleet_search import OBJECTIVE_NOISE
from entraide_sim.runs import (
    ATTAINMENT,
    CARBON,
    Case,
    CaseOutcome,
    Goal,
    Measure,
    SeededResult,
    combine_seeds,
    cost_cad,
    interval_to_json,
    promise_keepers,
    shows_no_difference,
    summary_value,
)
from entraide_sim.scenario import RunResult
from entraide_sim.seed_statistics import Interval

CANDIDATES_MAX = 4
FURTHER_RUNS_MAX = 40
GOAL_NOISE = 0.1  # relative distance from a goal's bound within which more seeds may decide

RunAll = Callable[[Sequence[Case]], Iterator[tuple[int, CaseOutcome]]]


class AnswerCandidate(Struct, frozen=True):
    """A fleet or a variant that may be the answer.

    Attributes:
        case: of the first seed.
        base: its results without any change.
        names: in words, by language.
        is_current: whether it is the present fleet: to buy nothing more.
        is_owned: whether all its machines are there already.
    """

    case: Case
    base: SeededResult
    names: dict[str, str]
    is_current: bool = False
    is_owned: bool = True


class SensitivityRow(Struct, frozen=True):
    """What a changed assumption does to the answer.

    Attributes:
        change: the assumption; None for the row without a change.
        choice: index of the candidate that would be the answer; None if none meets the goals.
        holds: whether the answer stays the same.
        slack: distance of the answer from its nearest goal, relative to the goal's bound; negative
            if it misses one, None without goals.
        lead: by how much the objective of the next candidate exceeds the answer's, relative to the
            answer's; None if there is no other candidate, or the answer misses its goals.
        seeds: number of seeds that decided.
    """

    change: AssumedChange | None
    choice: int | None
    holds: bool
    slack: float | None
    lead: Interval | None
    seeds: int


class Sensitivity(Struct, frozen=True):
    """The sensitivity of an answer.

    Attributes:
        candidates: what may be the answer, at most ``CANDIDATES_MAX``.
        answer: index of the answer.
        base: the row without a change; its choice is None if the answer misses the goals.
        rows: one for each assumed change.
        runs: number of further simulations.
    """

    candidates: tuple[AnswerCandidate, ...]
    answer: int
    base: SensitivityRow
    rows: tuple[SensitivityRow, ...]
    runs: int

    @property
    def overturning(self) -> list[SensitivityRow]:
        """The rows whose change would overturn the answer."""
        return [row for row in self.rows if not row.holds]


class ChoiceRule(Protocol):
    """How the answer is chosen: the least objective among the acceptable candidates."""

    @property
    def objective(self) -> Measure:
        """The measure to minimise."""

    def acceptable(self, candidates: Sequence[SeededResult], *, near: bool = False) -> list[int]:
        """Returns the indices of acceptable candidates; ``near`` adds what noise may make so."""

    def slack(self, seeded: SeededResult, /) -> float | None:
        """Returns the distance from the nearest goal, relative to its bound; None without goals."""


class GoalRule(Struct, frozen=True):
    """The rule of a plan: all goals are met by the mean of the seeds.

    Attributes:
        goals: of the plan.
        minimise: ``machines``, ``cost`` or ``carbon``.
    """

    goals: tuple[Goal, ...]
    minimise: str

    @property
    def objective(self) -> Measure:
        """The measure to minimise."""
        match self.minimise:
            case "machines":
                return machine_count
            case "cost":
                return cost_cad
            case _:
                return "carbon_g"

    def acceptable(self, candidates: Sequence[SeededResult], *, near: bool = False) -> list[int]:
        """Returns the candidates that meet all goals."""
        return [
            number
            for number, seeded in enumerate(candidates)
            if all(goal.is_met(seeded.mean.summary) for goal in self.goals)
            or (near and self._nearly_meets(seeded))
        ]

    def _nearly_meets(self, seeded: SeededResult) -> bool:
        slack = self.slack(seeded)
        return slack is not None and slack >= -GOAL_NOISE

    def slack(self, seeded: SeededResult, /) -> float | None:
        """Returns the distance from the nearest goal; None if a value is missing."""
        distances = [_goal_slack(goal, seeded) for goal in self.goals]
        known = [distance for distance in distances if distance is not None]
        return min(known) if known and len(known) == len(distances) else None


class PromiseRule(Struct, frozen=True):
    """The rule of a comparison: see ``comparison``."""

    @property
    def objective(self) -> Measure:
        """The measure to minimise."""
        return CARBON

    def acceptable(self, candidates: Sequence[SeededResult], *, near: bool = False) -> list[int]:
        """Returns the candidates whose SLO attainment is not worse than the best one's."""
        kept = promise_keepers(candidates)
        if not near:
            return kept
        parts = [summary_value(seeded.mean.summary, ATTAINMENT) for seeded in candidates]
        most = max((part for part in parts if part is not None), default=0.0)
        almost = {n for n, part in enumerate(parts) if (part or 0.0) >= most * (1.0 - GOAL_NOISE)}
        return sorted({*kept, *almost})

    def slack(self, _seeded: SeededResult, /) -> float | None:
        """Returns None: a comparison has no goals."""
        return None


def machine_count(result: RunResult) -> float:
    """Returns the number of machines of a run."""
    return float(sum(group.count for group in result.fleet))


def _goal_slack(goal: Goal, seeded: SeededResult) -> float | None:
    value = summary_value(seeded.mean.summary, goal.key)
    if value is None:
        return None
    room = goal.bound - value if goal.sign in {"<=", "<"} else value - goal.bound
    return room / max(abs(goal.bound), 1e-9)


# The analysis.


def analyse_sensitivity(
    candidates: Sequence[AnswerCandidate], *, answer: int, rule: ChoiceRule, run_all: RunAll
) -> Sensitivity:
    """Returns the sensitivity of an answer to the changes that can affect its scenario.

    Args:
        candidates: at least one; with the same seeds.
        answer: index of the answer.
        rule: that chose it.
        run_all: runs cases in parallel.
    """
    base = [candidate.base for candidate in candidates]
    base_row = _row(None, base, answer=answer, rule=rule)
    base_row = msgspec.structs.replace(base_row, holds=True)
    changes = relevant_changes(candidates[0].case.scenario)
    analysis = _Analysis(candidates, answer, rule, base_row.choice, run_all)
    changed = analysis.run_changes([change for change in changes if change.code in SIMULATED])
    rows = []
    for change in changes:
        results = changed.get(change) or {
            number: combine_seeds([change_result(result, change) for result in seeded.results])
            for number, seeded in enumerate(base)
        }
        rows.append(analysis.row(change, results))
    return Sensitivity(tuple(candidates), answer, base_row, tuple(rows), analysis.runs)


class _Analysis:
    """The runs of one analysis."""

    def __init__(
        self,
        candidates: Sequence[AnswerCandidate],
        answer: int,
        rule: ChoiceRule,
        base_choice: int | None,
        run_all: RunAll,
    ) -> None:
        self._candidates = candidates
        self._answer = answer
        self._rule = rule
        self._base_choice = base_choice
        self._run_all = run_all
        self.runs = 0

    def run_changes(
        self, changes: Sequence[AssumedChange]
    ) -> dict[AssumedChange, dict[int, SeededResult]]:
        """Returns the results under each change by candidate, all with the same seeds.

        A change that needs several seeds has only the candidates that may be its answer.
        """
        first, *others = self._candidates[0].base.seeds
        numbers = range(len(self._candidates))
        screened = self._run([(change, number, first) for change in changes for number in numbers])
        results = {
            change: {number: combine_seeds([screened[change, number, first]]) for number in numbers}
            for change in changes
        }
        contested = {change: self._contenders(results[change]) for change in changes}
        order = sorted(
            (change for change in changes if len(contested[change]) > 0),
            key=lambda change: self._chosen(results[change]) == self._base_choice,
        )
        further: list[tuple[AssumedChange, int, int]] = []
        decided = []
        for change in order:
            wanted = [(change, number, seed) for number in contested[change] for seed in others]
            if len(further) + len(wanted) <= FURTHER_RUNS_MAX:
                further += wanted
                decided.append(change)
        screened |= self._run(further)
        for change in decided:
            results[change] = {
                number: combine_seeds([screened[change, number, seed] for seed in (first, *others)])
                for number in contested[change]
            }
        return results

    def row(self, change: AssumedChange, results: Mapping[int, SeededResult]) -> SensitivityRow:
        """Returns the row of a change from the results of some candidates."""
        numbers = sorted(results)
        seeded = [results[number] for number in numbers]
        row = _row(change, seeded, answer=numbers.index(self._answer), rule=self._rule)
        choice = None if row.choice is None else numbers[row.choice]
        return msgspec.structs.replace(row, choice=choice, holds=choice == self._base_choice)

    def _chosen(self, results: Mapping[int, SeededResult]) -> int | None:
        return choose([results[n] for n in sorted(results)], answer=self._answer, rule=self._rule)

    def _contenders(self, results: Mapping[int, SeededResult]) -> list[int]:
        """Returns the candidates that several seeds must decide between; none if one seed does."""
        rule, answer = self._rule, self._answer
        seeded = [results[number] for number in sorted(results)]
        chosen = self._chosen(results)
        limit = _mean(seeded[answer], rule.objective) * (1.0 + OBJECTIVE_NOISE)
        close = {
            number
            for number in rule.acceptable(seeded, near=True)
            if number != answer and _mean(seeded[number], rule.objective) <= limit
        }
        slack = rule.slack(seeded[answer])
        doubtful = slack is not None and abs(slack) <= GOAL_NOISE
        if not close and not doubtful and chosen == self._base_choice:
            return []
        return sorted({answer, *close, *(() if chosen is None else (chosen,))})

    def _run(
        self, wanted: Sequence[tuple[AssumedChange, int, int]]
    ) -> dict[tuple[AssumedChange, int, int], RunResult]:
        """Runs candidates under changes: by change, index of the candidate and seed."""
        cases = []
        for change, number, seed in wanted:
            case = self._candidates[number].case
            scenario = change_scenario(case.scenario, change)
            cases.append(msgspec.structs.replace(case, scenario=scenario, seed=seed))
        self.runs += len(cases)
        return {wanted[index]: outcome.result for index, outcome in self._run_all(cases)}


def choose(seeded: Sequence[SeededResult], *, answer: int, rule: ChoiceRule) -> int | None:
    """Returns the candidate that a rule chooses; the answer, unless another is clearly better.

    None if no candidate is acceptable.
    """
    allowed = rule.acceptable(seeded)
    if not allowed:
        return None
    best = min(allowed, key=lambda number: (_mean(seeded[number], rule.objective), number))
    if answer in allowed and not _is_better(seeded[best], seeded[answer], rule.objective):
        return answer
    return best


def _is_better(seeded: SeededResult, answer: SeededResult, objective: Measure) -> bool:
    """Returns whether an objective is lower beyond the noise."""
    if len(answer.seeds) == 1:
        limit = _mean(answer, objective) * (1.0 - OBJECTIVE_NOISE)
        return _mean(seeded, objective) < limit
    return not shows_no_difference(seeded, answer, objective)


def _row(
    change: AssumedChange | None, seeded: Sequence[SeededResult], *, answer: int, rule: ChoiceRule
) -> SensitivityRow:
    choice = choose(seeded, answer=answer, rule=rule)
    return SensitivityRow(
        change,
        choice,
        choice == answer,
        rule.slack(seeded[answer]),
        _lead(seeded, answer=answer, rule=rule),
        len(seeded[answer].seeds),
    )


def _lead(seeded: Sequence[SeededResult], *, answer: int, rule: ChoiceRule) -> Interval | None:
    allowed = rule.acceptable(seeded)
    others = [number for number in allowed if number != answer]
    own = _mean(seeded[answer], rule.objective)
    if answer not in allowed or not others or not isfinite(own) or own == 0.0:
        return None
    following = min(others, key=lambda number: _mean(seeded[number], rule.objective))
    more = seeded[following].difference(seeded[answer], rule.objective)
    return None if more is None else Interval(more.mean / own, more.low / own, more.high / own)


def _mean(seeded: SeededResult, measure: Measure) -> float:
    """Returns the mean of a measure; infinite if a seed has no value."""
    of = seeded.interval(measure)
    return float("inf") if of is None else of.mean


def sensitivity_to_json(sensitivity: Sensitivity) -> dict[str, Any]:
    """Returns the sensitivity as JSON values; candidates by their index, names by language."""

    def row_to_json(row: SensitivityRow) -> dict[str, Any]:
        changed = {} if row.change is None else msgspec.to_builtins(row.change)
        return {
            **changed,
            "choice": row.choice,
            "holds": row.holds,
            "slack": row.slack,
            "lead": None if row.lead is None else interval_to_json(row.lead),
            "seeds": row.seeds,
        }

    return {
        "candidates": [candidate.names for candidate in sensitivity.candidates],
        "answer": sensitivity.answer,
        "base": row_to_json(sensitivity.base),
        "rows": [row_to_json(row) for row in sensitivity.rows],
        "runs": sensitivity.runs,
    }
