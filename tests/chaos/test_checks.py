"""The checks of a run that has ended: each promise is broken by what breaks it, and by no more."""

from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.chaos import schedule
from tests.chaos.books import Bill, check_books
from tests.chaos.bus_watcher import RUNS
from tests.chaos.faults import Executed
from tests.chaos.kept import JOB, KeptWork
from tests.chaos.pool import REAL_MODEL
from tests.chaos.report import check_closed, check_given_up
from tests.chaos.run_folder import Broken, RunFolder
from tests.chaos.streams import CLOCK_PAGE, CLOSED, COMPLETE, ERROR, Outcome

WHOLE = Outcome(
    COMPLETE, "g1", "j1", "compte", began_at=90.0, ended_at=100.0, tokens=20, code="", node="n1",
    billed_tokens=23, output_tokens=20, last_at=99.0,
)  # fmt: skip
BROKEN = replace(WHOLE, outcome=ERROR, code="stream_broken", tokens=7)
AMOUNTS = Counter(tokens=23, energy_uwh=5, carbon_ug=7)
EXACT = Bill(3, 20, True, AMOUNTS, AMOUNTS)
KEPT = KeptWork(JOB, "k1", 1, 95.0, is_done=True, jobs=("j1",))
KILLED = Executed(0, schedule.GATEWAY_KILLED, "g1", 101.0, 0.0, 1.0)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """An empty run."""
    new = RunFolder(tmp_path)
    new.make()
    return new


def broken(folder: RunFolder) -> list[str]:
    return [line.promise for line in folder.read("broken", Broken)]


@pytest.mark.parametrize(
    ("promises", "bill", "line"),
    [
        ([], EXACT, WHOLE),
        (["billed"], None, WHOLE),
        (["billed"], replace(EXACT, output=19), WHOLE),
        (["billed_once"], replace(EXACT, output=21), WHOLE),
        (["prompt"], replace(EXACT, prompt=4), WHOLE),
        ([], replace(EXACT, prompt=4, is_counted=False), WHOLE),
        (["amounts"], replace(EXACT, entered=AMOUNTS + AMOUNTS), WHOLE),
        ([], None, BROKEN),
        ([], replace(EXACT, output=7), BROKEN),
        (["billed_broken"], replace(EXACT, output=8), BROKEN),
        (["billed_broken"], replace(EXACT, output=8), replace(BROKEN, outcome=CLOSED)),
    ],
)
def test_books_are_those_of_what_clients_have(
    folder: RunFolder, promises: list[str], bill: Bill | None, line: Outcome
) -> None:
    """A bill is too low, too high, in another amount, or of a prompt that nobody sent."""
    bills = {} if bill is None else {"j1": bill}
    check_books(folder, bills, outcomes=[line], kept=[], faults=[])

    assert promises == broken(folder)


def test_whole_answer_may_be_billed_for_less_as_its_gateway_is_killed(folder: RunFolder) -> None:
    """The word that it had come was lost with the gateway: it is counted."""
    bills = {"j1": replace(EXACT, output=19)}
    counts = check_books(folder, bills, outcomes=[WHOLE], kept=[], faults=[KILLED])

    assert (1, []) == (counts["less_at_killed_gateway"], broken(folder))


def test_what_was_sent_is_not_known_if_gateway_and_scheduler_are_lost(folder: RunFolder) -> None:
    """A stream of a killed gateway may then be billed for more, a whole answer for less."""
    away = replace(KILLED, kind=schedule.SCHEDULER_KILLED, target=schedule.SCHEDULER, at=95.0)
    late = replace(KILLED, at=120.0)
    lines = [WHOLE, replace(BROKEN, job="j2", outcome=CLOSED)]
    bills = {"j1": replace(EXACT, output=19), "j2": replace(EXACT, output=8)}
    check_books(folder, bills, outcomes=lines, kept=[], faults=[away, late])
    known = broken(folder)
    check_books(folder, bills, outcomes=lines, kept=[], faults=[late])

    assert ([], ["billed", "billed_broken"]) == (known, broken(folder))


def test_kept_jobs_are_compared_too(folder: RunFolder) -> None:
    """Each of the twenty tokens of a kept answer is settled, once."""
    for bill in (EXACT, replace(EXACT, output=40)):
        check_books(folder, {"j1": bill}, outcomes=[], kept=[KEPT], faults=[])
    check_books(folder, {}, outcomes=[], kept=[KEPT], faults=[])

    assert ["billed_once", "billed"] == broken(folder)


