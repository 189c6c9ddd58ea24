"""A pool that is stopped and started again: which nodes it waits for, and where it is."""

from pathlib import Path

import pytest
from tests.integration.local_pool import RunningPool, up

from entraide_scheduler.up.settings import RATES_VARIABLE, node_dir

pytestmark = pytest.mark.engines  # starts a real pool three times


def test_a_start_waits_for_the_nodes_that_may_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revoked node is not started; the pool is ready with the others, at the same addresses.

    One of two nodes measures its engine for both.
    """
    monkeypatch.delenv(RATES_VARIABLE)
    pool = RunningPool(tmp_path)
    output = pool.entraide("up", "--detach", "--nodes", "2")
    before = pool.file
    rates = {(node_dir(tmp_path, number) / "rates.json").read_bytes() for number in (1, 2)}
    pool.entraide("nodes", "revoke", "node-1")
    pool.entraide("down")
    pool.entraide("up", "--detach", "--nodes", "2")
    after = pool.file
    written = (tmp_path / "logs/up.out").read_text()
    live = pool.live()
    status, _, _ = pool.chat("Bonjour")
    pool.entraide("nodes", "revoke", "node-2")
    pool.entraide("down")
    empty = up(tmp_path, "--nodes", "2")
    left = set(empty.file.pids)
    pool.entraide("down")

    secrets = [after.admin_key, *after.keys.values(), "#/", "ENTRAIDE_KEY"]

    assert 1 == len(rates)
    assert [] == [secret for secret in secrets if secret in written]
    assert before.http in output
    assert str(tmp_path / "pool.json") in output
    assert (before.http, before.grpc, before.nats) == (after.http, after.grpc, after.nats)
    assert {"node-2"} == live
    assert 200 == status
    assert "node-1" not in after.pids
    assert {"up", "nats", "scheduler"} == left
