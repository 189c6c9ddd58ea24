"""Exits: whose requests end engines.

Decides what an engine that exits says of an API key. A job during which two engines exited, the
second with nothing else in it, is refused; ``REFUSALS_MAX`` such refusals within ``WINDOW_S`` put
its key in quarantine. A stream that an exit broke cannot be tried again, for its client has part of
it: the key's next jobs run alone, until one of them completes. It refuses to know leases.
"""

from entraide_scheduler.core.quarantine import ENGINES_ENDED, Quarantine, Sender, SenderKind
from entraide_scheduler.core.records import Job, KeyExits
from entraide_scheduler.core.state import State

ENGINE_EXITED = "engine_exited"  # a node's word for an engine that ended by itself during a run
ENDS_ENGINE = "request_ends_engine"  # what a job is refused with

REFUSALS_MAX = 3
WINDOW_S = 3_600.0
KEYS_MAX = 4_096  # keys that are remembered; the one whose exit is longest ago is forgotten first


def suspected_replica(state: State, key: str) -> tuple[tuple[str, str], ...]:
    """Returns where an exit broke a stream of a key lately; empty for a key without suspicion."""
    exits = state.key_exits.get(key)
    if exits is None or not exits.broken_at or exits.broken_at + WINDOW_S <= state.now:
        return ()
    return (exits.broken_on,)


def record_broken_stream(state: State, job: Job, node: str, lender: str) -> None:
    """Notes that an engine exited during a run of which the client has seen some."""
    known = state.key_exits.get(job.facts.key, KeyExits())
    _store_exits(state, job, KeyExits(known.refusals, state.now, (node, lender)))


def clear_suspicion(state: State, job: Job) -> None:
    """Notes that a job completed alone: its key's next jobs may run beside others."""
    known = state.key_exits.get(job.facts.key)
    if known is None:
        return
    if known.refusals:
        _store_exits(state, job, KeyExits(known.refusals))
    else:
        del state.key_exits[job.facts.key]


def record_refusal(state: State, job: Job) -> None:
    """Counts a job that ended two engines; too many of them put its key in quarantine."""
    key = job.facts.key
    known = state.key_exits.get(key, KeyExits())
    recent = tuple(at for at in known.refusals if at + WINDOW_S > state.now)
    refusals = (*recent, state.now)
    if not key or len(refusals) < REFUSALS_MAX:
        _store_exits(state, job, KeyExits(refusals, known.broken_at, known.broken_on))
        return
    state.key_exits.pop(key, None)
    state.quarantines.add(Sender(SenderKind.KEY, key), Quarantine(ENGINES_ENDED, "", state.now))
    state.drop(ENGINES_ENDED, job=job.facts.job)  # counted, so that the operator sees it


def _store_exits(state: State, job: Job, exits: KeyExits) -> None:
    key = job.facts.key
    if not key:
        return
    state.key_exits.pop(key, None)
    while len(state.key_exits) >= KEYS_MAX:
        del state.key_exits[next(iter(state.key_exits))]
    state.key_exits[key] = exits
