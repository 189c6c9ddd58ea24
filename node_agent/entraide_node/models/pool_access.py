"""Pool access: the pool's address as a source of weights, with a pass that the node signs."""

import time
from pathlib import Path

from entraide.errors import EntraideError
from entraide.wire import node_pass
from entraide.wire.nats import client_context
from entraide_node import keys
from entraide_node.models.download import PoolAccess
from entraide_node.pool_address import make_web_context, read_pool_address

SCHEMES = ("http://", "https://")


def read_pool_access(folder: Path) -> tuple[str, PoolAccess | None]:
    """Returns the pool's address and its authentication; "" and None if unknown. Blocks.

    Args:
        folder: of the node.
    """
    address = read_pool_address(folder)
    if not address.url.startswith(SCHEMES):
        return "", None
    try:
        stored = keys.read_identity(folder)
        authority = keys.read_ca_pem(folder)
    except (EntraideError, OSError):
        return "", None

    def authorise(path: str) -> str:
        return node_pass.write(stored.node, seed=stored.seed, path=path, now=time.time())

    tls = make_web_context(folder) or (client_context(authority) if authority else None)
    return address.url, PoolAccess(authorise, tls)
