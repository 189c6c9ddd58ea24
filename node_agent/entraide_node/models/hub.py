"""Hub: weights from the hub, unless the machine's owner disabled it.

Input: a pinned artefact. Output: a file, or the problem that the hub's fault stands for. These
functions block: call them off the event loop.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from entraide.catalogue.hub import DownloadCancelled, download_file
from entraide.catalogue.pin_fault import PinFault
from entraide.models import Artefact, ArtefactFile
from entraide_node.engines.base import EngineProblem

OFFLINE_VARIABLE = "HF_HUB_OFFLINE"
TRUE = frozenset({"1", "on", "yes", "true"})


def is_offline() -> bool:
    """Whether the machine's owner disabled the hub."""
    return os.environ.get(OFFLINE_VARIABLE, "").lower() in TRUE


def fetch_from_hub(
    artefact: Artefact,
    file: ArtefactFile,
    *,
    part: Path,
    tell: Callable[[int], None],
    stop: threading.Event,
) -> EngineProblem | None:
    """Fetches one file at the pinned revision; continues a partial file.

    Args:
        artefact: that the file belongs to.
        file: the file.
        part: the partial file, complete where None is returned.
        tell: called with the current length.
        stop: set to cancel the fetch.

    Returns:
        None, or why it could not be fetched.

    Raises:
        OSError: of the disk.
        DownloadCancelled: ``stop`` was set.
    """

    def report(length: int) -> None:
        if stop.is_set():
            raise DownloadCancelled
        tell(length)

    fault = download_file(artefact, file, part, on_length=report)
    return _problem(artefact, file, fault) if fault is not None else None


def _problem(artefact: Artefact, file: ArtefactFile, fault: PinFault) -> EngineProblem:
    values: dict[str, str | int | float] = {"file": file.name, "repository": artefact.repository}
    if fault.code == "gated":
        return EngineProblem("model_gated", values)
    if fault.code == "gone":
        return EngineProblem("model_not_on_hub", values)
    values = {"file": file.name, "source": "hub", "detail": fault.detail}
    return EngineProblem("checksum_wrong" if fault.code == "checksum" else "fetch_failed", values)
