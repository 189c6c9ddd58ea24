"""Each time of day that our programs write for a person comes with its time zone."""

import re

from tests.house.source import ROOT

# A form of a time of day, and the modules that may write one.
TIME_OF_DAY = re.compile(r"%H:%M|%H%M|%I:%M|%X\b")
ALLOWED = {
    "sdk/entraide/relative_time.py",  # with the zone
    "scheduler/entraide_scheduler/pool/daily_backup.py",  # name of a file, in UTC
    "scheduler/entraide_scheduler/gateway/jobs/views.py",  # of a protocol, in UTC
}
COMPONENTS = ("sdk/entraide", "scheduler/entraide_scheduler", "node_agent/entraide_node")


def test_a_time_of_day_is_written_with_its_zone() -> None:
    """Who writes a time of day for a person uses ``relative_time``, which names the zone."""
    modules = [path for folder in COMPONENTS for path in (ROOT / folder).rglob("*.py")]
    writing = {
        str(path.relative_to(ROOT)) for path in modules if TIME_OF_DAY.search(path.read_text())
    }

    assert writing == ALLOWED
