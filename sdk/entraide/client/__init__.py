"""Clients of a pool over gRPC: ``Client`` is synchronous, ``AsyncClient`` is for asyncio.

Both have the same methods, the same retries and the same answers; their exceptions are in
``entraide.errors``.
"""

from entraide.client._address import fetch_receipt_keys
from entraide.client._request import RequestOptions
from entraide.client.aio import AsyncClient, AsyncStream
from entraide.client.answers import Answer, Embeddings, Job, JobExplanation, ModelInfo, TokenUsage
from entraide.client.sync import Client, Stream
from entraide.client.transport import AsyncTransport, Transport

__all__ = [
    "Answer",
    "AsyncClient",
    "AsyncStream",
    "AsyncTransport",
    "Client",
    "Embeddings",
    "Job",
    "JobExplanation",
    "ModelInfo",
    "RequestOptions",
    "Stream",
    "TokenUsage",
    "Transport",
    "fetch_receipt_keys",
]
