"""Ledger: what one member gave another received."""

import pytest
from tests.core.builders import Pool, of

from entraide_scheduler.core import commands, events
from entraide_scheduler.core.accounting import Ledger
from entraide_scheduler.core.accounting.ledger import CORRECTIONS_KEPT
from entraide_scheduler.core.commands import Entry
from entraide_scheduler.core.machine import Core


def run(pool: Pool, job: str, coop: str, **used: int) -> commands.Settle:
    (place,) = of(pool.ask(job, coop), commands.Place)
    return of(pool.report(place, **used), commands.Settle)[0]


def test_the_lender_gave_what_the_borrower_received(three: Pool) -> None:
    """Beta's job on alpha's machine: alpha stands above zero by what beta stands below."""
    settle = run(three, "j1", "beta", input_tokens=90, output_tokens=50)

    assert settle.entries == (
        Entry("alpha", "tokens", 140),
        Entry("beta", "tokens", -140),
        Entry("alpha", "energy_uwh", 32_000),
        Entry("beta", "energy_uwh", -32_000),
        Entry("alpha", "carbon_ug", 42),
        Entry("beta", "carbon_ug", -42),
    )
    assert three.core.balances() == {
        "alpha": {"tokens": 140, "energy_uwh": 32_000, "carbon_ug": 42},
        "beta": {"tokens": -140, "energy_uwh": -32_000, "carbon_ug": -42},
    }


def test_a_coop_on_its_own_machine_owes_nobody(three: Pool) -> None:
    """A co-op that uses its own machine stands on both sides."""
    settle = run(three, "j1", "alpha")

    assert len(settle.entries) == 6
    assert three.core.balances()["alpha"] == {"tokens": 0, "energy_uwh": 0, "carbon_ug": 0}


def test_lines_that_do_not_balance_are_not_posted() -> None:
    """A broken invariant stops the core before the books are wrong."""
    ledger = Ledger()
    whole = Entry("alpha", "tokens", 1), Entry("beta", "tokens", -1)
    for wrong in (Entry("beta", "tokens", -2), Entry("beta", "energy_uwh", -1)):
        with pytest.raises(AssertionError, match="no balance"):
            ledger.book((*whole, Entry("alpha", "tokens", 1), wrong))

    assert ledger.balances == {}


CORRECTION = ("c1", "alpha", "beta", -40, 1_000, 5, "the meter was read twice")


def test_a_correction_is_a_new_entry(three: Pool) -> None:
    """Forty tokens are taken back from alpha's gifts to beta; the old lines stand."""
    run(three, "j1", "beta", input_tokens=90, output_tokens=50)
    (post,) = three.tell(events.LedgerCorrected, *CORRECTION)

    assert (post.correction, post.reason) == ("c1", "the meter was read twice")
    assert post.entries == (
        Entry("alpha", "tokens", -40),
        Entry("beta", "tokens", 40),
        Entry("alpha", "energy_uwh", 1_000),
        Entry("beta", "energy_uwh", -1_000),
        Entry("alpha", "carbon_ug", 5),
        Entry("beta", "carbon_ug", -5),
    )
    assert three.core.balances()["alpha"] == {
        "tokens": 100,
        "energy_uwh": 33_000,
        "carbon_ug": 47,
    }


def test_the_same_correction_twice_changes_nothing(three: Pool) -> None:
    """A correction that was sent again is dropped, also after a restart of the core."""
    three.tell(events.LedgerCorrected, *CORRECTION)
    balances = three.core.balances()
    again = three.tell(events.LedgerCorrected, *CORRECTION)
    three.core = Core.restore(three.core.snapshot())
    restarted = three.tell(events.LedgerCorrected, *CORRECTION)

    assert [command.what for command in again + restarted] == ["corrected_before"] * 2
    assert three.core.balances() == balances


def test_the_names_of_corrections_are_bounded() -> None:
    """The oldest name is forgotten; the store, which forgets none, is asked before."""
    ledger = Ledger()
    for number in range(CORRECTIONS_KEPT + 1):
        ledger.correct(events.LedgerCorrected(1, 0.0, f"c{number}", "a", "b", 1, 0, 0, "why"))

    assert len(ledger.corrections) == CORRECTIONS_KEPT
    assert "c0" not in ledger.corrections
