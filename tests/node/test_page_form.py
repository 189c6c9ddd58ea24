"""The owner page's form: terms as fields and back, rows of hours, and each field that is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cases import all_cases
from tests.node.owner_terms import FULL_TERMS
from tests.node.test_terms_file import terms as any_terms

from entraide_node.core.owner_terms import (
    UNRESTRICTED_TERMS,
    OwnerTerms,
    ReasonNotice,
    WeeklyHours,
    is_within_hours,
)
from entraide_node.owner.terms_file import format_terms, parse_terms
from entraide_node.page.changes import change_sentences
from entraide_node.page.fields import Fields, FormProblem, read_fields
from entraide_node.page.form import fields_to_terms, terms_to_fields
from entraide_node.page.hours_rows import add_row, fields_to_hours, remove_row, row_numbers

NIGHT: Fields = {
    "hours_mode": "only", "row-0-days": ["0", "4"], "row-0-from": "18:00", "row-0-to": "08:00",
}  # fmt: skip


@given(any_terms)
def test_terms_come_back_from_the_form_with_the_same_meaning(said: OwnerTerms) -> None:
    """The form's fields give the same terms, at each minute of the week."""
    terms = fields_to_terms(terms_to_fields(said))

    assert isinstance(terms, OwnerTerms)
    assert float(f"{said.idle_min:g}") == terms.idle_min
    assert set(said.data_classes) == set(terms.data_classes)
    for day in range(7):
        for minute in (0, 479, 480, 720, 1_080, 1_439):
            assert is_within_hours(said.hours, day, minute) is is_within_hours(
                terms.hours, day, minute
            )


@pytest.mark.parametrize("terms", [FULL_TERMS, OwnerTerms(), UNRESTRICTED_TERMS])
def test_a_form_that_is_sent_as_shown_changes_nothing(terms: OwnerTerms) -> None:
    """No term is lost in the form, and none of its values is one that the file refuses."""
    back = fields_to_terms(terms_to_fields(terms))

    assert terms == back
    assert terms == parse_terms(format_terms(terms))


@all_cases(
    ("field", "value", "code"),
    [
        ("row-0-from", "8-18", "wrong-time"),
        ("row-0-from", "24:00", "wrong-time"),
        ("row-0-to", "18:60", "wrong-time"),
        ("row-0-to", "١٨:٠٠", "wrong-time"),  # digits that only look like a time to `int`
        ("row-0-to", "", "missing-time"),
        ("row-0-days", [], "no-days"),
        ("row-0-days", ["7", "-1", "mo"], "no-days"),
        ("idle_min", "long", "wrong-number"),
        ("idle_min", "", "missing-number"),
        ("idle_min", "1441", "wrong-number"),
        ("charge_min_percent", "101", "wrong-number"),
        ("caps_idle.power_w", "-5", "wrong-number"),
        ("give_back_s", "nan", "wrong-number"),
        ("settle_s", "inf", "wrong-number"),
        ("present", "some", "wrong-choice"),
        ("unseen", "", "wrong-choice"),
        ("tell_pool", "everything", "wrong-choice"),
    ],
)
def test_what_cannot_be_is_not_saved(field: str, value: str | list[str], code: str) -> None:
    """An invalid field is named with its content."""
    problems = fields_to_terms(terms_to_fields(FULL_TERMS) | {field: value})

    assert isinstance(problems, tuple)
    assert [(code, field)] == [(problem.code, problem.field) for problem in problems]
    assert problems[0].text in ("", value)


def test_every_wrong_field_is_named_at_once() -> None:
    """An owner corrects a form once: all its problems come together, in the form's order."""
    wrong = {
        "row-1-to": "midi",
        "idle_min": "x",
        "caps_present.power_w": "y",
        "programs": "z\n" * 65,
    }
    problems = fields_to_terms(terms_to_fields(FULL_TERMS) | wrong)

    assert isinstance(problems, tuple)
    assert list(wrong) == [problem.field for problem in problems]


def test_no_form_writes_a_file_that_is_refused() -> None:
    """More programs, characters or hours than the file may list are refused, and not cut."""
    fields = terms_to_fields(OwnerTerms())
    rows: Fields = {"hours_mode": "only"}
    for row in range(65):
        rows |= {f"row-{row}-days": ["1"], f"row-{row}-from": "01:00", f"row-{row}-to": "02:00"}

    assert (FormProblem("too-many", "hours", "64"),) == fields_to_terms(fields | rows)
    assert (FormProblem("too-many", "programs", "64"),) == fields_to_terms(
        fields | {"programs": "\n".join(map(str, range(65)))}
    )
    assert (FormProblem("too-long", "programs", "4096"),) == fields_to_terms(
        fields | {"programs": "x" * 4_097}
    )


def test_numbers_are_read_as_either_language_writes_them() -> None:
    """A comma is a point, a thin space separates thousands, and an empty limit is none."""
    fields = terms_to_fields(FULL_TERMS) | {
        "idle_min": "2,5", "load_max_percent": "", "caps_idle.power_w": "1\u202f200",
    }  # fmt: skip
    terms = fields_to_terms(fields)

    assert isinstance(terms, OwnerTerms)
    assert (2.5, 0.0, 1_200.0) == (terms.idle_min, terms.load_max_percent, terms.caps_idle.power_w)


