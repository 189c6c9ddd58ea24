"""Requests: one request of any format, and the writers of its answer.

Input: a path with a body; the events of a job's answer. Output: a ``ParsedRequest`` and the body
for the engine; documents and streams in the request's format.

``endpoints`` are the accepted fields by path, ``openai`` parses and encodes. ``answer_events`` is
an answer as a sequence of events, ``answer_stream`` buffers it, ``answer_formats`` writes it in
each format, ``answer_writers`` sends it over HTTP.
"""

from entraide_scheduler.gateway.requests import openai
from entraide_scheduler.gateway.requests.answer_events import (
    AnswerEvent,
    AnswerPlaced,
    AnswerSeam,
    AnswerSink,
    AnswerStarted,
    AnswerWaiting,
    TextReader,
    make_seam,
)
from entraide_scheduler.gateway.requests.answer_formats import (
    make_format,
    seam_event,
    waiting_event,
)
from entraide_scheduler.gateway.requests.answer_stream import AnswerStream
from entraide_scheduler.gateway.requests.answer_writers import (
    COMMENT,
    COMMENT_EVERY_S,
    EVENT_STREAM,
    STREAM_HEADERS,
    AnswerWriter,
    send_refusal,
)
from entraide_scheduler.gateway.requests.endpoints import (
    IGNORED,
    KEEP_MAX_S,
    MESSAGES,
    NAMES,
    NEUTRAL,
    PATHS,
    REQUESTS,
    SEPARATING,
    Endpoint,
    JobRequest,
)
from entraide_scheduler.gateway.requests.openai import (
    CHAT,
    EMBEDDINGS,
    ParsedRequest,
    encode_for_engine,
)

__all__ = [
    "CHAT",
    "COMMENT",
    "COMMENT_EVERY_S",
    "EMBEDDINGS",
    "EVENT_STREAM",
    "IGNORED",
    "KEEP_MAX_S",
    "MESSAGES",
    "NAMES",
    "NEUTRAL",
    "PATHS",
    "REQUESTS",
    "SEPARATING",
    "STREAM_HEADERS",
    "AnswerEvent",
    "AnswerPlaced",
    "AnswerSeam",
    "AnswerSink",
    "AnswerStarted",
    "AnswerStream",
    "AnswerWaiting",
    "AnswerWriter",
    "Endpoint",
    "JobRequest",
    "ParsedRequest",
    "TextReader",
    "encode_for_engine",
    "make_format",
    "make_seam",
    "openai",
    "seam_event",
    "send_refusal",
    "waiting_event",
]
