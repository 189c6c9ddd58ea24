"""The language of questions, on texts by which nothing was chosen."""

from benchmarks import language

from entraide_scheduler.gateway.jobs import LanguageDetector


def test_few_texts_are_taken_for_the_other_language() -> None:
    """Of the questions of evaluations, at most 1 % of each length."""
    detector = LanguageDetector()
    detector.load()
    rows = list(language.judge(detector, "questions", language.evaluation_questions(), 0))

    assert (8, []) == (len(rows), [row for row in rows if row.wrong > 0.01])
