"""Report context: what a command knows beyond the results, and the variants that a report compares.

A report is of one run, of a comparison, of a plan, of advice or of a replay; ``ReportInput`` holds
it in the form that the report's parts read.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

import msgspec
from msgspec import Struct

from entraide_sim.report import report_data
from entraide_sim.runs import Comparison, SeededResult, compare_variants
from entraide_sim.scenario import RunResult

RUN, COMPARE, PLAN, ADVICE, REPLAY = "run", "compare", "plan", "advice", "replay"

Row = tuple[str, ...]

# Sentences by question (``need``, ``choice``, ``sure``; all of a replay's) and language.
Answers = Mapping[str, Mapping[str, Sequence[str]]]


class TextTable(Struct, frozen=True):
    """A table of a report; ``lead`` is the index of the row to stress, None for none."""

    title: str
    note: str
    header: Row
    rows: tuple[Row, ...]
    lead: int | None = None


class ReportContext(Struct, frozen=True, kw_only=True):
    """What a command knows beyond the results.

    Attributes:
        kind: ``run``, ``compare``, ``plan``, ``advice`` or ``replay``; "" for a plan if there are
            goals, else a comparison if there are several results, else a run.
        seeded: for each result, the results by seed; empty if each result is of one seed.
        answers: sentences that the command composed; the report composes the others.
        tables: further tables by language, shown before the charts.
    """

    kind: str = ""
    seeded: tuple[SeededResult, ...] = ()
    answers: Answers = {}
    tables: Mapping[str, Sequence[TextTable]] = {}


class ReportInput(Struct, frozen=True, kw_only=True, dict=True):
    """A report's input.

    Attributes:
        kind: ``run``, ``compare``, ``plan``, ``advice`` or ``replay``.
        variants: at least one; the first is the base of the comparison.
        chosen: index of the variant that a plan or advice recommends; None for the report's choice.
        goals: of a plan, as typed.
        answers, tables: as in ``ReportContext``.
    """

    kind: str
    variants: tuple[SeededResult, ...]
    chosen: int | None
    goals: tuple[str, ...]
    answers: Answers
    tables: Mapping[str, Sequence[TextTable]]

    @cached_property
    def comparison(self) -> Comparison:
        """The comparison of the variants."""
        return compare_variants(self.variants)

    @property
    def lead(self) -> int:
        """Index of the recommended variant."""
        return self.comparison.recommended if self.chosen is None else self.chosen

    @property
    def leader(self) -> SeededResult:
        """The recommended variant."""
        return self.variants[self.lead]

    @property
    def results(self) -> tuple[RunResult, ...]:
        """The mean result of each variant."""
        return tuple(variant.mean for variant in self.variants)

    @property
    def seed_count(self) -> int:
        """Number of seeds of each variant."""
        return len(self.variants[0].seeds)


def report_input(
    results: Sequence[RunResult],
    context: ReportContext,
    *,
    chosen: int | None = None,
    goals: Sequence[str] = (),
) -> ReportInput:
    """Returns the input of a report.

    Results of one seed each are compared as if they had the same seed: they have no interval.

    Raises:
        ValueError: ``context.seeded`` has another number of results.
    """
    if context.seeded and len(context.seeded) != len(results):
        raise ValueError(f"{len(results)} results, of which {len(context.seeded)} by seed")
    first = results[0]
    variants = context.seeded or tuple(
        SeededResult((msgspec.structs.replace(result, seed=first.seed),), result)
        for result in results
    )
    if not report_data.has_year(first):
        variants = tuple(_without_years(variant) for variant in variants)
    kind = context.kind or (PLAN if goals else COMPARE if len(results) > 1 else RUN)
    return ReportInput(
        kind=kind,
        variants=variants,
        chosen=chosen,
        goals=tuple(goals),
        answers=context.answers,
        tables=context.tables,
    )


def _without_years(variant: SeededResult) -> SeededResult:
    """Returns a variant without the figures of a year, which hours do not tell."""
    results = [
        msgspec.structs.replace(report_data.without_year(result), money=None, footprint=None)
        for result in (*variant.results, variant.mean)
    ]
    return SeededResult(tuple(results[:-1]), results[-1])
