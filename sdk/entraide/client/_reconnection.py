"""Reconnections: when a client asks again for the rest of a stream. No I/O."""

import random

import grpc

from entraide import i18n
from entraide.client._constants import RECONNECT_DELAY_MAX_S, RECONNECT_DELAY_MIN_S
from entraide.client._request import AnswerBuilder
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


def is_connection_lost(problem: EntraideError) -> bool:
    """Whether an error says that the connection is lost, rather than what became of the job."""
    cause = problem.__cause__
    if isinstance(cause, grpc.RpcError):
        return not is_from_pool(cause) and cause.code() in LOST_STATUSES
    return problem.code == "pool_unreachable"


class Reconnections:
    """The reconnections of one stream.

    A stream that the pool lets go on is asked for again after growing pauses, for as long as the
    pool holds it. After that, and where the pool no longer knows the job, it is lost with its
    gateway.
    """

    def __init__(self, lang: str) -> None:
        self._lang = lang
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
            PoolError: ``gateway_lost``: the stream is lost.
        """
        if not builder.reconnect_s:
            return None
        if self._lost_at is None or builder.next_number > self._events:
            self._lost_at, self._attempts, self._events = now, 0, builder.next_number
        if problem.code == "unknown_job":
            raise self._lost(builder.job) from problem
        if not is_connection_lost(problem):
            return None
        delay_s: float = min(RECONNECT_DELAY_MAX_S, RECONNECT_DELAY_MIN_S * 2**self._attempts)
        delay_s *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        self._attempts += 1
        if now + delay_s > self._lost_at + builder.reconnect_s:
            raise self._lost(builder.job) from problem
        return delay_s

    def _lost(self, job: str) -> EntraideError:
        return error_for("gateway_lost", i18n.error("gateway_lost", self._lang), job=job)
