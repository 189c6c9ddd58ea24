"""Engine exits: detects API keys whose requests make inference engines exit.

A job during which two engines exited, the second while it ran alone, is refused. ``REFUSALS_MAX``
such refusals within ``WINDOW_S`` seconds put the job's key in quarantine. A stream that an exit
broke cannot be retried, since its client has received a part; instead the key's next jobs run alone
until one of them completes.
"""

from entraide_scheduler.core.records import (
    ENGINES_ENDED,
    Job,
    KeyExits,
    Quarantine,
    Sender,
    SenderKind,
)
from entraide_scheduler.core.state import State

ENGINE_EXITED = "engine_exited"  # a node's code: the engine exited by itself during a run
ENDS_ENGINE = "request_ends_engine"  # error code of the refusal

REFUSALS_MAX = 3
WINDOW_S = 3_600.0
KEYS_MAX = 4_096  # stored keys; the key with the oldest exit is dropped first


def suspected_replica(state: State, key: str) -> tuple[tuple[str, str], ...]:
    """Returns node and lender of the exit that makes a key suspect; empty if it is not."""
    exits = state.key_exits.get(key)
    if exits is None or not exits.broken_at or exits.broken_at + WINDOW_S <= state.now:
        return ()
    return (exits.broken_on,)


def record_broken_stream(state: State, job: Job, node: str, lender: str) -> None:
    """Records that an engine exited during a run whose client had received output."""
    known = state.key_exits.get(job.facts.account, KeyExits())
    _store_exits(state, job, KeyExits(known.refusals, state.now, (node, lender)))


def clear_suspicion(state: State, job: Job) -> None:
    """Records that a job completed alone, so that its key's next jobs may share an engine."""
    known = state.key_exits.get(job.facts.account)
    if known is None:
        return
    if known.refusals:
        _store_exits(state, job, KeyExits(known.refusals))
    else:
        del state.key_exits[job.facts.account]


def record_refusal(state: State, job: Job) -> None:
    """Records a job that ended two engines; quarantines its key after ``REFUSALS_MAX``."""
    key = job.facts.account
    known = state.key_exits.get(key, KeyExits())
    recent = tuple(at for at in known.refusals if at + WINDOW_S > state.now)
    refusals = (*recent, state.now)
    if not key or len(refusals) < REFUSALS_MAX:
        _store_exits(state, job, KeyExits(refusals, known.broken_at, known.broken_on))
        return
    state.key_exits.pop(key, None)
    state.quarantines.add(Sender(SenderKind.KEY, key), Quarantine(ENGINES_ENDED, "", state.now))
    state.drop(ENGINES_ENDED, job=job.facts.job)  # counted in the metrics for the operator


def _store_exits(state: State, job: Job, exits: KeyExits) -> None:
    key = job.facts.account
    if not key:
        return
    state.key_exits.pop(key, None)
    while len(state.key_exits) >= KEYS_MAX:
        del state.key_exits[next(iter(state.key_exits))]
    state.key_exits[key] = exits
