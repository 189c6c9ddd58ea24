"""Model source: the interface through which the engine manager obtains models.

``CatalogueSource`` implements it with the pool's catalogue.
"""

from collections.abc import Callable
from typing import Protocol

from entraide.types import Loadable
from entraide_node.engines.base import Engine, EngineProblem


class ModelSource(Protocol):
    """Source of the models that the pool orders."""

    @property
    def loadable(self) -> tuple[Loadable, ...]:
        """The models that this node can load."""
        ...

    def explain_refusal(self, model: str) -> EngineProblem:
        """Returns why this node cannot load a model."""
        ...

    @property
    def models_bytes(self) -> int:
        """Memory for all models that the pool loads."""
        ...

    @property
    def digest(self) -> str | None:
        """Digest of its catalogue, "" without one; None if it needs none."""
        ...

    async def accept_catalogue(self, document: bytes, signature: bytes) -> bool:
        """Accepts the pool's catalogue; returns False if the signature is not the pool's."""
        ...

    async def run(self, *, changed: Callable[[], object]) -> None:
        """Runs for as long as the agent lives; calls back when the loadable models have changed."""
        ...

    async def fetch_weights(self, model: str) -> EngineProblem | None:
        """Fetches a model's weights; returns None when they are present and verified."""
        ...

    async def make_engine(self, model: str) -> Engine | EngineProblem:
        """Returns the engine for a model whose weights are present; not started."""
        ...
