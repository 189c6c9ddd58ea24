"""Keys of releases: what the holders of keys do, by hand (docs/guides/release.md).

    release_keys.py new FILE            makes a private key, and FILE.pub
    release_keys.py root FOLDER         writes the next root of FOLDER/roles.toml
    release_keys.py sign FILE KEY ...   adds the signatures of private keys to a file of metadata
    release_keys.py show FILE           prints the fingerprint of a root, or who signed a file

`roles.toml` has the date of the next root, and for each of root, targets, snapshot and timestamp
its public keys (`keys`, names of files in the folder) and how many of them must sign (`threshold`).
"""

from __future__ import annotations

import argparse
import getpass
import hashlib
import os
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import Metadata, Root

if __package__:
    from scripts import release_metadata as rm
else:
    import release_metadata as rm

PLAN = "roles.toml"
ROLES = ("root", "targets", "snapshot", "timestamp")
PRIVATE_MODE = 0o600


def new_key(path: Path, passphrase: str) -> str:
    """Makes a private key, sealed with a passphrase, and its public key; returns the key's name."""
    private = Ed25519PrivateKey.generate()
    sealed = private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode())
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE), "wb") as file:
        file.write(sealed)
    public = private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.with_name(f"{path.name}.pub").write_bytes(pem)
    return SSlibKey.from_crypto(public).keyid


def load_signer(path: Path, passphrase: str | None = None) -> CryptoSigner:
    """Reads a private key; a passphrase that is needed and not given is asked for."""
    sealed = path.read_bytes()
    if passphrase is None and b"ENCRYPTED" in sealed:
        passphrase = getpass.getpass(f"{path}: ")
    private = load_pem_private_key(sealed, passphrase.encode() if passphrase else None)
    if not isinstance(private, Ed25519PrivateKey):
        raise SystemExit(f"{path}: not an Ed25519 key")
    return CryptoSigner(private)


def read_public(path: Path) -> SSlibKey:
    """Reads a public key."""
    public = load_pem_public_key(path.read_bytes())
    if not isinstance(public, Ed25519PublicKey):
        raise SystemExit(f"{path}: not an Ed25519 key")
    return SSlibKey.from_crypto(public)


def write_root(folder: Path) -> Path:
    """Writes the next root of a folder, unsigned; the same plan again keeps its signatures."""
    plan = tomllib.loads((folder / PLAN).read_text("utf-8"))
    roles = {}
    for name in ROLES:
        keys = tuple(read_public(folder / key) for key in plan[name]["keys"])
        threshold = plan[name]["threshold"]
        if not 1 <= threshold <= len(set(plan[name]["keys"])):
            raise SystemExit(f"{PLAN}: {name}: threshold {threshold}, {len(keys)} keys")
        roles[name] = rm.RoleKeys(keys, threshold)
    date = datetime.combine(plan["date"], time(), UTC)
    paths = rm.read_roots(folder)
    version = len(paths) + 1
    if paths and not is_complete(paths):  # still being signed
        version -= 1
    path = folder / f"{version}.root.json"
    path.write_bytes(rm.to_bytes(rm.keep_signatures(rm.make_root(version, roles, date), path)))
    return path


def sign_file(path: Path, signers: Sequence[CryptoSigner]) -> Metadata[Any]:
    """Adds signatures to a file of metadata. A root also takes those of the root before it."""
    metadata: Metadata[Any] = Metadata.from_bytes(path.read_bytes())
    role = metadata.signed.type
    allowed: set[str] = set()
    for root in _signing_roots(path, metadata):
        allowed |= set(root.roles[role].keyids)
    path.write_bytes(rm.to_bytes(rm.sign(metadata, signers, allowed)))
    return metadata


def _signing_roots(path: Path, metadata: Metadata[Any]) -> list[Root]:
    """Returns the roots whose keys may sign a file of metadata."""
    if isinstance(metadata.signed, Root):
        before = path.with_name(f"{metadata.signed.version - 1}.root.json")
        earlier = [_read_root(before)] if before.exists() else []
        return [*earlier, metadata.signed]
    return [_read_root(rm.read_roots(path.parent)[-1])]


def _read_root(path: Path) -> Root:
    return Metadata[Root].from_bytes(path.read_bytes()).signed


def is_complete(paths: Sequence[Path]) -> bool:
    """Whether the last root has the signatures that it and the root before it demand."""
    metadata: Metadata[Root] = Metadata.from_bytes(paths[-1].read_bytes())
    return all(
        not missing
        for root in _signing_roots(paths[-1], metadata)
        for missing in [_count_missing(root, metadata)]
    )


def _count_missing(root: Root, metadata: Metadata[Any]) -> int:
    """Returns how many signatures a root still demands for a file of metadata."""
    role = metadata.signed.type
    result = root.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
    return max(0, root.roles[role].threshold - len(result.signed))


def fingerprint(path: Path) -> str:
    """Returns the fingerprint of a file of metadata."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def show(path: Path) -> str:
    """Describes a file of metadata: fingerprint, end, signatures and how many are missing."""
    metadata: Metadata[Any] = Metadata.from_bytes(path.read_bytes())
    missing = [_count_missing(root, metadata) for root in _signing_roots(path, metadata)]
    signed = metadata.signed
    lines = [
        f"{signed.type} {signed.version}, until {signed.expires:%Y-%m-%d}",
        fingerprint(path),
        f"signatures missing: {max(missing)}",
        *(f"signed by {key}" for key in metadata.signatures),
    ]
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """Runs one of the four commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("new", "root", "sign", "show"):
        command = commands.add_parser(name)
        command.add_argument("path", type=Path)
        if name == "sign":
            command.add_argument("keys", type=Path, nargs="+")
    given = parser.parse_args(argv)
    match given.command:
        case "new":
            passphrase = getpass.getpass("passphrase: ")
            if not passphrase or passphrase != getpass.getpass("again: "):
                raise SystemExit("the passphrases differ, or are empty")
            print(new_key(given.path, passphrase))
        case "root":
            print(show(write_root(given.path)))
        case "sign":
            sign_file(given.path, [load_signer(key) for key in given.keys])
            print(show(given.path))
        case "show":
            print(show(given.path))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
