"""Findings: what can be wrong with a pool, in one place.

Input: a kind's code with the values of its sentence. Output: the finding, for doctor, operator's
page, metrics and alert rules alike, and its sentence and remedy in a language.

``kinds`` is the registry, ``finding`` makes findings of its kinds. ``occurrences`` notes what lasts
too short a time to be seen, ``starts`` the ends of a process that nobody asked for.
"""

from entraide_scheduler.findings.finding import (
    SENTENCES,
    Finding,
    Report,
    Value,
    failure,
    finding,
    listed,
    merge,
    passed,
    report,
)
from entraide_scheduler.findings.kinds import KINDS, WATCHED, Kind, Severity
from entraide_scheduler.findings.occurrences import RECENT_S, Occurrences, Sort, find_restarts
from entraide_scheduler.findings.starts import FILES as STARTS_FILES
from entraide_scheduler.findings.starts import note_breaks, note_end, note_start

__all__ = [
    "KINDS",
    "RECENT_S",
    "SENTENCES",
    "STARTS_FILES",
    "WATCHED",
    "Finding",
    "Kind",
    "Occurrences",
    "Report",
    "Severity",
    "Sort",
    "Value",
    "failure",
    "find_restarts",
    "finding",
    "listed",
    "merge",
    "note_breaks",
    "note_end",
    "note_start",
    "passed",
    "report",
]
