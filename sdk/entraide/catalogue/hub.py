"""Hub: lists and downloads files of the Hugging Face hub, through its own library.

Input: a repository and a revision; or a pinned artefact, a file of it and a partial file. Output:
the repository's files; or the complete file, or a fault. A partial file is continued, also after a
restart: the library's ``hf_hub_download`` begins each file anew. The functions block. The library
is imported only when the hub is asked.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from entraide.catalogue.pin_fault import PinFault
from entraide.models import Artefact, ArtefactFile

ENDPOINT_VARIABLE = "HF_ENDPOINT"
LIBRARY_COMMAND = "python -m pip install 'huggingface-hub>=1.0'"
DETAIL_CHARS_MAX = 300
RANGE_REFUSED = 416


class HubFile(Struct, frozen=True):
    """A file of a repository: name, length, and SHA-256 where the hub knows it, else ""."""

    name: str
    size_bytes: int
    sha256: str


class HubListing(Struct, frozen=True):
    """A repository's files at a commit."""

    commit: str
    files: tuple[HubFile, ...]


class DownloadCancelled(Exception):
    """``on_length`` raises it to end a download."""


class _TooLong(Exception):
    """The hub sent more bytes than the file has."""


def list_files(repository: str, *, revision: str = "") -> HubListing | PinFault:
    """Returns the files of a repository.

    Args:
        repository: ``owner/name``.
        revision: branch, tag or commit; "" for the main branch.
    """
    try:
        from huggingface_hub import HfApi  # noqa: PLC0415  (needed only to pin)
    except ModuleNotFoundError:
        return PinFault("no_library", LIBRARY_COMMAND)
    try:
        api = HfApi(endpoint=_endpoint())
        info = api.model_info(repository, revision=revision or None, files_metadata=True)
    except Exception as problem:  # noqa: BLE001  (errors of the library and of its dependencies)
        return _fault_of(problem, has_begun=False)
    listed = (_hub_file(file) for file in info.siblings or ())
    return HubListing(str(info.sha), tuple(listed))


def _hub_file(sibling: Any) -> HubFile:
    if sibling.lfs is not None:
        return HubFile(sibling.rfilename, int(sibling.lfs.size), str(sibling.lfs.sha256))
    return HubFile(sibling.rfilename, int(sibling.size or 0), "")


def download_file(
    artefact: Artefact, file: ArtefactFile, part: Path, *, on_length: Callable[[int], None]
) -> PinFault | None:
    """Downloads a file at the artefact's revision into a partial file, and continues one.

    Args:
        artefact: that the file belongs to; its repository and revision are used.
        file: its name and its expected length.
        part: the partial file; it is complete where no fault is returned.
        on_length: called with the current length; may raise ``DownloadCancelled``.

    Raises:
        OSError: of the disk.
        DownloadCancelled: ``on_length`` raised it.
    """
    try:
        from huggingface_hub import hf_hub_url  # noqa: PLC0415  (needed only with the hub)
        from huggingface_hub.file_download import http_get  # noqa: PLC0415
        from huggingface_hub.utils import (  # type: ignore[attr-defined]  # noqa: PLC0415
            build_hf_headers,
            logging,
        )
    except ModuleNotFoundError:
        return PinFault("no_library", LIBRARY_COMMAND)
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # the fault says it, in the user's language
    url = hf_hub_url(
        artefact.repository, file.name, revision=artefact.revision or None, endpoint=_endpoint()
    )
    part.parent.mkdir(parents=True, exist_ok=True)
    if _length(part) > file.size_bytes:
        part.unlink()
    try:
        with part.open("ab") as opened:
            http_get(
                url,
                opened,
                resume_size=opened.tell(),
                headers=build_hf_headers(headers={"Accept-Encoding": "identity"}),
                expected_size=file.size_bytes,
                tqdm_class=_progress_class(on_length, _length(part), file.size_bytes),
            )
    except _TooLong:
        part.unlink(missing_ok=True)
        return PinFault("checksum", file.name)
    except DownloadCancelled:
        raise
    except Exception as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise  # of the disk; the library's network errors are OSErrors without a number
        status = getattr(getattr(problem, "response", None), "status_code", 0)
        if status == RANGE_REFUSED or _length(part) == 0:
            part.unlink(missing_ok=True)  # of another file, or empty: the next begins anew
        return _fault_of(problem, has_begun=_length(part) > 0)
    return None


def _fault_of(problem: Exception, *, has_begun: bool) -> PinFault:
    from huggingface_hub import constants  # noqa: PLC0415
    from huggingface_hub import errors as hub  # noqa: PLC0415

    detail = str(problem).strip().partition("\n")[0][:DETAIL_CHARS_MAX] or type(problem).__name__
    if isinstance(problem, hub.GatedRepoError | hub.DisabledRepoError):
        return PinFault("gated", detail)
    missing = hub.RepositoryNotFoundError | hub.RevisionNotFoundError | hub.EntryNotFoundError
    if isinstance(problem, missing):
        return PinFault("gone", detail)
    if isinstance(problem, hub.HfHubHTTPError | ValueError):
        return PinFault("hub", detail)
    if has_begun:
        return PinFault("interrupted", detail)
    return PinFault("unreachable", urlsplit(_endpoint() or constants.ENDPOINT).netloc)


def _progress_class(on_length: Callable[[int], None], first: int, length_max: int) -> Any:
    """A progress bar class for the library, which shows nothing and reports the length."""
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]  # noqa: PLC0415

    class Progress(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            self._length = first
            super().__init__(*args, **{**options, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            self._length += int(n or 0)
            if self._length > length_max:
                raise _TooLong
            on_length(self._length)
            return None

    return Progress


def _endpoint() -> str | None:
    return os.environ.get(ENDPOINT_VARIABLE) or None


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
