"""Entraide: the package that other programs import.

``from entraide import Client`` works, but the clients are loaded at first use, because importing
the vocabulary (``entraide.types`` and the modules beside it) must not load I/O. Likewise the
version is read when it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entraide.client import AsyncClient, Client

__version__: str
__all__ = ["AsyncClient", "Client", "__version__"]


def __getattr__(name: str) -> Any:
    if name in ("Client", "AsyncClient"):
        from entraide import client

        return getattr(client, name)
    if name == "__version__":
        from entraide.own_version import read_version

        version = globals()[name] = read_version()
        return version
    raise AttributeError(f"module 'entraide' has no attribute {name!r}")
