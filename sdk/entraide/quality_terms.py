"""Quality terms: the policy's section on how good a model must be. Part of the vocabulary."""

from msgspec import Struct

from entraide.enums import Task

EXCEPTION_NAME = ("task", "language")  # what an exception is for


class QualityException(Struct, frozen=True, forbid_unknown_fields=True):
    """Another least rate of right answers for one task, one language, or one task in one language.

    Attributes:
        least: least rate, in [0, 1].
        task: task; None for each.
        language: ``fr`` or ``en``; "" for both.
    """

    least: float
    task: Task | None = None
    language: str = ""


def exception_name(exception: QualityException) -> tuple[str, ...]:
    """Returns what an exception is for: a task, or ""; and a language, or ""."""
    return exception.task or "", exception.language


class QualityTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """How good a model must be for a task in a language.

    Attributes:
        least: least rate of right answers: a model passes whose measured interval lies above it.
        exceptions: other rates; that of a task in a language precedes that of a task, which
            precedes that of a language.
    """

    least: float = 0.8
    exceptions: tuple[QualityException, ...] = ()

    def least_of(self, task: Task, language: str) -> float:
        """Returns the least rate of right answers for a task in a language."""
        rates = {exception_name(item): item.least for item in self.exceptions}
        for name in ((task, language), (task, ""), ("", language)):
            if name in rates:
                return rates[name]
        return self.least
