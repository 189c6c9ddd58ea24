"""What tests of the simulator share."""

from pathlib import Path

import pytest
from tests.data.recorded import DATA
from tests.sim.test_replay import reseal

from entraide_sim.report import svg


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts stay empty: they take a second each, and these tests read what stands beside them."""
    monkeypatch.setattr(svg, "_render", lambda *_: "")


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a real pool: aliases, a killed agent, a restart, kept jobs."""
    return reseal(DATA / "journal-base.gz", tmp_path_factory.mktemp("real") / "pool.journal")
