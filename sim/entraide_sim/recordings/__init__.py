"""Recordings: what a pool's journal says of its past.

Input: an exported journal. Output: its requests, its nodes' history and its totals.

``recording`` opens a file, ``recorded_history`` reads what happened, ``recorded_demand`` makes
arrivals of it.
"""

from entraide_sim.recordings import recorded_demand, recording
from entraide_sim.recordings.recorded_history import (
    Absence,
    CoopTotals,
    RecordedHistory,
    carbon_g,
    energy_wh,
)
from entraide_sim.recordings.recording import ExactReplay, journal_error, read_events

__all__ = [
    "Absence",
    "CoopTotals",
    "ExactReplay",
    "RecordedHistory",
    "carbon_g",
    "energy_wh",
    "journal_error",
    "read_events",
    "recorded_demand",
    "recording",
]
