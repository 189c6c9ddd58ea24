"""Node passes: from an ``Authorization`` header to the approved node that signed it."""

from collections.abc import Callable

from entraide.wire import node_pass


class NodePasses:
    """Checks the passes of approved nodes.

    Args:
        key_of: returns the public key of an approved node, else "".
        now: returns seconds since the epoch.
    """

    def __init__(self, *, key_of: Callable[[str], str], now: Callable[[], float]) -> None:
        self._key_of = key_of
        self._now = now

    def find_node(self, authorization: str, path: str) -> str:
        """Returns the node whose valid pass for a path a header is, or ""."""
        token = node_pass.read(authorization)
        key = self._key_of(token.node) if token is not None else ""
        if token is None or not key:
            return ""
        is_genuine = node_pass.is_genuine(token, public_key=key, path=path, now=self._now())
        return token.node if is_genuine else ""
