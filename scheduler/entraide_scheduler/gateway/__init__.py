"""Gateway: the OpenAI-compatible HTTP API, the pool's own API, and the gRPC service ``Pool``.

Other parts of the scheduler use ``Gateway`` and the structs beside it.
"""

from entraide_scheduler.gateway.gateway import Gateway, Settings
from entraide_scheduler.gateway.receipts import ReceiptSigner
from entraide_scheduler.gateway.views import NodeStatus, PoolStatus

__all__ = ["Gateway", "NodeStatus", "PoolStatus", "ReceiptSigner", "Settings"]
