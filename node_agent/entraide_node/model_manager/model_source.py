"""The supplier: what the garage asks of whoever knows where models come from.

It decides nothing. Which models the catalogue holds, which of them fit and where their weights
lie, is the supplier's own affair (``supply``).
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from entraide.types import Loadable
from entraide_node.engines.base import Engine, EngineProblem


class ModelSource(Protocol):
    """Where models come from that the pool asks for."""

    @property
    def loadable(self) -> tuple[Loadable, ...]:
        """What this node could load."""
        ...

    def explain_refusal(self, model: str) -> EngineProblem:
        """Returns why this node could not load a model that is not loadable."""
        ...

    @property
    def models_bytes(self) -> int:
        """Memory that models may take which the pool asks for, altogether."""
        ...

    @property
    def digest(self) -> str | None:
        """Of the catalogue that it has, "" without one; None where it wants none."""
        ...

    async def accept_catalogue(self, document: bytes, signature: bytes) -> bool:
        """Takes the pool's catalogue; False, and nothing changes, when it is not the pool's."""
        ...

    async def run(self, *, changed: Callable[[], object]) -> None:
        """Lives as long as the agent does; calls back when what could be loaded has changed."""
        ...

    async def fetch_weights(self, model: str) -> EngineProblem | None:
        """Fetches a model's weights; None once they are here and proven."""
        ...

    async def make_engine(self, model: str) -> Engine | EngineProblem:
        """Returns the engine for a model whose weights are here; not started."""
        ...


class NoModelSource:
    """The supplier of a node that serves only what its owner put there."""

    loadable: tuple[Loadable, ...] = ()
    models_bytes = 0
    digest: str | None = None

    def explain_refusal(self, model: str) -> EngineProblem:
        """See ``Supplier``."""
        return EngineProblem("load_unknown", {"model": model})

    async def accept_catalogue(self, document: bytes, signature: bytes) -> bool:  # noqa: ARG002
        """See ``Supplier``."""
        return False

    async def run(self, *, changed: Callable[[], object]) -> None:  # noqa: ARG002
        """See ``Supplier``."""
        await asyncio.Event().wait()

    async def fetch_weights(self, model: str) -> EngineProblem | None:
        """See ``Supplier``."""
        return self.explain_refusal(model)

    async def make_engine(self, model: str) -> Engine | EngineProblem:
        """See ``Supplier``."""
        return self.explain_refusal(model)
