"""Ledger: what one member gave another received."""

import pytest
from tests.core.builders import Pool, of

from entraide_scheduler.core import commands
from entraide_scheduler.core.commands import Entry
from entraide_scheduler.core.ledger import Ledger


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
    with pytest.raises(AssertionError, match="tokens does not balance: 1"):
        ledger.post((Entry("alpha", "tokens", 1),))

    assert ledger.balances == {}
