"""The pool's model catalogue: stored in the pool's directory, signed, and sent to its nodes.

The shipped catalogue is in force until the operator changes it; from then on the pool's own is. A
change is refused if it is invalid or if it is based on an older version (optimistic concurrency).
"""

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from entraide import catalogue as documents
from entraide.catalogue import InvalidCatalogue
from entraide.catalogue.signature import sign
from entraide.errors import PoolError
from entraide.files import write_private
from entraide.models import Artefact, Catalogue, ModelEntry
from entraide.wire import messages as m

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
        self._install(read_catalogue(home))

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue."""
        return self._catalogue

    @property
    def message(self) -> m.CatalogueReply:
        """The signed message that nodes receive."""
        return self._message

    def update_for(self, digest: str) -> m.CatalogueReply | None:
        """Returns the message for a node whose document has this digest; None if it is current."""
        return None if digest == self._digest else self._message

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Calls ``listener`` after each change."""
        self._listeners.append(listener)

    def replace(self, document: bytes, *, base_version: int) -> m.CatalogueReply | None:
        """Replaces the catalogue; the new one is on disk before it is in force.

        Args:
            document: the changed catalogue; its version and its times are set here.
            base_version: version on which the change is based.

        Returns:
            The new signed catalogue; None if the version in force is another one.

        Raises:
            InvalidCatalogue: the document is invalid.
        """
        if base_version != self._catalogue.version:
            return None
        requested = documents.read(document)
        now = self._now()
        updated = documents.sorted_(
            replace(
                requested,
                version=self._catalogue.version + 1,
                issued_at=now,
                models=_with_pin_times(requested, self._catalogue, now),
            )
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


def _with_pin_times(requested: Catalogue, before: Catalogue, now: float) -> tuple[ModelEntry, ...]:
    """Returns the models, each artefact with the time since which the pool has its checksums."""
    times = {
        (entry.name, artefact.checksum): artefact.pinned_at or before.issued_at
        for entry in before.models
        for artefact in entry.artefacts
    }

    def pin_time(model: str, artefact: Artefact) -> float:
        return times.get((model, artefact.checksum), now) if artefact.is_pinned else 0.0

    return tuple(
        replace(
            entry,
            artefacts=tuple(
                replace(artefact, pinned_at=pin_time(entry.name, artefact))
                for artefact in entry.artefacts
            ),
        )
        for entry in requested.models
    )


def is_shipped(artefact: Artefact) -> bool:
    """Whether the shipped catalogue has an artefact, so that no operator chose it."""
    entries = documents.shipped().models
    return any(artefact in entry.artefacts for entry in entries)


def read_catalogue(home: Path) -> Catalogue:
    """Returns the catalogue of a pool's directory: its own, else the shipped one.

    Raises:
        PoolError: ``config_refused``: the pool's own catalogue cannot be read.
    """
    path = home / NAME
    try:
        return documents.read(path.read_bytes())
    except FileNotFoundError:
        return documents.shipped()
    except (OSError, InvalidCatalogue) as problem:
        values: dict[str, str | int | float] = {"path": str(path), "detail": str(problem)}
        raise PoolError("config_refused", f"{path}: {problem}", values=values) from problem
