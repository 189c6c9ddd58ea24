"""The pool's folder of weights for the commands: announces, fetches, and shows the progress.

One command at a time fills the folder. An interruption keeps what arrived, and says so.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import typer

from entraide import i18n
from entraide.catalogue.gather import Need, Sources, compute_need, gather_artefact, lock_store
from entraide.catalogue.model_store import WEIGHTS_FOLDER, ModelStore
from entraide.catalogue.pin_fault import PinFault
from entraide.cli.transfer import TransferProgress, announce
from entraide.errors import error_for
from entraide.models import Artefact


@contextmanager
def open_pool_weights(state: Path, lang: str) -> "Iterator[PoolWeights]":
    """Opens the weights in a pool's directory; no other command fills them meanwhile.

    Args:
        state: the pool's directory.
        lang: the command's language.

    Raises:
        RequestError: ``pin_failed``: the folder cannot be written, or another command fills it.
    """
    store = ModelStore(state / WEIGHTS_FOLDER)
    values = {"folder": str(store.folder)}
    with ExitStack() as stack:
        try:
            is_held = stack.enter_context(lock_store(store))
        except OSError as problem:
            values["detail"] = problem.strerror or str(problem)
            sentence = i18n.text("transfer-unwritable", lang, **values)
            raise error_for("pin_failed", sentence) from problem
        if not is_held:
            raise error_for("pin_failed", i18n.text("transfer-busy", lang, **values))
        weights = PoolWeights(store, lang)
        try:
            yield weights
        except KeyboardInterrupt:
            weights.clear_progress()
            typer.echo(i18n.text("transfer-interrupted", lang), err=True)
            raise
        finally:
            weights.clear_progress()


class PoolWeights:
    """The weights of a pool, which this command alone fills meanwhile.

    Args:
        store: of the pool.
        lang: the command's language.
    """

    def __init__(self, store: ModelStore, lang: str) -> None:
        self._store = store
        self._lang = lang
        self._progress: TransferProgress | None = None

    @property
    def folder(self) -> Path:
        """The folder."""
        return self._store.folder

    def paths(self, model: str, artefact: Artefact) -> list[Path]:
        """Returns where the folder has an artefact's files."""
        return [self._store.file_path(model, artefact, file) for file in artefact.files]

    def clear_progress(self) -> None:
        """Removes the progress from the terminal."""
        if self._progress is not None:
            self._progress.close()

    def announce(self, wanted: Iterable[tuple[str, Artefact, Sources]]) -> None:
        """Says what must be fetched for some artefacts of models, and how long it takes.

        Raises:
            RequestError: ``pin_failed``: the disk has not enough space.
        """
        needs: list[Need] = []
        for model, artefact, sources in wanted:
            needs.append(compute_need(self._store, model, artefact, sources))
        whole = announce(self._store, needs, self._lang)
        self._progress = TransferProgress(whole, self._lang)

    def gather(self, model: str, artefact: Artefact, sources: Sources) -> PinFault | None:
        """Brings an artefact's files into the folder; ``announce`` comes first."""
        progress = self._progress
        assert progress is not None
        return gather_artefact(self._store, model, artefact, sources=sources, on_bytes=progress.add)

    def is_complete(self, model: str, artefact: Artefact) -> bool:
        """Whether the folder has every file of an artefact, verified."""
        return self._store.missing_bytes(model, artefact) == 0

    def discard(self, model: str, artefact: Artefact) -> None:
        """Deletes what is there of an artefact."""
        self._store.discard(model, artefact)
