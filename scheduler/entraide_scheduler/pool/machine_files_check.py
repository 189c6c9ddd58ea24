"""Check of machines' files: what members' machines fetch from the pool, and no backup has.

In: the pool's directory and its configuration. Out: a finding if the mirror that machines install
from is missing or has no builds of Python, and one that names the models of which the pool lacks
weights that its operator pinned. A model that only the program pins gives one line of information.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, structs

from entraide.catalogue.model_store import WEIGHTS_FOLDER
from entraide.errors import EntraideError
from entraide.models import Artefact
from entraide.wire.enrolment import PYTHONS
from entraide_scheduler.catalogue import is_shipped, read_catalogue
from entraide_scheduler.findings import Finding, finding, listed, passed
from entraide_scheduler.gateway.machines import FOLDER, TARGETS
from entraide_scheduler.pool.config import PoolConfig, load_pool_config
from entraide_scheduler.pool.release_files import find_mirror_source
from entraide_scheduler.pool.restore import RestoreSummary


class MissingWeights(Struct, frozen=True):
    """The models of which a pool lacks pinned files.

    Attributes:
        chosen: names of those that the pool's operator pinned.
        shipped: names of the others, which come pinned with the program: a pool may not use them.
    """

    chosen: tuple[str, ...] = ()
    shipped: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self.chosen + self.shipped))


def note_lacking(summary: RestoreSummary, state: Path) -> RestoreSummary:
    """Returns the summary of a restore with what machines fetch and the restored pool lacks."""
    missing = MissingWeights()
    with contextlib.suppress(EntraideError):  # the catalogue has its own errors
        missing = find_missing_weights(state, load_pool_config(state))
    return structs.replace(
        summary,
        lacks_mirror=not has_mirror(state),
        missing_weights=missing.names,
        mirror_source=find_mirror_source(state),
    )


def has_mirror(state: Path) -> bool:
    """Whether machines can install from a pool."""
    return (state / FOLDER / TARGETS).is_file()


def list_pythons(state: Path) -> list[str]:
    """Returns the platforms of which a mirror has a build of Python."""
    try:
        lines = (state / FOLDER / PYTHONS).read_text("utf-8").splitlines()
    except OSError:
        return []
    return [line.split()[0] for line in lines if line.split()]


def check_machine_files(state: Path, config: PoolConfig) -> Iterator[Finding]:
    """Checks that machines can install from the pool, and fetch the pinned weights."""
    source = find_mirror_source(state)
    pythons = list_pythons(state)
    if has_mirror(state) and pythons:
        yield passed("mirror-ok", platforms=listed(pythons))
    elif has_mirror(state):
        yield finding("mirror-pythons", path=str(state))
    else:
        yield finding("mirror-none", path=str(state), source=source)
    try:
        missing = find_missing_weights(state, config)
    except EntraideError:
        return  # the catalogue has its own errors
    if missing.chosen:
        models = listed([*missing.names])
        yield finding("weights-missing", path=str(state), models=models, source=source)
    elif missing.shipped:
        yield passed("weights-shipped", models=listed([*missing.shipped]))
    else:
        yield passed("weights-ok")


def find_missing_weights(state: Path, config: PoolConfig) -> MissingWeights:
    """Returns the models of which a pinned file is in none of the pool's folders.

    Raises:
        EntraideError: the catalogue cannot be read.
    """
    folders = (state / WEIGHTS_FOLDER, *(state / each for each in config.weights_folders))

    def has_size(path: Path, size_bytes: int) -> bool:
        try:
            return path.stat().st_size == size_bytes
        except OSError:
            return False

    def is_complete(model: str, artefact: Artefact) -> bool:
        return all(
            any(
                has_size(folder / name, file.size_bytes)
                for folder in folders
                for name in artefact.possible_paths(model, file)
            )
            for file in artefact.files
        )

    missing = [
        (entry.name, is_shipped(artefact))
        for entry in read_catalogue(state).models
        for artefact in entry.artefacts
        if artefact.is_pinned and not is_complete(entry.name, artefact)
    ]
    chosen = {name for name, shipped in missing if not shipped}
    shipped = {name for name, _ in missing} - chosen
    return MissingWeights(tuple(sorted(chosen)), tuple(sorted(shipped)))
