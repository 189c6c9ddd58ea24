"""API: the use cases of the pool, whatever the protocol.

Input: a caller and a submission. Output: events of answers, views of jobs.

``pool_api`` has the use cases, of which ``prepared_job`` are values; ``explained_answers`` adds
explanations. ``stream_events`` sends
reconnectable answers over HTTP; ``coop_routes`` are the HTTP of a co-op's position;
``statement_renderer`` makes PDF of its statements.
"""

from entraide_scheduler.gateway.api.coop_routes import COOP_PATHS, CoopRoutes
from entraide_scheduler.gateway.api.pool_api import JOBS_MAX, LAST_EVENT_ID, LIST_DEFAULT, PoolApi
from entraide_scheduler.gateway.api.statement_renderer import StatementRenderer
from entraide_scheduler.gateway.api.stream_events import (
    EVENT_ID,
    EventEncoder,
    parse_event_id,
    send_events,
)

__all__ = [
    "COOP_PATHS",
    "EVENT_ID",
    "JOBS_MAX",
    "LAST_EVENT_ID",
    "LIST_DEFAULT",
    "CoopRoutes",
    "EventEncoder",
    "PoolApi",
    "StatementRenderer",
    "parse_event_id",
    "send_events",
]
