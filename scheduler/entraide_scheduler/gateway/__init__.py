"""The gateway: OpenAI's API, the pool's own, and gRPC ``Pool`` in front of a desk.

``Gateway`` is all that other parts of the scheduler need of it.
"""

from entraide_scheduler.gateway.gateway import Gateway, Settings
from entraide_scheduler.gateway.receipts import ReceiptSigner
from entraide_scheduler.gateway.views import NodeStatus, PoolStatus

__all__ = ["Gateway", "NodeStatus", "PoolStatus", "ReceiptSigner", "Settings"]
