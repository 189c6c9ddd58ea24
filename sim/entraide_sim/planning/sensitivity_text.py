"""Sensitivity text: what would change the answer, in words.

Input: a ``Sensitivity`` and a language. Output: sentences, and the cells of a table.
"""

from entraide import i18n
from entraide.i18n import text
from entraide_sim.planning.assumed_changes import AssumedChange
from entraide_sim.planning.sensitivity import AnswerCandidate, Sensitivity, SensitivityRow
from entraide_sim.report import TextTable, formatting


def candidate_name(candidate: AnswerCandidate, lang: str) -> str:
    """Returns a candidate in words; of the present fleet, that it is what there is."""
    name = candidate.names[i18n.lang_of(lang)]
    owned = "yes" if candidate.is_owned else "no"
    if candidate.is_current:
        return text("sim-sensitivity-current", lang, name=name, owned=owned)
    return name


def change_text(change: AssumedChange, lang: str) -> str:
    """Returns an assumed change as a clause: "there were 25 % more requests"."""
    match change.factor:
        case 0.0:
            side = "none"
        case 2.0:
            side = "double"
        case _:
            side = "more" if change.factor > 1.0 else "less"
    percent = formatting.format_percentage(abs(change.factor - 1.0), lang)
    return text(f"sim-assumed-{change.code}", lang, side=side, percent=percent)


def overturning_sentences(sensitivity: Sensitivity, lang: str) -> list[str]:
    """Returns a sentence for each assumption that would overturn the answer; one if none would.

    The last sentence says how many simulations this took.
    """
    sentences = []
    for row in sensitivity.overturning:
        assert row.change is not None
        clause = change_text(row.change, lang)
        if row.choice is None:
            sentences.append(text("sim-sensitivity-none", lang, change=clause))
        else:
            name = candidate_name(sensitivity.candidates[row.choice], lang)
            sentences.append(text("sim-sensitivity-other", lang, change=clause, name=name))
    if not sentences:
        sentences.append(text("sim-sensitivity-stays", lang))
    count = len(sensitivity.candidates)
    return [*sentences, text("sim-sensitivity-runs", lang, count=count, runs=sensitivity.runs)]


def sensitivity_table(sensitivity: Sensitivity, lang: str) -> tuple[list[str], list[list[str]]]:
    """Returns the headings and the rows of a table: first what is assumed, then each change.

    The columns are the assumption, the answer, its distance from its nearest goal, and by how much
    the objective of the next candidate exceeds the answer's. One without any value is left out.
    """
    rows = [_row_cells(sensitivity, row, lang) for row in (sensitivity.base, *sensitivity.rows)]
    names = ("if", "answer", "slack", "lead")
    kept = [column for column in range(len(names)) if any(row[column] for row in rows)]
    headings = [text(f"sim-sensitivity-col_{names[column]}", lang) for column in kept]
    return headings, [[row[column] or formatting.DASH for column in kept] for row in rows]


def report_tables(sensitivity: Sensitivity | None) -> dict[str, tuple[TextTable, ...]]:
    """Returns the table of a report by language, with what would overturn the answer as its note.

    Empty if assumptions were not tested.
    """
    if sensitivity is None:
        return {}
    tables: dict[str, tuple[TextTable, ...]] = {}
    for lang in i18n.LANGUAGES:
        headings, rows = sensitivity_table(sensitivity, lang)
        tables[str(lang)] = (
            TextTable(
                text("sim-sensitivity-title", lang),
                text("sim-sensitivity-note", lang),
                tuple(heading.capitalize() for heading in headings),
                tuple(tuple(row) for row in rows),
                0,
            ),
        )
    return tables


def report_sentences(sensitivity: Sensitivity | None) -> dict[str, tuple[str, ...]]:
    """Returns what would overturn the answer, by language; empty if that was not tested."""
    if sensitivity is None:
        return {}
    return {str(lang): tuple(overturning_sentences(sensitivity, lang)) for lang in i18n.LANGUAGES}


def _row_cells(sensitivity: Sensitivity, row: SensitivityRow, lang: str) -> list[str]:
    clause = "" if row.change is None else change_text(row.change, lang)
    return [
        clause or text("sim-sensitivity-base", lang),
        _answer_text(sensitivity, row, lang),
        "" if row.slack is None else formatting.format_percentage(row.slack, lang),
        "" if row.lead is None else _lead_text(row.lead.mean, lang),
    ]


def _lead_text(lead: float, lang: str) -> str:
    """Returns a lead in percent; from 100 % on, how many times as much the next candidate has."""
    if lead < 1.0:
        return formatting.format_percentage(lead, lang)
    return f"× {i18n.decimal(1.0 + lead, lang)}"


def _answer_text(sensitivity: Sensitivity, row: SensitivityRow, lang: str) -> str:
    if row.change is not None and row.holds:
        return text("sim-sensitivity-same", lang)
    if row.choice is None:
        return text("sim-sensitivity-no_answer", lang)
    return candidate_name(sensitivity.candidates[row.choice], lang)
