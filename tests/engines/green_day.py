"""A pool in a fast day, whose grid is dirty for three hours and green for three, over and over.

Every process of the pool runs on a clock that is ``SPEED`` times as fast. Hours and their forecast
are files; the operator imports the hours. Bus, scheduler, agents, engine and model are real.
"""

import contextlib
import csv
import datetime as dt
import os
import random
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from openai import DefaultHttpxClient, OpenAI
from tests.pool.support import RunningPool, entraide, pool_config, wait_until

from entraide_scheduler.pool.create import create_pool

SPEED = 180.0  # an hour in 20 seconds
HOUR_S = 3_600
HOURS = 96
ZONE, COOP = "CA-ON", "boreale"
PHASE_HOURS = 3  # dirty, then as many green
CLOCK_FOLDER = Path(__file__).with_name("fast_clock")
LIVE_S = 100.0

# Silence is counted in seconds of the pool's clock, work in real ones.
POLICY: dict[str, Any] = {
    "version": "fast-day",
    "coops": [{"coop": COOP}],
    "timing": {
        "suspect_after_s": 4.0 * SPEED,
        "lost_after_s": 15.0 * SPEED,
        "busy_suspect_after_s": 4.0 * SPEED,
        "busy_lost_after_s": 15.0 * SPEED,
        "reconnect_s": 15.0 * SPEED,
        "offer_timeout_s": 10.0 * SPEED,
        "lease_s": 30.0 * SPEED,
        "job_kept_s": 600.0 * SPEED,
    },
}


class GreenDay:
    """The clock of the day, and the intensity of its hours, g/kWh."""

    def __init__(self, seed: int) -> None:
        self._started_s = time.monotonic()
        self.begins_at = (int(time.time()) // HOUR_S + 1) * HOUR_S
        draw = random.Random(seed)
        # Later hours are a little dirtier, so that the plan takes the next green ones.
        self.g_per_kwh = [
            hour + (draw.uniform(20.0, 20.3) if self.is_green(hour) else draw.uniform(380, 420))
            for hour in range(HOURS)
        ]

    @property
    def environment(self) -> str:
        """What tells processes the clock."""
        return f"{self._started_s} {self.begins_at} {SPEED}"

    @property
    def now(self) -> float:
        """The time on the pool's clock, seconds since the epoch."""
        return self.begins_at + (time.monotonic() - self._started_s) * SPEED

    def is_green(self, hour: int) -> bool:
        """Whether an hour of the day is green."""
        return hour // PHASE_HOURS % 2 == 1

    def hours_until_green(self) -> float:
        """Hours until the next green phase; 0 in one."""
        hour = (self.now - self.begins_at) / HOUR_S
        return 0.0 if self.is_green(int(hour)) else PHASE_HOURS - hour % PHASE_HOURS

    def write_hours(self, path: Path) -> None:
        """Writes the hours as the operator imports them."""
        rows = [(self._utc(hour), value) for hour, value in enumerate(self.g_per_kwh)]
        self._write(path, ("utc", "ci_direct_g_per_kwh"), rows)

    def write_forecast(self, path: Path, seed: int) -> None:
        """Writes a forecast, up to 1 % wrong, that is issued as the day begins."""
        draw = random.Random(seed)
        rows = [
            (self._utc(0), self._utc(hour), value * draw.uniform(0.99, 1.01))
            for hour, value in enumerate(self.g_per_kwh)
        ]
        self._write(path, ("issued_utc", "utc", "forecast_ci_direct_g_per_kwh"), rows)

    def _utc(self, hour: int) -> str:
        return dt.datetime.fromtimestamp(self.begins_at + hour * HOUR_S, dt.UTC).isoformat()

    @staticmethod
    def _write(path: Path, names: tuple[str, ...], rows: Any) -> None:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([names, *rows])


class GreenPool:
    """The pool of a fast day.

    Attributes:
        day: its clock and its grid.
        pool: its processes.
        key: of the co-op.
    """

    def __init__(self, day: GreenDay, pool: RunningPool, policy: Path) -> None:
        self.day = day
        self.pool = pool
        self.operate("policy", "apply", str(policy), "--overwrite", "--reason", "a fast clock")
        self.key = self.operate("keys", "create", "--coop", COOP).split()[0]
        context = ssl.create_default_context(cadata=pool.ca)
        self.client = OpenAI(
            base_url=f"{pool.file.http}/v1",
            api_key=self.key,
            http_client=DefaultHttpxClient(verify=context, timeout=60.0),
        )

    def operate(self, *words: str) -> str:
        """Runs an operator's command; returns what it prints."""
        done = entraide(*words, "--state", str(self.pool.state))
        assert 0 == done.returncode, done.stderr + done.stdout
        return done.stdout

    def is_ready(self) -> bool:
        """Whether the gateway says that it is ready."""
        with contextlib.suppress(OSError):
            return bool(self.pool.get("/readyz")["ready"])
        return False


@contextlib.contextmanager
def member(pool: GreenPool, folder: Path) -> Iterator[None]:
    """A machine that joins by a link and works."""
    link = pool.operate("invite", COOP, "--zone", ZONE).split()[0]
    command = [sys.executable, "-m", "entraide.cli", "--lang", "en", "node"]
    joining = [*command, "join", link, "--dir", str(folder), "--any-time", "--no-service"]
    done = subprocess.run(joining, check=False, capture_output=True, text=True, timeout=60)
    assert 0 == done.returncode, done.stderr
    with (pool.pool.state / "logs" / f"{folder.name}.log").open("wb") as log:
        agent = subprocess.Popen([*command, "run", "--dir", str(folder)], stdout=log, stderr=log)
    try:
        yield
    finally:
        agent.terminate()
        agent.wait(60)


@contextlib.contextmanager
def founded_pool(state: Path, forecast: Path) -> Iterator[RunningPool]:
    """A new pool that reads a file with forecasts, as the operator adds it to ``pool.toml``."""
    config = pool_config()
    create_pool(state, config)
    with (state / "pool.toml").open("ab") as file:
        tomli_w.dump({"grid": {"forecasts": [{"zone": ZONE, "file": str(forecast)}]}}, file)
    pool = RunningPool(state, config)
    try:
        pool.wait_until_ready()
        yield pool
    finally:
        pool.stop()


@contextlib.contextmanager
def running_green_pool(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[GreenPool]:
    """A pool in a fast day, with two live machines."""
    day = GreenDay(seed=1)
    forecast, hours, policy = (folder / name for name in ("forecast.csv", "hours.csv", "p.toml"))
    day.write_forecast(forecast, seed=2)
    day.write_hours(hours)
    policy.write_text(tomli_w.dumps(POLICY))
    patch.setenv("FAST_CLOCK", day.environment)
    patch.setenv("PYTHONPATH", str(CLOCK_FOLDER), prepend=os.pathsep)
    with founded_pool(folder / "pool", forecast) as running:
        pool = GreenPool(day, running, policy)
        with pool.client, contextlib.ExitStack() as machines:
            pool.operate("grid", "import", str(hours), "--zone", ZONE)
            for name in ("node-1", "node-2"):
                machines.enter_context(member(pool, folder / name))
            wait_until(lambda: len(live(pool)) == 2, "two live machines", LIVE_S)
            yield pool


def live(pool: GreenPool) -> list[str]:
    """The machines that are live and serve a model."""
    status = pool.pool.get("/status.json", key=pool.key)
    return [node["node"] for node in status["nodes"] if node["models"]]
