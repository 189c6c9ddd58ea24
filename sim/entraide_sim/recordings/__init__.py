"""Recordings: what a pool's journal says of its past.

Input: an exported journal. Output: its requests, its nodes' history and its totals.

``recording`` opens a file, ``recorded_history`` reads what happened, with ``recorded_faults`` of
machines and ``run_measurements`` of their speed and power; ``job_outcomes`` says how each job
ended, and ``recorded_demand`` makes arrivals, with ``recorded_prefixes`` of their prompts.
"""

from entraide_sim.recordings import recorded_demand, recording
from entraide_sim.recordings.job_outcomes import JobOutcome, JobOutcomes
from entraide_sim.recordings.recorded_faults import FaultKind, RecordedFault
from entraide_sim.recordings.recorded_history import (
    CoopTotals,
    RecordedHistory,
    carbon_g,
    energy_wh,
)
from entraide_sim.recordings.recorded_prefixes import BLOCK_TOKENS, RecordedPrefixes
from entraide_sim.recordings.recording import ExactReplay, Watch, journal_error, read_events
from entraide_sim.recordings.run_measurements import MeasuredSpeed, RunTimes, added_power_w

__all__ = [
    "BLOCK_TOKENS",
    "CoopTotals",
    "ExactReplay",
    "FaultKind",
    "JobOutcome",
    "JobOutcomes",
    "MeasuredSpeed",
    "RecordedFault",
    "RecordedHistory",
    "RecordedPrefixes",
    "RunTimes",
    "Watch",
    "added_power_w",
    "carbon_g",
    "energy_wh",
    "journal_error",
    "read_events",
    "recorded_demand",
    "recording",
]
