"""Hub: weights from the hub, through its own library, which resumes downloads.

Input: a pinned artefact. Output: a file, or the problem that the library's error stands for. The
library is imported only when the hub is asked, and never if ``HF_HUB_OFFLINE`` is set. These
functions block: call them off the event loop.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from entraide.models import Artefact, ArtefactFile
from entraide_node.engines.base import EngineProblem

OFFLINE_VARIABLE = "HF_HUB_OFFLINE"
ENDPOINT_VARIABLE = "HF_ENDPOINT"
TRUE = frozenset({"1", "on", "yes", "true"})
DETAIL_CHARS_MAX = 300


class FetchCancelled(Exception):
    """The fetch was cancelled."""


def is_offline() -> bool:
    """Whether the machine's owner disabled the hub."""
    return os.environ.get(OFFLINE_VARIABLE, "").lower() in TRUE


def fetch_from_hub(
    artefact: Artefact,
    file: ArtefactFile,
    *,
    folder: Path,
    tell: Callable[[int], None],
    stop: threading.Event,
) -> Path | EngineProblem:
    """Fetches one file at the pinned revision; resumes a partial file in the folder.

    Args:
        artefact: that the file belongs to.
        file: the file.
        folder: working folder of the library.
        tell: called with the current length.
        stop: set to cancel the fetch.

    Returns:
        Its path, or why it could not be fetched.

    Raises:
        OSError: of the disk.
        FetchCancelled: ``stop`` was set.
    """
    from huggingface_hub import errors as hub  # noqa: PLC0415
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  (only needed with the hub)

    values: dict[str, str | int | float] = {"file": file.name, "repository": artefact.repository}
    try:
        path = hf_hub_download(
            artefact.repository,
            file.name,
            revision=artefact.revision or None,
            local_dir=folder,
            endpoint=os.environ.get(ENDPOINT_VARIABLE) or None,
            tqdm_class=_progress_class(tell, stop),
        )
    except (hub.GatedRepoError, hub.DisabledRepoError):
        return EngineProblem("model_gated", values)
    except (hub.RepositoryNotFoundError, hub.RevisionNotFoundError, hub.EntryNotFoundError) as gone:
        if isinstance(gone, hub.LocalEntryNotFoundError):
            return _fetch_failure(file, str(gone.__cause__ or gone))
        return EngineProblem("model_not_on_hub", values)
    except FetchCancelled:
        raise
    except Exception as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise  # of the disk; the library's network errors are OSErrors without a number
        # The library passes on errors of its dependencies, and these change.
        return _fetch_failure(file, str(problem))
    return Path(path)


def _fetch_failure(file: ArtefactFile, detail: str) -> EngineProblem:
    first = detail.strip().partition("\n")[0][:DETAIL_CHARS_MAX]
    return EngineProblem("fetch_failed", {"file": file.name, "source": "hub", "detail": first})


def _progress_class(tell: Callable[[int], None], stop: threading.Event) -> Any:
    """A progress bar class for the library, which displays nothing."""
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]  # noqa: PLC0415

    class Progress(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            self._so_far = int(options.get("initial") or 0)
            super().__init__(*args, **{**options, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            if stop.is_set():
                raise FetchCancelled
            self._so_far += int(n or 0)
            tell(self._so_far)
            return None

    return Progress
