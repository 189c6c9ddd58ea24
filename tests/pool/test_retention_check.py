"""The doctor says how many days journal and explanations hold, if they are fewer than promised."""

import time
from pathlib import Path

import pytest
from tests.pool.recorded_support import recorded_pool, store_url

from entraide_scheduler.findings import report
from entraide_scheduler.pool import retention_check
from entraide_scheduler.pool.config import load_pool_config
from entraide_scheduler.pool.retention_check import check_retention
from entraide_scheduler.store.store import Store

DAY_S = 86_400.0


async def test_a_busy_pools_days_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is the limit on rows, and the days are those of the present rate."""
    state = recorded_pool(tmp_path)
    config, now = load_pool_config(state), time.time()
    calm = list(check_retention(state, config))
    store = await Store.open(store_url(state))
    for number in range(40):
        at = now - 2 * DAY_S + number
        store.put_explanation(f"job-{number}", "alpha", b"", at=at)
    await store.committed()
    held = await store.read(retention_check.read_explained)
    await store.close()
    monkeypatch.setattr(retention_check, "EXPLANATIONS_MAX", held[1])
    (check,) = check_retention(state, config)
    sentences = [report(check, lang).sentence for lang in ("fr", "en")]

    assert ["retention-ok"] == [each.code for each in calm]
    assert "retention-explanations" == check.code
    assert round((now - held[0]) / DAY_S, 1) == check.values["days"]
    assert all("30" in sentence for sentence in sentences)