@pytest.mark.parametrize(
    ("begin", "end", "span"),
    [
        ("18:00", "08:00", (1_080, 480)),
        ("18 h", "8h30", (1_080, 510)),
        ("00:00", "00:00", (0, 1_440)),
        ("12:00", "00:00", (720, 1_440)),
        ("07:15:00", "9:05", (435, 545)),
    ],
)
def test_times_are_read_as_browsers_and_people_write_them(
    begin: str, end: str, span: tuple[int, int]
) -> None:
    """A time field sends 18:00; midnight as an end is the day's end."""
    hours, problems = fields_to_hours(NIGHT | {"row-0-from": begin, "row-0-to": end})

    assert (((WeeklyHours((0, 4), *span)),), []) == (hours, problems)


def test_hours_without_any_row_are_asked_for() -> None:
    """Who chooses certain hours must name some; empty rows beside a full one do not count."""
    empty: Fields = {"row-1-days": [], "row-1-from": "", "row-1-to": ""}

    assert ((), [FormProblem("no-hours", "hours")]) == fields_to_hours({"hours_mode": "only"})
    assert ((WeeklyHours((0, 4), 1_080, 480),), []) == fields_to_hours(NIGHT | empty)
    assert ((), []) == fields_to_hours(NIGHT | {"hours_mode": "always"})


def test_rows_are_added_and_removed_without_losing_what_is_typed() -> None:
    """A new row is empty; rows after a removed one move up; the last one leaves an empty one."""
    typed = NIGHT | {"idle_min": "lon", "row-0-from": "soir", "hours_mode": "always"}
    more, row = add_row(typed)
    filled = more | {"row-1-days": ["6"], "row-1-from": "10:00", "row-1-to": "11:00"}
    left = remove_row(filled, 0)
    none = remove_row(left, 0)

    assert (1, "only", "soir", "lon") == (
        row,
        more["hours_mode"],
        more["row-0-from"],
        more["idle_min"],
    )
    assert (["6"], "10:00") == (left["row-0-days"], left["row-0-from"])
    assert [[0], [0]] == [row_numbers(left), row_numbers(none)]
    assert ([], "") == (none["row-0-days"], none["row-0-from"])


sent = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from([*terms_to_fields(FULL_TERMS), "row-63-days", "row-999-to", "change"]),
            st.text(max_size=8),
        ),
        st.one_of(
            st.text(max_size=12), st.binary(max_size=2), st.sampled_from(["on", "only", "1"])
        ),
    ),
    max_size=40,
)


@given(sent)
def test_any_form_gives_terms_that_the_file_takes_or_problems(
    values: list[tuple[str, object]],
) -> None:
    """Whatever a program sends, the form never fails, and never writes what cannot be read."""
    fields = read_fields(values)
    terms = fields_to_terms(fields)
    add_row(fields)

    assert (terms == parse_terms(format_terms(terms))) if isinstance(terms, OwnerTerms) else terms


def test_a_group_of_checkboxes_is_bounded() -> None:
    """A hostile page cannot make the form hold more than a group's largest number of values."""
    fields = read_fields([("row-0-days", str(number)) for number in range(1_000)])

    assert 16 == len(fields["row-0-days"])


@pytest.mark.parametrize(
    ("lang", "sentences"),
    [
        (
            "en",
            [
                (
                    "When it may work: Mon–Fri 18:00–08:00, Sat, Sun 00:00–24:00, "
                    "by this machine’s clock (before: At any time)"
                ),
                "Works on battery too: yes (before: no)",
                "Nobody is there after: 7.5 min (before: 5 min)",
                "Power of the whole machine (while somebody is there): 60 W (before: no limit)",
                "Pauses while one of these programs runs: blender, obs (before: none)",
            ],
        ),
        (
            "fr",
            [
                "Travaille aussi sur sa batterie : oui (avant : non)",
                "Mémoire des modèles (quand il n’y a personne) : 12 Go (avant : sans limite)",
            ],
        ),
    ],
)
def test_what_a_saved_form_changes_is_said(lang: str, sentences: list[str]) -> None:
    """Each term that differs is named with its new and its old value; the others are not."""
    changes = [
        sentence.replace("\u00a0", " ")
        for sentence in change_sentences(OwnerTerms(), FULL_TERMS, lang)
    ]

    assert [] == [sentence for sentence in sentences if sentence not in changes]
    assert [] == change_sentences(FULL_TERMS, FULL_TERMS, lang)
    assert 21 == len(changes)


def test_the_pool_learns_the_reason_unless_the_owner_says_no() -> None:
    """The default is the state as it was always sent."""
    assert ReasonNotice.REASON is OwnerTerms().tell_pool is UNRESTRICTED_TERMS.tell_pool
    assert ReasonNotice.STATE is FULL_TERMS.tell_pool
