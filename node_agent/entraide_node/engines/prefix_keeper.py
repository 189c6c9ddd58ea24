"""Prefix keeper: how an engine with a cache of prompts is asked, so that partitions stay apart.

A keeper gives each run the fields of its request that say where it may look for the beginning of
its prompt, and forgets when it is told to. ``slot_keeper`` does it for llama.cpp, ``salt_keeper``
for vLLM. An engine without a keeper finds nothing again.
"""

from collections.abc import Callable
from typing import Any, Protocol

from entraide_node.engines.base import EngineRequest, HeldPrefixes

BLOCK_TOKENS = 64  # the unit in which a node says how much it holds


class PrefixLease:
    """What one run may find, from before it is sent until it has ended.

    Attributes:
        fields: of its request.
    """

    def __init__(
        self,
        fields: dict[str, Any],
        *,
        on_begun: Callable[[], None] = lambda: None,
        on_end: Callable[[int, bool], None] = lambda _tokens, _is_clean: None,
    ) -> None:
        self.fields = fields
        self._on_begun = on_begun
        self._on_end = on_end
        self._has_begun = False

    def note_begun(self) -> None:
        """Notes that the engine has answered; may be called again."""
        if not self._has_begun:
            self._has_begun = True
            self._on_begun()

    def end(self, tokens: int, *, is_clean: bool) -> None:
        """Ends it, once.

        Args:
            tokens: of the prompt and the answer.
            is_clean: whether the engine answered to the end.
        """
        self._on_end(tokens, is_clean)


class PrefixKeeper(Protocol):
    """Keeps the prompts of partitions apart in one process of an engine."""

    async def take(self, request: EngineRequest, body: dict[str, Any]) -> PrefixLease:
        """Prepares for a run; its lease must be ended."""
        ...

    def limit(self, rest_bytes_max: int | None) -> None:
        """Sets how much may be at rest outside the engine, bytes; None to keep nothing at all."""
        ...

    def forget(self, owner: bytes) -> None:
        """Forgets what the partitions that begin so hold; b"" for all."""
        ...

    def held(self) -> HeldPrefixes:
        """Returns what it holds."""
        ...

    async def close(self) -> None:
        """Forgets all; the process has ended or ends."""
        ...


def count_blocks(tokens: int) -> int:
    """Returns how many full blocks some tokens are."""
    return tokens // BLOCK_TOKENS
