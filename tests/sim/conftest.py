"""What tests of the simulator share."""

import html
from pathlib import Path

import pytest
from tests.data.recorded import DATA
from tests.sim.test_replay import reseal

from entraide_sim.replay.policy_comparison import ReplayedJournal, replay_journal
from entraide_sim.report import svg


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts have their label only: they take a second each, and these tests read what stands
    beside them."""

    def label_only(_draw: svg.DrawFunction, _name: str, label: str, *_: object) -> str:
        return f'<svg aria-label="{html.escape(label)}"></svg>'

    monkeypatch.setattr(svg, "_render", label_only)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a real pool: aliases, a killed agent, a restart, kept jobs."""
    return reseal(DATA / "journal-base.gz", tmp_path_factory.mktemp("real") / "pool.journal")


@pytest.fixture(scope="session")
def real_replayed(real: Path) -> ReplayedJournal:
    """That journal, replayed exactly."""
    return replay_journal(real)
