"""Reconnections: when a client asks again for the rest of a stream, and what became of it. No I/O.

A stream ends early in one of three ways: the pool was not reached (``pool_unreachable``), the
connection broke in the middle (``connection_cut``), or the pool no longer has the answer
(``gateway_lost``).
"""

import random
from typing import Any

import grpc

from entraide import i18n
from entraide.client._constants import RECONNECT_DELAY_MAX_S, RECONNECT_DELAY_MIN_S
from entraide.client._request import AnswerBuilder, OnReconnecting
from entraide.client._rpc_errors import is_from_pool
from entraide.errors import EntraideError, error_for

# Statuses of a call whose connection was lost, unless the pool itself has sent them.
LOST_STATUSES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)
# Codes by which a pool says that there is nothing to come back to.
FORGOTTEN = frozenset({"unknown_job", "result_expired", "client_gone", "stream_not_kept"})
NOT_SENT = frozenset({"refused", "host", "certificate", "timeout"})


def is_connection_cut(problem: EntraideError) -> bool:
    """Whether an error says that the connection is lost, rather than what became of the job."""
    cause = problem.__cause__
    if isinstance(cause, grpc.RpcError):
        return not is_from_pool(cause) and cause.code() in LOST_STATUSES
    return problem.code == "pool_unreachable"


def explain_end(
    problem: EntraideError, builder: AnswerBuilder, request: Any, lang: str
) -> EntraideError:
    """Returns the error of a stream that ended early, in words that are true of it.

    Args:
        problem: why its last connection ended.
        builder: what has arrived.
        request: its request; None if it was not made.
        lang: language of the sentence.
    """
    values, cause = dict(problem.values), problem.__cause__
    is_rpc = isinstance(cause, grpc.RpcError)
    if builder.job and is_connection_cut(problem):
        problem = _error("connection_cut", lang)
    elif not builder.job and not (isinstance(cause, grpc.RpcError) and is_from_pool(cause)):
        if problem.code == "deadline_exceeded" and is_rpc:
            values |= {"fault": "timeout", "asked": "no" if request is None else "perhaps"}
            return _error("pool_unreachable", lang, values=values)
        if problem.code == "pool_unreachable" and "fault" in values:
            is_unsent = request is None or not is_rpc or values["fault"] in NOT_SENT
            values["asked"] = "no" if is_unsent else "perhaps"
            return _error("pool_unreachable", lang, values=values)
    if builder.text and problem.code in ("connection_cut", "gateway_lost"):
        return _error(problem.code, lang, values=problem.values | {"kept": "yes"})
    return problem


def _error(code: str, lang: str, *, job: str = "", values: Any = None) -> EntraideError:
    return error_for(code, i18n.error(code, lang, values), job=job, values=values)


class Reconnections:
    """The reconnections of one stream.

    A stream that the pool lets go on is asked for again after growing pauses, for as long as the
    pool holds it. After that the connection is lost; where the pool no longer knows the job, the
    answer is.
    """

    def __init__(self, lang: str, on_reconnecting: OnReconnecting | None = None) -> None:
        self._lang, self._on_reconnecting = lang, on_reconnecting
        self._lost_at: float | None = None
        self._attempts = 0
        self._events = 0

    def next_delay_s(
        self, problem: EntraideError, builder: AnswerBuilder, *, now: float
    ) -> float | None:
        """Returns the pause before the next reconnection, seconds; None if there is none.

        Args:
            problem: why the last connection ended.
            builder: what has arrived.
            now: a monotonic time, seconds.

        Raises:
            AnswerLost: ``gateway_lost``: the pool no longer has the answer.
            ConnectionCut: ``connection_cut``: it was not reached for as long as it holds it.
        """
        if not builder.reconnect_s:
            return None
        if self._attempts and problem.code in FORGOTTEN:
            raise _error("gateway_lost", self._lang, job=builder.job) from problem
        if not is_connection_cut(problem):
            return None
        if self._lost_at is None or builder.next_number > self._events:
            self._lost_at, self._attempts, self._events = now, 0, builder.next_number
            if self._on_reconnecting is not None:
                self._on_reconnecting()
        delay_s: float = min(RECONNECT_DELAY_MAX_S, RECONNECT_DELAY_MIN_S * 2**self._attempts)
        delay_s *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        self._attempts += 1
        if now + delay_s > self._lost_at + builder.reconnect_s:
            values = {"lost_s": builder.reconnect_s}
            raise _error("connection_cut", self._lang, job=builder.job, values=values) from problem
        return delay_s
