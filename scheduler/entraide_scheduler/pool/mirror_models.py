"""Mirror of models: gathers the files of pinned weights, for nodes that reach only the pool.

In: the pool's directory with its catalogue. Out: ``DIR/weights`` with every file of every pinned
artefact, each checked against the catalogue, and sentences on those that are missing. What is
there already is neither fetched nor copied again.
"""

from pathlib import Path

from msgspec import Struct

from entraide.catalogue.gather import Sources
from entraide.cli.model_catalogue import fault_text
from entraide.cli.pool_weights import open_pool_weights
from entraide_scheduler.catalogue import read_catalogue
from entraide_scheduler.pool.config import load_pool_config


class GatheredModels(Struct, frozen=True):
    """The weights that a pool has.

    Attributes:
        folder: of the files.
        artefacts: number of complete artefacts.
        size_bytes: of their files.
        faults: sentences on the artefacts that could not be gathered.
        without_source: sentences on those that neither this machine nor the hub has.
    """

    folder: Path
    artefacts: int
    size_bytes: int
    faults: tuple[str, ...]
    without_source: tuple[str, ...]


def gather_models(state: Path, lang: str, *, folder: Path | None = None) -> GatheredModels:
    """Gathers the pinned weights of a pool, and shows the progress.

    Args:
        state: the pool's directory.
        lang: the command's language.
        folder: that may have files, too; None for none.

    Raises:
        EntraideError: ``config_refused``; ``pin_failed``: the disk has not enough space, or
            another command fills the folder.
    """
    config = load_pool_config(state)
    named = () if folder is None else (folder,)
    own = tuple(state / each for each in config.weights_folders)
    sources = Sources(folders=(*named, *own))
    pinned = [
        (entry.name, artefact, sources)
        for entry in read_catalogue(state).models
        for artefact in entry.artefacts
        if artefact.is_pinned
    ]
    artefacts = size_bytes = 0
    faults: list[str] = []
    without_source: list[str] = []
    with open_pool_weights(state, lang) as weights:
        weights.announce(pinned)
        for model, artefact, _ in pinned:
            fault = weights.gather(model, artefact, sources)
            if fault is None:
                artefacts += 1
                size_bytes += artefact.size_bytes
            else:
                sentences = without_source if fault.code == "no_source" else faults
                sentences.append(fault_text(model, artefact.format, fault, lang))
    return GatheredModels(
        weights.folder, artefacts, size_bytes, tuple(faults), tuple(without_source)
    )
