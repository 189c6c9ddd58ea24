"""Recorded demand: the requests of a journal as arrivals of a scenario.

Each request keeps its time, its content and its true lengths (``recorded_history``).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from entraide.types import RequestFacts
from entraide_scheduler.core.events import Event, JobRequested
from entraide_scheduler.core.state import State
from entraide_sim.recordings import recording
from entraide_sim.recordings.recorded_history import RecordedHistory, TrueLengths
from entraide_sim.recordings.recorded_prefixes import RecordedPrefixes
from entraide_sim.scenario import version
from entraide_sim.workload import Arrival

SUFFIX = ".journal"


def read_journal(
    path: Path, *, coops: Sequence[str], chosen: bool, models: Sequence[str]
) -> Iterator[Arrival]:
    """Yields the requests of a recording as arrivals, each once.

    Args:
        path: file written by ``entraide scheduler journal export``.
        coops: of the scenario whose requests are wanted.
        chosen: whether other co-ops' requests are skipped; otherwise they are an error.
        models: of the scenario; empty if the workload sets another model.

    Raises:
        RequestError: ``journal_refused``: not a journal, or an unknown co-op or model.
    """
    head = recording.read_head(path)
    history = RecordedHistory(State())
    for event in _read_events(path, head.version):
        history.observe(event, ())
    requested: set[str] = set()
    blocks: dict[int, int] = {}
    prefixes = RecordedPrefixes()
    at_s = 0.0
    for event in _read_events(path, head.version):
        if not isinstance(event, JobRequested) or event.facts.job in requested:
            continue
        facts = event.facts
        requested.add(facts.job)
        if facts.coop not in coops:
            if chosen:
                continue
            raise recording.journal_error(path, "no_coop", value=facts.coop)
        if models and facts.model not in models:
            raise recording.journal_error(path, "no_model", value=facts.model)
        at_s = max(at_s, event.at - head.at)
        truth = history.true_lengths(facts)
        if facts.warm is None:  # two blocks of an older recording make one of the simulation
            keys = facts.prefix_keys[1::2]
            prefix = tuple(blocks.setdefault(key, len(blocks)) for key in keys)
        else:
            prefix = prefixes.restore(facts, truth.input_tokens).prefix_keys
        yield _make_arrival(facts, truth, prefix, at_s=at_s, since_s=event.at)


def _read_events(path: Path, recorded: str) -> Iterator[Event]:
    try:
        yield from recording.read_events(path)
    except msgspec.MsgspecError as problem:
        versions = {"recorded": recorded, "version": version()}
        raise recording.journal_error(path, "other_version", **versions) from problem


def _make_arrival(
    facts: RequestFacts,
    truth: TrueLengths,
    prefix: tuple[int, ...],
    *,
    at_s: float,
    since_s: float,
) -> Arrival:
    """Returns a request with its true lengths, and its deadline relative to its arrival."""
    left_s = None if facts.deadline_at is None else facts.deadline_at - since_s
    asked = msgspec.structs.replace(
        facts, deadline_at=left_s, prefix_keys=(), warm=None, idempotency=""
    )
    return Arrival(at_s, "", truth.input_tokens, truth.output_tokens, prefix, facts.session, asked)
