"""Model grades: whether a model is good enough for a task in a language, by the pool's catalogue.

Input: a model's entry, the policy's least rates of right answers, and the task and language of a
request. Output: a ``Grade``. A model passes if the lower bound of its measured rate reaches the
least rate in each task and language that the request may mean: a request without a task may be any,
one without a language may be in either. The worst of these cells decides.
"""

from collections.abc import Iterable
from enum import IntEnum

from msgspec import Struct

from entraide.models import EVALUATED_LANGUAGES, ModelEntry, TaskQuality
from entraide.quality_terms import QualityTerms
from entraide.types import RequestFacts, Task

ANY_LANGUAGE = "mul"  # the authors list none


class QualityStanding(IntEnum):
    """How a model stands against the least rate; the lower is preferred."""

    PASSES = 0  # the whole interval lies at the least rate or above
    UNDECIDED = 1  # the interval holds the least rate
    UNMEASURED = 2
    FAILS = 3  # the whole interval lies below the least rate
    OTHER_LANGUAGE = 4  # not measured, and its authors do not list the language


class Grade(Struct, frozen=True, order=True):
    """A model's standing in the cell where it stands worst.

    Attributes:
        standing: against the policy's least rate.
        lacking: how far the lower bound lies below the least rate; negative above it.
        least: the least rate of the cell.
        task, language: the cell; "" without a measured one.
        rate, low: measured rate of right answers, and the lower bound of its interval.
        n: number of answers.
    """

    standing: QualityStanding
    lacking: float = 0.0
    least: float = 0.0
    task: str = ""
    language: str = ""
    rate: float = 0.0
    low: float = 0.0
    n: int = 0


UNKNOWN_GRADE = Grade(QualityStanding.UNMEASURED)  # of a model that the catalogue does not have


class ModelGrades:
    """Grades of the catalogue's models, kept by task and language until either input changes."""

    def __init__(self) -> None:
        self._entries: tuple[ModelEntry, ...] = ()
        self._terms = QualityTerms()
        self._grades: dict[tuple[Task | None, str], dict[str, Grade]] = {}

    def set_entries(self, entries: Iterable[ModelEntry]) -> None:
        """Replaces the models."""
        self._entries = tuple(entries)
        self._grades = {}

    def set_terms(self, terms: QualityTerms) -> None:
        """Replaces the policy's least rates."""
        self._terms = terms
        self._grades = {}

    def of_request(self, facts: RequestFacts) -> dict[str, Grade]:
        """Returns the grades by model for a request; empty for embeddings, which have no task."""
        if facts.embeds:
            return {}
        language = facts.language if facts.language in EVALUATED_LANGUAGES else ""
        cell = facts.task, language
        grades = self._grades.get(cell)
        if grades is None:
            grades = {entry.name: self._grade(entry, *cell) for entry in self._entries}
            self._grades[cell] = grades
        return grades

    def _grade(self, entry: ModelEntry, task: Task | None, language: str) -> Grade:
        if language and not {language, ANY_LANGUAGE} & set(entry.languages):
            missing = Grade(QualityStanding.OTHER_LANGUAGE)
        else:
            missing = UNKNOWN_GRADE
        measured = {(cell.task, cell.language): cell for cell in entry.quality}
        cells = [
            (one_task, one_language)
            for one_task in ((task,) if task else Task)
            for one_language in ((language,) if language else EVALUATED_LANGUAGES)
        ]
        return max(
            self._grade_cell(measured[cell]) if cell in measured else missing for cell in cells
        )

    def _grade_cell(self, cell: TaskQuality) -> Grade:
        least = self._terms.least_of(cell.task, cell.language)
        if cell.low >= least:
            standing = QualityStanding.PASSES
        else:
            standing = QualityStanding.FAILS if cell.high < least else QualityStanding.UNDECIDED
        figures = cell.rate, cell.low, cell.n
        return Grade(standing, least - cell.low, least, cell.task, cell.language, *figures)
