"""Metadata of a release, by The Update Framework (https://theupdateframework.github.io/specification/).

In: public and private keys, a date, files. Out: root, targets, snapshot and timestamp, signed. All
moments come from the release's date, Ed25519 draws nothing at random, and signatures are sorted, so
that the same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Role,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from entraide.release import FORMAT, METADATA, STATEMENT, TARGETS

# How long each role's signature is good for, from the date of the release.
VALID_DAYS = {"root": 730, "targets": 365, "snapshot": 90, "timestamp": 90}

S = TypeVar("S", bound=Signed)


class RoleKeys(Struct, frozen=True):
    """Who signs a role: the public keys, and how many of them must sign."""

    keys: tuple[SSlibKey, ...]
    threshold: int


class MissingSignatures(Exception):
    """A role has fewer signatures than its threshold; the text says which keys may still sign."""


def end_of(role: str, date: datetime) -> datetime:
    """Returns the moment after which a role's signature of a date is refused."""
    return date + timedelta(days=VALID_DAYS[role])


def make_root(version: int, roles: Mapping[str, RoleKeys], date: datetime) -> Metadata[Root]:
    """Returns an unsigned root that names the keys of the four roles."""
    keys = {key.keyid: key for role in roles.values() for key in role.keys}
    named = {
        name: Role(sorted(key.keyid for key in role.keys), role.threshold)
        for name, role in sorted(roles.items())
    }
    root = Root(version, expires=end_of("root", date), keys=dict(sorted(keys.items())), roles=named)
    return Metadata(root)


def make_targets(version: str, files: Path, date: datetime) -> Metadata[Targets]:
    """Returns unsigned targets with the files of ``files/VERSION``."""
    named = {}
    for path in sorted((files / version).iterdir()):
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        name = f"{version}/{path.name}"
        named[name] = TargetFile(path.stat().st_size, {"sha256": digest}, name)
    statement = {"format": FORMAT, "version": version, "date": date.isoformat()}
    targets = Targets(
        number_of(date),
        expires=end_of("targets", date),
        targets=named,
        unrecognized_fields={STATEMENT: statement},
    )
    return Metadata(targets)


def make_snapshot(targets: bytes, date: datetime) -> Metadata[Snapshot]:
    """Returns an unsigned snapshot that names the signed targets."""
    meta = {"targets.json": _describe(targets, date)}
    return Metadata(Snapshot(number_of(date), expires=end_of("snapshot", date), meta=meta))


def make_timestamp(snapshot: bytes, date: datetime) -> Metadata[Timestamp]:
    """Returns an unsigned timestamp that names the signed snapshot."""
    meta = _describe(snapshot, date)
    end = end_of("timestamp", date)
    return Metadata(Timestamp(number_of(date), expires=end, snapshot_meta=meta))


def number_of(date: datetime) -> int:
    """Returns the version number of the metadata of a date, to the minute: 202612021830."""
    return int(date.astimezone(UTC).strftime("%Y%m%d%H%M"))


def _describe(content: bytes, date: datetime) -> MetaFile:
    digest = hashlib.sha256(content).hexdigest()
    return MetaFile(number_of(date), len(content), {"sha256": digest})


def sign(
    metadata: Metadata[S], signers: Iterable[CryptoSigner], allowed: Iterable[str]
) -> Metadata[S]:
    """Adds the signatures of those signers whose key is allowed, and sorts all signatures."""
    keys = set(allowed)
    for signer in signers:
        if signer.public_key.keyid in keys:
            metadata.sign(signer, append=True)
    kept = sorted((key, each) for key, each in metadata.signatures.items() if key in keys)
    metadata.signatures = dict(kept)
    return metadata


def to_bytes(metadata: Metadata[Any]) -> bytes:
    """Returns the bytes of a file of metadata."""
    return metadata.to_bytes(JSONSerializer(compact=False)) + b"\n"


def keep_signatures(metadata: Metadata[S], path: Path) -> Metadata[S]:
    """Returns the metadata with the signatures of a file that says the same."""
    if path.exists():
        earlier: Metadata[S] = Metadata.from_bytes(path.read_bytes())
        if earlier.signed_bytes == metadata.signed_bytes:
            metadata.signatures = earlier.signatures
    return metadata


def read_roots(folder: Path) -> list[Path]:
    """Returns the files of a chain of roots, the first one first."""
    paths = folder.glob("*.root.json")
    return sorted(paths, key=lambda path: int(path.name.partition(".")[0]))


def sign_release(
    release: Path, version: str, date: datetime, signers: Iterable[CryptoSigner]
) -> None:
    """Writes targets, snapshot and timestamp beside the roots of ``release/metadata``.

    Args:
        release: folder with ``metadata`` and ``targets/VERSION``.
        version: of Entraide.
        date: of the release.
        signers: the private keys at hand; each signs the roles that the newest root gives it.

    Raises:
        MissingSignatures: other keys must sign first; what was written stays, and a next call with
            other keys goes on.
    """
    folder = release / METADATA
    root: Root = Metadata[Root].from_bytes(read_roots(folder)[-1].read_bytes()).signed
    signers = tuple(signers)
    number = number_of(date)

    def write(role: str, metadata: Metadata[Any], name: str) -> bytes:
        path = folder / name
        signed = sign(keep_signatures(metadata, path), signers, root.roles[role].keyids)
        content = to_bytes(signed)
        path.write_bytes(content)
        try:
            root.verify_delegate(role, signed.signed_bytes, signed.signatures)
        except UnsignedMetadataError as problem:
            others = sorted(set(root.roles[role].keyids) - set(signed.signatures))
            raise MissingSignatures(f"{path}: {problem}; keys: {' '.join(others)}") from problem
        return content

    for path in folder.iterdir():
        if ".root.json" not in path.name and not path.name.startswith(f"{number}."):
            path.unlink()
    targets = write(
        "targets", make_targets(version, release / TARGETS, date), f"{number}.targets.json"
    )
    snapshot = write("snapshot", make_snapshot(targets, date), f"{number}.snapshot.json")
    write("timestamp", make_timestamp(snapshot, date), "timestamp.json")