@pytest.mark.parametrize(
    ("is_broken", "watched", "fault", "line"),
    [
        (True, {"j1": 1}, KILLED, BROKEN),
        (True, {"j1": 3}, replace(KILLED, at=95.0), BROKEN),
        (False, {"j1": 4}, KILLED, BROKEN),
        (False, {"j1": 1, "gap": 95}, KILLED, BROKEN),
        (False, {"j1": 1}, replace(KILLED, kind=schedule.SCHEDULER_KILLED, at=95.0), BROKEN),
        (False, {"j1": 1}, KILLED, replace(BROKEN, last_at=80.0)),
        (False, {"j1": 1}, KILLED, replace(BROKEN, code="storage_full")),
        (False, {"j1": 1}, KILLED, WHOLE),
    ],
)
def test_work_is_given_up_only_after_its_attempts_or_a_long_wait(
    folder: RunFolder, *, is_broken: bool, watched: dict[str, int], fault: Executed, line: Outcome
) -> None:
    """What the watcher of the bus, or the scheduler, could not know is not judged."""
    gaps = [[float(watched["gap"])] * 2] if "gap" in watched else []
    folder.write(RUNS, {"attempts": watched, "gaps": gaps})
    check_given_up(folder, [fault], outcomes=[line], kept=[])

    assert (["given_up"] if is_broken else []) == broken(folder)


@pytest.mark.parametrize(
    ("is_broken", "model", "killed", "nodes"),
    [
        (False, REAL_MODEL, {"n7": 99.5}, ("n1", "n7")),
        (True, REAL_MODEL, {"n7": 99.5}, ("n1", "n7", "n8")),
        (False, REAL_MODEL, {"n7": 99.5, "n8": 98.0}, ("n1", "n7", "n8")),
        (True, REAL_MODEL, {"n7": 90.0}, ("n1", "n7")),
        (True, "compte", {"n7": 99.5}, ("n1", "n7")),
    ],
)
def test_an_answer_whose_machines_were_all_killed_is_not_judged(
    folder: RunFolder, *, is_broken: bool, model: str, killed: dict[str, float], nodes: list[str]
) -> None:
    """It ends once none of them takes work; another model's machines cannot go on with it."""
    folder.write(RUNS, {"attempts": {"j1": 1}, "gaps": []})
    faults = [Executed(0, schedule.AGENT_KILLED, node, at, 0.0, 1.0) for node, at in killed.items()]
    line = replace(BROKEN, model=model)
    check_given_up(folder, faults, outcomes=[line], kept=[], nodes=nodes)

    assert (["given_up"] if is_broken else []) == broken(folder)


def test_kept_work_is_given_up_only_after_its_attempts(folder: RunFolder) -> None:
    """A kept job waits for a machine without end, but is tried four times at most."""
    begun = KeptWork(JOB, "k1", 1, 95.0)
    done = replace(begun, is_done=True, at=190.0, given_up=("k1",))
    for attempts in (3, 4):
        folder.write(RUNS, {"attempts": {"k1": attempts}, "gaps": []})
        check_given_up(folder, [], outcomes=[], kept=[begun, done])

    assert ["given_up"] == broken(folder)


@pytest.mark.parametrize(
    ("is_broken", "code", "gateway", "at"),
    [
        (False, CLOCK_PAGE, "main", 85.0),
        (True, CLOCK_PAGE, "main", 70.0),  # the clock has been right for long
        (True, CLOCK_PAGE, "g1", 85.0),
        (True, "", "main", 85.0),
    ],
)
def test_the_page_of_a_start_that_waits_for_its_clock_is_no_closed_connection(
    folder: RunFolder, *, is_broken: bool, code: str, gateway: str, at: float
) -> None:
    """While the clock is wrong, at the gateway of the scheduler, and nothing but this page."""
    line = replace(WHOLE, outcome=CLOSED, gateway=gateway, code=code, began_at=90.0, ended_at=90.0)
    wait = replace(
        KILLED, kind=schedule.CLOCK_AT_START, target=schedule.SCHEDULER, at=at, lasts_s=8.0
    )
    check_closed(folder, [wait], [line])

    assert (["closed"] if is_broken else []) == broken(folder)
