"""Model grades: whether a model is good enough for a task in a language, by the pool's catalogue.

Input: a model's entry, the policy's least rates of right answers, and the task and language of a
request. Output: a ``Grade``. A model passes if the lower bound of its measured rate reaches the
least rate in each task and language that the request may mean: a request without a task may be any,
one without a language may be in either. The worst of these cells decides. A cell counts if it was
measured on the weights that the pool's nodes serve, all of them.
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
        self._entries: dict[str, ModelEntry] = {}
        self._weights: dict[str, frozenset[str]] = {}  # measured ones, by model
        self._terms = QualityTerms()
        self._grades: dict[tuple[str, str, Task | None, str], Grade] = {}

    def set_entries(self, entries: Iterable[ModelEntry]) -> None:
        """Replaces the models."""
        self._entries = {entry.name: entry for entry in entries}
        self._weights = {
            name: frozenset(cell.weights for cell in entry.quality)
            for name, entry in self._entries.items()
        }
        self._grades = {}

    def set_terms(self, terms: QualityTerms) -> None:
        """Replaces the policy's least rates."""
        self._terms = terms
        self._grades = {}

    def find_grade(
        self, facts: RequestFacts, model: str, revisions: tuple[str, ...]
    ) -> Grade | None:
        """Returns a model's grade for a request.

        None for a model that the catalogue does not have, and for embeddings, which have no task.

        Args:
            facts: of the request.
            model: its public name.
            revisions: the distinct weights that nodes serve, else those that they could load.
        """
        entry = self._entries.get(model)
        if entry is None or facts.embeds:
            return None
        language = facts.language if facts.language in EVALUATED_LANGUAGES else ""
        weights = revisions[0] if len(revisions) == 1 else ""
        if weights not in self._weights[model]:
            weights = ""
        key = model, weights, facts.task, language
        grade = self._grades.get(key)
        if grade is None:
            grade = self._grades[key] = self._grade(entry, weights, facts.task, language)
        return grade

    def _grade(self, entry: ModelEntry, weights: str, task: Task | None, language: str) -> Grade:
        if language and not {language, ANY_LANGUAGE} & set(entry.languages):
            missing = Grade(QualityStanding.OTHER_LANGUAGE)
        else:
            missing = UNKNOWN_GRADE
        measured = {
            (cell.task, cell.language): cell
            for cell in entry.quality
            if cell.weights in ("", weights)  # "": measured on several weights
        }
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
