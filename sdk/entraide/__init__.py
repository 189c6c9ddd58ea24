"""Entraide: the package that other programs import.

``from entraide import Client`` works, but the clients are loaded at first use, because importing
the vocabulary (``entraide.types`` and the modules beside it) must not load I/O.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entraide.client import AsyncClient, Client

__version__ = "0.1.0"
__all__ = ["AsyncClient", "Client", "__version__"]


def __getattr__(name: str) -> Any:
    if name in ("Client", "AsyncClient"):
        from entraide import client

        return getattr(client, name)
    raise AttributeError(f"module 'entraide' has no attribute {name!r}")
