"""Rates that the nodes of one machine share, and the engines that share none."""

from pathlib import Path

import pytest
from tests.node.test_bench import Clock, TimedEngine

from entraide_node import machine_setup
from entraide_node.config import Attach, LlamaCpp
from entraide_node.engine_config import OwnerEngine
from entraide_node.machine_setup import RATES_NAME, RATES_VARIABLE, EngineInstance, start_instance


class ServingEngine(TimedEngine):
    """A timed engine that serves in a node."""

    def __init__(self) -> None:
        super().__init__(Clock())

    def expect_rates(self, rates: object) -> None:
        """Expects nothing."""


@pytest.mark.parametrize(
    ("owner_engine", "is_shared"),
    [
        (LlamaCpp(), True),
        (Attach(url="http://127.0.0.1:1", model="m"), False),
    ],
    ids=["an engine of ours", "a server of the owner"],
)
async def test_who_shares_rates(
    owner_engine: OwnerEngine, is_shared: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine decides how fast our engines are; an owner's server may be anywhere."""

    async def start(*_: object, **__: object) -> ServingEngine:
        return ServingEngine()

    shared = tmp_path / "shared.json"
    monkeypatch.setenv(RATES_VARIABLE, str(shared))
    monkeypatch.setattr(machine_setup, "start_owner_engine", start)

    instance = await start_instance(owner_engine, folder=tmp_path, tell=lambda _: None)

    assert isinstance(instance, EngineInstance), instance
    assert (tmp_path / RATES_NAME).exists()
    assert is_shared == shared.exists()


async def test_nothing_is_shared_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable, or with an empty one, no file is shared."""
    monkeypatch.delenv(RATES_VARIABLE, raising=False)
    absent = machine_setup.shared_rates_path()
    monkeypatch.setenv(RATES_VARIABLE, "")

    assert absent is None
    assert machine_setup.shared_rates_path() is None
