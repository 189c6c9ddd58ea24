"""What tests of the simulator share."""

import pytest

from entraide_sim.report import svg


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts stay empty: they take a second each, and these tests read what stands beside them."""
    monkeypatch.setattr(svg, "_render", lambda *_: "")
