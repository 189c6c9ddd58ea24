"""Release: checks that the files of a release are those that its maintainers signed.

In: a folder, or a server that repeats one (``FetcherInterface`` of ``tuf``); a folder with what
this machine has trusted so far; a fingerprint, if a person has one. Out: the release's version,
its date and its files, or one of the refusals of ``release_…``. The rules are those of The Update
Framework (https://theupdateframework.github.io/specification/), and its reference library checks.
"""

from entraide.release.folder import METADATA, TARGETS, FolderFetcher
from entraide.release.verifier import FORMAT, STATEMENT, Release, VerifiedRelease, open_release
from entraide.release.wheel_list import describe_own_target, list_wheels

__all__ = [
    "FORMAT",
    "METADATA",
    "STATEMENT",
    "TARGETS",
    "FolderFetcher",
    "Release",
    "VerifiedRelease",
    "describe_own_target",
    "list_wheels",
    "open_release",
]
