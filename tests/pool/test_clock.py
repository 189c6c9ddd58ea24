"""A pool whose server ran 400 days ahead for two minutes: it starts, keeps all, and tells dates."""

import json
import time
import urllib.error
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.commands import forked_entraide
from tests.pool.support import RunningPool, entraide, pool_config, wait_until

from entraide_scheduler.nats import tls
from entraide_scheduler.nats.config import ensure_server_files
from entraide_scheduler.pool.config import PoolConfig, bus_settings
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.store.database import database_url, make_engines
from entraide_scheduler.store.schema import journal

CLOCKS = Path(__file__).parents[1] / "engines" / "fast_clock"
DAYS = 400
AHEAD_S = DAYS * 86_400.0


def count_events(state: Path) -> tuple[int, int]:
    """Returns the number of the first event that is kept, and how many are."""
    engines = make_engines(database_url(f"sqlite:///{state / 'store.db'}"))
    with engines[1].connect() as connection:
        row = connection.execute(select(func.min(journal.c.seq), func.count())).one()
    for engine in engines:
        engine.dispose()
    return row[0], row[1]


def read_clock(state: Path) -> dict[str, Any]:
    """Returns what ``pool clock show`` says to programs."""
    return json.loads(forked_entraide("pool", "clock", "show", str(state), "--json").stdout)


def clock_finding(state: Path) -> tuple[str, str]:
    """Returns the level and the code of what the doctor says of the clock."""
    report = json.loads(forked_entraide("pool", "doctor", str(state), "--json").stdout)
    return next((each["level"], each["code"]) for each in report["checks"]
                if each["code"].startswith("clock-"))  # fmt: skip


def wait_until_held(pool: RunningPool, event: str = "clock.start_waits") -> None:
    """Waits until the start of a pool waits for its operator."""
    log = pool.state / "logs" / "pool.log"
    wait_until(lambda: log.exists() and log.read_text().count(event) > 0, event)


def add_coop(state: Path, name: str) -> None:
    """Makes a new version of the policy, which has a date."""
    more = ("--author", "Test", "--reason", "test", "--state", str(state))
    assert 0 == forked_entraide("coops", "add", name, *more).returncode


def test_a_folder_that_is_no_pool_has_no_clock_that_is_right(tmp_path: Path) -> None:
    """The clock of a folder without a pool is not called right: there is no pool to compare."""
    said = forked_entraide("pool", "clock", "show", str(tmp_path / "none"), lang="fr")

    assert 1 == said.returncode
    assert f"Il n’y a pas de parc dans {tmp_path / 'none'}" in said.stderr


@pytest.mark.long
def test_400_days_ahead_for_two_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator takes the wrong clock for right; then it is set back, and all is kept and told.

    OpenSSL reads the right clock here, as the members' machines do: the certificate of the wrong
    days is made after them, and the first one is valid for long.
    """
    state, config = tmp_path / "pool", pool_config()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tls, "LEAF_VALIDITY", 3 * DAYS * tls.dt.timedelta(days=1))
        create_pool(state, config)
    with running(state, config) as pool:
        pool.wait_until_ready()
        add_coop(state, "boreale")
    first = count_events(state)

    monkeypatch.setenv("PYTHONPATH", str(CLOCKS))
    monkeypatch.setenv("FAST_CLOCK", f"{time.monotonic()} {time.time() + AHEAD_S} 1")
    with running(state, config) as pool:
        wait_until_held(pool)
        with pytest.raises(urllib.error.HTTPError) as page:
            pool.get("/", url=config.public_url)
        held = count_events(state), (state / "pool.json").exists()
        accepted = entraide("pool", "clock", "accept", str(state)).returncode
        pool.wait_until_ready()
        add_coop(state, "australe")
    monkeypatch.delenv("FAST_CLOCK")
    monkeypatch.delenv("PYTHONPATH")

    make_future_certificate(state, config)
    (state / "logs" / "pool.log").unlink()
    with running(state, config) as pool:
        wait_until_held(pool)
        behind = read_clock(state)["state"], clock_finding(state)
        refused = forked_entraide("pool", "clock", "accept", str(state)).returncode
        done = forked_entraide("pool", "clock", "set", str(state)).returncode
        pool.wait_until_ready()
        add_coop(state, "centrale")
        after = read_clock(state)
        level, _ = clock_finding(state)
    said = forked_entraide("pool", "clock", "show", str(state), lang="fr").stdout
    (setting,) = after["settings"]
    wrong = {f"{each['table']}.{each['column']}": each["names"] for each in setting["records"]}

    assert (first, False) == held
    assert (503, "60") == (page.value.code, page.value.headers["retry-after"])
    assert (0, 1, 0) == (accepted, refused, done)
    assert ("back", ("fail", "clock-far-back")) == behind
    assert ("right", True) == (after["state"], level != "fail")
    assert abs(after["last_event_at"] - time.time()) < 600.0
    assert ["3"] == wrong["policies.at"]
    assert "policies.at" in said
    kept = count_events(state)
    assert (first[0], True) == (kept[0], kept[1] > first[1])


def make_future_certificate(state: Path, config: PoolConfig) -> None:
    """Puts the certificate in place that the pool made while its clock was wrong."""
    (state / "tls" / "server.pem").unlink()
    ensure_server_files(bus_settings(config, state), now=lambda: time.time() + AHEAD_S)


class running:  # noqa: N801  (reads as the contexts of ``support``)
    """``entraide pool run`` on a pool that exists, ended afterwards whatever happens."""

    def __init__(self, state: Path, config: PoolConfig) -> None:
        self._pool = RunningPool(state, config)

    def __enter__(self) -> RunningPool:
        return self._pool

    def __exit__(self, *_: object) -> None:
        self._pool.stop()
