"""The time in which a machine took jobs: counted by day, kept over restarts, told to nobody."""

import datetime as dt
from pathlib import Path

import pytest

from entraide_node.owner.lent_time import LENT_NAME, LentTime, LentTimeCounter, read_lent_time

NOON = dt.datetime(2026, 11, 27, 12, 0).timestamp()  # noqa: DTZ001  (the machine's own clock)
DAY_S = 86_400.0


def count(folder: Path, *notes: tuple[float, bool], start: float = NOON) -> LentTime:
    """What is read after notes, given as seconds after a start and whether jobs were taken."""
    counter = LentTimeCounter(folder)
    for after_s, takes_jobs in notes:
        counter.note(start + after_s, takes_jobs=takes_jobs)
    last = start + notes[-1][0]
    counter.save(last)
    return read_lent_time(folder, now=last)


def test_only_the_time_between_two_notes_that_take_jobs_counts(tmp_path: Path) -> None:
    """A pause ends the count at its first note, and time before the next start does not count."""
    notes = [(0, True), (1, True), (3, True), (4, False), (60, False), (61, True), (62, True)]

    assert LentTime(4.0, 4.0) == count(tmp_path, *notes)


def test_a_machine_that_slept_or_whose_clock_jumped_gave_nothing_meanwhile(tmp_path: Path) -> None:
    """A step that is too long, or goes back, is left out."""
    notes = [(0, True), (2, True), (3_600, True), (3_601, True), (1_000, True), (1_002, True)]

    assert LentTime(5.0, 5.0) == count(tmp_path, *notes)


def test_days_add_up_to_the_month_over_restarts(tmp_path: Path) -> None:
    """A new agent continues the count; another month is not in this one's sum."""
    for days in (-30, -1, 0):
        lent = count(tmp_path, (0, True), (8, True), start=NOON + days * DAY_S)

    assert LentTime(8.0, 16.0) == lent


def test_the_count_is_bounded(tmp_path: Path) -> None:
    """Days that are too old are dropped."""
    for days in range(70):
        count(tmp_path, (0, True), (1, True), start=NOON + days * DAY_S)

    assert 62 == (tmp_path / LENT_NAME).read_text().count(":")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"2026-11-27": "x"}', '{"2026-11-27": -5}'])
def test_a_broken_count_starts_anew(tmp_path: Path, text: str) -> None:
    """A file that cannot be used counts as none, and stops no agent."""
    (tmp_path / LENT_NAME).write_text(text)

    assert LentTime() == read_lent_time(tmp_path, now=NOON)
    assert LentTime(1.0, 1.0) == count(tmp_path, (0, True), (1, True))


def test_a_folder_that_cannot_be_written_stops_no_agent(tmp_path: Path) -> None:
    """Counting goes on."""
    counter = LentTimeCounter(tmp_path / "absent" / "folder")
    counter.note(NOON, takes_jobs=True)
    counter.save(NOON)

    assert LentTime() == read_lent_time(tmp_path, now=NOON)
