"""The hub: weights through its own library, which resumes and follows its ways of storing.

It decides which of the library's failures is which of ours. The library is loaded only when the
hub is asked, and never asked where ``HF_HUB_OFFLINE`` says so. Its functions block: call them off
the event loop.
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
    """Whoever wanted the file wants it no more."""


def is_offline() -> bool:
    """Whether this machine's owner wants the hub left alone."""
    return os.environ.get(OFFLINE_VARIABLE, "").lower() in TRUE


def fetch_from_hub(
    artefact: Artefact,
    file: ArtefactFile,
    *,
    folder: Path,
    tell: Callable[[int], None],
    stop: threading.Event,
) -> Path | EngineProblem:
    """Brings one file at the pinned revision, going on from what lies in the folder.

    Args:
        artefact: whose file it is.
        file: which one.
        folder: where the library may put it, and what it has of it.
        tell: called with the length so far.
        stop: set when nobody wants it any more.

    Returns:
        Where it lies, or why it did not come.

    Raises:
        OSError: the disk did not let us.
        Stopped: ``stop`` was set.
    """
    from huggingface_hub import errors as hub  # noqa: PLC0415
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  (only whoever asks the hub)

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
            raise  # the disk's; what the library says of the network is an OSError without number
        # The library lets the errors of what it stands on through, and that changes.
        return _fetch_failure(file, str(problem))
    return Path(path)


def _fetch_failure(file: ArtefactFile, detail: str) -> EngineProblem:
    first = detail.strip().partition("\n")[0][:DETAIL_CHARS_MAX]
    return EngineProblem("fetch_failed", {"file": file.name, "source": "hub", "detail": first})


def _progress_class(tell: Callable[[int], None], stop: threading.Event) -> Any:
    """A progress bar as the library wants one, which draws nothing."""
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
