"""The pool's catalogue of models: kept in the pool's folder, signed, and handed to its nodes.

It decides which document is in force (the pool's own once the operator has changed anything,
until then the one that ships), and that a change is refused when it is unsound or was made of an
older version. Which models are loaded where is the core's decision.
"""

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from entraide import catalogue as documents
from entraide.catalogue import InvalidCatalogue
from entraide.catalogue.signature import sign
from entraide.errors import PoolError
from entraide.models import Catalogue
from entraide.wire import messages as m
from entraide_scheduler.nats.keyfiles import write_private

NAME = "models.json"


class PoolCatalogue:
    """The catalogue in force.

    Args:
        home: the pool's state directory.
        key: the pool's signing key.
        now: seconds since the epoch.

    Raises:
        PoolError: ``config_refused``: the pool's own catalogue cannot be read.
    """

    def __init__(self, home: Path, key: Ed25519PrivateKey, *, now: Callable[[], float]) -> None:
        self._path = home / NAME
        self._key = key
        self._now = now
        self._listeners: list[Callable[[], None]] = []
        self._install(_read_catalogue(self._path) or documents.shipped())

    @property
    def catalogue(self) -> Catalogue:
        """What it says."""
        return self._catalogue

    @property
    def message(self) -> m.CatalogueReply:
        """The same as nodes get it."""
        return self._message

    def update_for(self, digest: str) -> m.CatalogueReply | None:
        """Returns what to tell a node that has the document with this digest; None for nothing."""
        return None if digest == self._digest else self._message

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Calls somebody after each change."""
        self._listeners.append(listener)

    def replace(self, document: bytes, *, base_version: int) -> m.CatalogueReply | None:
        """Takes a changed document; it is on disk before it is in force.

        Args:
            document: the changed catalogue; its version and time are set here.
            base_version: of the catalogue that was changed.

        Returns:
            The catalogue as it is now; None when another change came in between.

        Raises:
            InvalidCatalogue: it is unsound.
        """
        if base_version != self._catalogue.version:
            return None
        requested = documents.read(document)
        updated = documents.sorted_(
            replace(requested, version=self._catalogue.version + 1, issued_at=self._now())
        )
        write_private(self._path, documents.write(updated))
        self._install(updated)
        for listener in self._listeners:
            listener()
        return self._message

    def _install(self, catalogue: Catalogue) -> None:
        document = documents.write(catalogue)
        self._catalogue = catalogue
        self._digest = documents.digest(document)
        self._message = m.CatalogueReply(document, sign(document, self._key))


def _read_catalogue(path: Path) -> Catalogue | None:
    try:
        return documents.read(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, InvalidCatalogue) as problem:
        values: dict[str, str | int | float] = {"path": str(path), "detail": str(problem)}
        raise PoolError("config_refused", f"{path}: {problem}", values=values) from problem
