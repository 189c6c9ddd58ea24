"""Clients of a pool over gRPC, one that waits and one for asyncio, with the same methods.

It decides how a call is repeated and what its answers look like; it knows nothing of the pool's
insides. What it raises is in ``entraide.errors``.
"""

from entraide.client._request import RequestOptions
from entraide.client.aio import AsyncClient, AsyncStream
from entraide.client.answers import Answer, Job, JobExplanation, ModelInfo, TokenUsage
from entraide.client.sync import Client, Stream
from entraide.client.transport import AsyncTransport, Transport

__all__ = [
    "Answer",
    "AsyncClient",
    "AsyncStream",
    "AsyncTransport",
    "Client",
    "Job",
    "JobExplanation",
    "ModelInfo",
    "RequestOptions",
    "Stream",
    "TokenUsage",
    "Transport",
]
