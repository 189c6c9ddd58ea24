"""Snapshot: what is no snapshot of this version is refused."""

import msgspec
import pytest
from tests.core.builders import Pool

from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.records import Changes


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\xc0", msgspec.msgpack.encode([0, 1])])
def test_what_is_no_snapshot_is_refused(data: bytes) -> None:
    """Bytes of another kind or version raise, and no core is made of them."""
    with pytest.raises(msgspec.DecodeError):
        Core.restore(data)


def test_a_snapshot_changes_nothing(three: Pool) -> None:
    """Taking one twice gives the same bytes, and the core goes on."""
    three.ask("j1")

    assert three.core.snapshot() == three.core.snapshot()
    assert three.core.job("j1") is not None


@pytest.mark.parametrize("name", Changes.__struct_fields__)
def test_no_pending_change_is_lost_by_a_snapshot(name: str) -> None:
    """Whatever an event leaves to the next one, a restored core has it, too, and hears of more."""
    core = Core()
    changes = core._state.changes
    pending = {"n2": None, "n1": None} if isinstance(getattr(changes, name), dict) else True
    setattr(changes, name, pending)
    restored = Core.restore(core.snapshot())._state

    assert str(changes) == str(restored.changes)  # in the same order
    assert restored.changes != Changes()
    assert restored.changes is restored.fleet._changes
