"""Usage reports and answers: which of both is settled, and when a client gets the end."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.scheduler.gateway_support import USAGE, ask, open_pool

from entraide.types import Outcome, Usage
from entraide.wire.messages import AnswerReceived, UsageReport
from entraide_scheduler.nodes.usage_reports import (
    ANSWER_TIMEOUT_S,
    ON_ITS_WAY_S,
    REPORT_TIMEOUT_S,
    UsageReports,
)

DONE = UsageReport("j1", 1, Outcome.COMPLETED, "", delivered=True, usage=USAGE)
LOST = UsageReport("j1", 1, Outcome.FAILED, "node_lost", delivered=True, usage=USAGE)


class Books:
    """Records what is passed on; plays the gateway and the core."""

    def __init__(
        self, *, holds: bool = True, elsewhere: bool = False, given_up: bool = False
    ) -> None:
        self.given_up = given_up
        self.passed: list[tuple[str, UsageReport]] = []
        self.lost: list[tuple[str, int]] = []
        self.result: asyncio.Future[None] | None = None
        self.storage: asyncio.Future[bool] | None = None
        self.now = 1_000.0
        self.reports = UsageReports(
            self,
            handle_report=self.pass_on,
            handle_loss=lambda job, epoch: self.lost.append((job, epoch)),
            holds_run=lambda *_: holds and not given_up,
            may_complete=lambda *_: self.given_up,
            gateway_of=lambda _: "g1" if elsewhere else "",
            now=lambda: self.now,
        )

    def pass_on(self, node: str, report: UsageReport) -> None:
        self.passed.append((node, report))
        self.given_up = False

    def wait_for_result(self, _job: str, _epoch: int) -> asyncio.Future[None] | None:
        return self.result

    def wait_for_storage(self, _job: str) -> asyncio.Future[bool] | None:
        return self.storage

    def answer(self, used: Usage = USAGE) -> None:
        self.reports.add_answer(AnswerReceived("j1", 1, "n1", used))


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds the write lock of a store, so that its next commit waits."""
    with contextlib.closing(sqlite3.connect(folder / "store.db", isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        yield


async def test_end_of_an_answer_waits_for_its_placement_on_disk(tmp_path: Path) -> None:
    """No client has a whole answer of which a crash would leave nothing in the journal."""
    async with open_pool(tmp_path) as pool:
        await pool.driver.committed()
        with held(tmp_path):
            pending = asyncio.ensure_future(pool.send(ask()))
            run = await pool.placed()
            run.finish("Salut")
            status, _ = await pool.call("GET", "/v1/models")
            early = pending.done()
        async with await pending as answer:
            body = await answer.json()

    assert (200, False) == (status, early)
    assert "Salut" == body["choices"][0]["message"]["content"]


async def test_report_is_not_settled_twice() -> None:
    """A report that comes after its answer takes the answer's place."""
    books = Books()
    books.answer()
    books.reports("n1", DONE)
    books.now += 2 * REPORT_TIMEOUT_S
    books.reports.settle_overdue()

    assert [("n1", DONE)] == books.passed


async def test_overdue_report_is_replaced_by_the_answers_usage() -> None:
    """An answer is settled by its own usage once its report is overdue, and not before."""
    books = Books()
    books.answer()
    books.reports.settle_overdue()
    early = list(books.passed)
    books.now += REPORT_TIMEOUT_S
    books.answer()  # its gateway repeats it
    books.reports.settle_overdue()

    assert [] == early
    assert [("n1", DONE)] == books.passed


async def test_restarted_node_is_settled_by_the_answers_it_gave() -> None:
    """At a hello, answers are settled whose runs the node does not name; the others wait."""
    books = Books()
    books.answer()
    books.reports.settle_node("n1", held=[("j1", 1)])
    named = list(books.passed)
    books.reports.settle_node("n1")

    assert ([], [("n1", DONE)]) == (named, books.passed)


async def test_report_of_a_lost_run_whose_answer_came_is_one_of_a_completed_run() -> None:
    """A node that restarted says that it was lost; the gateway knows better."""
    books = Books()
    books.answer()
    books.reports("n1", LOST)

    assert [("n1", DONE)] == books.passed


async def test_report_of_a_lost_run_waits_for_the_answer_that_is_being_stored() -> None:
    """While the answer of a kept job is being written, its run is not placed again."""
    books = Books()
    writing = books.storage = asyncio.get_running_loop().create_future()
    books.reports("n1", LOST)
    between = list(books.passed)
    books.storage = None
    books.answer()  # the gateway says so as soon as it is written
    writing.set_result(True)
    await asyncio.sleep(0)

    assert ([], [("n1", DONE)]) == (between, books.passed)


async def test_answer_of_a_settled_run_is_not_remembered() -> None:
    """An answer that comes after the report of its run changes nothing."""
    books = Books(holds=False)
    books.answer()
    books.reports.settle_node("n1")

    assert [] == books.passed


async def test_answer_that_is_lost_is_not_billed() -> None:
    """If the wait for the answer of a kept job ends without it, its run is given up first."""
    books = Books()
    books.result = asyncio.get_running_loop().create_future()
    books.reports("n1", DONE)
    books.result.cancel()
    await asyncio.sleep(0)

    assert ([("j1", 1)], [("n1", DONE)]) == (books.lost, books.passed)


async def test_report_waits_for_the_word_of_a_gateway_of_its_own() -> None:
    """Its report is settled as soon as the gateway says that the answer has come, and once."""
    books = Books(elsewhere=True)
    books.reports("n1", DONE)
    books.reports("n1", DONE)  # the node repeats it
    early = list(books.passed)
    books.answer()

    assert ([], [("n1", DONE)], []) == (early, books.passed, books.lost)


async def test_report_of_an_answer_for_which_its_gateway_waits_is_given_up() -> None:
    """If the gateway still lists the job a while after the report, the end of the answer is lost;
    a list that was on its way meanwhile does not count, nor does one of another job."""
    books = Books(elsewhere=True)
    books.reports("n1", DONE)
    books.reports.add_waiting(["j1"])
    books.now += ON_ITS_WAY_S
    books.reports.add_waiting(["j2"])
    early = list(books.lost)
    books.reports.add_waiting(["j1"])

    assert ([], [("j1", 1)], [("n1", DONE)]) == (early, books.lost, books.passed)


def test_report_counts_if_its_gateway_says_nothing() -> None:
    """An older gateway, or one whose word is lost: the node's report is settled after a while, in
    which the gateway is heard; one that is silent may be lost, and its client has a part only."""
    books = Books(elsewhere=True)
    books.reports("n1", DONE)
    begun = books.now
    books.now += 2 * ANSWER_TIMEOUT_S
    books.reports.release_overdue({"g1": begun + ANSWER_TIMEOUT_S - 1.0})
    silent = list(books.passed)
    books.reports.release_overdue({"g1": begun + ANSWER_TIMEOUT_S})

    assert ([], [("n1", DONE)], []) == (silent, books.passed, books.lost)


def test_report_waits_anew_after_a_time_in_which_no_gateway_was_heard() -> None:
    """An outage of the bus takes nothing from the time that a gateway has for its word."""
    books = Books(elsewhere=True)
    books.reports("n1", DONE)
    books.now += ANSWER_TIMEOUT_S
    books.reports.hold_anew()
    books.reports.release_overdue({"g1": books.now + 1.0})
    early = list(books.passed)
    books.now += ANSWER_TIMEOUT_S
    books.reports.release_overdue({})  # it is lost, and its jobs have ended: acknowledged only

    assert ([], [("n1", DONE)]) == (early, books.passed)


@pytest.mark.parametrize("is_reported", [False, True])
async def test_answer_of_a_run_that_was_given_up_is_settled_at_once(is_reported: bool) -> None:
    """Before its job begins again elsewhere; a report alone waits for the gateway's word."""
    books = Books(elsewhere=True, given_up=True)
    if is_reported:
        books.reports("n1", DONE)
    early = list(books.passed)
    books.answer()

    assert ([], [("n1", DONE)]) == (early, books.passed)
