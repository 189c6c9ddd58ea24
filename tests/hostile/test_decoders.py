"""Any bytes give a value, or the one error that the decoder names: never another exception.

Short in ``make test``; ``make fuzz`` repeats these tests for ten minutes with new bytes.
"""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hostile.decoders import of_batches, of_client, of_node, of_people, of_pool, of_simulator
from tests.hostile.strategies import FUZZ

CASES = {
    **of_pool.CASES, **of_batches.CASES, **of_client.CASES, **of_people.CASES, **of_node.CASES,
    **of_simulator.CASES,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the decoders of files find theirs."""
    return tmp_path_factory.mktemp("foreign")


@pytest.mark.fuzz
@pytest.mark.parametrize("name", CASES)
@FUZZ
@given(data=st.data())
def test_any_bytes(name: str, folder: Path, data: st.DataObject) -> None:
    """The decoder returns, or raises an error that it names."""
    case = CASES[name]
    given = data.draw(case.given)
    with contextlib.suppress(*case.refusals):
        case.read(given, folder)
