"""RPC: the gRPC service ``Pool``, equivalent to the HTTP one.

Input: gRPC messages. Output: calls of the use cases, and their answers as messages.

``pool_service`` is the servicer, ``pool_messages`` converts messages, ``stream_messages`` writes
the events of one answer.
"""

from entraide_scheduler.gateway.rpc.pool_service import PoolService

__all__ = [
    "PoolService",
]
