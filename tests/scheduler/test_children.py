"""Supervised children: which are started again."""

import sys
from pathlib import Path

import pytest
from tests.waiting import eventually

from entraide.system_service.units import FINAL_STATUS
from entraide_scheduler.supervision import children
from entraide_scheduler.supervision.children import Child, ChildSpec


@pytest.mark.parametrize(("status", "is_final"), [(1, False), (0, False), (FINAL_STATUS, True)])
async def test_child_is_started_again_unless_that_would_not_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, is_final: bool
) -> None:
    """A child that died comes back; one that says by its exit status that it is done does not."""
    monkeypatch.setattr(children, "BACKOFF_FIRST_S", 0.0)
    command = (sys.executable, "-S", "-c", f"raise SystemExit({status})")
    child = Child(ChildSpec(name="c", argv=command, log=tmp_path / "c.log"))
    await child.start()
    try:
        await eventually(lambda: child.starts > 2 or child._supervisor.done())
    finally:
        await child.stop()

    assert is_final == (child.starts == 1)
