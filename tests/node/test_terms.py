"""The owner's terms: when a node works, and when it steps aside."""

import pytest

from entraide_node.core.terms import (
    OUTSIDE_HOURS,
    OWNER_BUSY,
    Moment,
    OwnerTerms,
    Span,
    must_give_back,
    objection,
    parse_span,
)

NIGHTS = Span((0, 1, 2, 3, 4), 18 * 60, 8 * 60)

SPANS = {
    "each day": ("18:00-08:00", Span(tuple(range(7)), 1_080, 480)),
    "working nights": ("mo-fr 18:00-08:00", NIGHTS),
    "weekend": ("SA,SU 00:00-24:00", Span((5, 6), 0, 1_440)),
    "over the week's end": ("fr-mo 9:30-12:00", Span((0, 4, 5, 6), 570, 720)),
    "no end": ("18:00", None),
    "no such day": ("xx 18:00-19:00", None),
    "no such hour": ("mo 25:00-26:00", None),
    "no such minute": ("mo 10:75-11:00", None),
    "too many words": ("mo fr 10:00-11:00", None),
    "nothing": ("", None),
}

MOMENTS = {
    "Monday evening, nobody there": (Moment(0, 1_100, False), ""),
    "Saturday before the night is over": (Moment(5, 300, False), ""),
    "Sunday before dawn, no night of ours": (Moment(6, 300, False), OUTSIDE_HOURS),
    "noon, somebody there: the hours object first": (Moment(2, 720, True), OUTSIDE_HOURS),
    "Monday evening, somebody there": (Moment(0, 1_100, True), OWNER_BUSY),
    "the first minute": (Moment(0, 1_080, False), ""),
    "the minute after the last": (Moment(1, 480, False), OUTSIDE_HOURS),
}


@pytest.mark.parametrize("case", SPANS)
def test_hours_are_read_as_people_write_them(case: str) -> None:
    """A text becomes the hours that it says, or nothing."""
    text, expected = SPANS[case]

    assert expected == parse_span(text)


@pytest.mark.parametrize("case", MOMENTS)
def test_the_first_rule_that_objects_gives_the_reason(case: str) -> None:
    """Hours are asked before presence."""
    moment, expected = MOMENTS[case]

    assert expected == objection(OwnerTerms(hours=(NIGHTS,)), moment)


def test_an_owner_may_let_it_work_beside_them() -> None:
    """Presence is no reason where the owner says so."""
    moment = Moment(0, 600, True)

    assert ["", OWNER_BUSY] == [
        objection(OwnerTerms(works_present=True), moment),
        objection(OwnerTerms(), moment),
    ]


def test_what_runs_has_a_while_to_end() -> None:
    """A run goes on until the owner's time to give back is over."""
    terms = OwnerTerms(give_back_s=20.0)

    assert [False, True] == [must_give_back(terms, objected_s=at) for at in (19.9, 20.0)]
