"""Clients of a pool: ``Client`` is synchronous, ``AsyncClient`` is for asyncio.

They speak gRPC; files and batches (``client.batches``) go over HTTP, to the pool's web address.
Both have the same methods, the same retries and the same answers; their exceptions are in
``entraide.errors``.
"""

from entraide.client._address import fetch_receipt_keys
from entraide.client._request import RequestOptions
from entraide.client.aio import AsyncClient, AsyncStream
from entraide.client.answers import (
    Answer,
    Embeddings,
    Job,
    JobExplanation,
    ModelInfo,
    Seam,
    TokenUsage,
    Waiting,
)
from entraide.client.batches.aio import AsyncBatches
from entraide.client.batches.answers import (
    Batch,
    BatchCounts,
    BatchError,
    BatchExpectation,
    BatchFault,
    BatchHour,
    BatchResult,
    BatchUsage,
)
from entraide.client.batches.calls import BatchOptions
from entraide.client.batches.sync import Batches
from entraide.client.mock import AsyncMockTransport, MockTransport
from entraide.client.sync import Client, Stream
from entraide.client.transport import AsyncTransport, Transport

__all__ = [
    "Answer",
    "AsyncBatches",
    "AsyncClient",
    "AsyncMockTransport",
    "AsyncStream",
    "AsyncTransport",
    "Batch",
    "BatchCounts",
    "BatchError",
    "BatchExpectation",
    "BatchFault",
    "BatchHour",
    "BatchOptions",
    "BatchResult",
    "BatchUsage",
    "Batches",
    "Client",
    "Embeddings",
    "Job",
    "JobExplanation",
    "MockTransport",
    "ModelInfo",
    "RequestOptions",
    "Seam",
    "Stream",
    "TokenUsage",
    "Transport",
    "Waiting",
    "fetch_receipt_keys",
]
