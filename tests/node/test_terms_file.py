"""The owner's file: its keys, its faults by line, and the terms that then apply."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.cases import all_cases

from entraide import i18n
from entraide.types import DataClass
from entraide_node.core.owner_terms import (
    UNRESTRICTED_TERMS,
    OwnerTerms,
    PresencePolicy,
    ResourceCaps,
    UnknownPresencePolicy,
    WeeklyHours,
)
from entraide_node.owner import terms_file as owner_terms
from entraide_node.owner.terms_file import TermsFile, TermsProblem, format_terms, parse_terms

FULL = """\
# My machine.
hours = ["mo-fr 18:00-08:00", "sa,su 00:00-24:00"]
present = "own"
idle_min = 10
unseen = "absent"
programs = ["blender"]
data_classes = ["public"]

[caps_present]
power_w = 60
"""

WRONG = {
    "not TOML": ("idle_min = 5\nhours =", TermsProblem("not_toml", 2, detail="Invalid value")),
    "a key misspelt": ("\nidle_mins = 5", TermsProblem("unknown_key", 2, "idle_mins")),
    "a key of a table misspelt": (
        "[caps_idle]\npower = 5", TermsProblem("unknown_key", 2, "caps_idle.power")
    ),
    "hours that are none": (
        'idle_min = 5\nhours = ["mo-fr 8-18"]',
        TermsProblem("wrong_hours", 2, "hours", "mo-fr 8-18"),
    ),
    "hours that are no list": ('hours = "18:00-08:00"', TermsProblem("wrong_kind", 1, "hours")),
    "a number as text": ('idle_min = "5"', TermsProblem("wrong_kind", 1, "idle_min")),
    "a word that is none": (
        'present = "some"', TermsProblem("wrong_word", 1, "present", "some")
    ),
    "a class of data that is none": (
        '\n\ndata_classes = ["public", "secret"]',
        TermsProblem("wrong_word", 3, "data_classes", "secret"),
    ),
    "beyond what can be": (
        "charge_min_percent = 101", TermsProblem("beyond", 1, "charge_min_percent", "0–100")
    ),
    "beyond, in a table": (
        "[caps_idle]\nmemory_gb = -1", TermsProblem("beyond", 2, "caps_idle.memory_gb", "0–4096")
    ),
    "a table that is none": ("caps_idle = 5", TermsProblem("wrong_kind", 1, "caps_idle")),
    "too many programs": (
        f"programs = {[str(n) for n in range(65)]}", TermsProblem("too_many", 1, "programs", "64")
    ),
}  # fmt: skip


def test_every_key_is_read() -> None:
    """A given key applies; a missing key has its default."""
    expected = OwnerTerms(
        hours=(WeeklyHours((0, 1, 2, 3, 4), 1_080, 480), WeeklyHours((5, 6), 0, 1_440)),
        present=PresencePolicy.OWN,
        idle_min=10.0,
        unseen=UnknownPresencePolicy.ABSENT,
        programs=("blender",),
        data_classes=(DataClass.PUBLIC,),
        caps_present=ResourceCaps(power_w=60.0),
    )

    assert expected == parse_terms(FULL)
    assert OwnerTerms() == parse_terms("")


@all_cases("case", WRONG)
def test_what_is_wrong_is_said_by_line(case: str) -> None:
    """Each fault has its code, its line and its key, and a sentence in both languages."""
    text, expected = WRONG[case]
    problem = parse_terms(text)

    assert expected == problem
    assert isinstance(problem, TermsProblem)
    for lang in i18n.LANGUAGES:
        said = i18n.text(f"owner-file-{problem.code}", lang, **problem.values(Path("owner.toml")))
        assert str(problem.line) in said
        assert i18n.HOLE not in said


spans = st.builds(
    WeeklyHours,
    st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    st.integers(0, 1_439),
    st.integers(0, 1_440),
)
terms = st.builds(
    OwnerTerms,
    hours=st.lists(spans, max_size=4).map(tuple),
    idle_min=st.floats(0, 1_440),
    programs=st.lists(st.text(max_size=20), max_size=5).map(tuple),
    data_classes=st.sets(st.sampled_from(DataClass)).map(tuple),
    caps_idle=st.builds(ResourceCaps, memory_gb=st.floats(0, 4_096), power_w=st.floats(0, 1_000)),
)


@given(terms)
def test_what_is_written_is_read_again(said: OwnerTerms) -> None:
    """Terms come back from the file as they were."""
    assert said == parse_terms(format_terms(said))


def test_without_a_file_the_machine_works_at_any_time(tmp_path: Path) -> None:
    """An owner who has set no terms has none."""
    assert UNRESTRICTED_TERMS == TermsFile(tmp_path).terms


def test_a_broken_file_leaves_the_last_good_terms(tmp_path: Path) -> None:
    """The last valid terms apply while the file has a fault, until it is repaired."""
    path = tmp_path / owner_terms.TERMS_NAME
    path.write_text("idle_min = 7")
    file = TermsFile(tmp_path)
    path.write_text("idle_min = seven!")
    file.refresh()
    held, fault = file.terms, file.problem
    path.write_text("idle_min = 9.5")
    file.refresh()

    assert OwnerTerms(idle_min=7.0) == held
    assert fault is not None
    assert "not_toml" == fault.code
    assert (OwnerTerms(idle_min=9.5), None) == (file.terms, file.problem)


def test_a_file_broken_from_the_start_means_care(tmp_path: Path) -> None:
    """An owner who wanted terms gets the careful ones, never none."""
    (tmp_path / owner_terms.TERMS_NAME).write_bytes(b"\xff\xfe")
    file = TermsFile(tmp_path)

    assert OwnerTerms() == file.terms
    assert file.problem is not None
    assert "not_text" == file.problem.code


def test_a_file_beyond_measure_is_not_read(tmp_path: Path) -> None:
    """The agent reads a bounded file each second."""
    (tmp_path / owner_terms.TERMS_NAME).write_text("#" * (owner_terms.TERMS_BYTES_MAX + 1))
    problem = owner_terms.read_terms(tmp_path)

    assert isinstance(problem, TermsProblem)
    assert "too_long" == problem.code


def test_a_machine_begins_with_care_and_keeps_what_its_owner_wrote(tmp_path: Path) -> None:
    """Joining writes the careful terms, once."""
    first = owner_terms.write_default_terms(tmp_path)
    (tmp_path / owner_terms.TERMS_NAME).write_text("idle_min = 9")
    second = owner_terms.write_default_terms(tmp_path)

    assert (True, False) == (first, second)
    assert OwnerTerms(idle_min=9.0) == owner_terms.read_terms(tmp_path)
